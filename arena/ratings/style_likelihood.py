"""The likelihood of style control: one pass over the comparisons gives its slopes, a few passes its maximum.

A comparison's logit is z = θ_a − θ_b + x·β, and its expected score σ(z) = (1 + tanh(z/2))/2. It
knows neither what the covariates mean nor how a board looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.ratings.clusters import AT_ONCE, FEWEST_VOTERS, VoterSums, known_voters
from arena.ratings.comparisons import FloatArray, IntArray
from arena.ratings.intervals import filled_up, laplacian, pair_weights
from arena.ratings.sorting import order_of_voters
from arena.ratings.style_rows import RUN, Reals, Run, StyleRows
from arena.ratings.style_stream import StyleStream
from arena.ratings.threads import in_threads

MANY = 1_000_000
"""With more comparisons than this covariates are in single precision and a sample saves passes over all of them."""

SAMPLE_ONE_IN = 32
"""Of so many comparisons one is in the sample."""

_SHARES = 4
"""Parts that a pass is summed in, each on a thread of its own where there are cores; a sum never depends on those."""

_LAST_STEP = 1e-9
"""Log-strength: a shorter step ends a fit."""
_MOST_LEFT = 1e-6
"""So much log-strength (2e-4 of an Elo point) may be left where a sample stands for all comparisons on the way."""

_STALLED = 1e-6
"""Steps this short that shrink no further are rounding."""

_NEAR = 5e-2
"""On the sample, a step after which what is left (about its square) is lost in the sample's own accident."""

_MOST_SPREAD = 1e13
"""Largest curvature times largest variance: beyond it double precision cannot tell covariates apart."""

_MOST_INFLATION = 1e6
"""By so much others may inflate a covariate's variance where single precision has to tell them apart."""

_LARGEST_STEP = 4.0
"""Log-strength: a longer Newton step is cut to this."""
_MOST_STEPS = 60


