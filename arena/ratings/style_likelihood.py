"""The likelihood of style control: one pass over the comparisons gives its slopes, a few passes its maximum.

A comparison's logit is θ_a − θ_b + x·β. Everything about strengths is summed per ordered pair, so a
pass costs a fixed number of vector operations per comparison. It knows neither what the covariates
mean nor how a board looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.ratings.bradley_terry import FEWEST_VOTERS
from arena.ratings.comparisons import Comparisons, FloatArray, IntArray
from arena.ratings.intervals import laplacian

_CHUNK = 1 << 16
"""Comparisons worked on at a time, so that what is between two operations stays in the cache."""

MANY = 1_000_000
"""From so many comparisons on, a start is found on a sample."""

_SAMPLE_ONE_IN = 32

_LAST_STEP = 1e-9
_LAST_STEP_OF_MANY = 4e-4
"""Newton's error is about half the square of its last step: 1e-7 in log-strength, 2e-5 of an Elo point."""

_STALLED = 1e-6
"""Steps this short that shrink no further are rounding."""

_NEAR = 2e-3
"""A start whose last step was this short is one full step from the end."""

_LARGEST_STEP = 4.0
_MOST_STEPS = 60


Excess = NDArray[np.floating[Any]]
"""Covariates, k × n."""


def pair_keys(rows: Comparisons) -> IntArray:
    """a·m + b of each comparison, four bytes each."""
    size, key = len(rows.names), np.empty(len(rows), dtype=np.int32)
    for part in _chunks(len(rows)):
        np.multiply(rows.a[part], size, out=key[part], casting="unsafe", dtype=np.int32)
        key[part] += rows.b[part].astype(np.int32, copy=False)
    return key


def pair_scores(rows: Comparisons, key: IntArray) -> FloatArray:
    """Score of row over column, ties as halves."""
    size = len(rows.names)
    won, total = np.zeros(size * size), np.zeros(size * size)
    for part in _chunks(len(rows)):
        weight = None if rows.weight is None else rows.weight[part]
        amount = rows.outcome[part] if weight is None else rows.outcome[part] * weight
        cell = key[part].astype(np.intp)
        won += np.bincount(cell, amount, minlength=size * size)
        total += np.bincount(cell, weight, minlength=size * size)
    won_by_row = won.reshape(size, size)
    return np.asarray(won_by_row + (total.reshape(size, size) - won_by_row).T)


def _chunks(length: int, size: int = 0) -> Iterator[slice]:
    """Slices of a length; longer ones for large tables, whose adding up costs per slice."""
    step = max(_CHUNK, 2 * size * size)
    return (slice(start, start + step) for start in range(0, length, step))


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Comparisons among `rated` contestants, numbered 0 … size − 1, and the penalty if any.

    `key` is a·size + b; `excess` is k × n, in single precision where there are many; `ridge` is
    the penalty's second derivative per parameter (θ, then β).
    """

    rated: IntArray
    key: IntArray
    outcome: FloatArray
    weight: FloatArray | None
    voter: IntArray | None
    excess: Excess
    ridge: FloatArray

    @classmethod
    def of(cls, rows: Comparisons, key: IntArray, excess: Excess, rated: IntArray, ridge: FloatArray) -> Design:
        """The comparisons whose contestants are both rated."""
        whole = cls(rated, key, rows.outcome, rows.weight, rows.voter, excess, ridge)
        if len(rated) == len(rows.names):
            return whole
        place = np.full(len(rows.names), -1)
        place[rated] = np.arange(len(rated))
        a, b = place[rows.a], place[rows.b]
        return replace(whole, key=a * len(rated) + b).among(np.flatnonzero((a >= 0) & (b >= 0)))

    @property
    def size(self) -> int:
        """How many contestants there are."""
        return len(self.rated)

    def among(self, chosen: IntArray | slice) -> Design:
        """Some of the comparisons."""
        return replace(
            self,
            key=self.key[chosen],
            outcome=self.outcome[chosen],
            weight=None if self.weight is None else self.weight[chosen],
            voter=None if self.voter is None else self.voter[chosen],
            excess=self.excess[:, chosen],
        )


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
    many = len(design.key) > MANY
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
    clustered = design.voter is not None and len(np.unique(design.voter[design.voter >= 0])) >= FEWEST_VOTERS
    filling = _clustered_filling(design, parameters) if clustered else sums.filling
    return Solution(design.rated, parameters, bread, filling, clustered, iterations)


def _nearer(design: Design, start: FloatArray) -> FloatArray:
    """A start on a sample, held to the given start where the sample says little, then steps on all.

    Those steps take the sample's curvature, scaled, for the whole's: a pass for slopes alone is cheap.
    """
    thin = design.among(np.arange(0, len(design.key), _SAMPLE_ONE_IN))
    hold = np.ones(len(start))
    parameters = start
    for _ in range(4):
        sums = _sums(thin, parameters, filling=False)
        curvature = sums.curvature + np.diag(hold + design.ridge / _SAMPLE_ONE_IN)
        pull = hold * (start - parameters) - design.ridge / _SAMPLE_ONE_IN * parameters
        parameters, largest = _stepped(parameters, np.linalg.solve(curvature, sums.gradient + pull))
        if largest < _NEAR:
            break
    for _ in range(3):
        slopes = _sums(design, parameters, second=False).gradient - design.ridge * parameters
        parameters, largest = _stepped(parameters, np.linalg.solve(curvature * _SAMPLE_ONE_IN, slopes))
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
    if not np.isfinite(inverse).all() or np.abs(inverse).max() * np.abs(table).max() > 1e13:
        raise ValueError("style features cannot be told apart in these battles: leave one out")
    if lift:
        inverse[:size, :size] -= 1 / (lift * size)
    return np.asarray(inverse)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Over all comparisons: score vectors, curvature, and outer products of score vectors."""

    gradient: FloatArray
    curvature: FloatArray
    filling: FloatArray


