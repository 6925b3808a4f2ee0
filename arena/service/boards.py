"""Leaderboards of the stored votes: computed from pair counts, kept until the next vote.

Nothing here grows with the number of votes, but for `history`, which replays the latest changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from arena.ratings.comparisons import PairCounts
from arena.ratings.elo import EloParameters, Scale
from arena.ratings.leaderboard import Anchor, Leaderboard, bradley_terry_board, elo_board_of
from arena.service.rooms import nameplate
from arena.service.views import BoardView
from arena.store.records import ALL, ContestantRecord, PairTable
from arena.store.store import Store
from arena.types import Track

Key = tuple[Track, str, str]

HISTORY = 20_000
"""The most votes that a rating-over-time plot replays."""


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One contestant's online Elo after a vote; `at` in Unix seconds."""

    sequence: int
    at: float
    model: str
    rating: float


class Boards:
    """Leaderboards by track, slice and method."""

    def __init__(self, store: Store, *, parameters: EloParameters, preliminary: int) -> None:
        self._store = store
        self._parameters = parameters
        self._preliminary = preliminary
        self._kept: dict[Key, BoardView] = {}

    def view(
        self, track: Track = Track.HUMAN, slice: str = ALL, method: str = "bt", *, anchor: Anchor | None = None
    ) -> BoardView:
        """The board as the latest committed vote left it."""
        version = self._store.board_version()
        key = (track, slice, method)
        kept = self._kept.get(key)
        if anchor is None and kept is not None and kept.version == version:
            return kept
        view = self._computed(track, slice, method, version, anchor)
        if anchor is None:
            self._kept[key] = view
        return view

    def slices(self, track: Track = Track.HUMAN) -> tuple[str, ...]:
        """The slices that hold a comparison."""
        return tuple(sorted(name for name in self._store.slices(track) if name != ALL))

    def history(self, track: Track = Track.HUMAN) -> tuple[HistoryPoint, ...]:
        """Online Elo after each of the latest votes, oldest first."""
        records = self._store.contestants()
        names = labels(records)
        after = max(0, self._store.board_version() - HISTORY)
        ratings = {record.id: self._parameters.scale.start for record in records}
        points = []
        for change in self._store.changes(after, limit=HISTORY):
            if change.track is not track:
                continue
            deltas = ((change.contestant_a, change.elo_delta_a), (change.contestant_b, change.elo_delta_b))
            for contestant, delta in deltas:
                ratings[contestant] += delta * change.sign
                points.append(HistoryPoint(change.sequence, change.at, names[contestant], ratings[contestant]))
        return tuple(points)

    def _computed(self, track: Track, slice: str, method: str, version: int, anchor: Anchor | None) -> BoardView:
        records = self._store.contestants()
        counts = counts_of(self._store.pair_counts(track, slice), records)
        board = self._elo(track, records, counts, anchor) if method == "elo" else self._bt(counts, anchor)
        board = self._marked(board, records)
        names = labels(records)
        plates = tuple(replace(nameplate(record), name=names[record.id]) for record in records)
        return BoardView(board, version, track, slice, plates)

    def _bt(self, counts: PairCounts, anchor: Anchor | None) -> Leaderboard:
        return bradley_terry_board(counts, scale=self._parameters.scale, anchor=anchor)

    def _elo(
        self, track: Track, records: Sequence[ContestantRecord], counts: PairCounts, anchor: Anchor | None
    ) -> Leaderboard:
        state = self._store.elo_state(track)
        start = self._parameters.scale.start
        ratings = np.array([state[record.id].rating if record.id in state else start for record in records])
        return elo_board_of(ratings, counts, self._parameters, anchor=anchor)

    def _marked(self, board: Leaderboard, records: Sequence[ContestantRecord]) -> Leaderboard:
        """Retired and preliminary contestants carry their marks."""
        names = labels(records)
        retired = {names[record.id] for record in records if record.retired_at is not None}
        rows = tuple(
            replace(
                row,
                retired=row.model in retired,
                preliminary=not row.identified or row.battles < self._preliminary,
            )
            for row in board.rows
        )
        return replace(board, rows=rows)


def labels(records: Sequence[ContestantRecord]) -> Mapping[int, str]:
    """One distinct name per record: an earlier make of a name carries its fingerprint."""
    latest = {record.name: record.id for record in records}
    return {
        record.id: record.name
        if latest[record.name] == record.id
        else f"{record.name} · {record.contestant.fingerprint[:6] or record.id}"
        for record in records
    }


def counts_of(table: PairTable, records: Sequence[ContestantRecord]) -> PairCounts:
    """The stored pair counts as the tables that ratings read."""
    names = labels(records)
    place = {record.id: index for index, record in enumerate(records)}
    size = len(records)
    score, ties, both_bad = (np.zeros((size, size)) for _ in range(3))
    if len(table):
        a, b = (np.array([place[number] for number in column]) for column in (table.a, table.b))
        wins_a, wins_b, even, bad = (
            np.frombuffer(column) for column in (table.wins_a, table.wins_b, table.ties, table.both_bad)
        )
        halves = even + bad
        score[a, b], score[b, a] = wins_a + halves / 2, wins_b + halves / 2
        ties[a, b] = ties[b, a] = halves
        both_bad[a, b] = both_bad[b, a] = bad
    return PairCounts([names[record.id] for record in records], score, ties, both_bad)


def default_parameters(k: float, start: float, points: float) -> EloParameters:
    """Elo's parameters from the settings."""
    return EloParameters(k=k, scale=Scale(start=start, points=points))
