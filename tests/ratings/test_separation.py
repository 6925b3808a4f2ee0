"""Two contestants against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from arena.ratings.bradley_terry import fit
from arena.ratings.comparisons import PairCounts
from arena.ratings.separation import Separation, probability_better, tie_share, votes_to_separate


def deviation(wins: float, losses: float) -> tuple[float, float]:
    """Difference of log-strengths of two contestants and its standard deviation."""
    result = fit(PairCounts(["x", "y"], np.array([[0, wins], [losses, 0]])))
    return float(np.ptp(result.theta)), 2 * float(np.sqrt(result.covariance[0, 0]))


@pytest.mark.parametrize(("wins", "losses"), [(11, 9), (30, 20), (105, 95)])
def test_that_many_votes_at_the_same_rate_do_separate(wins: int, losses: int) -> None:
    """Scaling the counts up by the promised votes brings the interval just off zero."""
    gap, spread = deviation(wins, losses)
    more = votes_to_separate(gap, spread)
    assert more is not None
    assert more > 0
    factor = (wins + losses + more) / (wins + losses)
    gap, spread = deviation(wins * factor, losses * factor)
    assert gap / spread == pytest.approx(1.96, rel=0.01)


def test_what_is_separate_needs_no_more_votes() -> None:
    """The order is sure already."""
    assert votes_to_separate(1.0, 0.1) == 0


def test_equals_are_never_separated() -> None:
    """And neither are those so close that a million votes would not do."""
    assert votes_to_separate(0.0, 0.1) is None
    assert votes_to_separate(1e-5, 0.1) is None


def test_ties_make_each_vote_less_noisy() -> None:
    """With ties counted as halves outcomes vary less, so fewer votes are needed."""
    plain, tied = votes_to_separate(0.1, 0.5), votes_to_separate(0.1, 0.5, tie_share=0.3)
    assert plain is not None
    assert tied is not None
    assert tied < plain


def test_one_tied_meeting_makes_no_tie_of_the_next() -> None:
    """Two who met rarely are taken to tie like everybody; after thirty meetings like themselves."""
    counts = PairCounts(["x", "y", "z"])
    for outcome in (1.0, 0.0, 0.5, 0.5):
        for _ in range(10):
            counts.add(1, 2, outcome)
    counts.add(0, 1, 0.5)
    assert tie_share(counts, 0, 1) == pytest.approx(21 / 41)
    for _ in range(29):
        counts.add(0, 1, 0.5)
    assert tie_share(counts, 0, 1) == 1


def test_nothing_known_is_the_longest_way() -> None:
    """An infinite deviation is a start from nothing."""
    more = votes_to_separate(0.5, math.inf)
    assert more is not None
    assert more > (votes_to_separate(0.5, 0.5) or 0)


def test_the_probability_of_being_better_is_the_normal_one() -> None:
    """Half for equals, 97.5% at 1.96 deviations."""
    assert probability_better(0, 0.3) == 0.5
    assert probability_better(1.959964 * 0.2, 0.2) == pytest.approx(0.975)
    assert probability_better(0.1, 0) == 1.0


def test_no_bound_is_less_than_nothing_by_rounding() -> None:
    """An interval that begins at nothing says so."""
    said = Separation("x", "y", difference=12.0, low=-0.04, high=24.0, better=0.975, votes=2).sentence()
    assert "+12.0 points, 95% interval +0.0 … +24.0" in said
