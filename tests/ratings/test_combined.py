"""Human and judge together."""

from __future__ import annotations

import numpy as np
import pytest
from known_judges import joint, true_strengths

from arena.ratings.bradley_terry import fit
from arena.ratings.combined import JointCounts, fit_combined
from arena.ratings.comparisons import PairCounts


@pytest.mark.parametrize(("follows", "bias"), [(0.8, 0.0), (0.8, 1.0), (0.0, 1.0)])
def test_intervals_cover_whatever_the_judge_is(follows: float, bias: float) -> None:
    """Good, biased, or good for nothing; pooling the votes of a biased judge covers a third at most."""
    truth, inside, pooled = true_strengths(), [], []
    for seed in range(200):
        counts = joint(seed, follows=follows, bias=bias)
        result = fit_combined(counts)
        inside.append(np.abs(result.theta - truth) < 1.96 * np.sqrt(np.diag(result.covariance)))
        human, judge = counts.human(), counts.judge()
        together = fit(PairCounts(human.names, human.score + judge.score, human.ties + judge.ties))
        pooled.append(np.abs(together.theta - truth) < 1.96 * np.sqrt(np.diag(together.covariance)))
    assert 0.92 <= np.mean(inside) <= 0.975
    assert not bias or np.mean(pooled) < 0.5


def test_a_good_judge_narrows_intervals_and_a_useless_one_does_not_widen_them() -> None:
    """Compared with human votes alone."""
    for follows, least, most in ((0.8, 0.5, 0.8), (0.0, 0.95, 1.02)):
        counts = joint(1, follows=follows)
        human = np.sqrt(np.diag(fit(counts.human()).covariance)).mean()
        both = np.sqrt(np.diag(fit_combined(counts).covariance)).mean()
        assert least < both / human < most


def test_without_a_judge_it_is_the_human_rating() -> None:
    """Ratings and covariance are those of the human votes."""
    counts = joint(3, judged=0, humans=500)
    counts.table[:, 3] += counts.table[:, :3].sum(axis=1)
    counts.table[:, :3] = 0
    result, human = fit_combined(counts), fit(counts.human())
    assert result.trust == 0
    assert result.theta == pytest.approx(human.theta, abs=1e-9)
    assert result.covariance == pytest.approx(human.covariance, abs=1e-12)


def test_a_judge_is_never_a_voter() -> None:
    """A contestant only the judge has seen stays unrated."""
    counts = joint(4, humans=300, judged=300)
    newcomer = counts.grow("judged only")
    counts.add(newcomer, 0, None, 1.0)
    counts.add(newcomer, 0, None, 0.0)
    result = fit_combined(counts)
    assert np.isnan(result.theta[newcomer])
    assert result.piece[newcomer] == 1


def test_sides_do_not_matter_and_what_is_added_can_be_taken_back() -> None:
    """Counting from b's side is the same; a negative amount undoes."""
    first, second = JointCounts(["x", "y"]), JointCounts(["x", "y"])
    first.add(0, 1, 1.0, 0.5)
    second.add(1, 0, 0.0, 0.5)
    np.testing.assert_array_equal(first.table, second.table)
    first.add(1, 0, 0.0, 0.5, amount=-1)
    assert not first.table.any()


def test_columns_are_counted_as_one_by_one() -> None:
    """NaN in a column is "no verdict"."""
    one_by_one = JointCounts(["x", "y", "z"])
    one_by_one.add(0, 1, 1.0, None)
    one_by_one.add(2, 1, None, 0.5)
    columns = JointCounts.of(
        ["x", "y", "z"], np.array([0, 2]), np.array([1, 1]), np.array([1.0, np.nan]), np.array([np.nan, 0.5])
    )
    np.testing.assert_array_equal(columns.table, one_by_one.table)


def test_an_outcome_between_the_known_ones_is_refused() -> None:
    """Joint counts are tables of verdicts."""
    with pytest.raises(ValueError, match=r"0\.7"):
        JointCounts(["x", "y"]).add(0, 1, 0.7, None)
