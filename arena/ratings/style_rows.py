"""Comparisons laid out for style control: sorted by pair, block by block, their covariates beside them.

Where comparisons of a pair stand together, a sum per pair is a sum over neighbours (a fifth of what
a sum by key costs) and the pair's difference of strengths is looked up once. It knows neither what
covariates mean nor what is summed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.ratings.comparisons import Comparisons, FloatArray, IntArray
from arena.ratings.sorting import order_of
from arena.ratings.threads import in_threads

Reals = NDArray[np.floating[Any]]
"""Single precision where there are many comparisons, double where there are few."""

_BLOCK = 1 << 18
"""Comparisons sorted at a time, so that fetching them in their new order stays in the cache."""

_PER_PAIR = 16
"""A block holds so many comparisons per pair at least, or sums over neighbours would be no gain."""

_LARGEST_BLOCK = 1 << 22

_RUN = 1 << 15
"""Comparisons worked on at a time, so that what is between two operations stays in the cache."""


Covariate = Callable[[int, slice], Reals]
"""A covariate by its line, for a slice of the comparisons in their order of arrival."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Comparisons that are worked on together: those of `pair[i]` begin at `starts[i]`, counted within the run."""

    rows: slice
    starts: IntArray
    lengths: IntArray
    pair: IntArray


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
    def of(cls, rows: Comparisons, covariate: Covariate, k: int, precision: Any) -> StyleRows:
        """Lay out all comparisons; each slice of each covariate is asked for once, in several threads."""
        n, size = len(rows), len(rows.names)
        whole = cls(
            size,
            np.empty(n, np.int32),
            np.empty(n, precision),
            None if rows.weight is None else np.empty(n, precision),
            None if rows.voter is None else np.empty(n, rows.voter.dtype),
            np.empty((k, n), precision),
        )
        length = min(max(_BLOCK, _PER_PAIR * size * size), _LARGEST_BLOCK)
        blocks = [slice(start, min(start + length, n)) for start in range(0, n, length)]
        runs = in_threads(lambda block: whole._fill(block, rows, covariate), blocks)
        return replace(whole, runs=tuple(chain.from_iterable(runs)))

    def _fill(self, block: slice, rows: Comparisons, covariate: Covariate) -> list[Run]:
        key = np.multiply(rows.a[block], self.size, dtype=np.int32, casting="unsafe")
        key += rows.b[block].astype(np.int32, copy=False)
        order = order_of(key, self.size**2)
        key.take(order, out=self.key[block], mode="clip")
        margin = rows.outcome[block].astype(self.margin.dtype)
        margin *= 2
        margin -= 1
        margin.take(order, out=self.margin[block], mode="clip")
        for own, given in ((self.weight, rows.weight), (self.voter, rows.voter)):
            if own is not None and given is not None:
                own[block] = given[block].take(order)
        column = margin
        for line in range(len(self.x)):
            for part in _parts(block.start, block.stop):
                column[part.start - block.start : part.stop - block.start] = covariate(line, part)
            column.take(order, out=self.x[line, block], mode="clip")
        return _runs(self.key[block], block.start)

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


def _parts(start: int, stop: int) -> Iterator[slice]:
    return (slice(begin, min(begin + _RUN, stop)) for begin in range(start, stop, _RUN))


def _runs(key: IntArray, first: int = 0) -> list[Run]:
    """Runs of keys that stand at `first` and after; within one they ascend, so that it meets a pair once."""
    descents = np.flatnonzero(key[1:] < key[:-1]) + 1
    cuts = np.union1d(np.arange(0, len(key), _RUN), descents).tolist()
    runs = []
    for start, stop in pairwise((*cuts, len(key))):
        own = key[start:stop]
        starts = np.flatnonzero(np.concatenate(([True], own[1:] != own[:-1])))
        lengths = np.diff(starts, append=stop - start)
        runs.append(Run(slice(first + start, first + stop), starts, lengths, own[starts].astype(np.intp)))
    return runs
