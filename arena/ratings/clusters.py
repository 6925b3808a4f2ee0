"""Uncertainty that votes of one voter share: score vectors summed by voter, and what few voters leave unknown.

A sandwich is only as good as its filling, the sum of outer products of score vectors. Summed by voter it is right
whatever a voter's votes have in common, given many voters alike. A team has few and unlike ones, and a new contestant
often has one: its score vector is zero at the maximum, and the sum says that its strength is known exactly. So

- a voter with the share f of all votes is followed by the fit, which its square makes up for by 1/(1 − f);
- what the sum says of a contestant is weighed, by how many voters it comes from, against what one correlation
  within voters, estimated from all contestants, makes of the plain filling;
- few voters make wide tails: Student's quantile instead of the normal one;
- no variance is believed to be much smaller than what the inflated plain filling makes of it.

Sources: K.-Y. Liang and S. Zeger, Biometrika 1986 (sums by cluster); B. Moulton, "Random group effects and the
precision of regression estimates", Journal of Econometrics 1986; R. Bell and D. McCaffrey, "Bias reduction in
standard errors for linear regression with multi-stage samples", Survey Methodology 2002 (leverage, degrees of
freedom); G. Smyth, "Linear models and empirical Bayes methods", SAGMB 2004 (moderated variances); M. Abramowitz and
I. Stegun, Handbook of Mathematical Functions, 26.7.5 (Student's quantile).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from arena.ratings.comparisons import Comparisons, FloatArray, IntArray
from arena.ratings.intervals import laplacian, normal_quantile
from arena.ratings.sorting import order_of_voters

FEWEST_VOTERS = 2
"""With one voter nothing tells what it alone thinks from what everybody does."""

FAITH = 16
"""What one correlation for all contestants is believed like: so many voters of a contestant's own."""

LEAST = 0.8
"""Of the variance that one correlation for all makes of it, no contestant's is believed to be less: the whole of it
would widen every second interval by chance alone."""

AT_ONCE = 2048
"""Voters whose score vectors are held in memory together."""


class VoterSums:
    """What a filling needs of all voters, gathered some of them at a time.

    `parameters` is how many numbers a score vector has, `total` the weight of all comparisons.
    """

    def __init__(self, parameters: int, total: float) -> None:
        self._total = total
        self._outer: FloatArray = np.zeros((parameters, parameters))
        self._squares: FloatArray = np.zeros(parameters)
        self._single: FloatArray = np.zeros(parameters)
        self._powers: FloatArray = np.zeros((3, parameters))

    def add(self, scores: FloatArray, votes: FloatArray, cast: FloatArray, single: FloatArray) -> None:
        """Some voters: their score vectors, the weight of their votes per parameter (both voters × parameters), the
        weight of all that each cast, and the squared weights of their votes per parameter, of all these voters."""
        self._outer += scores.T @ (scores / (1 - cast / self._total)[:, None])
        self._squares += np.einsum("gi,gi->i", scores, scores)
        self._single += single
        self._powers += [(votes**power).sum(axis=0) for power in (1, 2, 3)]

    def add_alone(self, outer: FloatArray, votes: FloatArray) -> None:
        """Comparisons of unknown voters, each by a stranger: the sum of their outer products, and the sums of their
        weights, of these squared and of these cubed (3 × parameters)."""
        self._outer += outer
        self._squares += np.diag(outer)
        self._single += votes[1]
        self._powers += votes

    def filling(self, plain: FloatArray, contestants: int) -> tuple[FloatArray, FloatArray]:
        """The filling of the sandwich whose plain one, each comparison on its own, is given; and `LEAST` of the plain
        one as the correlation inflates it, below which no variance is believed.

        The first `contestants` parameters share one correlation; each of the others has its own.
        """
        votes, squared, cubed = self._powers
        voters = votes**2 / squared
        own = np.diag(plain)
        excess = self._squares - own * (1 - 1 / voters)
        pairs = own / self._single * (squared - cubed / votes - self._single * (1 - 1 / voters))
        together = np.arange(len(own)) < contestants
        excess[together], pairs[together] = excess[together].sum(), pairs[together].sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = np.where(pairs > 0, np.clip(excess / pairs, 0, 1), 0.0)
        inflation = 1 + correlation * (squared / self._single - 1)
        freedom = np.maximum(voters - 1, 0)
        tails = student_quantile(freedom + FAITH) / normal_quantile()
        from_sum = tails * np.sqrt(freedom / (freedom + FAITH))
        inflated = tails * np.sqrt(inflation)
        least = inflated * np.sqrt(LEAST)
        from_plain = inflated * np.sqrt(FAITH / (freedom + FAITH))
        mixed = self._outer * np.multiply.outer(from_sum, from_sum) + plain * np.multiply.outer(from_plain, from_plain)
        return np.asarray(mixed), np.asarray(plain * np.multiply.outer(least, least))


