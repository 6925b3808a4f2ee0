"""Ties as an outcome of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from known_strengths import simulated

from arena.ratings.bradley_terry import Ties, fit
from arena.ratings.comparisons import Comparisons, FloatArray, PairCounts
from arena.ratings.leaderboard import bradley_terry_board
from arena.ratings.tie_models import TieFit, fit_davidson, fit_rao_kupper
from arena.types import Comparison

Probabilities = Callable[[float, float, float], tuple[float, float, float]]


def davidson(first: float, second: float, strength: float) -> tuple[float, float, float]:
    """Win, tie and loss as the paper writes them, from strengths π = exp θ."""
    a, b = np.exp(first), np.exp(second)
    tie = strength * np.sqrt(a * b)
    return a / (a + b + tie), tie / (a + b + tie), b / (a + b + tie)


def rao_kupper(first: float, second: float, strength: float) -> tuple[float, float, float]:
    """Win, tie and loss as the paper writes them."""
    a, b = np.exp(first), np.exp(second)
    win, loss = a / (a + strength * b), b / (b + strength * a)
    return win, 1 - win - loss, loss


def score_vectors(rows: Comparisons, model: Probabilities, at: FloatArray) -> FloatArray:
    """Derivatives of every comparison's log-likelihood in (θ, log of the tie strength), by differences."""

    def likelihood(point: FloatArray) -> FloatArray:
        chances = [model(point[a], point[b], np.exp(point[-1])) for a, b in zip(rows.a, rows.b, strict=True)]
        return np.array(
            [np.log(chance[int(2 - 2 * outcome)]) for chance, outcome in zip(chances, rows.outcome, strict=True)]
        )

    steps = np.eye(len(at)) * 1e-5
    return np.array([(likelihood(at + step) - likelihood(at - step)) / 2e-5 for step in steps]).T


@pytest.mark.parametrize(("fitted", "model"), [(fit_davidson, davidson), (fit_rao_kupper, rao_kupper)])
def test_the_maximum_and_its_sandwich_are_those_of_the_papers_likelihood(
    fitted: Callable[[PairCounts], TieFit], model: Probabilities
) -> None:
    """Differences of the likelihood written as the paper reads: gradient zero, same covariance."""
    rows = simulated(np.array([-0.6, 0.0, 0.2, 0.7]), 400, seed=2)
    result = fitted(PairCounts.of(rows))
    assert result.tie_strength is not None
    at = np.append(result.theta, np.log(result.tie_strength))
    scores = score_vectors(rows, model, at)
    assert scores.sum(axis=0) == pytest.approx(np.zeros(5), abs=1e-5)
    steps = np.eye(5) * 1e-4
    hessian = np.array(
        [
            (score_vectors(rows, model, at + step) - score_vectors(rows, model, at - step)).sum(axis=0) / 2e-4
            for step in steps
        ]
    )
    bread = np.linalg.pinv(-hessian, rcond=1e-6)
    expected = (bread @ scores.T @ scores @ bread)[:4, :4]
    # ρ = ln(tie strength) is the parameter above for both models, so the θ block must agree as it is.
    assert result.covariance == pytest.approx(expected, rel=2e-3, abs=1e-6)


def test_equals_tie_as_often_as_the_strength_says() -> None:
    """Between two equals Davidson's ν gives ν/(2 + ν) ties."""
    rows = [Comparison("x", "y", outcome) for outcome in (1.0, 0.0) for _ in range(30)] + [
        Comparison("x", "y", 0.5)
    ] * 40
    result = fit(PairCounts.of(Comparisons.of(rows)), ties=Ties.DAVIDSON)
    assert result.tie_strength is not None
    assert result.tie_strength / (2 + result.tie_strength) == pytest.approx(0.4)
    assert result.theta == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize("ties", [Ties.DAVIDSON, Ties.RAO_KUPPER])
def test_three_ties_are_not_certainty(ties: Ties) -> None:
    """A newcomer's equal votes have no spread of their own; its interval is what the model's variance makes of them."""
    old = simulated(np.linspace(-1, 1, 6), 600, seed=1)
    a, b, outcome = (np.append(old.a, [6] * 3), np.append(old.b, [3] * 3), np.append(old.outcome, [0.5] * 3))
    counts = PairCounts.of(Comparisons((*old.names, "new"), a, b, outcome))
    found = fit(counts, ties=ties).covariance
    assert found[6, 6] > fit(counts).covariance[6, 6] / 4
    assert found[6, 6] > 9 * found[:6, :6].diagonal().max()


@pytest.mark.parametrize("ties", [Ties.DAVIDSON, Ties.RAO_KUPPER])
def test_the_board_states_the_tie_strength(ties: Ties) -> None:
    """The parameters say which model it was and what it estimated."""
    board = bradley_terry_board(PairCounts.of(simulated(np.array([0.0, 1.0]), 200, seed=1)), ties=ties)
    assert board.parameters["ties"] == ties
    assert isinstance(board.parameters["tie_strength"], float)


@pytest.mark.parametrize(("outcomes", "reason"), [((1.0, 0.0), "no tie"), ((0.5, 0.5), "every comparison is a tie")])
def test_a_strength_that_cannot_be_estimated_is_refused(outcomes: tuple[float, float], reason: str) -> None:
    """Without a tie, or with nothing but ties."""
    counts = PairCounts.of(Comparisons.of(Comparison("x", "y", outcome) for outcome in outcomes))
    with pytest.raises(ValueError, match=reason):
        fit(counts, ties=Ties.DAVIDSON)
