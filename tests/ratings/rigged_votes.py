"""Simulated crowds: honest voters who differ in taste, sharpness and how often they tie, and riggers among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.ratings.comparisons import Comparisons

THETA = np.linspace(1, -1, 12)
"""True log-strengths of twelve contestants, the strongest first: 32 points of Elo from one to the next."""

WEAK, STRONG = 10, 0


@dataclass(frozen=True, slots=True)
class Crowd:
    """What honest voters are like: the deviations of their tastes and of the logarithm of their sharpness."""

    taste: float = 0.4
    sharpness: float = 0.3
    ties: float = 0.25
    tie_habit: float = 8.0
    votes: float = 15.0  # per voter, on average; a few cast many


def crowd(votes: int, seed: int, like: Crowd = Crowd()) -> Comparisons:
    """At least so many votes of honest voters, in an order in which voters come and go."""
    rng = np.random.default_rng(seed)
    each = np.maximum(1, np.round(rng.lognormal(np.log(like.votes) - 0.5, 1.0, int(4 * votes / like.votes) + 9)))
    each = each[: int(np.searchsorted(np.cumsum(each), votes)) + 1].astype(int)
    voter = np.repeat(np.arange(len(each)), each)
    order = np.argsort(rng.random(len(each))[voter] + 0.1 * rng.random(len(voter)))
    return _cast(voter[order], len(each), rng, like)


def even_crowd(voters: int, each: int, seed: int, like: Crowd = Crowd()) -> Comparisons:
    """Honest voters of equally many votes."""
    rng = np.random.default_rng(seed)
    return _cast(rng.permutation(np.repeat(np.arange(voters), each)), voters, rng, like)


def _cast(voter: NDArray[np.intp], voters: int, rng: np.random.Generator, like: Crowd) -> Comparisons:
    size, n = len(THETA), len(voter)
    taste = THETA + rng.normal(0, like.taste, (voters, size))
    sharp = np.exp(rng.normal(0, like.sharpness, voters))
    habit = rng.beta(like.ties * like.tie_habit, (1 - like.ties) * like.tie_habit, voters)
    a = rng.integers(0, size, n)
    b = (a + rng.integers(1, size, n)) % size
    won = rng.random(n) < 1 / (1 + np.exp(-sharp[voter] * (taste[voter, a] - taste[voter, b])))
    outcome = np.where(rng.random(n) < habit[voter], 0.5, won)
    return Comparisons(tuple(f"m{i}" for i in range(size)), a, b, outcome, voter=voter)


def rigged(
    honest: Comparisons,
    target: int,
    votes: int,
    seed: int,
    *,
    riggers: int = 1,
    lower: bool = False,
    picks: bool = False,
    like: Crowd = Crowd(),
) -> Comparisons:
    """The crowd with riggers among it, numbered after the honest: honest but for their target, which always wins.

    `lower` lets it always lose; `picks` lets riggers leave every battle that their target is not in.
    Their votes are strewn over the honest ones.
    """
    rng = np.random.default_rng(seed)
    assert honest.voter is not None
    voter = np.arange(votes * (len(THETA) if picks else 1)) % riggers
    own = _cast(voter, riggers, rng, like)
    mine = (own.a == target) | (own.b == target)
    purpose = (own.a == target) != lower
    own = Comparisons(own.names, own.a, own.b, np.where(mine, purpose, own.outcome), voter=own.voter)
    if picks:
        own = own.where(np.flatnonzero(mine)[:votes])
    assert own.voter is not None
    after = np.sort(rng.integers(0, len(honest) + 1, len(own)))
    first = int(honest.voter.max()) + 1

    def strewn(column: NDArray[np.generic], added: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.insert(column, after, added)

    return Comparisons(
        honest.names,
        strewn(honest.a, own.a),  # type: ignore[arg-type]
        strewn(honest.b, own.b),  # type: ignore[arg-type]
        strewn(honest.outcome, own.outcome),  # type: ignore[arg-type]
        voter=strewn(honest.voter, own.voter + first),  # type: ignore[arg-type]
    )