def not_below(covariance: FloatArray, least: FloatArray) -> FloatArray:
    """A covariance whose variances are no smaller than another's, correlations kept.

    Where two groups of contestants hang together by one voter's votes alone, that voter's sum is about zero across,
    though each contestant by itself has many voters.
    """
    own = np.diag(covariance)
    with np.errstate(divide="ignore", invalid="ignore"):
        wider = np.sqrt(np.where(own > 0, np.maximum(np.diag(least) / own, 1), 1))
    return np.asarray(covariance * np.multiply.outer(wider, wider))


def student_quantile(freedom: FloatArray) -> FloatArray:
    """Half-width of a two-sided 95% interval in standard deviations that so many degrees of freedom estimated.

    By an expansion in 1/freedom: exact to 1e-4 from 16 on.
    """
    z = normal_quantile()
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return np.asarray(z + first / freedom + second / freedom**2 + third / freedom**3)


def known_voters(voter: IntArray | None) -> int:
    """How many voters a column of them tells apart."""
    return 0 if voter is None else int(np.count_nonzero(np.bincount(voter[voter >= 0])))


def clustered_meat(rows: Comparisons, theta: FloatArray, plain: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The filling with one score vector per voter, from the plain one, and the plain one inflated; comparisons of
    unknown voters stand alone.

    Raises ValueError where nobody says who voted.
    """
    if rows.voter is None:
        raise ValueError("clustered intervals need comparisons that know their voters")
    size = len(theta)
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    residual = weight * (rows.outcome - 1 / (1 + np.exp(theta[rows.b] - theta[rows.a])))
    order = order_of_voters(rows.voter)
    alone = order[: int(np.searchsorted(rows.voter[order], 0))]
    sums = VoterSums(size, float(weight.sum()))
    key = rows.a[alone].astype(np.intp) * size + rows.b[alone]
    table = np.bincount(key, residual[alone] ** 2, minlength=size * size).astype(float).reshape(size, size)
    powers = [_on_both(rows, alone, weight[alone] ** power, size) for power in (1, 2, 3)]
    sums.add_alone(laplacian(table + table.T), np.array(powers))
    for chosen, voter in _some_at_once(rows.voter, order[len(alone) :]):
        scores = _by_voter(rows, chosen, voter, residual[chosen], size, sign=-1)
        votes = _by_voter(rows, chosen, voter, weight[chosen], size, sign=1)
        sums.add(scores, votes, votes.sum(axis=1) / 2, _on_both(rows, chosen, weight[chosen] ** 2, size))
    return sums.filling(plain, size)


def _by_voter(
    rows: Comparisons, chosen: IntArray, voter: IntArray, amounts: FloatArray, size: int, *, sign: int
) -> FloatArray:
    """Amounts of some comparisons summed per voter and contestant (voters × `size`), of side b times `sign`."""
    cells = (int(voter.max(initial=-1)) + 1) * size
    base = voter * size
    of_a = np.bincount(base + rows.a[chosen], amounts, minlength=cells)
    of_b = np.bincount(base + rows.b[chosen], amounts, minlength=cells)
    return np.asarray((of_a + sign * of_b).reshape(-1, size))


def _some_at_once(voter: IntArray, order: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Comparisons sorted by voter, those of some voters at a time, and their voters numbered from 0 on."""
    breaks = np.flatnonzero(np.diff(voter[order], prepend=-1))
    for first in range(0, len(breaks), AT_ONCE):
        stop = int(breaks[first + AT_ONCE]) if first + AT_ONCE < len(breaks) else len(order)
        starts = breaks[first : first + AT_ONCE]
        yield (
            order[starts[0] : stop],
            np.repeat(np.arange(len(starts)), np.diff(np.append(starts, stop))),
        )


def _on_both(rows: Comparisons, chosen: IntArray, amounts: FloatArray, size: int) -> FloatArray:
    """Amounts of some comparisons summed per contestant."""
    return np.asarray(
        np.bincount(rows.a[chosen], amounts, minlength=size) + np.bincount(rows.b[chosen], amounts, minlength=size)
    )
