"""How a benchmark's score goes with the rating: Spearman's rank correlation, ties sharing their ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """ρ in [−1, 1], None when fewer than three models are in both or one side does not vary."""

    rho: float | None
    models: tuple[str, ...]


def rank_correlation(scores: Mapping[str, float], ratings: Mapping[str, float]) -> RankCorrelation:
    """Correlate two columns over the models that are in both."""
    models = tuple(name for name in scores if name in ratings)
    if len(models) < 3:
        return RankCorrelation(None, models)
    a, b = (_ranks([column[name] for name in models]) for column in (scores, ratings))
    if a.std() == 0 or b.std() == 0:
        return RankCorrelation(None, models)
    return RankCorrelation(float(np.corrcoef(a, b)[0, 1]), models)


def _ranks(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Ranks from 1; equal values share the mean of their places."""
    _, place, count = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place], dtype=np.float64)
