"""The filling of `arena.ratings.clusters` as its formulas read, from one dense row per comparison."""

from __future__ import annotations

import numpy as np

from arena.ratings.clusters import FAITH, LEAST, student_quantile
from arena.ratings.comparisons import FloatArray, IntArray
from arena.ratings.intervals import normal_quantile


def scores_by_voter(scores: FloatArray, voter: IntArray) -> FloatArray:
    """One score vector per voter; whoever is unknown (−1) is a voter of one comparison."""
    return np.array([scores[mine].sum(axis=0) for mine in comparisons_of(voter)])


def comparisons_of(voter: IntArray) -> list[IntArray]:
    """Which comparisons each voter cast."""
    known = [np.flatnonzero(voter == one) for one in np.unique(voter[voter >= 0])]
    return known + [np.array([row]) for row in np.flatnonzero(voter < 0)]


def filling(
    scores: FloatArray, touched: FloatArray, voter: IntArray, plain: FloatArray, contestants: int
) -> tuple[FloatArray, FloatArray]:
    """The filling, and what no variance may be smaller than.

    `scores` and `touched` hold a row per comparison: its score vector, and its weight at each parameter it is of.
    """
    weight = touched.max(axis=1)
    groups, size = comparisons_of(voter), len(plain)
    n = np.array([touched[mine].sum(axis=0) for mine in groups])
    s = scores_by_voter(scores, voter)
    outer = np.zeros((size, size))
    for mine, vector in zip(groups, s, strict=True):
        share = weight[mine].sum() / weight.sum() if voter[mine[0]] >= 0 else 0.0
        outer += np.outer(vector, vector) / (1 - share)
    held = n / n.sum(axis=0)  # by each voter, of a contestant's votes
    voters = 1 / (held**2).sum(axis=0)
    single = (touched**2).sum(axis=0)
    excess, pairs, inflation = np.zeros(size), np.zeros(size), np.zeros(size)
    for i in range(size):
        own = plain[i, i]
        excess[i] = (s[:, i] ** 2).sum() - own * (1 - 1 / voters[i])
        two_of_one = ((1 - held[:, i]) * n[:, i] ** 2).sum() - single[i] * (1 - 1 / voters[i])
        pairs[i] = own / single[i] * two_of_one
    for i in range(size):
        alike = np.arange(contestants) if i < contestants else np.array([i])
        correlation = min(max(excess[alike].sum() / pairs[alike].sum(), 0), 1) if pairs[alike].sum() > 0 else 0
        inflation[i] = 1 + correlation * ((n[:, i] ** 2).sum() / single[i] - 1)
    result, least = np.zeros((size, size)), np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            of_sum, of_plain, of_least = 1.0, 1.0, 1.0
            for place in (i, j):
                freedom = max(voters[place] - 1, 0)
                tail = float(student_quantile(np.array(freedom + FAITH))) / normal_quantile()
                of_sum *= tail * np.sqrt(freedom / (freedom + FAITH))
                of_plain *= tail * np.sqrt(inflation[place] * FAITH / (freedom + FAITH))
                of_least *= tail * np.sqrt(inflation[place] * LEAST)
            result[i, j] = of_sum * outer[i, j] + of_plain * plain[i, j]
            least[i, j] = of_least * plain[i, j]
    return result, least
