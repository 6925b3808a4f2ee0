"""A fit at equal style between two fits."""

from __future__ import annotations

import numpy as np
import pytest

from arena.ratings.comparisons import BoolArray, Comparisons, IntArray, PairCounts
from arena.ratings.elo import Scale
from arena.ratings.leaderboard import counts_matrix
from arena.ratings.style import fit_style
from arena.service import followed_style
from arena.service.followed_style import FollowedStyle

LENGTH = ("tokens",)


def votes(number: int = 3000) -> Comparisons:
    """Among four contestants, the longer answer liked a little better; the last ten are of a fifth."""
    rng = np.random.default_rng(1)
    a = rng.integers(0, 4, number)
    b = (a + rng.integers(1, 4, number)) % 4
    amounts = tuple(rng.integers(1, 400, number).astype(float) for _ in "ab")
    logit = (a - b) / 4 + (amounts[0] - amounts[1]) / (amounts[0] + amounts[1])
    outcome = (rng.random(number) < 1 / (1 + np.exp(-logit))).astype(float)
    a[-10:] = 4
    return Comparisons(tuple("vwxyz"), a, b, outcome, features={"tokens": amounts})  # type: ignore[dict-item]


def marked(*ranges: range) -> BoolArray:
    chosen = np.zeros(3000, dtype=bool)
    for each in ranges:
        chosen[list(each)] = True
    return chosen


def followed(chosen: BoolArray) -> FollowedStyle:
    """A fit over the marked votes."""
    rows = votes().where(chosen)
    return FollowedStyle(fit_style(rows, LENGTH), PairCounts.of(rows), chosen, Scale())


def at(places: IntArray) -> Comparisons:
    return votes().where(places)


def test_votes_that_come_and_go_are_followed_to_where_a_fit_would_be() -> None:
    """Ratings to a tenth of a point after a hundred votes, the coefficient with them."""
    later = marked(range(100, 2600))
    board = followed(marked(range(2500))).board(later, at)
    rows = votes().where(later)
    refit = fit_style(rows, LENGTH)
    assert board is not None
    assert board.style is not None
    assert board.votes == 2500
    points = refit.theta * Scale().per_nat + Scale().start
    for place, name in enumerate("vwxy"):
        assert board.row(name).rating == pytest.approx(points[place], abs=0.5)
    assert board.style.coefficients[0].value == pytest.approx(refit.coefficients[0].value, abs=0.01)


def test_a_newcomer_waits_for_the_next_fit() -> None:
    """The fit has no strength from which a step could start."""
    fit = followed(marked(range(2500)))
    assert fit.board(marked(range(2510)), at) is not None
    assert fit.board(marked(range(2510), range(2995, 3000)), at) is None


def test_too_many_votes_wait_for_the_next_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than keep a page waiting."""
    monkeypatch.setattr(followed_style, "MOST_STEPS", 50)
    fit = followed(marked(range(2500)))
    assert fit.board(marked(range(2551)), at) is None
    assert fit.board(marked(range(2550)), at) is not None


def test_a_board_stays_as_it_was_when_votes_are_followed() -> None:
    """Other threads draw it meanwhile."""
    following = followed(marked(range(2000)))
    first = following.board(marked(range(2010)), at)
    assert first is not None
    before = counts_matrix(first).values.sum()
    assert following.board(marked(range(2100)), at) is not None
    assert counts_matrix(first).values.sum() == before
