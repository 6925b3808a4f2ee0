"""Comparisons laid out for style control: sorted by pair, block by block, their covariates beside them.

Where comparisons of a pair stand together, a sum per pair is a sum over neighbours (a fifth of what
a sum by key costs) and the pair's difference of strengths is looked up once. It knows neither what
covariates mean nor what is summed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.ratings.comparisons import Comparisons, FloatArray, IntArray
from arena.ratings.sorting import in_order, order_of
from arena.ratings.threads import in_threads

Reals = NDArray[np.floating[Any]]
"""Single precision where there are many comparisons, double where there are few."""

_BLOCK = 240_000
"""Comparisons sorted at a time, so that fetching them in their new order stays in the cache."""

_PER_PAIR = 16
"""A block holds so many comparisons per pair at least, or sums over neighbours would be no gain."""

_LARGEST_BLOCK = 1 << 22

RUN = 60_000
"""Comparisons worked on at a time: few enough for the cache, many enough that threads seldom wait for each other.

No power of two, which would put all columns on the same lines of the cache; and k·k of them stay
below a million products, up to which the linear algebra takes its short way.
"""


Covariates = Callable[[slice | IntArray, Reals, Reals], None]
"""Writes all covariates of some comparisons (a slice, or their places), k × n; the third is 2 × k × n to work in."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Comparisons that are worked on together: those of `pair[i]` begin at `starts[i]`, counted within the run."""

    rows: slice
    starts: IntArray
    lengths: IntArray
    pair: IntArray

    def moved(self, by: int) -> Run:
        """The same comparisons so many places further."""
        return replace(self, rows=slice(self.rows.start + by, self.rows.stop + by))


def unit_of(weight: Reals | None) -> float:
    """The weight of a vote, squared weights by weights; 1 where nobody weighs."""
    if weight is None:
        return 1.0
    return float(np.einsum("i,i->", weight, weight, dtype=float) / max(weight.sum(dtype=float), 1e-300))


