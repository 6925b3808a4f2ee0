"""Intervals keep their promise: about 95 of 100 hold the truth, over at least 10,000 of each kind."""

from __future__ import annotations

import numpy as np
import pytest
from known_judges import joint, true_strengths
from known_strengths import drawn, limit, newcomers_among_millions, simulated

from arena.ratings.bradley_terry import fit
from arena.ratings.combined import fit_combined
from arena.ratings.comparisons import FloatArray, PairCounts
from arena.ratings.intervals import normal_quantile

THETA = np.linspace(-1, 1, 10)


def covered(theta: FloatArray, deviation: FloatArray, truth: FloatArray) -> np.ndarray:
    return np.abs(theta - truth) <= normal_quantile() * deviation


def promised(inside: list[np.ndarray]) -> bool:
    """Whether the pooled share lies within 94% and 96%, over enough intervals to say so."""
    pooled = np.concatenate(inside)
    assert len(pooled) >= 10_000
    return 0.94 <= pooled.mean() <= 0.96


def test_the_sandwich_covers() -> None:
    """Ten contestants, 3,000 battles, a quarter of them ties."""
    truth, rng = limit(THETA), np.random.default_rng(1)
    inside = []
    for _ in range(1000):
        result = fit(drawn(np.full((10, 10), 3000 / 45), THETA, rng))
        inside.append(covered(result.theta, np.sqrt(np.diag(result.covariance)), truth))
    assert promised(inside)


def test_contestants_with_few_battles_among_millions_are_covered() -> None:
    """Ten old ones with ten million battles among them, five new ones with 100 to 300 each."""
    theta, battles = newcomers_among_millions(THETA)
    truth, rng = limit(theta, pairs=battles), np.random.default_rng(2)
    inside = []
    for _ in range(2200):
        result = fit(drawn(battles, theta, rng))
        inside.append(covered(result.theta, np.sqrt(np.diag(result.covariance)), truth)[10:])
    assert promised(inside)


def test_clustering_covers_where_voters_have_tastes() -> None:
    """A hundred voters of fifty votes each; the plain sandwich falls short of its promise."""
    truth = limit(THETA, spread=0.4)
    clustered, plain = [], []
    for seed in range(1000):
        rows = simulated(THETA, 5000, seed, voters=100, spread=0.4)
        counts = PairCounts.of(rows)
        for found, voters in ((clustered, rows), (plain, None)):
            result = fit(counts, voters=voters)
            found.append(covered(result.theta, np.sqrt(np.diag(result.covariance)), truth))
    assert promised(clustered)
    assert np.mean(plain) < 0.94


@pytest.mark.parametrize("bias", [0.0, 1.0])
def test_human_and_judge_together_cover(bias: float) -> None:
    """Whether the judge is fair or has favourites of its own."""
    truth = true_strengths()
    inside = []
    for seed in range(1300):
        result = fit_combined(joint(seed, bias=bias))
        inside.append(covered(result.theta, np.sqrt(np.diag(result.covariance)), truth))
    assert promised(inside)
