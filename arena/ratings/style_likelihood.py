"""The likelihood of style control: one pass over the comparisons gives its slopes, a few passes its maximum.

A comparison's logit is z = θ_a − θ_b + x·β, and its expected score σ(z) = (1 + tanh(z/2))/2. It
knows neither what the covariates mean nor how a board looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.ratings.bradley_terry import FEWEST_VOTERS
from arena.ratings.comparisons import FloatArray, IntArray
from arena.ratings.intervals import laplacian
from arena.ratings.sorting import order_of_voters
from arena.ratings.style_rows import Reals, Run, StyleRows
from arena.ratings.threads import in_threads

MANY = 1_000_000
"""With more comparisons than this covariates are kept in single precision and a start is found on a sample."""

_SAMPLE_ONE_IN = 32

_SHARES = 4
"""Parts that a pass is summed in, each on a thread of its own where there are cores; a sum never depends on those."""

_LAST_STEP = 1e-9
_LAST_STEP_OF_MANY = 4e-4
"""Newton's error is about half the square of its last step: 1e-7 in log-strength, 2e-5 of an Elo point."""

_STALLED = 1e-6
"""Steps this short that shrink no further are rounding."""

_NEAR = 2e-3
"""On the sample, a step after which the next would be lost in the sample's own accident."""

_CLOSE = 1e-2
"""On all comparisons, a step by the sample's curvature after which one full step ends it (if not, another follows)."""

_MOST_SPREAD = 1e13
"""Largest curvature times largest variance: beyond it double precision cannot tell covariates apart."""

_MOST_INFLATION = 1e6
"""By so much others may inflate a covariate's variance where single precision has to tell them apart."""

_LARGEST_STEP = 4.0
_MOST_STEPS = 60


