"""Columns and pair counts."""

from __future__ import annotations

import numpy as np
import pytest

from arena.ratings.comparisons import Comparisons, PairCounts
from arena.types import Comparison

BATTLES = [
    Comparison("x", "y", 1.0),
    Comparison("y", "z", 0.5, both_bad=True),
    Comparison("z", "x", 0.0, weight=3.0),
    Comparison("x", "y", 0.5),
]


def test_names_are_numbered_in_order_of_appearance() -> None:
    """Names given beforehand keep their numbers; new ones follow."""
    assert Comparisons.of(BATTLES).names == ("x", "y", "z")
    assert Comparisons.of(BATTLES, names=["z"]).names == ("z", "x", "y")


def test_a_contestant_against_itself_says_nothing() -> None:
    """Such a comparison is passed over."""
    assert len(Comparisons.of([Comparison("x", "x", 1.0), *BATTLES])) == len(BATTLES)


@pytest.mark.parametrize("bad", [Comparison("x", "y", 1.5), Comparison("x", "y", float("nan"))])
def test_an_outcome_outside_its_range_is_refused(bad: Comparison) -> None:
    """Outcomes are scores within 0 and 1."""
    with pytest.raises(ValueError, match="outcome"):
        Comparisons.of([bad])


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_amount_is_refused(weight: float) -> None:
    """Weights are positive and finite."""
    with pytest.raises(ValueError, match="weight"):
        Comparisons.of([Comparison("x", "y", 1.0, weight)])


def test_scores_halves_and_both_bad_are_counted() -> None:
    """A tie is half a win each way; both-bad is a half that is also remembered as such."""
    counts = PairCounts.of(Comparisons.of(BATTLES))
    assert counts.score.tolist() == [[0, 1.5, 3], [0.5, 0, 0.5], [0, 0.5, 0]]
    assert counts.ties.tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    assert counts.both_bad.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_battles_are_counted_whatever_they_weigh() -> None:
    """A weight of three is still one battle."""
    counts = PairCounts.of(Comparisons.of(BATTLES))
    assert counts.total[0, 2] == 3
    assert counts.battles[0, 2] == counts.battles[2, 0] == 1


def test_moments_equal_sums_over_rows() -> None:
    """The tables give Σw², Σw²y and Σw²y² exactly, for fractional outcomes and weights too."""
    rng = np.random.default_rng(3)
    rows = [Comparison("x", "y", float(rng.random()), float(rng.random() + 0.1)) for _ in range(50)]
    whole, score, square = PairCounts.of(Comparisons.of(rows)).moments()
    weight = np.array([row.weight for row in rows])
    outcome = np.array([row.outcome for row in rows])
    assert whole[0, 1] == pytest.approx((weight**2).sum())
    assert score[0, 1] == pytest.approx((weight**2 * outcome).sum())
    assert square[0, 1] == pytest.approx((weight**2 * outcome**2).sum())
    assert square[1, 0] == pytest.approx((weight**2 * (1 - outcome) ** 2).sum())


def test_adding_one_by_one_equals_counting_at_once() -> None:
    """And taking everything back leaves empty tables."""
    columns = Comparisons.of(BATTLES)
    counts, at_once = PairCounts(columns.names), PairCounts.of(columns)
    index = {name: i for i, name in enumerate(columns.names)}
    for row in BATTLES:
        counts.add(index[row.model_a], index[row.model_b], row.outcome, both_bad=row.both_bad, weight=row.weight)
    for table, other in zip((*counts.moments(), counts.both_bad), (*at_once.moments(), at_once.both_bad), strict=True):
        np.testing.assert_array_equal(table, other)
    np.testing.assert_array_equal(counts.battles, at_once.battles)
    for row in BATTLES:
        counts.remove(index[row.model_a], index[row.model_b], row.outcome, both_bad=row.both_bad, weight=row.weight)
    assert not any(table.any() for table in (counts.score, counts.ties, counts.both_bad, counts.battles))


def test_growing_keeps_what_was_counted() -> None:
    """A new contestant begins with nothing; a known one keeps its number."""
    counts = PairCounts.of(Comparisons.of(BATTLES))
    before = counts.score.copy()
    assert counts.grow("new") == 3
    assert counts.grow("y") == 1
    np.testing.assert_array_equal(counts.score[:3, :3], before)
    counts.add(3, 0, 1.0)
    assert counts.score[3, 0] == counts.battles[0, 3] - 0 == 1


def test_tables_of_a_wrong_shape_are_refused() -> None:
    """Counts of two contestants are two by two."""
    with pytest.raises(ValueError, match="shape"):
        PairCounts(["x", "y"], np.zeros((3, 3)))
