"""The event log and the number that every change of the board takes."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from arena.store.prepared import Prepared, inserting
from arena.store.tables import counters, events
from arena.store.writer import BOARD_CHANGED

_SEQUENCE = "sequence"

_CURRENT = Prepared(lambda _: select(counters.c.value).where(counters.c.name == _SEQUENCE))
_WRITE = inserting(events, "id")
_TAKE = Prepared(
    lambda _: (
        update(counters)
        .where(counters.c.name == _SEQUENCE)
        .values(value=counters.c.value + bindparam("taken", type_=counters.c.value.type))
        .returning(counters.c.value)
    )
)


def next_sequence(db: Connection, count: int = 1) -> int:
    """Take `count` numbers and return the last: the board's version from this transaction's commit on.

    The row stays locked until then, so numbers become visible in their order on PostgreSQL too.
    """
    taken = _TAKE.first(db, taken=count)
    assert taken is not None, "the first migration makes the counter"
    number = int(taken[0])
    db.info[BOARD_CHANGED] = number
    return number


def current_sequence(db: Connection) -> int:
    """The number of the latest change of the board."""
    found = _CURRENT.first(db)
    assert found is not None, "the first migration makes the counter"
    return int(found[0])


def write_event(
    db: Connection,
    now: float,
    kind: str,
    detail: str,
    *,
    battle_id: str | None = None,
    sequence: int | None = None,
    vote_sequence: int | None = None,
) -> None:
    """Add a line to the log; `sequence` and `vote_sequence` where it changed the board."""
    _WRITE.run(
        db, at=now, kind=kind, detail=detail, battle_id=battle_id, sequence=sequence, vote_sequence=vote_sequence
    )
