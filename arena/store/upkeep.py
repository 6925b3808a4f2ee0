"""Keeping the database: the log, spending, forgetting a voter, checking that all is sound."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing

from sqlalchemy import ColumnElement, Connection, delete, func, select, text, update

from arena.errors import StoreUnavailable
from arena.store import keyring, roster, voting
from arena.store.battles import storable
from arena.store.connections import Database
from arena.store.counting import WHOLE
from arena.store.log import current_sequence, write_event
from arena.store.records import EventRecord, IntegrityReport, KeyReport
from arena.store.tables import (
    answers,
    battles,
    elo,
    events,
    forgetting,
    judgments,
    pair_counts,
    spending,
    turns,
    voters,
    votes,
)
from arena.store.voting import VOTE
from arena.types import Track


def log(db: Connection, now: float, kind: str, detail: str, battle_id: str | None) -> None:
    """See `Store.log`."""
    write_event(db, now, kind, storable(detail), battle_id=battle_id)


def log_lines(db: Connection, kind: str | None, after: int, limit: int) -> tuple[EventRecord, ...]:
    """See `Store.events`."""
    query = select(events).where(events.c.id > after).order_by(events.c.id).limit(limit)
    rows = db.execute(query if kind is None else query.where(events.c.kind == kind))
    return tuple(EventRecord(row.id, row.at, row.kind, row.battle_id, row.detail, row.sequence) for row in rows)


def add_spending(db: Connection, name: str, amount: float) -> float:
    """See `Store.add_spending`."""
    spent = db.execute(select(spending.c.amount).where(spending.c.name == name)).scalar()
    if spent is None:
        db.execute(spending.insert().values(name=name, amount=amount))
        return amount
    db.execute(update(spending).where(spending.c.name == name).values(amount=spent + amount))
    return float(spent + amount)


def spent(db: Connection) -> Mapping[str, float]:
    """See `Store.spending`."""
    return {row.name: row.amount for row in db.execute(select(spending))}


def pseudonyms(db: Connection) -> tuple[str, ...]:
    """See `Store.voters`."""
    known = db.execute(select(voters.c.code).order_by(voters.c.id)).scalars()
    return (*known, *unfinished(db))


def unfinished(db: Connection) -> tuple[str, ...]:
    """Pseudonyms of who was forgotten here, while files may still hold something of them."""
    return tuple(db.execute(select(forgetting.c.code)).scalars())


def begin_forgetting(db: Connection, voter: str, keep_votes: bool, now: float) -> int:
    """See `Store.forget_voter_text`."""
    number = number_of(db, voter)
    if number is None:
        return 0
    if voter not in unfinished(db):
        db.execute(forgetting.insert().values(code=voter))
    return forget(db, number, keep_votes, now)


def end_forgetting(db: Connection, voter: str) -> None:
    """The files are clean as well: the last trace of the pseudonym goes."""
    db.execute(delete(forgetting).where(forgetting.c.code == voter))


def number_of(db: Connection, voter: str) -> int | None:
    """A pseudonym's number, None when nobody has it."""
    return db.execute(select(voters.c.id).where(voters.c.code == voter)).scalar()


def forget(db: Connection, number: int, keep_votes: bool, now: float) -> int:
    """Erase a voter's texts, key and pseudonym, and perhaps votes; returns how many battles were theirs."""
    own = select(battles.c.id).where(battles.c.voter_id == number)
    touched = int(db.execute(select(func.count()).select_from(own.subquery())).scalar_one())
    db.execute(update(turns).where(turns.c.battle_id.in_(own)).values(prompt=""))
    db.execute(update(answers).where(answers.c.battle_id.in_(own)).values(text="", reasoning="", hidden=None))
    db.execute(update(judgments).where(judgments.c.battle_id.in_(own)).values(explanation=""))
    db.execute(update(battles).where(battles.c.voter_id == number).values(system_prompt=""))
    db.execute(update(votes).where(votes.c.voter_id == number).values(comment=None, reasons=None))
    if not keep_votes:
        _withdraw(db, number, now)
    keyring.drop(db, number, votes_dropped=not keep_votes)
    db.execute(update(voters).where(voters.c.id == number).values(code=f"{roster.FORGOTTEN}{number}"))
    write_event(db, now, "forgotten", f"{touched} battles")
    return touched


