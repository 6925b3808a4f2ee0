"""Connections to SQLite or PostgreSQL, and their faults told in the arena's own words.

Nothing here knows a table. SQLite runs in WAL mode with `synchronous=FULL`: a commit is on disk
when it returns. One connection writes and checkpoints; readers cannot write.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from arena.errors import StoreError, StoreUnavailable
from arena.store.locks import FileLock, WritingLock
from arena.store.sealing import Keyring

BUSY_SECONDS = 5.0
"""How long SQLite itself waits for a foreign lock (a database browser, a stray script)."""

_UNAVAILABLE_SQLITE = {
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_FULL: "the disk or the allowed size is full",
    sqlite3.SQLITE_BUSY: "another program has locked it",
    sqlite3.SQLITE_LOCKED: "another program has locked it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk answers with errors",
    sqlite3.SQLITE_NOMEM: "memory is short",
    sqlite3.SQLITE_PERM: "access is not allowed",
    sqlite3.SQLITE_PROTOCOL: "its locks cannot be had",
    sqlite3.SQLITE_CORRUPT: "it is damaged: restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is not a database: restore a backup",
}
_UNAVAILABLE_POSTGRES = ("08", "25006", "40", "53", "55P03", "57", "58")
"""SQLSTATEs (or their classes): connection, read-only, rolled back, resources, locks, shutdown, system."""


KEYRING = "arena_keyring"
"""Key in a connection's `info` where the secrets are that open voters' keys."""

_TAKE_TURN = "SELECT value FROM counters WHERE name = 'sequence' FOR UPDATE"
"""PostgreSQL: the row that numbers every change is also the turn to write, so writers never deadlock."""


def address_of(path: Path) -> URL:
    """The address of a SQLite file, whatever signs its path has."""
    return URL.create("sqlite", database=str(path))


def _address(url: str | URL | None, storage_dir: Path) -> URL:
    try:
        parsed = make_url(url or address_of(storage_dir / "arena.db"))
    except ArgumentError:
        raise StoreError("the database URL cannot be read: write sqlite:///PATH or postgresql://…") from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"{parsed.get_backend_name()} is not supported: use sqlite:///PATH or postgresql://…")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise StoreError("a database in memory loses every vote: give a path, sqlite:///PATH")
    return parsed


def require_file(url: str | None, storage_dir: Path) -> None:
    """Raise `StoreError` where the SQLite file that is meant is not there: a mistyped path is not an empty arena."""
    address = _address(url, storage_dir)
    if address.get_backend_name() == "sqlite" and not Path(str(address.database)).exists():
        raise StoreError(
            f"no database at {address.database}: start the arena once, or name its --database or ARENA_STORAGE"
        )


class Database:
    """Where the data lives: makes connections, holds the locks of a SQLite file, names faults."""

    def __init__(self, url: URL, storage_dir: Path, secrets: Sequence[bytes] = (b"",)) -> None:
        self.url, self.storage_dir, self.keyring = url, storage_dir, Keyring(secrets)
        self.path = Path(url.database).resolve() if url.get_backend_name() == "sqlite" and url.database else None
        self.in_use = FileLock(self.path.with_name(self.path.name + ".lock")) if self.path else None
        self._writing = WritingLock(self.path) if self.path else None
        self._most_pages: int | None = None
        self._writer_source: Engine | None = None
        self._reader_source: Engine | None = None

    @classmethod
    def at(cls, url: str | URL | None, storage_dir: Path, secrets: Sequence[bytes] = (b"",)) -> Database:
        """The database of a URL, `storage_dir/arena.db` for None; `secrets` open voters' keys, the first wraps them.

        Raises `StoreError` for a URL of another kind.
        """
        parsed = _address(url, storage_dir)
        database = cls(parsed, storage_dir, secrets)
        for folder in {storage_dir, database.path.parent if database.path else storage_dir}:
            with translated():
                folder.mkdir(parents=True, exist_ok=True)
        return database

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.path is not None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one committed state for as long as it is held.

        The transaction is begun here, and not by the first statement that SQLAlchemy sees: prepared ones pass it by.
        """
        with translated(), self._readers().connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that commits at the end, alone among all processes that write."""
        with translated(), self._alone(), self._writers().connect() as connection, connection.begin():
            if not self.is_sqlite:
                connection.exec_driver_sql(_TAKE_TURN)
            yield connection

    @contextmanager
    def outside_transactions(self) -> Iterator[Any]:
        """The driver's own connection with no transaction open, for listening and asking whether anything changed."""
        options: dict[str, Any] = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        with translated(), self._readers().connect() as connection:
            driver = connection.connection if self.is_sqlite else connection.execution_options(**options).connection
            try:
                yield driver.driver_connection
            except connection.dialect.loaded_dbapi.Error as error:  # past SQLAlchemy, which would have told it
                raise told_by_driver(error) from error

    def limit_pages(self, most: int | None) -> None:
        """Let the SQLite file grow to so many pages and no further; None is as far as the disk goes."""
        self._most_pages = most
        self.forget_connections()

    def forget_connections(self) -> None:
        """Drop idle connections: after a fault the next use begins with fresh ones."""
        for source in (self._writer_source, self._reader_source):
            if source is not None:
                source.dispose()

    def close(self) -> None:
        """Give back connections and locks."""
        self.forget_connections()
        self._writer_source = self._reader_source = None
        for lock in (self.in_use, self._writing):
            if lock is not None:
                lock.close()

    def drop_locks(self) -> None:
        """Delete the lock files of a closed SQLite file that nobody else knows of (a backup)."""
        if self.path is not None:
            for lock in self.path.parent.glob(f"{self.path.name}*.lock"):
                lock.unlink(missing_ok=True)

    @contextmanager
    def alone_with_file(self) -> Iterator[None]:
        """Hold the right to write without a transaction (checkpoint, vacuum). Nothing to hold on PostgreSQL."""
        with self._alone():
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._writing is None:
            yield
        else:
            with self._writing.held():
                yield

    def _writers(self) -> Engine:
        if self._writer_source is None:
            self._writer_source = self._source(self._prepare_writer, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
        return self._writer_source

    def _readers(self) -> Engine:
        if self._reader_source is None:
            self._reader_source = self._source(_prepare_reader, "BEGIN", pool_size=4, max_overflow=28)
        return self._reader_source

    def _prepare_writer(self, connection: Any) -> None:
        _prepare_writer(connection)
        if self._most_pages is not None:
            connection.execute(f"PRAGMA max_page_count={self._most_pages:d}")

    def _source(self, prepare: Callable[[Any], None], begin: str, **pool: int) -> Engine:
        if not self.is_sqlite:
            level = "REPEATABLE READ" if prepare is _prepare_reader else "READ COMMITTED"
            source = create_engine(self.url, pool_pre_ping=True, isolation_level=level, **pool)
            event.listen(source, "connect", self._hand_over_keyring)
            return source
        options = {"check_same_thread": False, "isolation_level": None, "timeout": BUSY_SECONDS}
        source = create_engine(self.url, connect_args=options, **pool)
        event.listen(source, "connect", lambda connection, _: _closed_unless(prepare, connection))
        event.listen(source, "connect", self._hand_over_keyring)
        event.listen(source, "begin", lambda connection: connection.exec_driver_sql(begin))
        return source

    def _hand_over_keyring(self, _: Any, record: Any) -> None:
        record.info[KEYRING] = self.keyring


def _closed_unless(prepare: Callable[[Any], None], connection: sqlite3.Connection) -> None:
    """A connection that cannot be prepared is closed: left open it would keep the whole process read-only."""
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise


def _prepare_writer(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # erased text is overwritten, not merely unlinked
    connection.execute("PRAGMA cache_size=-8192")  # 8 MB: the machine keeps the file's pages too, and shares them
    connection.execute("PRAGMA journal_size_limit=67108864")


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA wal_autocheckpoint=0")


@contextmanager
def translated() -> Iterator[None]:
    """Tell a database's faults as `StoreUnavailable` (try later) or `StoreError` (a fault of the program)."""
    try:
        yield
    except SQLAlchemyError as error:
        raise told(error) from error
    except sqlite3.Error as error:
        raise _told_sqlite(error) from error
    except OSError as error:
        raise StoreUnavailable(f"the database cannot be used: {os.strerror(error.errno or 0)}") from error


def told(error: SQLAlchemyError) -> StoreError:
    """The arena's error for one of SQLAlchemy's."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return StoreError(f"the database refused: {error}")
    if error.connection_invalidated:
        return StoreUnavailable(f"the connection to the database was lost: {error.orig}")
    return told_by_driver(error.orig)


def told_by_driver(error: BaseException) -> StoreError:
    """The arena's error for one of the driver's."""
    if isinstance(error, sqlite3.Error):
        return _told_sqlite(error)
    state = getattr(error, "sqlstate", None) or ""
    lost = type(error).__name__ == "OperationalError" and not state
    if lost or state.startswith(_UNAVAILABLE_POSTGRES):
        return StoreUnavailable(f"the database cannot be used: {error}")
    return StoreError(f"the database refused: {error}")


def _told_sqlite(error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _UNAVAILABLE_SQLITE:
        return StoreUnavailable(f"the database cannot be used: {_UNAVAILABLE_SQLITE[code]} ({error})")
    return StoreError(f"the database refused: {error}")
