"""Agreement of two raters."""

from __future__ import annotations

import numpy as np
import pytest

from arena.ratings.agreement import agreement, agreement_of
from arena.types import Verdict

A, B, TIE, BAD = Verdict.MODEL_A, Verdict.MODEL_B, Verdict.TIE, Verdict.BOTH_BAD


def test_a_textbook_table() -> None:
    """The well-known grant example: 20 and 15 agreements of 50 give match 0.7 and κ 0.4."""
    result = agreement_of([[20, 5], [10, 15]])
    assert (result.n, result.match) == (50, 0.7)
    assert result.kappa == pytest.approx(0.4)


def test_the_interval_of_kappa_covers() -> None:
    """Simulated raters: about 95 of 100 intervals hold the true κ."""
    share = np.array([[0.4, 0.05, 0.05], [0.1, 0.2, 0.02], [0.03, 0.05, 0.1]])
    chance = float(share.sum(axis=1) @ share.sum(axis=0))
    true = (float(np.trace(share)) - chance) / (1 - chance)
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(1000):
        found = agreement_of(rng.multinomial(300, share.ravel()).reshape(3, 3))
        assert found.kappa_low is not None
        assert found.kappa_high is not None
        inside += found.kappa_low <= true <= found.kappa_high
    assert 930 <= inside <= 970


def test_verdicts_are_compared_case_by_case() -> None:
    """`decided` looks only at cases where both named a winner."""
    result = agreement([(A, A), (A, B), (TIE, TIE), (TIE, A), (BAD, BAD), (B, B)])
    assert result.match == pytest.approx(4 / 6)
    assert result.decided == pytest.approx(2 / 3)


def test_agreeing_by_chance_is_worth_nothing() -> None:
    """Independent raters match often and have κ 0."""
    result = agreement_of(np.outer([70, 30], [60, 40]))
    assert result.match == pytest.approx(0.54)
    assert result.kappa == pytest.approx(0, abs=1e-12)


def test_nothing_in_common_is_not_zero_agreement() -> None:
    """ "Could not tell" is None; so is κ where both always say the same thing."""
    assert agreement([]).match is None
    assert agreement([(A, A), (A, A)]).kappa is None
    assert agreement([(A, A), (A, A)]).match == 1


@pytest.mark.parametrize("verdicts", [[(A, TIE)], [(A, A), (B, B), (TIE, TIE)], [(A, B), (A, B)]])
def test_a_few_cases_are_no_certainty(verdicts: list[tuple[Verdict, Verdict]]) -> None:
    """Where nothing ever differed the interval is Wilson's around the match, not a point."""
    found = agreement(verdicts)
    assert found.kappa_low is not None
    assert found.kappa_high is not None
    assert found.kappa_high - found.kappa_low > 0.3
    assert found.kappa_low <= found.kappa <= found.kappa_high
