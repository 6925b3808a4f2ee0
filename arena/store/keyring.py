"""Voters' keys as rows: made with the voter, overwritten when the voter is forgotten, left out of copies.

A row outlives its voter's being forgotten as a mark that they were, so that no older copy of the database
can bring them back. Ciphers and secrets are `arena.store.sealing`'s business.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from arena.errors import UnknownBattle
from arena.store.connections import KEYRING
from arena.store.prepared import Prepared
from arena.store.sealing import DROPPED, MARK_BYTES, NAME_BYTES, NOTHING, Keyring, Sealer
from arena.store.tables import battles, voter_keys, voters

KEY = (voter_keys.c.name.label("key_name"), voter_keys.c.wrapped)
"""Columns that a query joins (outer: an old voter may have none) to read texts with `sealer`."""


class VoterKey(NamedTuple):
    """A voter's key as its row holds it."""

    name: bytes
    wrapped: bytes


def fresh(db: Connection) -> VoterKey:
    """A key that nobody has."""
    name = os.urandom(NAME_BYTES)
    return VoterKey(name, _ring(db).fresh(name))


def known(db: Connection, code: str) -> VoterKey | None:
    """The key of a voter that can be used; None without one."""
    found = _BY_CODE.first(db, wanted=code)
    if found is not None and not found[2]:
        key = VoterKey(bytes(found[0]), bytes(found[1]))
        if _ring(db).opened(*key) is not None:
            return key
    return None


def holds(db: Connection, voter_id: int, key: VoterKey) -> bool:
    """Whether this is the voter's key, and they were not forgotten."""
    found = _FIND.first(db, wanted=voter_id)
    return found is not None and not found[3] and (bytes(found[1]), bytes(found[2])) == key


def make(db: Connection, voter_id: int, key: VoterKey | None = None) -> Sealer:
    """A key for a voter who has none: this one, else a fresh one."""
    name, wrapped = key or fresh(db)
    _INSERT.run(db, voter_id=voter_id, name=name, wrapped=wrapped)
    return Sealer(_ring(db).opened(name, wrapped))


def sealer(db: Connection, name: bytes | None, wrapped: bytes | None) -> Sealer:
    """What opens a voter's texts, from the columns `KEY`."""
    return NOTHING if name is None or wrapped is None else Sealer(_ring(db).opened(name, wrapped))


def sealers(db: Connection, voter_ids: Iterable[int]) -> dict[int, Sealer]:
    """The same for some voters at once."""
    query = select(voter_keys.c.voter_id, *KEY).where(voter_keys.c.voter_id.in_(set(voter_ids)))
    return {number: sealer(db, name, wrapped) for number, name, wrapped in db.execute(query)}


def writing_sealer(db: Connection, voter_id: int) -> Sealer:
    """What seals a voter's new texts: nothing once they were forgotten, a new key where a restored copy had none."""
    found = _FIND.first(db, wanted=voter_id)
    if found is None:
        return make(db, voter_id)
    number, name, wrapped, forgotten = found
    if forgotten:
        return NOTHING
    if wrapped == DROPPED:
        name = os.urandom(NAME_BYTES)
        wrapped = _ring(db).fresh(name)
        _REPLACE.run(db, number=number, name=name, wrapped=wrapped)
    key = _ring(db).opened(name, wrapped)
    return Sealer(key, lost=key is None)


def sealer_of_battle(db: Connection, battle_id: str) -> Sealer:
    """What seals the texts of a battle, which are all its owner's. Raises `UnknownBattle`."""
    found = _OWNER.first(db, wanted=battle_id)
    if found is None:
        raise UnknownBattle(f"there is no battle {battle_id}")
    return writing_sealer(db, int(found[0]))


def drop(db: Connection, voter_id: int, votes_dropped: bool) -> None:
    """Overwrite a voter's key and remember that they were forgotten."""
    if _FIND.first(db, wanted=voter_id) is None:
        make(db, voter_id)
    change = update(voter_keys).where(voter_keys.c.voter_id == voter_id)
    db.execute(change.values(wrapped=DROPPED, forgotten=True, votes_dropped=votes_dropped))


def rewrap(db: Connection) -> int:
    """Wrap anew, under the first secret, every key that a later one wrapped; returns how many."""
    ring, changed = _ring(db), 0
    for number, name, wrapped in db.execute(select(voter_keys.c.id, voter_keys.c.name, voter_keys.c.wrapped)).all():
        fresh = ring.rewrapped(name, wrapped)
        if fresh is not None:
            _REPLACE.run(db, number=number, name=name, wrapped=fresh)
            changed += 1
    return changed


def lost(db: Connection) -> int:
    """How many voters' keys are here and open under none of the secrets."""
    mark = func.substr(voter_keys.c.wrapped, 1, MARK_BYTES)
    rows = db.execute(select(mark, func.count()).where(voter_keys.c.wrapped != DROPPED).group_by(mark))
    return sum(count for mark, count in rows if bytes(mark) not in _ring(db).marks)


