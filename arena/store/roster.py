"""Contestants and voters as rows: who gets which number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from arena.store import keyring
from arena.store.prepared import Prepared
from arena.store.records import Contestant, ContestantRecord
from arena.store.tables import contestants, voters

_DETAILS = ("organisation", "parameters", "quantization", "licence", "family", "toy")

FORGOTTEN = "forgotten-"
"""How the code of a voter begins who was forgotten; the number follows."""


def register(
    db: Connection, entries: Sequence[Contestant], now: float, retire_others: bool
) -> tuple[ContestantRecord, ...]:
    """See `Store.register_contestants`."""
    known = {(record.contestant.name, record.contestant.fingerprint): record for record in everyone(db)}
    numbers = [_ensure(db, entry, known.get((entry.name, entry.fingerprint)), now) for entry in entries]
    if retire_others:
        absent = update(contestants).where(contestants.c.id.not_in(numbers), contestants.c.retired_at.is_(None))
        db.execute(absent.values(retired_at=now))
    by_number = {record.id: record for record in everyone(db)}
    return tuple(by_number[number] for number in numbers)


def everyone(db: Connection) -> tuple[ContestantRecord, ...]:
    """Every contestant by number."""
    return tuple(map(record, _EVERYONE.all(db)))


def record(row: Sequence[Any]) -> ContestantRecord:
    """A row of `contestants`, whole and in the table's order, as the value that leaves the store."""
    number, name, fingerprint, *middle, toy, first_seen, retired_at = row
    details = dict(zip(_DETAILS, (*middle, bool(toy)), strict=True))
    return ContestantRecord(number, Contestant(name, fingerprint, **details), first_seen, retired_at)


def voter_number(db: Connection, code: str, now: float, key: keyring.VoterKey | None = None) -> int:
    """The number of a voter's code, given out when it is new, with this key or a fresh one."""
    found = _VOTER.first(db, wanted=code)
    if found is None:
        found = _NEW_VOTER.first(db, code=code, first_seen=now)
        assert found is not None, "it returns what it puts in"
        keyring.make(db, found[0], key)
    return int(found[0])


def add_retired(db: Connection, name: str, fingerprint: str, now: float) -> int:
    """A contestant that comes with imported votes and stands in no catalogue."""
    details = {"organisation": "", "quantization": "", "licence": "", "family": "", "toy": False}
    fresh = insert(contestants).values(name=name, fingerprint=fingerprint, first_seen=now, retired_at=now, **details)
    return int(db.execute(fresh.returning(contestants.c.id)).scalar_one())


def _ensure(db: Connection, entry: Contestant, known: ContestantRecord | None, now: float) -> int:
    details = {name: getattr(entry, name) for name in _DETAILS}
    if known is None:
        fresh = insert(contestants).values(name=entry.name, fingerprint=entry.fingerprint, first_seen=now, **details)
        return int(db.execute(fresh.returning(contestants.c.id)).scalar_one())
    if known.contestant != entry or known.retired_at is not None:
        db.execute(update(contestants).where(contestants.c.id == known.id).values(retired_at=None, **details))
    return known.id


_VOTER = Prepared(lambda _: select(voters.c.id).where(voters.c.code == bindparam("wanted")))
_NEW_VOTER = Prepared(
    lambda fresh_row: (
        fresh_row(voters).values(code=bindparam("code"), first_seen=bindparam("first_seen")).returning(voters.c.id)
    )
)
_EVERYONE = Prepared(lambda _: select(contestants).order_by(contestants.c.id))