def precision_for(comparisons: int) -> np.dtype[np.floating[Any]]:
    """The precision in which to lay out so many comparisons; sums of theirs are always in double."""
    return np.dtype(np.float32 if comparisons > MANY else np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Comparisons among `rated` contestants, what their covariates are multiplied by, and the penalty if any.

    `ridge` is the penalty's second derivative per parameter (θ, then β). `sample` is one of
    `SAMPLE_ONE_IN` comparisons where there are so many that it pays.
    """

    rated: IntArray
    rows: StyleRows | StyleStream
    scale: FloatArray
    ridge: FloatArray
    sample: StyleRows | None = None

    @property
    def size(self) -> int:
        """How many contestants there are."""
        return len(self.rated)

    def halves(self, parameters: FloatArray) -> tuple[Reals, Reals]:
        """What makes up z/2: (θ_a − θ_b)/2 per pair, and the slope of each covariate as it is stored."""
        theta = parameters[: self.size] / 2
        gap = (theta[:, None] - theta[None, :]).ravel()
        slope = parameters[self.size :] * self.scale / 2
        precision = self.rows.precision
        return gap.astype(precision), slope.astype(precision)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Everything Newton's method ends with; parameters are θ of the `rated`, then β.

    `bread` is the inverse curvature and `filling` the sum of outer products of score vectors.
    """

    rated: IntArray
    parameters: FloatArray
    bread: FloatArray
    filling: FloatArray
    clustered: bool
    iterations: int

    @property
    def covariance(self) -> FloatArray:
        """The sandwich."""
        return np.asarray(self.bread @ self.filling @ self.bread)

    def rescaled(self, factor: FloatArray) -> Solution:
        """The same where each covariate was divided by `factor` times as much."""
        each = np.append(np.ones(len(self.rated)), factor)
        both = np.multiply.outer(each, each)
        return replace(self, parameters=self.parameters * each, bread=self.bread * both, filling=self.filling / both)


def solve(design: Design, start: FloatArray) -> Solution:
    """Newton's method from a start; with a sample of the comparisons that brings it close first.

    Raises ValueError where the covariates cannot be told apart or decide every battle.
    """
    if design.sample is not None:
        return _solve_many(design, design.sample, _nearer(design, design.sample, start))
    parameters, iterations, largest, before = start, 0, np.inf, np.inf
    while largest >= _LAST_STEP and not _STALLED > largest > before / 2:
        iterations, before = _counted(iterations), largest
        sums = _sums(design, parameters)
        bread = _bread(design, sums.curvature)
        parameters, largest = _stepped(parameters, bread @ (sums.gradient - design.ridge * parameters))
    return _solution(design, parameters, sums, bread, iterations)


def _solve_many(design: Design, sample: StyleRows, parameters: FloatArray) -> Solution:
    """A pass over all from near the maximum, then the rest of the way by the sample; more passes where that is far.

    The curve's bend on the way is the sample's: its accident is the step's square by the root of the sample's size.
    """
    fewest = max(int(np.bincount(np.concatenate(sample.sides()), minlength=design.size).min()), 1)
    iterations, left = 0, np.inf
    while left > _MOST_LEFT:
        iterations, at = _counted(iterations), parameters
        sums = _sums(design, at)
        delta = _bread(design, sums.curvature) @ (sums.gradient - design.ridge * at)
        parameters, largest = _stepped(at, delta)
        sums = _followed(design, sample, sums, at, parameters)
        bread = _bread(design, sums.curvature)
        parameters, rest = _stepped(parameters, bread @ (sums.gradient - design.ridge * parameters))
        left = max(largest, rest) ** 2 / (2 * fewest**0.5)
    return _solution(design, parameters, sums, bread, iterations)


def _counted(iterations: int) -> int:
    if iterations == _MOST_STEPS:
        raise ValueError("style control did not settle: some feature decides every battle it differs in")
    return iterations + 1


def _solution(design: Design, parameters: FloatArray, sums: _Sums, bread: FloatArray, iterations: int) -> Solution:
    clustered = known_voters(design.rows.voter) >= FEWEST_VOTERS
    filling = _not_certain(design, sums)
    if clustered:
        filling = _clustered_filling(design, parameters, filling)
    return Solution(design.rated, parameters, bread, filling, clustered, iterations)


def _not_certain(design: Design, sums: _Sums) -> FloatArray:
    """The filling with contestants whose few votes never differed filled up from the model's own variance."""
    size, unit = design.size, design.rows.unit
    filling = sums.filling.copy()
    own, model = (pair_weights(table[:size, :size]) for table in (filling, sums.curvature))
    filling[:size, :size] += laplacian(filled_up(own, model * unit, unit) - own)
    return filling


def _followed(design: Design, sample: StyleRows, sums: _Sums, at: FloatArray, to: FloatArray) -> _Sums:
    """Sums over all comparisons at `to`, known at `at`: what a straight line leaves of the change is the sample's."""
    thin = replace(design, rows=sample)
    here, there = _sums(thin, at), _sums(thin, to)
    step = to - at
    bend = there.gradient - here.gradient + here.curvature @ step
    return _Sums(
        sums.gradient - sums.curvature @ step + SAMPLE_ONE_IN * bend,
        sums.curvature + SAMPLE_ONE_IN * (there.curvature - here.curvature),
        sums.filling + SAMPLE_ONE_IN * (there.filling - here.filling),
    )


def _nearer(design: Design, sample: StyleRows, start: FloatArray) -> FloatArray:
    """The start and what a sample says that style changes in it.

    The sample's own accident in strengths is taken off, since theirs without style are known of the whole.
    """
    thin = replace(design, rows=sample, ridge=design.ridge / SAMPLE_ONE_IN)
    parameters = _held(thin, start)
    plain = replace(thin, rows=replace(sample, x=sample.x[:0]), scale=thin.scale[:0], ridge=thin.ridge[: design.size])
    parameters[: design.size] += start[: design.size] - _held(plain, start[: design.size])
    return parameters


def _held(design: Design, start: FloatArray) -> FloatArray:
    """Near the maximum, held to the start where comparisons say little."""
    hold = np.ones(len(start))
    parameters = start
    for _ in range(4):
        sums = _sums(design, parameters, filling=False)
        curvature = sums.curvature + np.diag(hold + design.ridge)
        slopes = sums.gradient + hold * (start - parameters) - design.ridge * parameters
        parameters, largest = _stepped(parameters, np.linalg.solve(curvature, slopes))
        if largest < _NEAR:
            break
    return parameters


def _stepped(parameters: FloatArray, delta: NDArray[np.floating[Any]]) -> tuple[FloatArray, float]:
    """Parameters after a step, cut where it is too far, and how far the step wanted to go."""
    largest = float(np.abs(delta).max(initial=0))
    return parameters + min(1.0, _LARGEST_STEP / max(largest, 1e-300)) * delta, largest


def _bread(design: Design, curvature: FloatArray) -> FloatArray:
    """Inverse curvature, strengths held to sum to zero where no penalty does."""
    size = design.size
    table = curvature + np.diag(design.ridge)
    lift = 0.0 if design.ridge.any() else max(float(np.trace(curvature[:size, :size])) / size, 1e-300)
    table[:size, :size] += lift / size
    try:
        inverse = np.linalg.inv(table)
    except np.linalg.LinAlgError:
        inverse = np.full_like(table, np.inf)
    single = design.rows.precision == np.float32
    if not np.isfinite(inverse).all() or _tangled(table, inverse, size, single=single):
        raise ValueError("style features cannot be told apart in these battles: leave one out")
    if lift:
        inverse[:size, :size] -= 1 / (lift * size)
    return np.asarray(inverse)


def _tangled(table: Reals, inverse: Reals, size: int, *, single: bool) -> bool:
    """Whether rounding hides what tells the covariates (from `size` on) apart."""
    inflation = np.abs(np.diag(inverse) * np.diag(table))[size:].max(initial=0)
    spread = np.abs(inverse).max() * np.abs(table).max()
    return bool(spread > _MOST_SPREAD or (single and inflation > _MOST_INFLATION))


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Over all comparisons: score vectors, curvature, and outer products of score vectors."""

    gradient: FloatArray
    curvature: FloatArray
    filling: FloatArray


def _sums(design: Design, parameters: FloatArray, *, filling: bool = True) -> _Sums:
    """One pass over the comparisons."""
    size, k, orders = design.size, len(design.scale), 1 + filling
    gap, slope = design.halves(parameters)
    sums = in_threads(lambda share: _Pass.over(share, gap, slope, orders), design.rows.shares(_SHARES))
    slopes, pull, curves, corner = (np.sum([getattr(one, name) for one in sums], axis=0) for name in _Pass.__slots__)
    scale = design.scale
    gradient = np.concatenate((_net(slopes, size), pull * scale)) / 2
    tables = np.zeros((2, size + k, size + k))
    for order in range(orders):
        own, across = curves[order, :, 0].reshape(size, size), _net(curves[order, :, 1:].T, size) * scale[:, None]
        tables[order] = _bordered(own, across, corner[order] * np.multiply.outer(scale, scale)) / 4
    return _Sums(gradient, tables[0], tables[1])


@dataclass(slots=True, eq=False)
class _Pass:
    """Sums over some comparisons. With t = tanh(z/2), one's residual is (margin − t)/2, its curvature (1 − t²)/4.

    `slopes` holds twice the residual per pair, `pull` its products with the covariates. `curves` holds four times
    the curvature per pair, then four times the squared residual (as many of these two as `orders` says), each
    followed by its products with the covariates; `corner` their products with two of them.
    """

    slopes: FloatArray
    pull: FloatArray
    curves: FloatArray
    corner: FloatArray

    @classmethod
    def over(cls, rows: Iterator[StyleRows], gap: Reals, slope: Reals, orders: int) -> _Pass:
        """Sum all of `rows`."""
        k = len(slope)
        pairs = len(gap)
        sums = cls(np.zeros(pairs), np.zeros(k), np.zeros((orders, pairs, 1 + k)), np.zeros((orders, k, k)))
        space = np.empty((3 + k) * RUN, gap.dtype)
        for part in rows:
            for run in part.runs:
                sums._add(part, run, gap, slope, space)
        return sums

    def _add(self, rows: StyleRows, run: Run, gap: Reals, slope: Reals, space: Reals) -> None:
        x = rows.x[:, run.rows]
        n, columns = x.shape[1], 1 + len(x)
        t, residual, *_ = lines = space[: (2 + columns) * n].reshape(-1, n)
        values = lines[2:]
        weight = None if rows.weight is None else rows.weight[run.rows]
        starts = (run.starts + n * np.arange(columns)[:, None]).ravel()  # of all lines as one: a sum of few operations
        np.matmul(slope, x, out=t)
        t += np.repeat(gap.take(run.pair), run.lengths)
        np.tanh(t, out=t)
        np.subtract(rows.margin[run.rows], t, out=residual)
        if weight is not None:
            residual *= weight
        self.pull += x @ residual
        self.slopes[run.pair] += np.add.reduceat(residual, run.starts)
        amount, products = values[0], values[1:]
        for order, curves in enumerate(self.curves):
            if order:
                np.multiply(residual, residual, out=amount)
            else:
                np.multiply(t, t, out=amount)
                np.subtract(1, amount, out=amount)
                if weight is not None:
                    amount *= weight
            np.multiply(x, amount, out=products)
            self.corner[order] += products @ x.T
            curves[run.pair] += np.add.reduceat(values.ravel(), starts).reshape(columns, -1).T


def _net(flat: FloatArray, size: int) -> FloatArray:
    """Per contestant, what it gathers as side a less what it gathers as side b; the last axis holds pairs."""
    table = flat.reshape(*flat.shape[:-1], size, size)
    return np.asarray(table.sum(axis=-1) - table.sum(axis=-2))


def _bordered(per_pair: FloatArray, across: FloatArray, corner: FloatArray) -> FloatArray:
    """A Laplacian in θ, `across` (k × m) between β and θ, `corner` in β."""
    size, k = len(per_pair), len(corner)
    table = np.empty((size + k, size + k))
    table[:size, :size] = laplacian(per_pair + per_pair.T)
    table[size:, :size], table[:size, size:] = across, across.T
    table[size:, size:] = corner
    return table


def _clustered_filling(design: Design, parameters: FloatArray, plain: FloatArray) -> FloatArray:
    """The filling with one score vector per voter; comparisons of unknown voters stand alone."""
    rows = design.rows
    assert rows.voter is not None
    order = order_of_voters(rows.voter)
    voters = rows.voter[order]
    alone = int(np.searchsorted(voters, 0))
    strangers = rows.among(order[:alone])
    powers = [_per_parameter(design, strangers, _weights(strangers) ** power) for power in (1, 2, 3)]
    breaks = np.flatnonzero(np.diff(voters[alone:], prepend=-1))
    sums = VoterSums(len(plain), rows.total)
    sums.add_alone(_sums(replace(design, rows=strangers.sorted()), parameters).filling, np.array(powers))
    for first in range(0, len(breaks), AT_ONCE):
        starts = breaks[first : first + AT_ONCE] + alone
        stop = alone + int(breaks[first + AT_ONCE]) if first + AT_ONCE < len(breaks) else len(order)
        _add_voters(sums, design, rows.among(order[starts[0] : stop]), parameters, starts - starts[0])
    return sums.filling(plain, design.size)[0]


def _add_voters(sums: VoterSums, design: Design, rows: StyleRows, parameters: FloatArray, starts: IntArray) -> None:
    """Count in the voters whose comparisons begin at `starts`."""
    size, weight = design.size, _weights(rows)
    gap, slope = design.halves(parameters)
    residual = (rows.margin - np.tanh(gap[rows.key] + slope @ rows.x)) / 2 * weight
    voter = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(residual))))
    a, b = voter * size + rows.key // size, voter * size + rows.key % size

    def gathered(side: IntArray, amounts: Reals) -> FloatArray:
        return np.asarray(np.bincount(side, amounts, minlength=len(starts) * size), dtype=float).reshape(-1, size)

    style = np.add.reduceat(rows.x * residual, starts, axis=1).T * design.scale
    votes = gathered(a, weight) + gathered(b, weight)
    cast = votes.sum(axis=1) / 2
    sums.add(
        np.concatenate((gathered(a, residual) - gathered(b, residual), style), axis=1),
        np.concatenate((votes, np.repeat(cast[:, None], len(design.scale), axis=1)), axis=1),
        cast,
        _per_parameter(design, rows, weight**2),
    )


def _weights(rows: StyleRows) -> Reals:
    return np.ones(len(rows.key)) if rows.weight is None else rows.weight


def _per_parameter(design: Design, rows: StyleRows, amounts: Reals) -> FloatArray:
    """Amounts of some comparisons summed per contestant, and of all for each covariate."""
    size = design.size
    of_a, of_b = (np.bincount(side, amounts, minlength=size) for side in (rows.key // size, rows.key % size))
    return np.concatenate((of_a + of_b, np.full(len(design.scale), amounts.sum())))