def absent(db: Connection) -> int:
    """How many voters who were not forgotten have no key here: a copy without keys was put in place."""
    gone = (voter_keys.c.wrapped == DROPPED, voter_keys.c.forgotten.is_(False))
    return int(db.execute(select(func.count()).select_from(voter_keys).where(*gone)).scalar_one())


# ---------------------------------------------------------------- copies of a SQLite file


def strip(copy: sqlite3.Connection) -> None:
    """Take the keys out of a copy that leaves the arena; older schemas have none."""
    if _has_keys(copy):
        copy.execute("PRAGMA secure_delete=ON")
        copy.execute("UPDATE voter_keys SET wrapped = ?", (DROPPED,))
        copy.commit()


@dataclass(frozen=True, slots=True)
class Past:
    """What a database about to be replaced knows: keys in use by name, and who was forgotten."""

    keys: dict[bytes, bytes]
    forgotten: dict[bytes, tuple[bool, tuple[str, ...]]]  # by key: whether votes went too, and their battles


NO_PAST = Past({}, {})


def past_of(path: Path) -> Past:
    """Read it from a SQLite file; nothing where there is no such file, or of an older schema."""
    if not path.exists():
        return NO_PAST
    with closing(sqlite3.connect(path)) as db:
        if not _has_keys(db):
            return NO_PAST
        rows = db.execute("SELECT voter_id, name, wrapped, forgotten, votes_dropped FROM voter_keys").fetchall()
        own = "SELECT id FROM battles WHERE voter_id = ?"
        gone = {
            name: (bool(dropped), tuple(one for (one,) in db.execute(own, (voter_id,))))
            for voter_id, name, _, forgotten, dropped in rows
            if forgotten
        }
        return Past({name: wrapped for _, name, wrapped, _, _ in rows if wrapped != DROPPED}, gone)


def refill(db: Connection, past: Past) -> None:
    """Give a restored copy the keys that it was made without."""
    rows = db.execute(select(voter_keys.c.id, voter_keys.c.name).where(voter_keys.c.wrapped == DROPPED)).all()
    for number, name in rows:
        if name in past.keys:
            _REPLACE.run(db, number=number, name=name, wrapped=past.keys[name])


def forgotten_since(db: Connection, past: Past) -> list[tuple[int, bool]]:
    """Voters of a restored copy whom the arena forgot after it was made, each with whether their votes went too.

    They are known by their key or, in a copy from before there were keys, by their battles. Marks of others whom
    the copy does not know are written down, for copies that are restored later.
    """
    rows = db.execute(select(voter_keys.c.name, voter_keys.c.voter_id, voter_keys.c.forgotten))
    known = {row.name: None if row.forgotten else row.voter_id for row in rows}
    found: dict[int, bool] = {}
    for name, (votes_dropped, own) in past.forgotten.items():
        voters = {known[name]} if name in known else _owners(db, own)
        found |= {number: votes_dropped for number in voters if number is not None}
        if not voters:
            mark = {"name": name, "wrapped": DROPPED, "forgotten": True, "votes_dropped": votes_dropped}
            db.execute(insert(voter_keys).values(voter_id=None, **mark))
    return sorted(found.items())


def _owners(db: Connection, battle_ids: tuple[str, ...]) -> set[int | None]:
    pages = (battle_ids[start : start + 500] for start in range(0, len(battle_ids), 500))
    of_page = select(battles.c.voter_id)
    return {int(row[0]) for page in pages for row in db.execute(of_page.where(battles.c.id.in_(page)))}


def _has_keys(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'voter_keys'").fetchone() is not None


def _ring(db: Connection) -> Keyring:
    ring = db.info[KEYRING]
    assert isinstance(ring, Keyring), "the database hands it to every connection"
    return ring


def _inserting(fresh_row: Any) -> Any:
    fresh: dict[str, Any] = {name: bindparam(name) for name in ("voter_id", "name", "wrapped")}
    return fresh_row(voter_keys).values(**fresh, forgotten=False, votes_dropped=False)


_INSERT = Prepared(_inserting)
_FIND = Prepared(
    lambda _: select(voter_keys.c.id, voter_keys.c.name, voter_keys.c.wrapped, voter_keys.c.forgotten).where(
        voter_keys.c.voter_id == bindparam("wanted")
    )
)
_BY_CODE = Prepared(
    lambda _: (
        select(voter_keys.c.name, voter_keys.c.wrapped, voter_keys.c.forgotten)
        .join(voters, voters.c.id == voter_keys.c.voter_id)
        .where(voters.c.code == bindparam("wanted"))
    )
)
_OWNER = Prepared(lambda _: select(battles.c.voter_id).where(battles.c.id == bindparam("wanted")))
_REPLACE = Prepared(
    lambda _: (
        update(voter_keys)
        .where(voter_keys.c.id == bindparam("number"))
        .values(name=bindparam("name"), wrapped=bindparam("wrapped"))
    )
)
