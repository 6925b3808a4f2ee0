"""Style control between refits: one more comparison moves strengths and coefficients by a rank-1 step.

Style has no small sufficient statistics, so only a refit over all comparisons is exact; that is
background work, and this carries its result forward at O((m + k)²) per vote. It starts from a
`StyleResult` of our own variant and drifts from the next one by the square of its steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from arena.ratings.bradley_terry import Strengths
from arena.ratings.comparisons import FloatArray
from arena.ratings.rank_one import RankOneSandwich
from arena.ratings.style import Coefficient, StyleResult, Variant, coefficients_of


class LiveStyle:
    """Strengths at equal style, up to the last vote. `missed` counts votes that wait for a refit.

    Those are votes with a contestant that the refit had not rated, and votes that take back more
    than one step can follow.
    """

    def __init__(self, result: StyleResult) -> None:
        if result.variant is not Variant.OURS:
            raise ValueError("only our own style control is carried forward between refits")
        self.missed = 0
        self._result = result
        self._rated = len(result.solution.rated)
        self._place = {result.names[i]: place for place, i in enumerate(result.solution.rated.tolist())}
        self._used = [found for found in result.coefficients if found.spread > 0]
        self._parameters = result.solution.parameters.copy()
        self._sandwich = RankOneSandwich(result.solution.bread.copy(), result.solution.filling.copy())

    def add(
        self,
        model_a: str,
        model_b: str,
        outcome: float,
        amounts: Mapping[str, tuple[float, float]],
        *,
        weight: float = 1.0,
    ) -> None:
        """Follow one vote; `amounts` holds each feature's amount on side a and on side b.

        A negative weight takes the vote back.
        """
        if model_a not in self._place or model_b not in self._place:
            self.missed += 1
            return
        places = np.concatenate(
            ([self._place[model_a], self._place[model_b]], self._rated + np.arange(len(self._used)))
        )
        values = np.concatenate(([1.0, -1.0], self._excess(amounts)))
        p = float(1 / (1 + np.exp(-(values @ self._parameters[places]))))
        delta = self._sandwich.step(places, values, p * (1 - p), outcome - p, weight)
        if delta is None:
            self.missed += 1
        else:
            self._parameters += delta

    def _excess(self, amounts: Mapping[str, tuple[float, float]]) -> FloatArray:
        """(a − b)/(a + b) per spread, as the refit scaled it."""
        values = []
        for found in self._used:
            a, b = amounts.get(found.feature, (0.0, 0.0))
            values.append((a - b) / (a + b) / found.spread if a + b else 0.0)
        return np.array(values)

    def strengths(self) -> Strengths:
        """Strengths and deviations after the last vote."""
        found = self._result.strengths()
        theta, deviation = found.theta.copy(), found.deviation.copy()
        rated = self._result.solution.rated
        theta[rated] = self._parameters[: self._rated]
        deviation[rated] = np.sqrt(np.maximum(self._sandwich.variance[: self._rated], 0))
        return replace(found, theta=theta, deviation=deviation)

    def coefficients(self) -> tuple[Coefficient, ...]:
        """What each feature is worth after the last vote."""
        features = [found.feature for found in self._result.coefficients]
        spread = np.array([found.spread for found in self._result.coefficients])
        deviation = np.sqrt(np.maximum(self._sandwich.variance[self._rated :], 0))
        return coefficients_of(features, spread, self._parameters[self._rated :], deviation)
