"""Which pair to ask about next: the one whose vote is expected to settle most of the ranking.

A vote between i and j shrinks the covariance C of the strengths by a rank-1 step along C(eᵢ − eⱼ).
What that is worth is measured by the expected loss of ordering k and l wrongly, whose derivative in
their variance is φ(d/s)/2s, summed over the orders that matter most (those at the top). Chances are
mixed with a uniform draw and with a share for newcomers, so no pair is ever impossible and every
draw has a known propensity.

It knows pair counts only; randomness comes as an argument. Source of the loss: the expected
opportunity cost of S. Chick and K. Inoue, "New two-stage and sequential procedures", 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from arena.ratings.comparisons import FloatArray, PairCounts
from arena.ratings.intervals import laplacian, positive_inverse, win_probabilities


@dataclass(frozen=True, slots=True)
class SamplingRules:
    """How the draw is mixed.

    `top`: how many places of the ranking matter fully; orders below count `below` times as much.
    `uniform` is the share of draws given to any pair alike, `newcomers` the share of pairs with a
    contestant of fewer than `newcomer_battles` battles (an even draw's share of these where that is
    more, up to a half). The rest goes to pairs by their expected gain to the power of `greed` (1 is
    in proportion; more keeps to the best pairs). `prior` is the deviation, in log-strength, that is
    expected of a contestant about whom nothing is known.
    """

    top: int = 5
    below: float = 0.01
    uniform: float = 0.05
    newcomers: float = 0.2
    newcomer_battles: int = 30
    greed: float = 6.0
    prior: float = 1.5


@dataclass(frozen=True, slots=True)
class Draw:
    """A pair with its sides; `propensity` is the probability of exactly this draw, sides included."""

    a: str
    b: str
    propensity: float


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """The chance of each pair: a symmetric table with a zero diagonal whose upper half sums to one."""

    names: tuple[str, ...]
    table: FloatArray

    def weight(self, a: str, b: str) -> float:
        """How much a pair is wanted; pairs with an unknown contestant as much as the most wanted."""
        places = {name: place for place, name in enumerate(self.names)}
        if a in places and b in places:
            return float(self.table[places[a], places[b]])
        return float(self.table.max()) if self.table.size and self.table.max() > 0 else 1.0


def draw(chances: Chances, rng: Random) -> Draw:
    """One draw by these chances."""
    upper = np.triu(chances.table, 1).ravel()
    cumulative = np.cumsum(upper)
    place = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    place = min(place, int(np.flatnonzero(upper)[-1]))
    first, second = divmod(place, len(chances.names))
    if rng.random() < 0.5:
        first, second = second, first
    return Draw(chances.names[first], chances.names[second], float(upper[place] / cumulative[-1]) / 2)


def chances(counts: PairCounts, rules: SamplingRules = SamplingRules()) -> Chances:
    """How likely each pair should be next. O(m³) for m contestants, whatever the number of votes."""
    size = len(counts)
    every = np.ones((size, size)) - np.eye(size)
    new = counts.battles.sum(axis=1) < rules.newcomer_battles
    with_newcomer = every * (new[:, None] | new[None, :])
    gain = (expected_gain(counts, rules) * every) ** rules.greed
    mixed = np.zeros((size, size))
    even = float(with_newcomer.sum() / max(every.sum(), 1))
    newcomers = max(rules.newcomers, min(even, 0.5)) if new.any() else 0.0
    settled = 1 - rules.uniform - newcomers
    for table, share in ((every, rules.uniform), (with_newcomer, newcomers), (gain, max(settled, 0.0))):
        if share and table.sum() > 0:
            mixed += share * table / (table.sum() / 2)
    mixed += mixed.T
    whole = mixed.sum() / 2
    return Chances(tuple(counts.names), mixed / whole if whole > 0 else mixed)


def expected_gain(counts: PairCounts, rules: SamplingRules = SamplingRules()) -> FloatArray:
    """By how much one vote of each pair is expected to reduce the loss of wrong orders."""
    theta, covariance = posterior(counts, rules.prior)
    p = win_probabilities(theta)
    curvature = p * p.T
    variance = _of_differences(covariance)
    wanted = laplacian(_loss_slope(theta, variance) * _importance(theta, rules))
    settled = covariance @ wanted @ covariance
    return np.asarray(_of_differences(settled) * curvature / (1 + curvature * variance))


def posterior(counts: PairCounts, prior: float) -> tuple[FloatArray, FloatArray]:
    """Strengths and covariance under a normal prior: a guide for sampling, never a rating.

    Unlike a rating it exists for everyone, newcomers and the undefeated included.
    """
    size, total = len(counts), counts.total
    precision = np.eye(size) / prior**2
    theta = np.zeros(size)
    covariance = precision
    for _ in range(50):
        p = win_probabilities(theta)
        covariance = positive_inverse(laplacian(total * p * p.T) + precision)
        delta = covariance @ ((counts.score - total * p).sum(axis=1) - theta / prior**2)
        theta = theta + delta * min(1.0, 2.0 / max(float(np.abs(delta).max(initial=0)), 1e-300))
        if np.abs(delta).max(initial=0) < 1e-6:
            break
    return theta, covariance


def _of_differences(table: FloatArray) -> FloatArray:
    """xᵀ·table·x for every difference x = eᵢ − eⱼ."""
    own = np.diag(table)
    return np.asarray(np.maximum(own[:, None] + own[None, :] - 2 * table, 0))


def _loss_slope(theta: FloatArray, variance: FloatArray) -> FloatArray:
    """φ(d/s)/2s for each order: where it is close and uncertain, knowing more is worth most."""
    deviation = np.sqrt(np.where(variance > 0, variance, 1))
    gap = (theta[:, None] - theta[None, :]) / deviation
    slope = np.exp(-(gap**2) / 2) / deviation
    np.fill_diagonal(slope, 0)
    return np.asarray(slope)


def _importance(theta: FloatArray, rules: SamplingRules) -> FloatArray:
    """Orders that decide the first places count fully, the others by `rules.below`."""
    rank = np.argsort(np.argsort(-theta))
    leading = rank < rules.top
    return np.where(leading[:, None] | leading[None, :], 1.0, rules.below)
