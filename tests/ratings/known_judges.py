"""Simulated battles with a human and a judge whose errors are known."""

from __future__ import annotations

import numpy as np

from arena.ratings.bradley_terry import maximize
from arena.ratings.combined import JointCounts
from arena.ratings.comparisons import FloatArray
from arena.ratings.intervals import win_probabilities

STRENGTHS = np.linspace(-0.8, 0.8, 8)
TIES = 0.25


def joint(seed: int, *, humans: int = 800, judged: int = 4000, follows: float = 0.8, bias: float = 0.0) -> JointCounts:
    """A judge who in a share of battles draws the same lot as the human, seen through its own biased strengths."""
    rng = np.random.default_rng(seed)
    biased = STRENGTHS + bias * np.sin(2.1 * np.arange(8))
    battles = humans + judged
    a = rng.integers(0, 8, battles)
    b = (a + rng.integers(1, 8, battles)) % 8
    lot, own_lot = rng.random((battles, 2)), rng.random((battles, 2))
    judges_lot = np.where((rng.random(battles) < follows)[:, None], lot, own_lot)
    human = outcome(STRENGTHS[a] - STRENGTHS[b], lot)
    human[humans:] = np.nan
    return JointCounts.of([str(i) for i in range(8)], a, b, human, outcome(biased[a] - biased[b], judges_lot))


def outcome(difference: FloatArray, lot: FloatArray) -> FloatArray:
    return np.where(lot[:, 0] < TIES, 0.5, (lot[:, 1] < 1 / (1 + np.exp(-difference))).astype(float))


def true_strengths() -> FloatArray:
    """What Bradley–Terry finds in endless human votes with these ties."""
    score = win_probabilities(STRENGTHS) * (1 - TIES) + TIES / 2
    np.fill_diagonal(score, 0)
    return maximize(score)[0]