def _sums(design: Design, parameters: FloatArray, *, second: bool = True, filling: bool = True) -> _Sums:
    """One pass over the comparisons, a chunk at a time; without `second` only slopes are summed.

    Per ordered pair m² cells take one addition per comparison where contestants would take two.
    """
    size, k = design.size, len(design.excess)
    orders = 0 if not second else 1 + filling
    net, pull = np.zeros(size * size), np.zeros(k)
    own, across, corner = np.zeros((2, size * size)), np.zeros((2, k, size * size)), np.zeros((2, k, k))
    gap = (parameters[:size, None] - parameters[None, :size]).ravel()
    for part in _chunks(len(design.key), size):
        key, x = design.key[part].astype(np.intp), design.excess[:, part]
        p, residual = _evaluated(design, gap, parameters[size:], part)
        net += np.bincount(key, residual, minlength=size * size)
        pull += x @ residual.astype(x.dtype, copy=False)
        for order in range(orders):
            amount = residual**2 if order else _curvature(design, p, part)
            own[order] += np.bincount(key, amount, minlength=size * size)
            weighed = x * amount
            corner[order] += weighed @ x.T.astype(float, copy=False)
            for line in range(k):
                across[order, line] += np.bincount(key, weighed[line], minlength=size * size)
    gradient = np.concatenate((_net(net, size), pull))
    curvature, outer = (
        _bordered(own[order].reshape(size, size), _net(across[order], size), corner[order]) for order in range(2)
    )
    return _Sums(gradient, curvature, outer)


def _evaluated(design: Design, gap: FloatArray, beta: FloatArray, part: slice) -> tuple[FloatArray, FloatArray]:
    """Expected score of side a and residual (weighed) of each comparison of a chunk."""
    logit = gap.take(design.key[part])
    x = design.excess[:, part]
    logit += beta.astype(x.dtype) @ x
    np.negative(logit, out=logit)
    np.exp(logit, out=logit)
    logit += 1
    p = np.reciprocal(logit, out=logit)
    residual = design.outcome[part] - p
    if design.weight is not None:
        residual *= design.weight[part]
    return p, residual


def _curvature(design: Design, p: FloatArray, part: slice) -> FloatArray:
    weight = p - p * p
    return weight if design.weight is None else weight * design.weight[part]


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


def _clustered_filling(design: Design, parameters: FloatArray) -> FloatArray:
    """Outer products of one score vector per voter; comparisons of unknown voters stand alone."""
    assert design.voter is not None
    order = np.argsort(design.voter, kind="stable")
    voters = design.voter[order]
    alone = int(np.searchsorted(voters, 0))
    total = _sums(design.among(order[:alone]), parameters).filling
    breaks = np.flatnonzero(np.diff(voters[alone:], prepend=-1))
    for first in range(0, len(breaks), 2048):
        starts = breaks[first : first + 2048] + alone
        stop = alone + int(breaks[first + 2048]) if first + 2048 < len(breaks) else len(order)
        total += _outer_of_voters(design.among(order[starts[0] : stop]), parameters, starts - starts[0])
    clusters = alone + len(breaks)
    return total * (clusters / max(clusters - 1, 1))


def _outer_of_voters(design: Design, parameters: FloatArray, starts: IntArray) -> FloatArray:
    """Σ uuᵀ over voters, each voter's comparisons beginning at one of `starts`."""
    size, whole = design.size, slice(None)
    gap = (parameters[:size, None] - parameters[None, :size]).ravel()
    _, residual = _evaluated(design, gap, parameters[size:], whole)
    voter = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(residual))))
    cells = len(starts) * size
    won = np.bincount(voter * size + design.key // size, residual, minlength=cells)
    lost = np.bincount(voter * size + design.key % size, residual, minlength=cells)
    style = np.add.reduceat(design.excess * residual, starts, axis=1).T
    scores = np.concatenate(((won - lost).reshape(-1, size), style), axis=1)
    return np.asarray(scores.T @ scores)
