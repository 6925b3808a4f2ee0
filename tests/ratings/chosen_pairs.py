"""What votes tell of the top when their pairs are chosen, and when they are drawn alike."""

from __future__ import annotations

from math import exp
from random import Random

import numpy as np

from arena.ratings.comparisons import PairCounts
from arena.ratings.sampling import chances, draw, posterior
from arena.ratings.separation import probability_better

ANEW = 20
"""Votes between two looks at which pairs are wanted."""


def certainty_after(votes: int, seed: int, *, uniform: bool) -> float:
    """Certainty of the top five after so many votes on twenty contestants with 25% ties."""
    rng, coin = np.random.default_rng(seed), Random(seed)
    theta = rng.normal(0, 0.6, 20)
    counts = PairCounts([str(i) for i in range(20)])
    given = chances(counts)
    for vote in range(votes):
        if not uniform and vote % ANEW == 0:
            given = chances(counts)
        if uniform:
            a, b = coin.sample(range(20), 2)
        else:
            pair = draw(given, coin)
            a, b = int(pair.a), int(pair.b)
        won = float(rng.random() < 1 / (1 + exp(theta[b] - theta[a])))
        counts.add(a, b, 0.5 if rng.random() < 0.25 else won)
    return _certainty(counts)


def _certainty(counts: PairCounts, top: int = 5) -> float:
    """Mean probability that a contestant of the top stands rightly before each one placed below it."""
    theta, covariance = posterior(counts, prior=1.5)
    order = np.argsort(-theta).tolist()
    sure = []
    for place, k in enumerate(order[:top]):
        for other in order[place + 1 :]:
            variance = covariance[k, k] + covariance[other, other] - 2 * covariance[k, other]
            sure.append(probability_better(theta[k] - theta[other], float(np.sqrt(variance))))
    return float(np.mean(sure))
