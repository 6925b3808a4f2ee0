"""Bring a database to the schema of this program: on a copy, verified, swapped in at once.

SQLite commits every DDL statement by itself, so a kill in the middle of a migration would leave a
file that is neither old nor new. Here the old file is copied, the copy migrated, packed (so that what
a migration took away stays in no free page) and checked, and then renamed over the old one: at any
moment the file is wholly old or wholly new. PostgreSQL migrates in one transaction under an advisory
lock.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from arena.errors import MigrationFailed, SchemaTooNew, StoreUnavailable
from arena.store.connections import Database, address_of, translated
from arena.store.keyring import strip
from arena.store.locks import FileLock

HEAD = "0009"
"""The schema that this program writes; a test holds it to the newest migration."""

SEALED_FROM = "0004"
"""The first schema whose texts are sealed: PostgreSQL is told to forget the rows in which they were not."""

SCRIPTS = Path(__file__).parent / "migrations"

_ADVISORY_LOCK = 0x6172656E61  # "arena"
_PATIENCE = 60.0
"""Seconds that a start waits for another process to finish migrating."""


def bring_up_to_date(
    database: Database, *, clock: Callable[[], float] = time.time, head: str = HEAD, scripts: Path = SCRIPTS
) -> None:
    """Create or migrate the database and leave it marked as in use by this process.

    Raises `SchemaTooNew` when a later program wrote it, `MigrationFailed` (the old data is untouched)
    when another process has an old schema open or a step fails, `StoreUnavailable` for faults of the disk.
    """
    goal = _Goal(head, scripts, database.keyring.secrets[0])
    if database.path is None or database.in_use is None:
        _bring_postgres(database, goal)
        return
    try:
        _bring_sqlite(database.path, database.in_use, database.storage_dir / "backups", clock, goal)
    except BaseException:
        database.in_use.close()
        raise


@dataclass(frozen=True, slots=True)
class _Goal:
    """The schema to reach, the migrations that lead there, and the secret under which they may seal something."""

    head: str
    scripts: Path
    secret: bytes = b""


def _bring_sqlite(path: Path, in_use: FileLock, backups: Path, clock: Callable[[], float], goal: _Goal) -> None:
    if in_use.take(alone=True, patience=0):
        with translated():
            _bring_file(path, backups, clock, goal)
        _share(in_use)
        return
    _share(in_use)
    found = revision_of(path)
    if found != goal.head:
        _refuse_if_newer(found, goal)
        raise MigrationFailed("another process has this database open with an older schema: stop it first")


def is_arenas(path: Path) -> bool:
    """Whether a SQLite file is an arena's database or a copy of one. Raises `StoreUnavailable` for one that cannot be
    read: nobody knows what it is."""
    return "alembic_version" in _tables_of(path)


def revision_of(path: Path) -> str | None:
    """The schema of a SQLite file, None for an empty or absent one. Raises `MigrationFailed` for a foreign file."""
    tables = _tables_of(path)
    if not tables:
        return None
    with translated(), closing(sqlite3.connect(path)) as connection:
        if "alembic_version" not in tables:
            raise MigrationFailed(f"{path} is a database of something else")
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
    return None if found is None else str(found)


def _tables_of(path: Path) -> set[str]:
    if not path.exists() or path.stat().st_size == 0:
        return set()
    with translated(), closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _share(lock: FileLock) -> None:
    if not lock.take(alone=False, patience=_PATIENCE):
        raise StoreUnavailable("another process is migrating or restoring the database: try again when it is done")


def _bring_file(path: Path, backups: Path, clock: Callable[[], float], goal: _Goal) -> None:
    copy = path.with_name(path.name + ".migrating")
    for torn in (copy, *backups.glob("*.part"), *path.parent.glob(f"{path.name}*.part")):
        _remove(torn)  # left by a program that was killed here
    found = revision_of(path)
    if found == goal.head:
        return
    if found is not None:
        _refuse_if_newer(found, goal)
        backups.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(clock()))
        copy_database(path, backups / f"{path.stem}-{stamp}-schema-{found}.db", keys=False)
        copy_database(path, copy, keys=True)
    before = _row_counts(copy) if found is not None else {}
    _upgrade_file(copy, goal)
    if found is not None:
        _pack(copy)
    _verify(copy, before, goal.head)
    if found is not None:
        fold_log(path)
    _sync(copy)
    os.replace(copy, path)
    sync_folder(path.parent)


def copy_database(source: Path, target: Path, *, keys: bool) -> None:
    """Copy one committed state of a live SQLite file; the target appears whole or not at all, and on disk.

    Without `keys` the copy holds outcomes and sealed texts that nobody can open by it.
    """
    part = target.with_name(target.name + ".part")
    _remove(part)
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(part)) as copy:
        live.execute("PRAGMA query_only=ON")
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        if not keys:
            strip(copy)
        (answer,) = copy.execute("PRAGMA integrity_check").fetchone()
    if answer != "ok":
        raise StoreUnavailable(f"{source} is damaged ({answer}): restore an earlier backup")
    _sync(part)
    os.replace(part, target)
    sync_folder(target.parent)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    for name in (path.name, path.name + "-wal", path.name + "-shm", path.name + "-journal"):
        path.with_name(name).unlink(missing_ok=True)


def fold_log(path: Path) -> None:
    """Leave the old file without a log of its own: a log beside the new file would be replayed into it."""
    with closing(sqlite3.connect(path)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        if mode != "delete":
            raise MigrationFailed(f"{path} is in use by a program that is not the arena: stop it first")


def _row_counts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def _upgrade_file(path: Path, goal: _Goal) -> None:
    source = create_engine(address_of(path), poolclass=NullPool)
    try:
        with source.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous=OFF")  # a copy: on disk as a whole before it takes the place
            _run_scripts(connection, goal)
            connection.commit()
    except (SQLAlchemyError, ValueError, RuntimeError) as error:
        raise MigrationFailed(f"the new schema could not be prepared, the old data is as it was: {error}") from error
    finally:
        source.dispose()


def _pack(path: Path) -> None:
    """Write the file anew without free pages and leftovers."""
    packed = path.with_name(path.name + ".part")
    _remove(packed)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(packed),))
    os.replace(packed, path)


def _run_scripts(connection: Connection, goal: _Goal) -> None:
    from alembic import command  # costs 100 ms: only who migrates pays
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(goal.scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["secret"] = goal.secret
    command.upgrade(config, goal.head)


def _verify(path: Path, before: dict[str, int], head: str) -> None:
    """The copy is sound, at the new schema, and no table lost a row."""
    with closing(sqlite3.connect(path)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    after = _row_counts(path)
    lost = [name for name, rows in before.items() if name in after and after[name] < rows]
    if answer != "ok" or revision_of(path) != head or lost:
        raise MigrationFailed(
            f"the migrated copy is not sound ({answer}; rows lost in {lost}); the old data is as it was"
        )


def known_schemas(scripts: Path) -> set[str]:
    """Every schema that the migrations in this folder lead to."""
    return {path.name.split("_")[0] for path in (scripts / "versions").glob("*.py")}


def _refuse_if_newer(found: str | None, goal: _Goal) -> None:
    if found is not None and found not in known_schemas(goal.scripts):
        raise SchemaTooNew(
            f"the database has schema {found}, this program knows up to {goal.head}: use the program that wrote it"
        )


def _bring_postgres(database: Database, goal: _Goal) -> None:
    source = create_engine(database.url, poolclass=NullPool)
    try:
        with translated(), source.connect() as connection, _advisory_lock(connection):
            found = _postgres_revision(connection)
            if found != goal.head:
                _refuse_if_newer(found, goal)
                _run_scripts(connection, goal)
            connection.commit()
        if found is not None and found < SEALED_FROM:
            with translated(), source.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM FULL turns, answers, votes, judgments")
    finally:
        source.dispose()


@contextmanager
def _advisory_lock(connection: Connection) -> Iterator[None]:
    """Released with the transaction, whichever way it ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    yield


def _postgres_revision(connection: Connection) -> str | None:
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
