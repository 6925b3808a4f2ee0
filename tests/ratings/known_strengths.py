"""Simulated battles whose true strengths are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arena.ratings.comparisons import Comparisons
from arena.ratings.style import STYLE_FEATURES


def simulated(
    theta: NDArray[np.float64], battles: int, seed: int, *, ties: float = 0.25, voters: int = 0, spread: float = 0.0
) -> Comparisons:
    """Battles between random pairs. A tie comes with probability `ties`; otherwise Bradley–Terry decides.

    For these outcomes the expected score is not the logistic curve of θ, so `theta` must be read
    through `implied` when intervals are held against the truth. With `voters`, each has a taste of
    deviation `spread` for every contestant, which all of its votes share.
    """
    rng = np.random.default_rng(seed)
    size = len(theta)
    a = rng.integers(0, size, battles)
    b = (a + rng.integers(1, size, battles)) % size
    voter = np.sort(rng.integers(0, voters, battles)) if voters else None
    difference = theta[a] - theta[b]
    if voter is not None and spread:
        taste = rng.normal(0, spread, (voters, size))
        difference = difference + taste[voter, a] - taste[voter, b]
    won = (rng.random(battles) < 1 / (1 + np.exp(-difference))).astype(float)
    outcome = np.where(rng.random(battles) < ties, 0.5, won)
    return Comparisons(tuple(f"m{i}" for i in range(size)), a, b, outcome, voter=voter)


def styled(battles: int = 3000, size: int = 6, seed: int = 1, *, worth: float = 1.0, voters: int = 0) -> Comparisons:
    """Battles in which longer answers win more; the stronger also write longer."""
    rng = np.random.default_rng(seed)
    theta = np.linspace(-0.8, 0.8, size)
    a = rng.integers(0, size, battles)
    b = (a + rng.integers(1, size, battles)) % size
    amounts = {
        name: (
            rng.poisson(mean * np.exp(theta[a] / 2)).astype(float),
            rng.poisson(mean * np.exp(theta[b] / 2)).astype(float),
        )
        for name, mean in zip(STYLE_FEATURES, (300, 2, 4, 6), strict=True)
    }
    length = (amounts["tokens"][0] - amounts["tokens"][1]) / (amounts["tokens"][0] + amounts["tokens"][1])
    logit = theta[a] - theta[b] + worth * length
    won = (rng.random(battles) < 1 / (1 + np.exp(-logit))).astype(float)
    outcome = np.where(rng.random(battles) < 0.2, 0.5, won)
    voter = rng.integers(0, voters, battles) if voters else None
    return Comparisons(tuple(f"m{i}" for i in range(size)), a, b, outcome, voter=voter, features=amounts)
