"""Bradley–Terry with ties as an outcome of their own, whose strength is estimated with the others.

Davidson: win, tie and loss have odds e^(d/2) : ν : e^(−d/2), d being the difference of log-strengths.
Rao and Kupper: a beats b with probability σ(d − α); closer than the threshold α is a tie.
Both see pair counts only and expect a strongly connected group that tied at least once and not always.

Sources: R. Davidson, JASA 1970; P. Rao and L. Kupper, JASA 1967.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from arena.ratings.comparisons import FloatArray, PairCounts
from arena.ratings.intervals import filled_up, laplacian, pair_weights

_LAST_STEP = 1e-7
"""Log-strength: a shorter step ends a fit."""
_LARGEST_STEP = 2.0
"""Log-strength: a longer Newton step is cut to this."""


@dataclass(frozen=True, slots=True, eq=False)
class TieFit:
    """Log-strengths that sum to zero, their covariance, and the tie strength where one was estimated."""

    theta: FloatArray
    covariance: FloatArray
    tie_strength: float | None
    iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class _Slopes:
    """Log-likelihood with its derivatives in (θ, tie parameter); curvature is its negated Hessian."""

    value: float
    gradient: FloatArray
    curvature: FloatArray
    filling: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Outcomes:
    """What the likelihoods read: wins without ties (row over column), ties, and both for squared weights."""

    wins: FloatArray
    ties: FloatArray
    wins_squared: FloatArray
    ties_squared: FloatArray

    @property
    def unit(self) -> float:
        """The sum of squared weights by the sum of weights."""
        squared, whole = self.wins_squared.sum() + self.ties_squared.sum() / 2, self.wins.sum() + self.ties.sum() / 2
        return float(squared / whole)


def fit_davidson(counts: PairCounts) -> TieFit:
    """Davidson's model; the tie strength is ν, with probability ν/(2 + ν) of a tie between equals."""
    outcomes = _outcomes(counts)
    ratio = outcomes.ties.sum() / outcomes.wins.sum()  # each tie stands twice in its table, each win once
    theta, parameter, covariance, steps = _newton(outcomes, _davidson, float(np.log(ratio)))
    return TieFit(theta, covariance, float(np.exp(parameter)), steps)


def fit_rao_kupper(counts: PairCounts) -> TieFit:
    """Rao and Kupper's model; the tie strength is e^α ≥ 1, 1 being "never a tie"."""
    outcomes = _outcomes(counts)
    share = outcomes.ties.sum() / 2 / (outcomes.wins.sum() + outcomes.ties.sum() / 2)
    theta, parameter, covariance, steps = _newton(outcomes, _rao_kupper, float(np.log((1 + share) / (1 - share))))
    return TieFit(theta, covariance, float(np.exp(parameter)), steps)


def _outcomes(counts: PairCounts) -> _Outcomes:
    whole, score, square = counts.moments()
    ties_squared = 4 * (score - square)
    ties = counts.ties
    wins = counts.score - ties / 2
    if not ties.any():
        raise ValueError("there is no tie to estimate a tie strength from: let ties count half")
    if wins.sum() <= 1e-12 * whole.sum():
        raise ValueError("every comparison is a tie: a tie strength cannot be estimated")
    return _Outcomes(wins, ties, score - ties_squared / 2, ties_squared)


def _newton(
    outcomes: _Outcomes, slopes: Callable[[_Outcomes, FloatArray, float], _Slopes], start: float
) -> tuple[FloatArray, float, FloatArray, int]:
    """Climb the log-likelihood; returns θ, the tie parameter, the sandwich covariance of θ and the steps."""
    size = len(outcomes.wins)
    gauge = np.zeros((size + 1, size + 1))
    gauge[:size, :size] = 1 / size
    theta, parameter = np.zeros(size), start
    here = slopes(outcomes, theta, parameter)
    for iteration in range(1, 200):
        bread = np.linalg.inv(here.curvature + gauge * np.trace(here.curvature) / size)
        step = bread @ here.gradient
        largest = float(np.abs(step).max())
        step *= min(1.0, _LARGEST_STEP / max(largest, 1e-300))
        for halving in range(40):
            trial = theta + step[:size] / 2**halving, parameter + float(step[size]) / 2**halving
            there = slopes(outcomes, *trial)
            if there.value >= here.value - 1e-13 * abs(here.value):
                break
        (theta, parameter), here = trial, there
        if largest < _LAST_STEP:
            covariance = bread @ _not_certain(outcomes, here, size) @ bread
            return theta - theta.mean(), parameter, covariance[:size, :size], iteration
    raise ArithmeticError("Newton's method did not settle on a tie strength")


