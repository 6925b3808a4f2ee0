"""Two contestants against each other: how sure is the order, and how many votes would make it sure.

It works on natural log-strengths and knows nothing of how they were found.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from arena.ratings.intervals import CONFIDENCE, normal_quantile

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
