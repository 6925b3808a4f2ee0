"""Two contestants against each other: who is better, how surely, and how many battles would settle it.

Pure, from strengths and pair counts to a view; it knows no store.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from arena.ratings.bradley_terry import Strengths
from arena.ratings.comparisons import PairCounts
from arena.ratings.elo import Scale
from arena.ratings.intervals import normal_quantile
from arena.ratings.separation import probability_better, tie_share, votes_to_separate


@dataclass(frozen=True, slots=True)
class Meeting:
    """Battles between two contestants, of one topic or of all: wins of each, ties, both bad."""

    topic: str
    wins_a: float
    wins_b: float
    ties: float
    both_bad: float

    @property
    def battles(self) -> float:
        """How many there were."""
        return self.wins_a + self.wins_b + self.ties + self.both_bad


@dataclass(frozen=True, slots=True)
class PairView:
    """Two contestants against each other.

    `better` is the probability that a is truly stronger, `difference` a's rating minus b's with its
    95% interval in points, `votes_needed` about how many more battles between them settle the order
    (0: settled; None: out of reach). All None where the votes do not determine both.
    """

    a: str
    b: str
    met: Meeting
    topics: tuple[Meeting, ...]
    better: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    votes_needed: int | None = None


def meeting(topic: str, counts: PairCounts, a: int, b: int) -> Meeting:
    """The battles between two contestants, by their places in the counts."""
    if max(a, b) >= len(counts):
        return Meeting(topic, 0, 0, 0, 0)
    halves, bad = float(counts.ties[a, b]), float(counts.both_bad[a, b])
    return Meeting(
        topic, float(counts.score[a, b]) - halves / 2, float(counts.score[b, a]) - halves / 2, halves - bad, bad
    )


def pair_view(
    strengths: Strengths, counts: PairCounts, topics: Sequence[Meeting], scale: Scale, places: tuple[int, int]
) -> PairView:
    """What the strengths, and the counts that they are of, say of two contestants; `strengths` are relative to the
    second."""
    a, b = places
    met = meeting("", counts, a, b)
    names = strengths.names[a], strengths.names[b]
    difference = float(strengths.theta[a] - strengths.theta[b])
    deviation = float(strengths.relative_deviation[a])
    if not (math.isfinite(difference) and math.isfinite(deviation)) or strengths.piece[a] != strengths.piece[b]:
        return PairView(*names, met, tuple(topics))
    reach = normal_quantile() * deviation
    return PairView(
        *names,
        met,
        tuple(topics),
        better=probability_better(difference, deviation),
        difference=difference * scale.per_nat,
        low=(difference - reach) * scale.per_nat,
        high=(difference + reach) * scale.per_nat,
        votes_needed=votes_to_separate(difference, deviation, tie_share(counts, a, b)),
    )
