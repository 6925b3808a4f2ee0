"""Votes as one small number each: a column that any slice or repair can count in one pass.

A key says who met whom, on which side, and the verdict; four bytes hold it for up to 23,000
contestants. It holds no weights and no fractional outcomes: those stay in `Comparisons`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arena.ratings.comparisons import BoolArray, Comparisons, PairCounts
from arena.ratings.threads import MOST_THREADS, in_threads

_CHUNK = 1 << 18
"""Keys counted at a time, at least: their wide copies stay in the cache."""
_FULL = 8
"""So many keys per place to count in make a chunk; a chunk for each of them makes threads worth their tables."""

_B_WON, _TIE, _A_WON, _BOTH_BAD = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class PairKeys:
    """One key per vote, in any order: ((a·m + b)·4 + verdict), verdict being 0 b, 1 tie, 2 a, 3 both bad."""

    names: Sequence[str]
    keys: NDArray[np.int32]

    @classmethod
    def of(cls, rows: Comparisons) -> PairKeys:
        """Keys of columns. Raises ValueError for weights, or outcomes other than 0, ½ and 1."""
        if rows.weight is not None:
            raise ValueError("keys hold no weights")
        twice = 2 * rows.outcome
        verdict = twice.astype(np.int32)
        if (verdict != twice).any():
            raise ValueError("keys hold outcomes of 0, ½ and 1 only")
        if rows.both_bad is not None:
            verdict[rows.both_bad] = _BOTH_BAD
        size = np.int32(len(rows.names))
        pair = rows.a.astype(np.int32) * size + rows.b.astype(np.int32)
        return cls(rows.names, pair * np.int32(4) + verdict)

    def counts(self, chosen: BoolArray | None = None) -> PairCounts:
        """Pair counts of all votes, or of the chosen."""
        size = len(self.names)
        keys = self.keys if chosen is None else self.keys[chosen]
        places = 4 * size * size
        threads = MOST_THREADS if len(keys) >= MOST_THREADS * max(_CHUNK, _FULL * places) else 1
        flat = sum(in_threads(lambda part: _counted(part, places), np.array_split(keys, threads)))
        by_verdict = np.reshape(flat, (size, size, 4)).astype(float)
        halves = by_verdict[..., _TIE] + by_verdict[..., _BOTH_BAD]
        ties = halves + halves.T
        score = by_verdict[..., _A_WON] + by_verdict[..., _B_WON].T + ties / 2
        bad = by_verdict[..., _BOTH_BAD]
        return PairCounts(self.names, score, ties, bad + bad.T)


def _counted(keys: NDArray[np.int32], places: int) -> NDArray[np.intp]:
    """How often each key is there."""
    flat = np.zeros(places, dtype=np.intp)
    chunk = max(_CHUNK, _FULL * places)
    for start in range(0, len(keys), chunk):
        flat += np.bincount(keys[start : start + chunk], minlength=places)
    return flat
