"""Who meets whom, and on which side: drawn at random, with the probability of the draw recorded.

It knows names and weights only. What makes a pair worth asking for (uncertainty, newness, warmth)
is decided by whoever hands in the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from arena.errors import BattleError

PairWeight = Callable[[str, str], float]
"""How much a pair is wanted, relative to the others; not negative, and the same both ways round."""


PATIENCE = 0.25
"""A pair is wanted so many times less for each of its contestants that must be loaded first."""


def warm_first(weight: PairWeight, cold: Collection[str], patience: float = PATIENCE) -> PairWeight:
    """The weight of a pair traded against the wait for it: never zero, so that no pair becomes impossible."""
    return lambda a, b: weight(a, b) * patience ** ((a in cold) + (b in cold))


def sound_first(weight: PairWeight, failing: Callable[[str], int]) -> PairWeight:
    """The weight of a pair halved for each answer that one of the two failed in a row, down to a 64th each: who never
    answers never gains a vote, so that the votes alone would ask for it most."""
    return lambda a, b: weight(a, b) * 0.5 ** (min(failing(a), 6) + min(failing(b), 6))


@dataclass(frozen=True, slots=True)
class Pairing:
    """A drawn pair with its sides. `propensity` is the probability of exactly this draw, sides included."""

    a: str
    b: str
    propensity: float


def draw_pair(names: Sequence[str], rng: Random, weight: PairWeight = lambda a, b: 1.0) -> Pairing:
    """Draw two different contestants in proportion to the pair's weight, then toss for the sides.

    Raises `BattleError` when fewer than two are on hand or no pair has a weight.
    """
    pairs = list(combinations(sorted(set(names)), 2))
    weights = [weight(a, b) for a, b in pairs]
    total = sum(weights)
    if not pairs or total <= 0:
        raise BattleError("a battle needs two contestants that can answer: enable another in models.yaml")
    ((a, b),) = rng.choices(pairs, weights)
    propensity = weights[pairs.index((a, b))] / total / 2
    return Pairing(a, b, propensity) if rng.random() < 0.5 else Pairing(b, a, propensity)
