"""The board's steps in the order of their numbers: what another process folds in after it hears of a change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, select

from arena.store.counting import split_names
from arena.store.records import Change
from arena.store.tables import VERDICTS, AnyRow, events, judgments, slice_sets, votes
from arena.types import Track

EVERYTHING_CHANGED = "rebuild"
"""Kind of the event after which a board has to be read anew."""

EVENT_SIGNS = {"undo": -1, "forget": -1, "quarantine": -1, "restore": 1}
"""What the kinds of event that concern a vote do to the board."""


def changes(db: Connection, after: int, limit: int) -> tuple[Change, ...]:
    """See `Store.changes`."""
    steps = [*_cast(db, after, limit), *_moved(db, after, limit), *_judged(db, after, limit)]
    return tuple(sorted(steps, key=lambda step: step.sequence)[:limit])


def _cast(db: Connection, after: int, limit: int) -> Iterator[Change]:
    query = _with_slices(select(votes, slice_sets.c.names), votes.c.slice_set_id)
    rows = db.execute(query.where(votes.c.sequence > after).order_by(votes.c.sequence).limit(limit))
    return (_change(row, row.sequence, Track.HUMAN, 1, row.cast_at) for row in rows)


def _moved(db: Connection, after: int, limit: int) -> Iterator[Change]:
    logged = (events.c.sequence.label("number"), events.c.kind, events.c.at, events.c.vote_sequence)
    query = (
        select(*logged, votes, slice_sets.c.names)
        .select_from(events)
        .outerjoin(votes, votes.c.sequence == events.c.vote_sequence)
        .outerjoin(slice_sets, slice_sets.c.id == votes.c.slice_set_id)
        .where(events.c.sequence > after)
        .order_by(events.c.sequence)
        .limit(limit)
    )
    for row in db.execute(query):
        if row.vote_sequence is not None:
            yield _change(row, row.number, Track.HUMAN, EVENT_SIGNS[row.kind], row.at)
        elif row.kind == EVERYTHING_CHANGED:
            yield Change(row.number, row.at)


def _judged(db: Connection, after: int, limit: int) -> Iterator[Change]:
    query = _with_slices(select(judgments, slice_sets.c.names), judgments.c.slice_set_id)
    rows = db.execute(query.where(judgments.c.sequence > after).order_by(judgments.c.sequence).limit(limit))
    return (_change(row, row.sequence, Track.JUDGE, 1, row.done_at) for row in rows)


def _with_slices(query: Select[Any], column: Any) -> Select[Any]:
    return query.join(slice_sets, slice_sets.c.id == column)


def _change(row: AnyRow, sequence: int, track: Track, sign: int, at: float) -> Change:
    return Change(
        sequence=sequence,
        track=track,
        sign=sign,
        contestant_a=row.contestant_a,
        contestant_b=row.contestant_b,
        verdict=VERDICTS[row.verdict],
        weight=row._mapping.get("weight", 1.0),
        slices=split_names(row.names),
        elo_delta_a=row.elo_delta_a,
        elo_delta_b=row.elo_delta_b,
        at=at,
    )
