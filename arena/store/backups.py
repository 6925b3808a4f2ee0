"""Backups of the SQLite file: made while it is in use, checked before they count, put back by one rename."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from arena.errors import StoreError, StoreUnavailable
from arena.store import upkeep
from arena.store.connections import Database, translated
from arena.store.migrate import (
    HEAD,
    SCRIPTS,
    bring_up_to_date,
    copy_database,
    fold_log,
    known_schemas,
    revision_of,
    sync_folder,
)

PREFIX = "arena-"


def folder_of(storage_dir: Path) -> Path:
    """Where backups are kept unless a target is named."""
    return storage_dir / "backups"


def dated_name(now: float) -> str:
    """A backup's name: sorts by time."""
    return time.strftime(f"{PREFIX}%Y%m%d-%H%M%S.db", time.gmtime(now))


def make_backup(database: Database, target: Path) -> Path:
    """See `Store.backup`."""
    if database.path is None:
        raise StoreError("PostgreSQL is backed up by its own tools: pg_dump")
    with translated():
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_database(database.path, target)
    return target


def drop_old(folder: Path, keep: int) -> None:
    """Delete all but the newest `keep` dated backups; files of other names are left alone."""
    dated = sorted(path for path in folder.glob(f"{PREFIX}????????-??????.db"))
    for path in dated[: max(0, len(dated) - keep)]:
        path.unlink(missing_ok=True)


def forget_in_backups(folder: Path, voter: str, keep_votes: bool, now: float) -> int:
    """Erase a voter's text from every backup in the folder, older schemas brought up first.

    Returns how many held any.
    """
    touched = 0
    for path in sorted(folder.glob("*.db")):
        with tempfile.TemporaryDirectory() as aside:
            database = Database.at(f"sqlite:///{path}", Path(aside))
            try:
                bring_up_to_date(database)
                with database.writing() as db:
                    touched += upkeep.forget(db, voter, keep_votes, now) > 0
                database.forget_connections()
                with translated():
                    fold_log(path)
            finally:
                database.close()
                database.drop_locks()
    return touched


def restore_backup(source: Path, url: str | None, storage_dir: Path, now: float) -> Path | None:
    """Put a backup in the place of the database; returns where the database it replaces was kept, if there was one.

    The backup is checked first. Raises `StoreError` when it is not sound or the database is PostgreSQL,
    `StoreUnavailable` while a process has the database open.
    """
    database = Database.at(url, storage_dir)
    if database.path is None or database.in_use is None:
        raise StoreError("PostgreSQL is restored by its own tools: psql or pg_restore")
    try:
        if not database.in_use.take(alone=True, patience=0):
            raise StoreUnavailable("the database is in use: stop the arena, then restore")
        with translated():
            _require_sound(source)
            return _swap_in(source, database.path, folder_of(storage_dir), now)
    finally:
        database.close()


def _swap_in(source: Path, path: Path, folder: Path, now: float) -> Path | None:
    fresh = path.with_name(path.name + ".restoring")
    copy_database(source, fresh)
    kept = None
    if revision_of(path) is not None:
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"before-restore-{dated_name(now)}"
        copy_database(path, kept)
        fold_log(path)
    os.replace(fresh, path)
    sync_folder(path.parent)
    return kept


def _require_sound(source: Path) -> None:
    found = revision_of(source)
    if found is None:
        raise StoreError(f"{source} is not a backup of an arena")
    if found not in known_schemas(SCRIPTS):
        raise StoreError(f"{source} has schema {found}, this program knows up to {HEAD}: use the program that wrote it")
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    if answer != "ok":
        raise StoreError(f"{source} is damaged ({answer}): use another backup")
