"""Simulated battles with a human and a judge whose errors are known."""

from __future__ import annotations

from functools import cache

import numpy as np

from arena.ratings.bradley_terry import maximize
from arena.ratings.combined import JointCounts
from arena.ratings.comparisons import FloatArray
from arena.ratings.intervals import win_probabilities

STRENGTHS = np.linspace(-0.8, 0.8, 8)
TIES = 0.25
LOST, HALF, WON, UNSAID = range(4)


def joint(seed: int, *, humans: int = 800, judged: int = 4000, follows: float = 0.8, bias: float = 0.0) -> JointCounts:
    """A judge who in a share of battles draws the same lot as the human, seen through its own biased strengths.

    All battles are between random pairs; those of one kind are drawn at once, as counts.
    """
    rng, chance = np.random.default_rng(seed), _chances(follows, bias)
    counts = JointCounts([str(i) for i in range(8)])
    alone = chance.sum(axis=0)
    once = np.zeros_like(counts.table)
    once[:UNSAID, :UNSAID] = rng.multinomial(humans, chance.ravel()).reshape(chance.shape)
    once[UNSAID, :UNSAID] = rng.multinomial(judged, alone.ravel()).reshape(alone.shape)
    of_the_other = [WON, HALF, LOST, UNSAID]
    counts.table += once + once[np.ix_(of_the_other, of_the_other)].swapaxes(2, 3)
    return counts


@cache
def _chances(follows: float, bias: float) -> FloatArray:
    """How likely a battle is one of (human's outcome, judge's outcome, row, column)."""
    biased = STRENGTHS + bias * np.sin(2.1 * np.arange(8))
    p, q = win_probabilities(STRENGTHS), win_probabilities(biased)
    human, judge = (np.stack(((1 - TIES) * (1 - one), np.full_like(one, TIES), (1 - TIES) * one)) for one in (p, q))
    same = np.zeros((3, 3, 8, 8))
    same[HALF, HALF] = TIES
    same[WON, WON], same[LOST, LOST] = (1 - TIES) * np.minimum(p, q), (1 - TIES) * (1 - np.maximum(p, q))
    same[WON, LOST], same[LOST, WON] = (1 - TIES) * np.maximum(p - q, 0), (1 - TIES) * np.maximum(q - p, 0)
    chance = (follows * same + (1 - follows) * human[:, None] * judge[None, :]) * ~np.eye(8, dtype=bool)
    return np.asarray(chance / chance.sum())


def true_strengths() -> FloatArray:
    """What Bradley–Terry finds in endless human votes with these ties."""
    score = win_probabilities(STRENGTHS) * (1 - TIES) + TIES / 2
    np.fill_diagonal(score, 0)
    return maximize(score)[0]
