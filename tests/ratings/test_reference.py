"""Properties of Bradley–Terry, and the fast code against a slow reference written as the formulas read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arena.ratings.bradley_terry import fit
from arena.ratings.comparisons import Comparisons, FloatArray, PairCounts
from arena.ratings.connectivity import pieces
from arena.types import Comparison

SIZE = 4
comparison = st.builds(
    lambda a, step, outcome, weight: Comparison(f"m{a}", f"m{(a + step) % SIZE}", outcome, weight),
    st.integers(0, SIZE - 1),
    st.integers(1, SIZE - 1),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.sampled_from([0.5, 1.0, 3.0]),
)
battles = st.lists(comparison, min_size=25, max_size=60)


def counted(rows: list[Comparison]) -> PairCounts:
    return PairCounts.of(Comparisons.of(rows, names=[f"m{i}" for i in range(SIZE)]))


def connected(rows: list[Comparison]) -> PairCounts:
    counts = counted(rows)
    assume(len(pieces(counts.score)[0].core) == SIZE)
    return counts


def varied(rows: list[Comparison], theta: FloatArray) -> bool:
    """Whether everyone's comparisons vary enough for the sandwich to stand as it is."""
    meat, weight = np.zeros(SIZE), 0.0
    for row in rows:
        a, b = int(row.model_a[1]), int(row.model_b[1])
        residual = row.weight * (row.outcome - 1 / (1 + math.exp(theta[b] - theta[a])))
        meat[[a, b]] += residual**2
        weight = max(weight, row.weight)
    return bool(meat.min() > 0.75 * weight)


def slow_strengths(rows: list[Comparison]) -> FloatArray:
    """Hunter's MM iteration: πᵢ ← wins of i / Σ over its comparisons of 1/(πᵢ + πⱼ)."""
    names = [f"m{i}" for i in range(SIZE)]
    strength = dict.fromkeys(names, 1.0)
    for _ in range(200_000):
        wins, share = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
        for row in rows:
            wins[row.model_a] += row.weight * row.outcome
            wins[row.model_b] += row.weight * (1 - row.outcome)
            for name in (row.model_a, row.model_b):
                share[name] += row.weight / (strength[row.model_a] + strength[row.model_b])
        moved = {name: wins[name] / share[name] for name in names}
        mean = math.exp(sum(math.log(value) for value in moved.values()) / SIZE)
        moved = {name: value / mean for name, value in moved.items()}
        change = max(abs(math.log(moved[name] / strength[name])) for name in names)
        strength = moved
        if change < 1e-12:
            break
    return np.log([strength[name] for name in names])


def slow_covariance(rows: list[Comparison], theta: FloatArray) -> FloatArray:
    """H⁺·Σuuᵀ·H⁺ with one score vector u = w·(y − p)·(e_a − e_b) per comparison."""
    curvature, filling = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for row in rows:
        direction = np.zeros(SIZE)
        direction[int(row.model_a[1])] += 1
        direction[int(row.model_b[1])] -= 1
        p = 1 / (1 + math.exp(-float(direction @ theta)))
        curvature += row.weight * p * (1 - p) * np.outer(direction, direction)
        score = row.weight * (row.outcome - p) * direction
        filling += np.outer(score, score)
    inverse = np.linalg.pinv(curvature, rcond=1e-12)
    return np.asarray(inverse @ filling @ inverse)


@settings(max_examples=15, deadline=None)
@given(battles)
def test_the_fast_answer_is_the_slow_one(rows: list[Comparison]) -> None:
    """Strengths and covariance, for any weights and fractional outcomes."""
    counts = connected(rows)
    assume((counts.score[counts.total > 0] > 0.02 * counts.total[counts.total > 0]).mean() > 0.5)
    result = fit(counts)
    assume(varied(rows, result.theta))
    assert result.theta == pytest.approx(slow_strengths(rows), abs=1e-6)
    assert result.covariance == pytest.approx(slow_covariance(rows, result.theta), rel=1e-6, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(battles, st.randoms(use_true_random=False))
def test_neither_order_nor_sides_nor_names_matter(rows: list[Comparison], coin: object) -> None:
    """Shuffled, mirrored here and there, and renumbered: the same to 1e-9."""
    result = fit(connected(rows))
    other = [
        Comparison(row.model_b, row.model_a, 1 - row.outcome, row.weight) if coin.random() < 0.5 else row  # type: ignore[attr-defined]
        for row in rows
    ]
    coin.shuffle(other)  # type: ignore[attr-defined]
    renamed = fit(PairCounts.of(Comparisons.of(other)))
    place = [renamed.names.index(name) for name in result.names]
    assert renamed.theta[place] == pytest.approx(result.theta, abs=1e-9)
    assert np.diag(renamed.covariance)[place] == pytest.approx(np.diag(result.covariance), rel=1e-7)


@settings(max_examples=50, deadline=None)
@given(battles)
def test_one_more_win_never_lowers_the_winner(rows: list[Comparison]) -> None:
    """Nor raises the loser."""
    before = fit(connected(rows)).theta
    after = fit(connected([*rows, Comparison("m0", "m1", 1.0)])).theta
    assert after[0] >= before[0] - 1e-9
    assert after[1] <= before[1] + 1e-9


@settings(max_examples=50, deadline=None)
@given(battles)
def test_every_vote_twice_changes_no_rating_and_halves_the_variance(rows: list[Comparison]) -> None:
    """Ratings depend on shares, certainty on numbers."""
    once, twice = fit(connected(rows)), fit(connected([*rows, *rows]))
    assume(varied(rows, once.theta))
    assert twice.theta == pytest.approx(once.theta, abs=1e-9)
    assert np.diag(twice.covariance) == pytest.approx(np.diag(once.covariance) / 2, rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.lists(comparison, max_size=12))
def test_any_votes_give_finite_answers_or_none(rows: list[Comparison]) -> None:
    """A rating is a number or absent; bounds of the unrated leave at least one side open."""
    result = fit(counted(rows))
    rated = np.isfinite(result.theta)
    assert not np.isinf(result.theta).any()
    assert (np.diag(result.covariance)[rated] >= -1e-12).all()
    assert np.isinf(result.low[~rated] - result.high[~rated]).all()
