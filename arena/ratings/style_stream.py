"""Comparisons laid out for style control block by block in each pass, and forgotten.

Where there are millions, keeping them laid out costs more than it saves: most of a fit would be
writing them down. It stands where `StyleRows` stands; it knows neither what covariates mean nor
what is summed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from arena.ratings.comparisons import Comparisons, FloatArray, IntArray
from arena.ratings.style_rows import Covariates, Space, StyleRows, blocks_of, unit_of
from arena.ratings.threads import in_threads

_STRETCH = 1 << 8
"""Neighbours that are drawn into a sample together: whole lines of memory are read for them anyway."""

_SAMPLE_SHARES = 2
"""A sample is read and sorted in so many parts at once; more would meet each pair too few times."""


@dataclass(frozen=True, slots=True, eq=False)
class StyleStream:
    """All comparisons as columns, with what computes `k` covariates of any of them."""

    rows: Comparisons
    covariates: Covariates
    k: int
    precision: np.dtype[np.floating[Any]]

    @property
    def voter(self) -> IntArray | None:
        """Who voted, in order of arrival."""
        return self.rows.voter

    @property
    def total(self) -> float:
        """The weight of all comparisons."""
        return float(len(self.rows) if self.rows.weight is None else self.rows.weight.sum(dtype=float))

    @property
    def unit(self) -> float:
        """The sum of squared weights by the sum of weights."""
        return unit_of(self.rows.weight)

    def shares(self, number: int) -> list[Iterator[StyleRows]]:
        """The comparisons in so many parts of about equal length, laid out as they are asked for.

        What a part yields holds until its next is asked for.
        """
        blocks = blocks_of(self.rows)
        return [self._laid_out(blocks[first::number]) for first in range(min(number, len(blocks)))]

    def _laid_out(self, blocks: Sequence[slice]) -> Iterator[StyleRows]:
        table = StyleRows.empty(self.rows, blocks[0].stop - blocks[0].start, self.k, self.precision)
        space = Space.of(table, blocks[0])
        for block in blocks:
            place = slice(0, block.stop - block.start)
            yield replace(table, runs=tuple(table.fill(place, block, self.rows, self.covariates, space)))

    def among(self, chosen: IntArray) -> StyleRows:
        """Some of the comparisons as columns, in the order chosen; they have no runs."""
        rows, size = self.rows, len(self.rows.names)
        x = np.empty((self.k, len(chosen)), self.precision)
        self.covariates(chosen, x, np.empty((2, *x.shape), self.precision))
        return StyleRows(
            size,
            (rows.a[chosen].astype(np.intp) * size + rows.b[chosen]).astype(np.int32),
            (2 * rows.outcome[chosen] - 1).astype(self.precision),
            None if rows.weight is None else rows.weight[chosen].astype(self.precision),
            None if rows.voter is None else rows.voter[chosen],
            x,
        )

    def thinned(self, one_in: int) -> StyleRows:
        """About one of so many comparisons, to stand for the whole: stretches drawn from all times alike."""
        every = _STRETCH * one_in
        begins = np.arange(0, len(self.rows) - every + 1, every)
        begins += np.random.default_rng(0).integers(0, every - _STRETCH + 1, len(begins))
        stretches = begins[:, None] + np.arange(_STRETCH)
        shares = np.array_split(stretches, _SAMPLE_SHARES)
        return StyleRows.joined(in_threads(lambda share: self.among(share.ravel()).sorted(), shares))

    def scores_of_half(self) -> FloatArray:
        """Score of row over column, ties as halves, in every other block: enough to begin a fit from."""
        size = len(self.rows.names)
        blocks = blocks_of(self.rows)[::2]
        won, total = np.sum(in_threads(self._won_and_total, blocks), axis=0).reshape(2, size, size)
        return np.asarray(won + (total - won).T)

    def _won_and_total(self, block: slice) -> FloatArray:
        rows, size = self.rows, len(self.rows.names)
        key = rows.a[block].astype(np.intp)
        key *= size
        key += rows.b[block]
        outcome, weight = rows.outcome[block], None if rows.weight is None else rows.weight[block]
        weighed = outcome if weight is None else outcome * weight
        tables = (np.bincount(key, amounts, minlength=size * size) for amounts in (weighed, weight))
        return np.array([*tables], dtype=float)
