"""Two contestants against each other: how sure is the order, and how many votes would make it sure.

Most of it works on natural log-strengths and knows nothing of how they were found; `separation` reads
the same off a board.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from arena.ratings.comparisons import PairCounts
from arena.ratings.intervals import CONFIDENCE, normal_quantile
from arena.ratings.leaderboard import Leaderboard

_ENOUGH_MEETINGS = 30
"""Two contestants' own share of ties is believed from so many battles between them on."""

_BEYOND_REACH = 1_000_000
"""More votes than this are as good as never."""


def probability_better(difference: float, deviation: float) -> float:
    """Probability that the first is truly stronger, by the normal approximation of the estimate."""
    if deviation == 0:
        return 0.5 if difference == 0 else float(difference > 0)
    return NormalDist().cdf(difference / deviation)


def votes_to_separate(
    difference: float, deviation: float, tie_share: float = 0.0, confidence: float = CONFIDENCE
) -> int | None:
    """About how many more votes between these two make their order sure, if the difference stays.

    `difference` and `deviation` are those of θ_a − θ_b. One vote adds [p(1 − p)]²/Var(y) of
    information, ties (a share of outcomes) making Var(y) smaller. 0 where the order is sure
    already; None where a million votes would not do.
    """
    wanted = abs(difference) / normal_quantile(confidence)
    if deviation <= wanted:
        return 0
    if wanted == 0:
        return None
    p = 1 / (1 + math.exp(-min(abs(difference), 700)))
    spread = p * (1 - p)
    per_vote = spread**2 / max(spread - tie_share / 4, spread / 20)
    missing = 1 / wanted**2 - (1 / deviation**2 if math.isfinite(deviation) else 0)
    votes = math.ceil(missing / per_vote) if per_vote > 0 else _BEYOND_REACH
    return votes if votes < _BEYOND_REACH else None


def tie_share(counts: PairCounts, a: int, b: int) -> float:
    """Share of ties (both bad among them) between two contestants, or among all where these two met rarely: one
    meeting that was a tie does not make the next ones ties."""
    total, ties = counts.total, counts.ties
    if max(a, b) < len(counts) and total[a, b] >= _ENOUGH_MEETINGS:
        return float(ties[a, b] / total[a, b])
    return float(ties.sum() / total.sum()) if total.any() else 0.0


@dataclass(frozen=True, slots=True)
class Separation:
    """Two contestants compared: `difference` is the first's rating minus the second's, with its interval.

    `better` is the probability that the first is truly stronger; `votes` is about how many more
    votes between them make the order sure (0 is "it is", None "a million would not do").
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    better: float
    votes: int | None

    def sentence(self) -> str:
        """What a reader wants to know."""
        points = f"{self.difference:+z.1f} points, 95% interval {self.low:+z.1f} … {self.high:+z.1f}"
        chance = f"{self.first} is stronger than {self.second} with a probability of {self.better:.1%} ({points})"
        if self.votes == 0:
            return f"{chance}; the order is settled."
        if self.votes is None:
            return f"{chance}; no reachable number of votes would separate them."
        votes = "1 more vote" if self.votes == 1 else f"{self.votes} more votes"
        return f"{chance}; about {votes} between them would separate them."


def separation(board: Leaderboard, first: str, second: str) -> Separation:
    """Compare two contestants on a board that is anchored at the second.

    Raises ValueError where the board does not rate both, with intervals, on one scale.
    """
    rows = {row.model: row for row in board.rows}
    for name in (first, second):
        if name not in rows or not rows[name].identified:
            raise ValueError(f"{name!r} has no rating on this board")
    one, other = rows[first], rows[second]
    if None in (one.rating, one.ci_low, one.ci_high, other.rating) or one is other:
        raise ValueError("comparing needs two contestants and a method with intervals")
    assert one.rating is not None
    assert one.ci_low is not None
    assert one.ci_high is not None
    assert other.rating is not None
    difference, reach = one.rating - other.rating, (one.ci_high - one.ci_low) / 2
    deviation, nat = reach / normal_quantile(), board.scale.per_nat
    ties = 0.0
    if (counts := board.counts) is not None:
        ties = tie_share(counts, counts.names.index(first), counts.names.index(second))
    votes = votes_to_separate(difference / nat, deviation / nat, ties)
    better = probability_better(difference, deviation)
    return Separation(first, second, difference, difference - reach, difference + reach, better, votes)
