"""Win rates against one baseline whose intervals draw whole questions, for our own runs.

A question gives two games of the same two answers, and a strong verdict stands three times: these
rows hang together, so drawing them one by one (`against_baseline`, as published tables do) makes
intervals too narrow. Here a round draws questions with all their rows: n − 1 of n, whose spread is
unbiased (Rao & Wu 1988, "Resampling inference with complex survey data"). Questions that fell out
alike are one cell, so that a round is a multinomial draw.

What n questions have not shown may still be z²/(n + z²) of all questions (nearly 4/n at 95%: the
rule of three, two-sided, and as far as Wilson's interval of a perfect record reaches); every
interval leaves room for it.

Knows rows and questions as integer codes; nothing of how a question is weighed beside another.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from arena.benchmarks.scorers.against_baseline import (
    Floats,
    Ints,
    Rows,
    WinRates,
    against,
    every_pair_holds_baseline,
    rows_of_each,
)


@dataclass(frozen=True, slots=True)
class QuestionBootstrap:
    """How questions are drawn again."""

    rounds: int = 1000
    seed: int = 42
    confidence: float = 0.95

    def unseen(self, questions: int) -> float:
        """The share of all questions that so many of them need not have shown."""
        z = NormalDist().inv_cdf((1 + self.confidence) / 2)
        return z * z / (questions + z * z)


def win_rates_by_question(rows: Rows, question: Ints, bootstrap: QuestionBootstrap) -> WinRates:
    """Point estimates on all rows, intervals over the questions of each model; every pair holds the baseline.

    The baseline's 50% is a definition and has no interval. Raises `ValueError` for pairs without the baseline.
    """
    if not every_pair_holds_baseline(rows):
        raise ValueError("pairs without the baseline have no rate of their own against it")
    model, won = against(rows)
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    size, generator = len(rows.models), np.random.default_rng(bootstrap.seed)
    rate, low, high = (np.full(size, np.nan) for _ in range(3))
    rounds = np.full((bootstrap.rounds, size), np.nan)
    for code in np.unique(model):
        here = model == code
        place = np.unique(question[here], return_inverse=True)[1]
        sums = np.array([np.bincount(place, weight[here] * won[here]), np.bincount(place, weight[here])]).T
        rate[code] = sums[:, 0].sum() / sums[:, 1].sum()
        rounds[:, code] = _drawn(sums, bootstrap.rounds, generator)
        low[code], high[code] = _interval(rate[code], rounds[:, code], len(sums), bootstrap)
    rate[rows.baseline], rounds[:, rows.baseline] = 0.5, 0.5
    return WinRates(rows.models, rate, low, high, rounds, rows_of_each(rows))


def _drawn(sums: Floats, rounds: int, generator: np.random.Generator) -> Floats:
    """Each round's rate over n − 1 of the n questions, whose won and whole weight are the lines of `sums`."""
    cells, count = np.unique(sums, axis=0, return_counts=True)
    drawn = generator.multinomial(max(1, len(sums) - 1), count / len(sums), size=rounds) @ cells
    return np.asarray(drawn[:, 0] / drawn[:, 1])


def _interval(rate: float, rounds: Floats, questions: int, bootstrap: QuestionBootstrap) -> tuple[float, float]:
    """Percentiles of the rounds, and room for what so few questions may not have shown."""
    unseen = bootstrap.unseen(questions)
    lowest, highest = rate * (1 - unseen), rate + (1 - rate) * unseen
    if not len(rounds):
        return lowest, highest
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(rounds, (tail, 1 - tail))
    return float(min(low, lowest)), float(max(high, highest))
