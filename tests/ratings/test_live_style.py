"""Style control between refits."""

from __future__ import annotations

import numpy as np
import pytest
from known_strengths import styled

from arena.ratings.live_style import LiveStyle
from arena.ratings.style import STYLE_FEATURES, Variant, fit_style

PER_NAT = 400 / np.log(10)


def test_many_votes_later_it_is_where_a_refit_is() -> None:
    """A tenth more votes, followed one at a time: the board is a refit's to a tenth of a point."""
    rows = styled(22_000)
    live = LiveStyle(fit_style(rows.where(np.arange(20_000))))
    for i in range(20_000, 22_000):
        amounts = {name: (float(a[i]), float(b[i])) for name, (a, b) in rows.features.items()}
        live.add(rows.names[rows.a[i]], rows.names[rows.b[i]], float(rows.outcome[i]), amounts)
    refit = fit_style(rows)
    assert live.missed == 0
    assert live.strengths().theta * PER_NAT == pytest.approx(refit.theta * PER_NAT, abs=0.1)
    assert live.strengths().deviation * PER_NAT == pytest.approx(refit.strengths().deviation * PER_NAT, abs=0.05)
    for found, expected in zip(live.coefficients(), refit.coefficients, strict=True):
        assert found.feature == expected.feature
        assert expected.value is not None
        # The refit's spread differs a little, being of all votes.
        assert found.value == pytest.approx(expected.value, abs=2e-3)


def test_a_vote_taken_back_leaves_no_trace() -> None:
    """But for the rounding of two steps."""
    live = LiveStyle(fit_style(styled(20_000)))
    before = live.strengths()
    amounts = dict.fromkeys(STYLE_FEATURES, (300.0, 100.0))
    live.add("m0", "m1", 1.0, amounts)
    assert np.abs(live.strengths().theta - before.theta).max() > 1e-5
    live.add("m0", "m1", 1.0, amounts, weight=-1.0)
    assert live.strengths().theta == pytest.approx(before.theta, abs=1e-6)
    assert live.strengths().deviation == pytest.approx(before.deviation, abs=1e-5)


def test_a_contestant_the_refit_did_not_know_waits() -> None:
    """Its votes are counted as missed, so that a refit can be called for."""
    live = LiveStyle(fit_style(styled()))
    live.add("newcomer", "m1", 1.0, {})
    assert live.missed == 1


def test_another_projects_variant_is_not_carried_forward() -> None:
    """Its centring depends on all votes at once."""
    with pytest.raises(ValueError, match="our own"):
        LiveStyle(fit_style(styled(), variant=Variant.FASTCHAT))