def precision_for(comparisons: int) -> np.dtype[np.floating[Any]]:
    """The precision in which to lay out so many comparisons; sums of theirs are always in double."""
    return np.dtype(np.float32 if comparisons > MANY else np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Comparisons among `rated` contestants, what their covariates are multiplied by, and the penalty if any.

    `ridge` is the penalty's second derivative per parameter (θ, then β).
    """

    rated: IntArray
    rows: StyleRows
    scale: FloatArray
    ridge: FloatArray

    @property
    def size(self) -> int:
        """How many contestants there are."""
        return len(self.rated)

    def without_style(self) -> Design:
        """The same without covariates."""
        rows = replace(self.rows, x=self.rows.x[:0])
        return replace(self, rows=rows, scale=self.scale[:0], ridge=self.ridge[: self.size])

    def halves(self, parameters: FloatArray) -> tuple[Reals, Reals]:
        """What makes up z/2: (θ_a − θ_b)/2 per pair, and the slope of each covariate as it is stored."""
        theta = parameters[: self.size] / 2
        gap = (theta[:, None] - theta[None, :]).ravel()
        slope = parameters[self.size :] * self.scale / 2
        precision = self.rows.x.dtype
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


def solve(design: Design, start: FloatArray) -> Solution:
    """Newton's method from a start; with many comparisons a sample brings it close first.

    Raises ValueError where the covariates cannot be told apart or decide every battle.
    """
    many = design.rows.x.dtype == np.float32
    parameters = _nearer(design, start) if many else start
    iterations, largest, before = 0, np.inf, np.inf
    while largest >= (_LAST_STEP_OF_MANY if many else _LAST_STEP) and not _STALLED > largest > before / 2:
        iterations, before = iterations + 1, largest
        if iterations > _MOST_STEPS:
            raise ValueError("style control did not settle: some feature decides every battle it differs in")
        sums = _sums(design, parameters)
        bread = _bread(design, sums.curvature)
        delta = bread @ (sums.gradient - design.ridge * parameters)
        parameters, largest = _stepped(parameters, delta)
    clustered = _known_voters(design.rows.voter) >= FEWEST_VOTERS
    filling = _clustered_filling(design, parameters) if clustered else sums.filling
    return Solution(design.rated, parameters, bread, filling, clustered, iterations)


def _nearer(design: Design, start: FloatArray) -> FloatArray:
    """What a sample says that style changes in the given start, then steps on all.

    The sample's own accident in strengths is taken off, since theirs without style are known of the whole. The steps
    take the sample's curvature, scaled, for the whole's: a pass for slopes alone is cheap.
    """
    thin = replace(design, rows=design.rows.thinned(_SAMPLE_ONE_IN), ridge=design.ridge / _SAMPLE_ONE_IN)
    parameters, curvature = _held(thin, start)
    parameters[: design.size] += start[: design.size] - _held(thin.without_style(), start[: design.size])[0]
    for _ in range(3):
        slopes = _sums(design, parameters, second=False).gradient - design.ridge * parameters
        parameters, largest = _stepped(parameters, np.linalg.solve(curvature * _SAMPLE_ONE_IN, slopes))
        if largest < _CLOSE:
            break
    return parameters


def _held(design: Design, start: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Near the maximum, held to the start where comparisons say little; with the curvature there."""
    hold = np.ones(len(start))
    parameters = start
    for _ in range(4):
        sums = _sums(design, parameters, filling=False)
        curvature = sums.curvature + np.diag(hold + design.ridge)
        slopes = sums.gradient + hold * (start - parameters) - design.ridge * parameters
        parameters, largest = _stepped(parameters, np.linalg.solve(curvature, slopes))
        if largest < _NEAR:
            break
    return parameters, curvature


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
    single = design.rows.x.dtype == np.float32
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


def _sums(design: Design, parameters: FloatArray, *, second: bool = True, filling: bool = True) -> _Sums:
    """One pass over the comparisons; without `second` only slopes are summed."""
    size, k, orders = design.size, len(design.scale), second * (1 + filling)
    runs = design.rows.runs
    share = max(-(-len(runs) // _SHARES), 1)
    shares = [runs[start : start + share] for start in range(0, max(len(runs), 1), share)]
    gap, slope = design.halves(parameters)
    sums = in_threads(lambda share: _Pass.over(design.rows, share, gap, slope, orders), shares)
    per_pair, pull, corner = (np.sum([getattr(one, name) for one in sums], axis=0) for name in _Pass.__slots__)
    scale = design.scale
    gradient = np.concatenate((_net(per_pair[:, 0], size), pull * scale)) / 2
    tables = np.zeros((2, size + k, size + k))
    for order in range(orders):
        first = 1 + order * (1 + k)
        own = per_pair[:, first].reshape(size, size)
        across = _net(per_pair[:, first + 1 : first + 1 + k].T, size) * scale[:, None]
        tables[order] = _bordered(own, across, corner[order] * np.multiply.outer(scale, scale)) / 4
    return _Sums(gradient, tables[0], tables[1])


@dataclass(slots=True, eq=False)
class _Pass:
    """Sums over some runs. With t = tanh(z/2), a comparison's residual is (margin − t)/2, its curvature (1 − t²)/4.

    `per_pair` holds columns of twice the residual, then four times curvature and squared residual
    (as many of these two as `orders` says), each followed by its products with the covariates.
    """

    per_pair: FloatArray
    pull: FloatArray
    corner: FloatArray

    @classmethod
    def over(cls, rows: StyleRows, runs: tuple[Run, ...], gap: Reals, slope: Reals, orders: int) -> _Pass:
        """Sum `runs`."""
        k = len(slope)
        sums = cls(np.zeros((len(gap), 1 + orders * (1 + k))), np.zeros(k), np.zeros((2, k, k)))
        longest = max((len(rows.margin[run.rows]) for run in runs), default=0)
        space = np.empty((2 + orders * (1 + k), longest), rows.x.dtype)
        for run in runs:
            sums._add(rows, run, gap, slope, space)
        return sums

    def _add(self, rows: StyleRows, run: Run, gap: Reals, slope: Reals, space: Reals) -> None:
        x = rows.x[:, run.rows]
        k, n = x.shape
        t, values = space[0, :n], space[1:, :n]
        weight = None if rows.weight is None else rows.weight[run.rows]
        np.matmul(slope, x, out=t)
        t += np.repeat(gap.take(run.pair), run.lengths)
        np.tanh(t, out=t)
        residual = np.subtract(rows.margin[run.rows], t, out=values[0])
        if weight is not None:
            residual *= weight
        self.pull += x @ residual
        for order in range((len(values) - 1) // (1 + k)):
            amount = values[1 + order * (1 + k)]
            if order:
                np.multiply(residual, residual, out=amount)
            else:
                np.multiply(t, t, out=amount)
                np.subtract(1, amount, out=amount)
                if weight is not None:
                    amount *= weight
            products = values[2 + order * (1 + k) :][:k]
            np.multiply(x, amount, out=products)
            self.corner[order] += products @ x.T
        self.per_pair[run.pair] += np.add.reduceat(values, run.starts, axis=1).T


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


def _known_voters(voter: IntArray | None) -> int:
    """How many voters the comparisons tell apart."""
    return 0 if voter is None else int(np.count_nonzero(np.bincount(voter[voter >= 0])))


def _clustered_filling(design: Design, parameters: FloatArray) -> FloatArray:
    """Outer products of one score vector per voter; comparisons of unknown voters stand alone."""
    rows = design.rows
    assert rows.voter is not None
    order = order_of_voters(rows.voter)
    voters = rows.voter[order]
    alone = int(np.searchsorted(voters, 0))
    total = _sums(replace(design, rows=rows.among(order[:alone]).sorted()), parameters).filling
    breaks = np.flatnonzero(np.diff(voters[alone:], prepend=-1))
    for first in range(0, len(breaks), 2048):
        starts = breaks[first : first + 2048] + alone
        stop = alone + int(breaks[first + 2048]) if first + 2048 < len(breaks) else len(order)
        some = replace(design, rows=rows.among(order[starts[0] : stop]))
        total += _outer_of_voters(some, parameters, starts - starts[0])
    clusters = alone + len(breaks)
    return total * (clusters / max(clusters - 1, 1))


def _outer_of_voters(design: Design, parameters: FloatArray, starts: IntArray) -> FloatArray:
    """Σ uuᵀ over voters, each voter's comparisons beginning at one of `starts`."""
    size, rows = design.size, design.rows
    gap, slope = design.halves(parameters)
    residual = (rows.margin - np.tanh(gap[rows.key] + slope @ rows.x)) / 2
    if rows.weight is not None:
        residual *= rows.weight
    voter = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(residual))))
    cells = len(starts) * size
    won = np.bincount(voter * size + rows.key // size, residual, minlength=cells)
    lost = np.bincount(voter * size + rows.key % size, residual, minlength=cells)
    style = np.add.reduceat(rows.x * residual, starts, axis=1).T * design.scale
    scores = np.concatenate(((won - lost).reshape(-1, size), style), axis=1)
    return np.asarray(scores.T @ scores)
