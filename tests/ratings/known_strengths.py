"""Simulated battles whose true strengths are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arena.ratings.bradley_terry import maximize
from arena.ratings.comparisons import Comparisons, PairCounts
from arena.ratings.style import STYLE_FEATURES


def limit(
    theta: NDArray[np.float64], *, ties: float = 0.25, spread: float = 0.0, pairs: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Where Bradley–Terry ends with endlessly many battles of `simulated`: what intervals must cover.

    Ties at a constant rate pull every expected score towards a half, and so do voters' tastes, so
    it is not `theta` itself. `pairs` weighs the pairs, all alike by default.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    gap = theta[:, None] - theta[None, :]
    chance = 1 / (1 + np.exp(-(gap[..., None] + np.sqrt(2) * spread * nodes)))
    score = (chance @ weights / weights.sum()) * (1 - ties) + ties / 2
    np.fill_diagonal(score, 0)
    return maximize(score * (1 if pairs is None else pairs))[0]


def simulated(
    theta: NDArray[np.float64], battles: int, seed: int, *, ties: float = 0.25, voters: int = 0, spread: float = 0.0
) -> Comparisons:
    """Battles between random pairs. A tie comes with probability `ties`; otherwise Bradley–Terry decides.

    With `voters`, each has a taste of deviation `spread` for every contestant, which all of its
    votes share.
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


def unlike_voters(
    theta: NDArray[np.float64], battles: int, voters: int, seed: int, *, spread: float = 0.4, owner: int | None = None
) -> Comparisons:
    """Votes of voters of whom some cast many times as many as others, each with tastes of its own.

    With `owner` the last contestant has 50 battles, all of them that voter's.
    """
    rng = np.random.default_rng(seed)
    eager = np.exp(rng.normal(0, 1, voters))
    size = len(theta)
    a = rng.integers(0, size - (owner is not None), battles)
    if owner is not None:
        a[:50] = size - 1
    b = (a + rng.integers(1, size, battles)) % size
    voter = rng.choice(voters, battles, p=eager / eager.sum())
    if owner is not None:
        b[50:] = (a[50:] + rng.integers(1, size - 1, battles - 50)) % (size - 1)
        voter[:50] = owner
    taste = rng.normal(0, spread, (voters, size))
    gap = theta[a] - theta[b] + taste[voter, a] - taste[voter, b]
    won = (rng.random(battles) < 1 / (1 + np.exp(-gap))).astype(float)
    outcome = np.where(rng.random(battles) < 0.25, 0.5, won)
    return Comparisons(tuple(f"m{i}" for i in range(size)), a, b, outcome, voter=voter)


def newcomers_pairs(size: int) -> NDArray[np.float64]:
    """Weights of pairs where the last contestant has hardly any battles."""
    pairs = np.ones((size, size))
    pairs[-1] = pairs[:, -1] = 1e-6
    return pairs


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


def drawn(
    battles: NDArray[np.float64], theta: NDArray[np.float64], rng: np.random.Generator, ties: float = 0.25
) -> PairCounts:
    """Counts of so many battles per pair (a symmetric table), drawn at once however many there are."""
    upper = np.triu(battles, 1).astype(int)
    tied = rng.binomial(upper, ties)
    won = rng.binomial(upper - tied, 1 / (1 + np.exp(theta[None, :] - theta[:, None])))
    score = won + tied / 2 + (upper - won - tied / 2).T
    return PairCounts([str(i) for i in range(len(theta))], score, tied + tied.T)


def newcomers_among_millions(theta: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Strengths and battles of each pair: the old ones share ten million, five new ones have 100 to 300 each."""
    size = len(theta)
    everybody = np.concatenate((theta, [-1.2, -0.5, 0.0, 0.6, 1.4]))
    battles = np.zeros((size + 5, size + 5))
    battles[:size, :size] = 10_000_000 / (size * (size - 1) / 2)
    for newcomer, count in zip(range(size, size + 5), (100, 150, 200, 250, 300), strict=True):
        battles[newcomer, :size] = battles[:size, newcomer] = count // size
    return everybody, battles
