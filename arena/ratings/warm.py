"""Bradley–Terry kept warm: after one more comparison, new strengths and deviations of everyone at once.

A comparison is a rank-1 change of the curvature H and of the sandwich's filling M, so H⁻¹ and the
diagonal of H⁻¹MH⁻¹ follow in O(m²) (Sherman–Morrison) and the strengths by one Newton step. What
these steps leave out is tracked; when it could be seen, the strengths are settled on the exact
likelihood equations, or everything is computed anew. Nothing here depends on the number of votes.

It serves one strongly connected group and knows neither votes' sources nor scales.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from arena.ratings.bradley_terry import maximize
from arena.ratings.comparisons import FloatArray, IntArray, PairCounts
from arena.ratings.intervals import laplacian, meat, normal_quantile, pseudo_inverse, win_probabilities
from arena.ratings.rank_one import RankOneSandwich

_RATING_SLACK = 1e-6
"""What is left out of log-strengths before they are settled: 2e-4 of an Elo point."""

_INTERVAL_SLACK = 2e-5
"""What may be wrong with an interval's half-width, in log-strength: 3e-3 of an Elo point."""

_SETTLED = 1e-9
"""Log-strength: a shorter step ends the way back to the maximum."""

_FEW = 2.0
"""Below this much meat a contestant's variance is filled up (see `meat`), which no rank-1 step follows."""

_STEPS_BETWEEN_REFITS = 4096
"""Rank-1 steps after which rounding is wiped out by a fresh factorization."""


_SIDES = np.array([1.0, -1.0])


@dataclass(frozen=True, slots=True)
class Change:
    """A comparison that was counted (weight above 0) or taken away (below), by places in the counts."""

    a: int
    b: int
    outcome: float
    weight: float = 1.0


class WarmStrengths:
    """Strengths of one strongly connected group of contestants, given by their places in the counts.

    The counts belong to the caller, who tells of comparisons by `shift` after counting them, and of
    anything else by `refit`. `theta` sums to zero, `variance` is its sandwich variance.
    """

    def __init__(self, counts: PairCounts, core: IntArray, start: FloatArray | None = None) -> None:
        self.core = core
        self._place = {int(contestant): place for place, contestant in enumerate(core)}
        self.theta, _ = maximize(self._own(counts).score, start)
        self._factorize(counts)

    def refit(self, counts: PairCounts) -> None:
        """Maximize and factorize anew, from where the strengths are."""
        self.theta, _ = maximize(self._own(counts).score, self.theta)
        self._factorize(counts)

    def shift(self, counts: PairCounts, changes: Iterable[Change]) -> None:
        """Follow comparisons between members, all of which the counts hold by now."""
        for change in changes:
            if not self._step(change):
                self.refit(counts)
                return
        if self._left_out > _RATING_SLACK:
            self._settle(counts)
        few = float(np.diag(self._sandwich.filling).min()) < _FEW
        if few or self._steps > _STEPS_BETWEEN_REFITS or self._interval_error() > _INTERVAL_SLACK:
            self._factorize(counts)

    def _step(self, change: Change) -> bool:
        """One Newton step with the rank-1 changes that go with it; false where one step cannot reach."""
        first, second = self._place[change.a], self._place[change.b]
        p = float(1 / (1 + np.exp(self.theta[second] - self.theta[first])))
        residual = change.outcome - p
        delta = self._sandwich.step(np.array([first, second]), _SIDES, p * (1 - p), residual, change.weight)
        if delta is None:
            return False
        self.theta += delta
        self._left_out += 4 * float(np.abs(delta).max()) ** 2
        self._steps += 1
        return True

    def holds(self, contestant: int) -> bool:
        """Whether this place of the counts belongs to the group."""
        return contestant in self._place

    def continued(self, core: IntArray) -> FloatArray:
        """A start for another core: known members where they are, newcomers in the middle."""
        return np.array([self.theta[self._place[int(i)]] if int(i) in self._place else 0.0 for i in core])

    @property
    def variance(self) -> FloatArray:
        """Sandwich variance of each member's strength."""
        return self._sandwich.variance

    def covariance_with(self, contestant: int) -> FloatArray:
        """Column of the sandwich covariance that belongs to a member, by its place in the counts."""
        return self._sandwich.covariance_with(self._place[contestant])

    def _factorize(self, counts: PairCounts) -> None:
        own = self._own(counts)
        p = win_probabilities(self.theta)
        self._curvature = laplacian(own.total * p * p.T)
        self._sandwich = RankOneSandwich(pseudo_inverse(self._curvature), meat(own, p))
        self._reference = self.theta.copy()
        self._left_out, self._steps = 0.0, 0

    def _settle(self, counts: PairCounts) -> None:
        """Chord steps on the exact likelihood equations; a refit where they do not close in."""
        own = self._own(counts)
        total, before = own.total, np.inf
        for _ in range(8):
            gradient = (own.score - total * win_probabilities(self.theta)).sum(axis=1)
            delta = self._sandwich.bread @ gradient
            largest = float(np.abs(delta).max())
            if largest > before / 2:
                break
            self.theta += delta
            before = largest
            if largest < _SETTLED:
                self.theta -= self.theta.mean()
                self._left_out = 0.0
                return
        self.refit(counts)

    def _interval_error(self) -> float:
        """Largest error of a half-width since the factorization: weights drift as strengths move.

        A contestant's weights change by at most its own movement plus its opponents' mean movement;
        its half-width by no more than that share of itself.
        """
        moved = np.abs(self.theta - self._reference)
        strength = np.diag(self._curvature)
        opponents = moved - (self._curvature @ moved) / strength
        half = np.sqrt(np.maximum(self.variance, 0))
        return float(normal_quantile() * (half * (moved + opponents)).max())

    def _own(self, counts: PairCounts) -> PairCounts:
        return counts if len(self.core) == len(counts) else counts.select(self.core)
