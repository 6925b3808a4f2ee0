"""Backups of the SQLite file: made while it is in use, checked before they count, put back by one rename."""

from __future__ import annotations

import calendar
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from arena.errors import StoreError, StoreUnavailable
from arena.store import keyring, upkeep
from arena.store.connections import Database, address_of, translated
from arena.store.migrate import (
    HEAD,
    SCRIPTS,
    bring_up_to_date,
    copy_database,
    fold_log,
    is_arenas,
    known_schemas,
    revision_of,
    sync_folder,
)
from arena.store.records import Cleaned

PREFIX = "arena-"
_NAME = f"{PREFIX}%Y%m%d-%H%M%S.db"
_DIGITS = re.compile(rf"{PREFIX}[0-9]{{8}}-[0-9]{{6}}\.db")


def folder_of(storage_dir: Path) -> Path:
    """Where backups are kept unless a target is named."""
    return storage_dir / "backups"


def dated_name(now: float) -> str:
    """A backup's name: sorts by time."""
    return time.strftime(_NAME, time.gmtime(now))


def make_backup(database: Database, target: Path, *, keys: bool) -> Path:
    """See `Store.backup`."""
    if database.path is None:
        raise StoreError("PostgreSQL is backed up by its own tools: pg_dump")
    if target.is_dir():
        raise StoreError(f"{target} is a folder: name a file in it")
    if target.resolve() == database.path:
        raise StoreError(f"{target} is the database itself: a backup is another file")
    if target.exists():
        _require_backup(target)
    with translated():
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_database(database.path, target, keys=keys)
    return target


def _require_backup(target: Path) -> None:
    """Only an earlier backup may be overwritten: not a key, a catalogue, or a database that an arena lives in."""
    if target.with_name(target.name + ".lock").exists():
        raise StoreError(f"{target} is the database of an arena ({target.name}.lock is beside it): name another file")
    try:
        backup = target.is_file() and is_arenas(target)
    except StoreError:
        backup = False
    if not backup:
        raise StoreError(f"{target} is there and is no backup: it stays as it is, name another file")


def drop_old(folder: Path, keep: int) -> None:
    """Delete all but the newest `keep` dated backups; files of other names are left alone."""
    dated = _dated(folder)
    for path in dated[: max(0, len(dated) - keep)]:
        path.unlink(missing_ok=True)


def made_at(folder: Path) -> float | None:
    """When the newest dated backup was made, by its name (Unix seconds); None without one."""
    dated = _dated(folder)
    return _date_of(dated[-1]) if dated else None


def _dated(folder: Path) -> list[Path]:
    """Backups with a date for a name, the newest last."""
    return sorted(path for path in folder.glob(f"{PREFIX}*.db") if _date_of(path) is not None)


def _date_of(path: Path) -> float | None:
    """The moment that a backup's name tells; None for any other name, such as one of the 31st of February."""
    if not _DIGITS.fullmatch(path.name):
        return None
    try:
        return calendar.timegm(time.strptime(path.name, _NAME))
    except ValueError:
        return None


def forget_in_backups(folder: Path, voter: str, keep_votes: bool, now: float, secrets: Sequence[bytes]) -> Cleaned:
    """Erase a voter's text from every backup in the folder, older schemas brought up first; other databases stay."""
    held, unread = 0, []
    for path in sorted(folder.glob("*.db")):
        try:
            held += is_arenas(path) and _forget_in(path, voter, keep_votes, now, secrets)
        except StoreError:
            unread.append(path)
    return Cleaned(held, tuple(unread))


def _forget_in(path: Path, voter: str, keep_votes: bool, now: float, secrets: Sequence[bytes]) -> bool:
    """Whether this backup held anything of the voter's, which it does no more."""
    with _opened(path, secrets) as database, database.writing() as db:
        number = upkeep.number_of(db, voter)
        return number is not None and upkeep.forget(db, number, keep_votes, now) > 0


@contextmanager
def _opened(path: Path, secrets: Sequence[bytes]) -> Iterator[Database]:
    """A file that nobody else uses, brought up to this schema, and one file again afterwards."""
    with tempfile.TemporaryDirectory() as aside:
        database = Database.at(address_of(path), Path(aside), secrets)
        try:
            bring_up_to_date(database)
            yield database
            database.forget_connections()
            with translated():
                fold_log(path)
        finally:
            database.close()
            database.drop_locks()


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a restore: where the database before it was kept, how many people were forgotten again, and
    how many have no key here, so that their texts cannot be read."""

    kept: Path | None
    forgotten: int
    without_key: int


def restore_backup(
    source: Path, url: str | None, storage_dir: Path, now: float, secrets: Sequence[bytes] = (b"",)
) -> Restored:
    """Put a backup in the place of the database.

    The backup is checked first, gets the keys of the database that it replaces, and loses everyone whom that one
    had forgotten. Raises `StoreError` when it is not sound or the database is PostgreSQL, `StoreUnavailable` while
    a process has the database open.
    """
    database = Database.at(url, storage_dir, secrets)
    if database.path is None or database.in_use is None:
        raise StoreError("PostgreSQL is restored by its own tools: psql or pg_restore")
    try:
        if not database.in_use.take(alone=True, patience=0):
            raise StoreUnavailable("the database is in use: stop the arena, then restore")
        with translated():
            _require_sound(source)
            return _swap_in(source, database.path, folder_of(storage_dir), now, secrets)
    finally:
        database.close()


def _swap_in(source: Path, path: Path, folder: Path, now: float, secrets: Sequence[bytes]) -> Restored:
    fresh = path.with_name(path.name + ".restoring")
    copy_database(source, fresh, keys=True)
    past = _past(path)
    with _opened(fresh, secrets) as copy, copy.writing() as db:
        again = keyring.forgotten_since(db, past)
        for number, votes_dropped in again:
            upkeep.forget(db, number, not votes_dropped, now)
        keyring.refill(db, past)
        without_key = keyring.absent(db)
    kept = _set_aside(path, folder, now)
    os.replace(fresh, path)
    sync_folder(path.parent)
    return Restored(kept, len(again), without_key)


def _past(path: Path) -> keyring.Past:
    """What can still be read of the database that is replaced: it may be damaged, that may be why."""
    try:
        return keyring.past_of(path)
    except sqlite3.DatabaseError:
        return keyring.NO_PAST


def _set_aside(path: Path, folder: Path, now: float) -> Path | None:
    """Keep the database that is replaced as a backup; one that is too damaged for that is moved as it is."""
    kept = folder / f"before-restore-{dated_name(now)}"
    try:
        if revision_of(path) is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        copy_database(path, kept, keys=False)
        fold_log(path)
    except (StoreUnavailable, sqlite3.DatabaseError):
        kept = path.with_name(f"{path.name}-damaged-{int(now)}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(f"{path}{suffix}", f"{kept}{suffix}")
    return kept


def _require_sound(source: Path) -> None:
    if not source.is_file():
        raise StoreError(f"{source} is no file: name a backup")
    try:
        found = revision_of(source)
    except StoreUnavailable as error:
        raise StoreError(f"{source} is not a backup of an arena ({error.__cause__})") from error
    if found is None:
        raise StoreError(f"{source} is not a backup of an arena")
    if found not in known_schemas(SCRIPTS):
        raise StoreError(f"{source} has schema {found}, this program knows up to {HEAD}: use the program that wrote it")
    with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    if answer != "ok":
        raise StoreError(f"{source} is damaged ({answer}): use another backup")
