"""Online Elo: one pass over comparisons in their order of arrival.

The ratings depend on that order: the same votes shuffled move them. It knows nothing of
intervals; for those, and for an answer that order cannot move, see `bradley_terry`.

Source: A. Elo, "The Rating of Chessplayers, Past and Present", 1978; K = 4 is what public
language-model arenas use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from arena.ratings.comparisons import Comparisons, FloatArray


@dataclass(frozen=True, slots=True)
class Scale:
    """How strengths become points: `points` of difference mean odds of `base` to one."""

    start: float = 1000.0
    points: float = 400.0
    base: float = 10.0

    def __post_init__(self) -> None:
        if not (self.points > 0 and self.base > 1 and math.isfinite(self.start)):
            raise ValueError("a rating scale needs a finite start, positive points and a base above 1")

    @property
    def per_nat(self) -> float:
        """Points per unit of natural log-strength."""
        return self.points / math.log(self.base)


@dataclass(frozen=True, slots=True)
class EloParameters:
    """What an Elo rating is relative to; printed beside every board that shows one."""

    k: float = 4.0
    scale: Scale = Scale()

    def __post_init__(self) -> None:
        if not 0 < self.k < math.inf:
            raise ValueError(f"k must be a positive number, not {self.k}")


@dataclass(frozen=True, slots=True, eq=False)
class EloResult:
    """Ratings after the last comparison, with the parameters they were computed by."""

    names: tuple[str, ...]
    ratings: FloatArray
    parameters: EloParameters


def expected_score(rating_a: float, rating_b: float, scale: Scale = Scale()) -> float:
    """Expected score of a against b: 1 / (1 + base^((b − a)/points))."""
    odds = (rating_b - rating_a) / scale.per_nat
    return 1 / (1 + math.exp(odds)) if odds < 700 else 0.0


def step(
    rating_a: float, rating_b: float, outcome: float, parameters: EloParameters = EloParameters(), weight: float = 1.0
) -> float:
    """What one comparison adds to a's rating; b loses as much."""
    return parameters.k * weight * (outcome - expected_score(rating_a, rating_b, parameters.scale))


def fold(
    comparisons: Comparisons, parameters: EloParameters = EloParameters(), ratings: Sequence[float] | None = None
) -> EloResult:
    """Walk through the comparisons in their order, from `ratings` or from the scale's start."""
    current = [parameters.scale.start] * len(comparisons.names) if ratings is None else list(ratings)
    _walk(current, comparisons, parameters)
    return EloResult(comparisons.names, np.array(current), parameters)


def _walk(ratings: list[float], rows: Comparisons, parameters: EloParameters) -> None:
    """The fold itself; `step` is written out because this loop runs once per stored vote."""
    nat, exp = 1 / parameters.scale.per_nat, math.exp
    gains = repeat(parameters.k) if rows.weight is None else (parameters.k * rows.weight).tolist()
    for a, b, outcome, gain in zip(rows.a.tolist(), rows.b.tolist(), rows.outcome.tolist(), gains, strict=False):
        before_a, before_b = ratings[a], ratings[b]
        try:
            change = gain * (outcome - 1 / (1 + exp((before_b - before_a) * nat)))
        except OverflowError:  # b is so far ahead that nothing was expected of a
            change = gain * outcome
        ratings[a] = before_a + change
        ratings[b] = before_b - change
