"""Who can be placed on one scale with whom: components of the graph of wins.

An edge i → j means that i scored against j (a tie gives an edge each way). A maximum-likelihood
strength is finite only within a strongly connected component (L. R. Ford, "Solution of a ranking
problem from binary comparisons", 1957). This module sees a boolean table and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from arena.ratings.comparisons import BoolArray, FloatArray, IntArray


class Place(StrEnum):
    """Where a contestant stands relative to its piece's core, the component that is rated."""

    CORE = "core"  # has a finite rating
    ABOVE = "above"  # never lost to the core, directly or through others: bounded from below only
    BELOW = "below"  # never scored against the core: bounded from above only
    BESIDE = "beside"  # met others of the piece, but no chain of wins leads to the core or back


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Contestants joined by comparisons, whichever way these went; `core` is part of `members`."""

    members: IntArray
    core: IntArray
    above: BoolArray
    below: BoolArray

    def place(self, contestant: int) -> Place:
        """Where a member of this piece stands."""
        if contestant in self.core:
            return Place.CORE
        if self.above[contestant]:
            return Place.ABOVE
        return Place.BELOW if self.below[contestant] else Place.BESIDE


def reachable(edges: BoolArray, start: int) -> BoolArray:
    """Everything that a chain of edges leads to from `start`, itself included."""
    seen = np.zeros(len(edges), dtype=bool)
    frontier = seen.copy()
    frontier[start] = True
    while frontier.any():
        seen |= frontier
        frontier = edges[frontier].any(axis=0) & ~seen
    return seen


def components(edges: BoolArray, among: IntArray) -> Iterator[IntArray]:
    """Strongly connected components of the contestants in `among`."""
    left = np.zeros(len(edges), dtype=bool)
    left[among] = True
    for start in among:
        if left[start]:
            both = reachable(edges, int(start)) & reachable(edges.T, int(start)) & left
            left &= ~both
            yield np.flatnonzero(both)


def pieces(score: FloatArray) -> list[Piece]:
    """Split contestants into pieces that never met, the largest core (then the most battles) first."""
    edges = score > 0
    everybody = np.ones(len(score), dtype=bool)
    if len(score) > 1 and (edges | np.diag(everybody)).all():  # as a board soon has it: each has scored against each
        return [Piece(np.flatnonzero(everybody), np.flatnonzero(everybody), everybody, everybody)]
    joined = edges | edges.T
    met = joined.any(axis=1)
    found = [_piece(score, edges, members) for members in components(joined, np.flatnonzero(met))]
    nobody = np.zeros(len(score), dtype=bool)
    found += [Piece(np.array([i]), np.array([i]), nobody, nobody) for i in np.flatnonzero(~met)]
    return sorted(found, key=lambda piece: (-len(piece.core), -score[piece.members].sum(), int(piece.members[0])))


def _piece(score: FloatArray, edges: BoolArray, members: IntArray) -> Piece:
    total = (score + score.T).sum(axis=1)
    core = max(components(edges, members), key=lambda part: (len(part), total[part].sum(), -int(part[0])))
    start = int(core[0])
    return Piece(members, core, above=reachable(edges.T, start), below=reachable(edges, start))
