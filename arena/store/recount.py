"""Repair: pair counts and Elo computed anew from the votes and judgments themselves.

The bulk is read from one snapshot without holding anybody up; what changed meanwhile is folded in
by the writer, which then swaps all counts at once. A comparison travels as one packed integer,
because ten million rows of one column cost a fraction of ten million rows of five.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from sqlalchemy import Connection, and_, case, delete, insert, select
from sqlalchemy.sql import ColumnElement

from arena.store.changes import EVERYTHING_CHANGED, changes
from arena.store.connections import Database
from arena.store.counting import WHOLE, outcome_column, slice_set, split_ids
from arena.store.log import current_sequence, next_sequence, write_event
from arena.store.records import Change
from arena.store.tables import VERDICT_CODES, VERDICTS, elo, judgments, pair_counts, slice_sets, votes
from arena.store.voting import Rules
from arena.store.writer import Writer
from arena.types import Track, Verdict

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

CHUNK = 200_000
"""Numbers read at a time."""

_BITS = 20
_MASK = (1 << _BITS) - 1
"""A packed comparison is slice set · contestant a · contestant b · verdict, 20, 20 and 2 bits from the low end."""


class Tally:
    """Counts and ratings of one track as they grow."""

    def __init__(self, track: Track, rules: Rules) -> None:
        self.track, self._rules = track, rules
        self.rows = 0
        self.weights: Counter[int] = Counter()  # rows of weight 1 by packed comparison
        self.other_weights: defaultdict[int, float] = defaultdict(float)
        self.ratings: dict[int, float] = {}
        self.games: Counter[int] = Counter()

    def add(self, packed: list[int]) -> None:
        """Fold in a run of comparisons of weight 1, in order."""
        fresh = Counter(packed)
        self.weights.update(fresh)
        self.rows += len(packed)
        meetings = {code: unpack(code)[:3] for code in fresh}
        for code, times in fresh.items():
            self._count_games(code, times)
        ratings, step = self.ratings, self._rules.elo_step
        for code in packed:
            a, b, verdict = meetings[code]
            ratings[a], ratings[b] = step(ratings[a], ratings[b], _OUTCOMES[verdict])

    def add_weighted(self, code: int, weight: float) -> None:
        """Fold in one comparison of any weight."""
        self._count_games(code, 1)
        a, b, verdict, _ = unpack(code)
        delta_a, delta_b = self._rules.deltas(self.ratings[a], self.ratings[b], _OUTCOMES[verdict], weight)
        self.move(code, weight, delta_a, delta_b)
        self.rows += 1

    def take_back(self, code: int, weight: float, delta_a: float, delta_b: float) -> None:
        """Take out a comparison that was folded in, with the change of ratings that it had recorded."""
        self._count_games(code, -1)
        self.move(code, -weight, delta_a, delta_b)
        self.rows -= 1

    def move(self, code: int, weight: float, delta_a: float, delta_b: float) -> None:
        """Shift counts and ratings."""
        a, b, _, _ = unpack(code)
        self.other_weights[code] += weight
        self.ratings[a] += delta_a
        self.ratings[b] += delta_b

    def _count_games(self, code: int, times: int) -> None:
        for contestant in unpack(code)[:2]:
            self.ratings.setdefault(contestant, self._rules.elo_start)
            self.games[contestant] += times

    def store_ratings(self, db: Connection) -> None:
        """Put the ratings in place of the stored ones, and add the games to theirs."""
        known = {row.contestant_id: row.games for row in db.execute(select(elo).where(elo.c.track == self.track.value))}
        rows = [{**row, "games": row["games"] + known.get(row["contestant_id"], 0)} for row in self.elo_rows()]
        db.execute(delete(elo).where(elo.c.track == self.track.value))
        db.execute(insert(elo), rows)

    def elo_rows(self) -> list[dict[str, Any]]:
        """Rows of the table `elo`."""
        return [
            {"track": self.track.value, "contestant_id": number, "rating": rating, "games": self.games[number]}
            for number, rating in self.ratings.items()
        ]

    def count_rows(self, ids_of: dict[int, tuple[int, ...]]) -> list[dict[str, Any]]:
        """Rows of the table `pair_counts`, for the whole and every slice; `ids_of` maps slice sets to slices."""
        cells: defaultdict[tuple[int, int, int], dict[str, float]] = defaultdict(_empty_cell)
        for code, weight in chain(self.weights.items(), self.other_weights.items()):
            a, b, verdict_code, slices = unpack(code)
            verdict = VERDICTS[verdict_code]
            column = outcome_column(verdict if a < b else verdict.mirrored)
            for number in (WHOLE, *ids_of[slices]):
                cells[number, min(a, b), max(a, b)][column] += weight
        key = {"track": self.track.value}
        return [{**key, "slice_id": number, "a": a, "b": b, **cell} for (number, a, b), cell in cells.items()]


def rebuild(database: Database, writer: Writer, rules: Rules, now: float, progress: Progress) -> int:
    """See `Store.rebuild`."""
    with database.reading() as db:
        snapshot = current_sequence(db)
        tallies = {Track.HUMAN: Tally(Track.HUMAN, rules), Track.JUDGE: Tally(Track.JUDGE, rules)}
        _read_votes(db, tallies[Track.HUMAN], snapshot, progress)
        _read_judgments(db, tallies[Track.JUDGE])
    return writer.submit(lambda db: _swap(db, tallies, snapshot, now)).result()


def pack(a: int, b: int, verdict: Verdict, slices: int) -> int:
    """A comparison as one integer."""
    return ((slices << _BITS | a) << _BITS | b) << 2 | VERDICT_CODES[verdict]


def unpack(code: int) -> tuple[int, int, int, int]:
    """Contestant a, contestant b, code of the verdict, number of the slice set."""
    return code >> 2 + _BITS & _MASK, code >> 2 & _MASK, code & 3, code >> 2 + 2 * _BITS


def _read_votes(db: Connection, tally: Tally, snapshot: int, progress: Progress) -> None:
    code = _packed(votes)
    marked = case((votes.c.weight == 1, code), else_=-1)  # −1: this run holds other weights
    for low in range(0, snapshot, CHUNK):
        run = and_(
            votes.c.sequence > low,
            votes.c.sequence <= low + CHUNK,
            votes.c.retracted_at.is_(None),
            votes.c.quarantined.is_(None),
        )
        packed = list(chain.from_iterable(_plain_rows(db, select(marked).where(run).order_by(votes.c.sequence))))
        if packed and min(packed) < 0:
            for one, weight in db.execute(select(code, votes.c.weight).where(run).order_by(votes.c.sequence)):
                tally.add_weighted(one, weight)
        else:
            tally.add(packed)
        progress(min(low + CHUNK, snapshot), snapshot)


def _read_judgments(db: Connection, tally: Tally) -> None:
    counted = select(_packed(judgments)).where(judgments.c.sequence.is_not(None)).order_by(judgments.c.sequence)
    tally.add(list(db.execute(counted).scalars()))


def _plain_rows(db: Connection, query: Any) -> Iterator[tuple[int]]:
    """Rows as the driver gives them: a result object per row would cost more than the row."""
    cursor = db.execute(query).cursor
    return iter(cursor.fetchall() if cursor is not None else ())


def _packed(table: Any) -> ColumnElement[int]:
    """The same as `pack`, by the database; sums and products, since not every database shifts its numbers alike."""
    column = table.c
    high = column.slice_set_id * (1 << 2 + 2 * _BITS) + column.contestant_a * (1 << 2 + _BITS)
    packed: ColumnElement[int] = high + column.contestant_b * 4 + column.verdict
    return packed


def _swap(db: Connection, tallies: dict[Track, Tally], snapshot: int, now: float) -> int:
    """Fold in what happened since the snapshot and put the new counts in place of the old."""
    for change in changes(db, snapshot, 2**31):
        _fold_in(db, tallies[change.track], change)
    ids_of = {row.id: split_ids(row.slice_ids) for row in db.execute(select(slice_sets))}
    for table in (pair_counts, elo):
        db.execute(delete(table))
    for tally in tallies.values():
        if tally.rows:
            db.execute(insert(pair_counts), tally.count_rows(ids_of))
            db.execute(insert(elo), tally.elo_rows())
    write_event(db, now, EVERYTHING_CHANGED, "", sequence=next_sequence(db))
    return sum(tally.rows for tally in tallies.values())


def _fold_in(db: Connection, tally: Tally, change: Change) -> None:
    if change.sign == 0:
        return
    code = pack(change.contestant_a, change.contestant_b, change.verdict, slice_set(db, change.slices).id)
    if change.sign > 0:
        tally.add_weighted(code, change.weight)
    else:
        tally.take_back(code, change.weight, change.elo_delta_a, change.elo_delta_b)


def _empty_cell() -> dict[str, float]:
    return {"wins_a": 0.0, "wins_b": 0.0, "ties": 0.0, "both_bad": 0.0}


_OUTCOMES = tuple(verdict.outcome for verdict in VERDICTS)