@dataclass(frozen=True, slots=True, eq=False)
class StyleRows:
    """Comparisons of `size` contestants as columns, those of a pair together.

    `key` is a·size + b; `margin` is the score of side a less that of side b, −1 to 1; `x` holds the
    covariates, k × n.
    """

    size: int
    key: NDArray[np.int32]
    margin: Reals
    weight: Reals | None
    voter: IntArray | None
    x: Reals
    runs: tuple[Run, ...] = ()

    @classmethod
    def of(cls, rows: Comparisons, covariates: Covariates, k: int, precision: Any) -> StyleRows:
        """Lay out all comparisons; the covariates of each slice are asked for once, in several threads."""
        whole = cls.empty(rows, len(rows), k, precision)
        runs = in_threads(
            lambda block: whole.fill(block, block, rows, covariates, Space.of(whole, block)), blocks_of(rows)
        )
        return replace(whole, runs=tuple(chain.from_iterable(runs)))

    @classmethod
    def empty(cls, rows: Comparisons, n: int, k: int, precision: Any) -> StyleRows:
        """Room for n of the comparisons."""
        return cls(
            len(rows.names),
            np.empty(n, np.int32),
            np.empty(n, precision),
            None if rows.weight is None else np.empty(n, precision),
            None if rows.voter is None else np.empty(n, rows.voter.dtype),
            np.empty((k, n), precision),
        )

    def fill(self, place: slice, block: slice, rows: Comparisons, covariates: Covariates, space: Space) -> list[Run]:
        """Lay a block of the comparisons out in a place of its length."""
        key = np.multiply(rows.a[block], self.size, dtype=np.int32, casting="unsafe")
        key += rows.b[block].astype(np.int32, copy=False)
        order, self.key[place] = in_order(key, self.size**2)
        margin = rows.outcome[block].astype(self.margin.dtype)
        margin *= 2
        margin -= 1
        margin.take(order, out=self.margin[place], mode="clip")
        for own, given in ((self.weight, rows.weight), (self.voter, rows.voter)):
            if own is not None and given is not None:
                own[place] = given[block].take(order)
        for start in range(0, len(order), RUN):
            stop = min(start + RUN, len(order))
            part = slice(block.start + start, block.start + stop)
            covariates(part, space.unsorted[:, start:stop], space.spare[..., : stop - start])
        for line, found in enumerate(space.unsorted[:, : len(order)]):
            found.take(order, out=self.x[line, place], mode="clip")
        return _runs(self.key[place], place.start)

    @classmethod
    def joined(cls, parts: Sequence[StyleRows]) -> StyleRows:
        """The columns of all parts one after the other, with their runs."""
        first = parts[0]
        weights = [part.weight for part in parts if part.weight is not None]
        voters = [part.voter for part in parts if part.voter is not None]
        before = np.cumsum([0, *(len(part.key) for part in parts)]).tolist()
        return cls(
            first.size,
            np.concatenate([part.key for part in parts]),
            np.concatenate([part.margin for part in parts]),
            np.concatenate(weights) if weights else None,
            np.concatenate(voters) if voters else None,
            np.concatenate([part.x for part in parts], axis=1),
            tuple(run.moved(by) for part, by in zip(parts, before, strict=False) for run in part.runs),
        )

    @property
    def precision(self) -> np.dtype[np.floating[Any]]:
        """What the columns are kept in."""
        return self.x.dtype

    @property
    def total(self) -> float:
        """The weight of all comparisons."""
        return float(len(self.key) if self.weight is None else self.weight.sum(dtype=float))

    @property
    def unit(self) -> float:
        """The sum of squared weights by the sum of weights."""
        return unit_of(self.weight)

    def shares(self, number: int) -> list[Iterator[StyleRows]]:
        """The comparisons in so many parts of about equal length."""
        share = max(-(-len(self.runs) // number), 1)
        starts = range(0, max(len(self.runs), 1), share)
        return [iter((replace(self, runs=self.runs[start : start + share]),)) for start in starts]

    def among(self, chosen: IntArray | slice) -> StyleRows:
        """Some of the comparisons as columns, in the order chosen; they have no runs."""
        return replace(
            self,
            key=self.key[chosen],
            margin=self.margin[chosen],
            weight=None if self.weight is None else self.weight[chosen],
            voter=None if self.voter is None else self.voter[chosen],
            x=self.x[:, chosen],
            runs=(),
        )

    def sides(self) -> tuple[IntArray, IntArray]:
        """The contestants on side a and on side b."""
        return self.key // self.size, self.key % self.size

    def sorted(self) -> StyleRows:
        """The comparisons sorted by pair from first to last."""
        rows = self.among(order_of(self.key, self.size**2))
        return replace(rows, runs=tuple(_runs(rows.key)))

    def thinned(self, one_in: int) -> StyleRows:
        """One of so many comparisons of each pair, to stand for the whole."""
        return self.among(slice(None, None, one_in)).sorted()

    def within(self, chosen: IntArray) -> StyleRows:
        """Comparisons between the chosen contestants only, who are numbered as chosen."""
        place = np.full(self.size, -1)
        place[chosen] = np.arange(len(chosen))
        a, b = place[:, None], place[None, :]
        renumbered = np.where((a >= 0) & (b >= 0), a * len(chosen) + b, -1).ravel().astype(np.int32)
        key = renumbered.take(self.key)
        rows = replace(self, size=len(chosen), key=key).among(np.flatnonzero(key >= 0))
        return replace(rows, runs=tuple(_runs(rows.key)))

    def scores(self) -> FloatArray:
        """Score of row over column, ties as halves."""
        won, total = np.zeros(self.size**2), np.zeros(self.size**2)
        for run in self.runs:
            margin = self.margin[run.rows]
            weight = None if self.weight is None else self.weight[run.rows]
            weights = run.lengths if weight is None else np.add.reduceat(weight, run.starts)
            ahead = np.add.reduceat(margin if weight is None else margin * weight, run.starts)
            total[run.pair] += weights
            won[run.pair] += (weights + ahead) / 2
        won_by_row = won.reshape(self.size, self.size)
        return np.asarray(won_by_row + (total.reshape(self.size, self.size) - won_by_row).T)


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Room in which a block's covariates are computed, for many blocks one after the other."""

    unsorted: Reals
    spare: Reals

    @classmethod
    def of(cls, rows: StyleRows, block: slice) -> Space:
        """Room for blocks as long as this one."""
        k, n = len(rows.x), block.stop - block.start
        return cls(np.empty((k, n), rows.precision), np.empty((2, k, min(n, RUN)), rows.precision))


def blocks_of(rows: Comparisons) -> list[slice]:
    """What is sorted at a time."""
    n, pairs = len(rows), len(rows.names) ** 2
    length = min(max(_BLOCK, _PER_PAIR * pairs), _LARGEST_BLOCK)
    return [slice(start, min(start + length, n)) for start in range(0, n, length)]


def _runs(key: IntArray, first: int = 0) -> list[Run]:
    """Runs of keys that stand at `first` and after; within one they ascend, so that it meets a pair once."""
    n = len(key)
    changes = np.flatnonzero(key[1:] != key[:-1]) + 1
    descents = changes[key[changes] < key[changes - 1]]
    cuts = np.union1d(np.arange(0, n, RUN), descents)
    starts = np.union1d(cuts, changes)
    lengths, pair = np.diff(starts, append=n), key[starts].astype(np.intp)
    at = np.searchsorted(starts, cuts).tolist()
    runs = []
    for (start, stop), (begin, end) in zip(pairwise((*cuts.tolist(), n)), pairwise((*at, len(starts))), strict=True):
        own = slice(begin, end)
        runs.append(Run(slice(first + start, first + stop), starts[own] - start, lengths[own], pair[own]))
    return runs