def _not_certain(outcomes: _Outcomes, at: _Slopes, size: int) -> FloatArray:
    """The filling with contestants whose few outcomes never differed filled up from the curvature, which is the
    model's own variance."""
    filling, unit = at.filling.copy(), outcomes.unit
    own, model = (pair_weights(table[:size, :size]) for table in (filling, at.curvature))
    filling[:size, :size] += laplacian(filled_up(own, model * unit, unit) - own)
    return filling


def _davidson(outcomes: _Outcomes, theta: FloatArray, parameter: float) -> _Slopes:
    """An exponential family in (score, tie): residuals are observed minus expected, curvature is their covariance."""
    half = (theta[:, None] - theta[None, :]) / 2
    log_sum = np.logaddexp(np.logaddexp(half, -half), parameter)
    win, tie = np.exp(half - log_sum), np.exp(parameter - log_sum)
    mean = win + tie / 2
    wins, ties = outcomes.wins, outcomes.ties
    total = wins + wins.T + ties
    value = (wins * (half - log_sum)).sum() + (ties * (parameter - log_sum)).sum() / 2
    gradient = np.append((wins + ties / 2 - total * mean).sum(axis=1), (ties - total * tie).sum() / 2)
    curvature = _bordered(
        total * (win + tie / 4 - mean**2), total * tie * (0.5 - mean), float((total * tie * (1 - tie)).sum() / 2)
    )
    filling = _filling(outcomes, (1 - mean, -tie), (0.5 - mean, 1 - tie))
    return _Slopes(float(value), gradient, curvature, filling)


def _rao_kupper(outcomes: _Outcomes, theta: FloatArray, parameter: float) -> _Slopes:
    """With t(α) = ln(e^2α − 1): Σ (wins + ties)·ln σ(d − α) over ordered pairs + Σ ties·t(α)."""
    if parameter <= 0:
        nothing = np.zeros((len(theta) + 1, len(theta) + 1))
        return _Slopes(-np.inf, nothing[0], nothing, nothing)
    gap = theta[:, None] - theta[None, :] - parameter
    log_win = -np.logaddexp(0, -gap)
    miss = np.exp(-np.logaddexp(0, gap))  # 1 − σ(d − α)
    least = outcomes.wins + outcomes.ties
    growth = np.expm1(2 * parameter)
    slope, bend = 2 * (growth + 1) / growth, 4 * (growth + 1) / growth**2
    pairs_tied = outcomes.ties.sum() / 2
    value = (least * log_win).sum() + pairs_tied * np.log(growth)
    pull = least * miss
    gradient = np.append((pull - pull.T).sum(axis=1), slope * pairs_tied - pull.sum())
    weight = least * miss * (1 - miss)
    curvature = _bordered(weight + weight.T, -(weight - weight.T), float(weight.sum() + bend * pairs_tied))
    filling = _filling(outcomes, (miss, -miss), (miss - miss.T, slope - miss - miss.T))
    return _Slopes(float(value), gradient, curvature, filling)


def _bordered(weights: FloatArray, across: FloatArray, corner: float) -> FloatArray:
    """A Laplacian in θ with the tie parameter as last row; `across[i, j]` belongs to (eᵢ − eⱼ), each pair once."""
    size = len(weights)
    np.fill_diagonal(across, 0)
    table = np.empty((size + 1, size + 1))
    table[:size, :size] = laplacian(weights)
    table[size, :size] = table[:size, size] = (across - across.T).sum(axis=1) / 2
    table[size, size] = corner
    return table


def _filling(outcomes: _Outcomes, win: tuple[FloatArray, FloatArray], tie: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Sum of outer products of score vectors; each outcome's is (r·(eᵢ − eⱼ), s) with (r, s) as given.

    `win` holds r and s of "row beats column", `tie` those of a tie, r seen from the row.
    """
    won, tied = outcomes.wins_squared, outcomes.ties_squared
    own = won * win[0] ** 2
    across = won * win[0] * win[1]
    weights = own + own.T + tied * tie[0] ** 2
    border = (across - across.T) + tied * tie[0] * tie[1]
    np.fill_diagonal(border, 0)
    corner = float((won * win[1] ** 2).sum() + (tied * tie[1] ** 2).sum() / 2)
    return _bordered(weights, border, corner)
