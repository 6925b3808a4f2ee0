"""How far two raters agree: the share of equal verdicts, and Cohen's κ, which takes chance out of it.

It sees verdicts in pairs and does not know who gave them.

Sources: J. Cohen, Educational and Psychological Measurement 1960; J. Fleiss, J. Cohen and
B. Everitt, "Large sample standard errors of kappa and weighted kappa", Psychological Bulletin 1969.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from arena.ratings.intervals import normal_quantile
from arena.types import Verdict

VERDICTS = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement over n common cases; None where the cases cannot tell.

    `match` is the share of equal verdicts, `decided` the same where both named a winner. `kappa`
    is 1 for perfect agreement and 0 for what chance gives; its bounds are those of 95%.
    """

    n: int
    match: float | None
    decided: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


def agreement(pairs: Iterable[tuple[Verdict, Verdict]]) -> Agreement:
    """Agreement of two raters who each gave a verdict on the same cases."""
    table = np.zeros((len(VERDICTS), len(VERDICTS)))
    for first, second in pairs:
        table[VERDICTS.index(first), VERDICTS.index(second)] += 1
    return agreement_of(table, decisive=(VERDICTS.index(Verdict.MODEL_A), VERDICTS.index(Verdict.MODEL_B)))


def agreement_of(table: ArrayLike, *, decisive: tuple[int, ...] = ()) -> Agreement:
    """Agreement from a square table: row is the first rater's verdict, column the second's.

    `decisive` are the categories that name a winner.
    """
    counts = np.asarray(table, dtype=float)
    n = round(float(counts.sum()))
    if n == 0:
        return Agreement(0, None, None, None, None, None)
    both = counts[np.ix_(decisive, decisive)] if decisive else np.zeros((1, 1))
    decided = float(np.trace(both) / both.sum()) if both.sum() else None
    share = counts / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    match, chance = float(np.trace(share)), float(rows @ columns)
    if 1 - chance < 1e-12:  # both always said one and the same thing: nothing can be told from chance
        return Agreement(n, match, decided, None, None, None)
    kappa = (match - chance) / (1 - chance)
    reach = normal_quantile() * _kappa_deviation(share, match, chance, n)
    low, high = kappa - reach, kappa + reach
    if reach < 1e-9:  # nothing ever differed: the large-sample formula would claim certainty after a single case
        low, high = ((end - chance) / (1 - chance) for end in wilson(round(n * match), n))
    return Agreement(n, match, decided, kappa, max(low, -1.0), min(high, 1.0))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95% score interval of a share: E. Wilson, Journal of the American Statistical Association 1927."""
    z, value = normal_quantile(), hits / n
    spread = 1 + z * z / n
    centre = (value + z * z / (2 * n)) / spread
    reach = z / spread * sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _kappa_deviation(share: np.ndarray, match: float, chance: float, n: int) -> float:
    """Fleiss, Cohen and Everitt's large-sample standard error."""
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    diagonal = (np.diag(share) * ((1 - chance) - (rows + columns) * (1 - match)) ** 2).sum()
    off = share * (columns[:, None] + rows[None, :]) ** 2
    np.fill_diagonal(off, 0)
    variance = diagonal + (1 - match) ** 2 * off.sum() - (match * chance - 2 * chance + match) ** 2
    return float(np.sqrt(max(variance, 0) / n) / (1 - chance) ** 2)
