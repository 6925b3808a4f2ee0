"""Repair: pair counts and Elo computed anew from the votes and judgments themselves.

The bulk is read from one snapshot without holding anybody up; the writer then swaps all counts at
once and repeats on them what happened since the snapshot.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, delete, insert, select, text

from arena.store.changes import EVERYTHING_CHANGED, changes
from arena.store.connections import Database, translated
from arena.store.counting import Counted, add_counts, count, move_rating, ratings, slice_set, split_ids
from arena.store.log import current_sequence, next_sequence, write_event
from arena.store.records import Change
from arena.store.tables import elo, pair_counts, slice_sets
from arena.store.tally import BITS, Tally, numbers
from arena.store.voting import Rules
from arena.store.writer import Writer
from arena.types import Track

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

CHUNK = 100_000
"""Sequence numbers read at a time."""
"""Numbers read at a time."""

_PACKED = f"slice_set_id * {1 << 2 + 2 * BITS} + contestant_a * {1 << 2 + BITS} + contestant_b * 4 + verdict"
_JUDGED = "sequence > :low AND sequence <= :high"
_COUNTING = f"{_JUDGED} AND retracted_at IS NULL AND quarantined IS NULL"
_JOINED = {
    # One text per run instead of a row per vote: the database joins a vote in a fifth of the time that a row takes.
    "sqlite": "SELECT group_concat(code) FROM (SELECT {code} AS code FROM {table} WHERE {where} ORDER BY sequence)",
    "postgresql": "SELECT string_agg(({code})::text, ',' ORDER BY sequence) FROM {table} WHERE {where}",
}
_OTHER_WEIGHT = "-1"
"""Stands for a vote whose weight is not 1."""


_Run: TypeAlias = "array[int] | None"


class Fresh(NamedTuple):
    """Rows of `pair_counts` and `elo` as they were at a snapshot."""

    counts: list[dict[str, Any]]
    standings: list[dict[str, Any]]
    snapshot: int


def rebuild(database: Database, writer: Writer, rules: Rules, now: float, progress: Progress) -> int:
    """See `Store.rebuild`."""
    with database.reading() as db:
        snapshot = current_sequence(db)
        votes, judged = Tally(Track.HUMAN, rules), Tally(Track.JUDGE, rules)
        _read_votes(db, votes, snapshot, progress)
        for low in range(0, snapshot, CHUNK):
            judged.add(numbers(_joined(db, _PACKED, "judgments", _JUDGED, low, low + CHUNK)))
        ids_of = {row.id: split_ids(row.slice_ids) for row in db.execute(select(slice_sets))}
    fresh = Fresh(
        [*votes.count_rows(ids_of), *judged.count_rows(ids_of)], [*votes.elo_rows(), *judged.elo_rows()], snapshot
    )
    return votes.rows + judged.rows + writer.submit(lambda db: _swap(db, fresh, rules, now)).result()


def _read_votes(db: Connection, tally: Tally, snapshot: int, progress: Progress) -> None:
    """Fold in the votes run by run; the next run is read while this one is counted."""
    lows = range(0, snapshot, CHUNK)
    with ThreadPoolExecutor(1, "arena-recount") as reader:
        runs = _ahead(reader, lambda low: _read_run(db, low), lows)
        for low, run in zip(lows, runs, strict=True):
            if run is None:
                reader.submit(_read_weighted, db, tally, low).result()
            else:
                tally.add(run)
            progress(min(low + CHUNK, snapshot), snapshot)


def _ahead(reader: ThreadPoolExecutor, read: Callable[[int], _Run], lows: range) -> Iterator[_Run]:
    """The runs in order, one read ahead of its use."""
    upcoming = [reader.submit(read, low) for low in lows[:1]]
    for following in (*lows[1:], None)[: len(lows)]:
        current = upcoming.pop()
        run = current.result()
        if following is not None:
            upcoming.append(reader.submit(read, following))
        yield run


def _read_run(db: Connection, low: int) -> _Run:
    """Packed votes of a run; None where one of them has a weight of its own."""
    marked = f"CASE WHEN weight = 1 THEN {_PACKED} ELSE {_OTHER_WEIGHT} END"
    joined = _joined(db, marked, "votes", _COUNTING, low, low + CHUNK)
    return None if joined.startswith(_OTHER_WEIGHT) or f",{_OTHER_WEIGHT}" in joined else numbers(joined)


def _joined(db: Connection, code: str, table: str, where: str, low: int, high: int) -> str:
    query = _JOINED[db.dialect.name].format(code=code, table=table, where=where)
    with translated():
        return db.execute(text(query), {"low": low, "high": high}).scalar() or ""


def _read_weighted(db: Connection, tally: Tally, low: int) -> None:
    query = text(f"SELECT {_PACKED}, weight FROM votes WHERE {_COUNTING} ORDER BY sequence")
    for code, weight in db.execute(query, {"low": low, "high": low + CHUNK}):
        tally.add_weighted(code, weight)


def _swap(db: Connection, fresh: Fresh, rules: Rules, now: float) -> int:
    """Put the new counts in place of the old and repeat what came after the snapshot; returns what that added."""
    for table in (pair_counts, elo):
        db.execute(delete(table))
    if fresh.counts:
        add_counts(db, fresh.counts)
        db.execute(insert(elo), fresh.standings)
    since = changes(db, fresh.snapshot, 2**31)
    for change in since:
        _repeat(db, change, rules)
    write_event(db, now, EVERYTHING_CHANGED, "", sequence=next_sequence(db))
    return sum(change.sign for change in since)


def _repeat(db: Connection, change: Change, rules: Rules) -> None:
    """A comparison is folded in anew; one taken back leaves with the change of ratings that it had recorded."""
    if change.sign == 0:
        return
    a, b = change.contestant_a, change.contestant_b
    slices = slice_set(db, change.slices)
    count(db, Counted(change.track, a, b, change.verdict, change.weight, slices), change.sign)
    deltas = (-change.elo_delta_a, -change.elo_delta_b)
    if change.sign > 0:
        before = ratings(db, change.track, a, b, rules.elo_start)
        deltas = rules.deltas(*before, change.verdict.outcome, change.weight)
    for contestant, delta in zip((a, b), deltas, strict=True):
        move_rating(db, change.track, contestant, delta, change.sign, rules.elo_start)
