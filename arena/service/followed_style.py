"""A fit at equal style that follows the votes until the next fit: each that came or went is a step of rank one.

It knows which of the kept votes are in it, and nothing of how they are read. One owner at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from arena.ratings.comparisons import BoolArray, Comparisons, IntArray, PairCounts
from arena.ratings.elo import Scale
from arena.ratings.leaderboard import Leaderboard, live_style_board
from arena.ratings.live_style import LiveStyle
from arena.ratings.style import StyleResult

MOST_STEPS = 500
"""Votes that one look at the board follows: a tenth of a second with 200 contestants."""


class FollowedStyle:
    """A fit over the votes that `chosen` marks, and its board up to the last vote that was followed."""

    def __init__(self, result: StyleResult, counts: PairCounts, chosen: BoolArray, scale: Scale) -> None:
        self._live, self._counts = LiveStyle(result), counts.copy()
        self._chosen, self._scale = chosen, scale

    def board(self, chosen: BoolArray, votes: Callable[[IntArray], Comparisons]) -> Leaderboard | None:
        """The board of the votes that are marked now; `votes` gives those at some places, with their style.

        None where only the next fit can tell: too many votes, or one of a contestant that the fit did not rate.
        """
        before = np.zeros(len(chosen), dtype=bool)
        before[: len(self._chosen)] = self._chosen
        came, went = np.flatnonzero(chosen & ~before), np.flatnonzero(before & ~chosen)
        if len(came) + len(went) > MOST_STEPS:
            return None
        self._follow(votes(came), 1)
        self._follow(votes(went), -1)
        self._chosen = chosen
        return None if self._live.missed else live_style_board(self._live, self._counts.copy(), scale=self._scale)

    def _follow(self, rows: Comparisons, sign: int) -> None:
        bad = np.zeros(len(rows), dtype=bool) if rows.both_bad is None else rows.both_bad
        weight = np.ones(len(rows)) if rows.weight is None else rows.weight
        columns = (column.tolist() for column in (rows.a, rows.b, rows.outcome, bad, weight))
        for number, (a, b, outcome, both_bad, heft) in enumerate(zip(*columns, strict=True)):
            amounts = {name: (float(of_a[number]), float(of_b[number])) for name, (of_a, of_b) in rows.features.items()}
            self._live.add(rows.names[a], rows.names[b], outcome, amounts, weight=sign * heft)
            if max(a, b) < len(self._counts):
                count = self._counts.add if sign > 0 else self._counts.remove
                count(a, b, outcome, both_bad=both_bad, weight=heft)