def _withdraw(db: Connection, voter_id: int, now: float) -> None:
    for vote in db.execute(VOTE.where(votes.c.voter_id == voter_id, votes.c.retracted_at.is_(None))).all():
        voting.take_back(db, vote, "forget", "", now)


def keys(db: Connection) -> KeyReport:
    """See `Store.keys`."""
    return KeyReport(keyring.lost(db), keyring.absent(db))


def check(database: Database, schema: str) -> IntegrityReport:
    """See `Store.check`."""
    with database.reading() as db:
        counting = votes.c.retracted_at.is_(None) & votes.c.quarantined.is_(None)
        stored = int(db.execute(select(func.count()).select_from(votes)).scalar_one())
        problems = [*_file_problems(db, database), *_count_problems(db, counting), *_orphans(db)]
        version = (
            sqlite3.sqlite_version if database.is_sqlite else str(db.execute(text("SHOW server_version")).scalar())
        )
        board = current_sequence(db)
    backend = "SQLite" if database.is_sqlite else "PostgreSQL"
    return IntegrityReport(backend, version, schema, stored, board, tuple(problems), _notes(database))


def scrub(database: Database) -> None:
    """Leave nothing of what was erased: SQLite's log is cut, PostgreSQL writes the table of keys anew.

    Raises `StoreUnavailable` when readers keep either in use; forgetting again tries again.
    """
    if database.path is None:
        with database.outside_transactions() as connection:
            connection.execute("SET lock_timeout = '5s'")
            connection.execute("VACUUM FULL voter_keys")
            connection.execute("RESET lock_timeout")
        return
    with database.alone_with_file(), closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA busy_timeout=5000")
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreUnavailable("the text is erased, but the database's log is in use and still holds it: forget again")


def _file_problems(db: Connection, database: Database) -> list[str]:
    if not database.is_sqlite:
        return []
    found = [str(row[0]) for row in db.execute(text("PRAGMA integrity_check"))]
    foreign = db.execute(text("PRAGMA foreign_key_check")).fetchall()
    return [line for line in found if line != "ok"] + [f"a row of {row[0]} refers to nothing" for row in foreign]


def _count_problems(db: Connection, counting: ColumnElement[bool]) -> list[str]:
    """The whole's counts must weigh as much as the votes that count, and Elo must know as many games."""
    held = func.sum(pair_counts.c.wins_a + pair_counts.c.wins_b + pair_counts.c.ties + pair_counts.c.both_bad)
    whole = (pair_counts.c.track == Track.HUMAN.value, pair_counts.c.slice_id == WHOLE)
    counted = float(db.execute(select(held).where(*whole)).scalar() or 0.0)
    weighed, number = db.execute(select(func.sum(votes.c.weight), func.count()).where(counting)).one()
    games = int(db.execute(select(func.sum(elo.c.games)).where(elo.c.track == Track.HUMAN.value)).scalar() or 0)
    mend = "run the rebuild"
    problems = []
    if abs(counted - (weighed or 0.0)) > 1e-6 * max(1.0, counted):
        problems.append(f"pair counts hold {counted:g} votes, the votes weigh {weighed or 0:g}: {mend}")
    if games != 2 * number:
        problems.append(f"Elo counted {games} games, the votes make {2 * number}: {mend}")
    return problems


def _orphans(db: Connection) -> list[str]:
    open_votes = select(func.count()).select_from(votes).join(battles, battles.c.id == votes.c.battle_id)
    wrong = int(db.execute(open_votes.where(battles.c.status.not_in(("voted", "retracted")))).scalar_one())
    return [f"{wrong} voted battles are not marked as voted"] if wrong else []


def _notes(database: Database) -> dict[str, str]:
    if not database.is_sqlite or not (3, 7, 0) <= sqlite3.sqlite_version_info <= (3, 51, 2):
        return {}
    return {
        "wal-reset": "this SQLite can lose a reset of its log; one connection writes and checkpoints, so it cannot here"
    }
