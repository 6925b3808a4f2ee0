"""Hearing of changes made by other processes: PostgreSQL says so, SQLite is asked whether its file changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from arena.errors import StoreError
from arena.store.connections import Database
from arena.store.log import current_sequence
from arena.store.writer import Writer

_RETRY_SECONDS = 1.0
"""Between two looks while the database refuses."""


class Feed:
    """Calls back with the board's version, each once and in growing order, until stopped."""

    def __init__(
        self, database: Database, writer: Writer, callback: Callable[[int], None], poll_seconds: float
    ) -> None:
        self._database, self._callback, self._poll = database, callback, poll_seconds
        self._told = self._version()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._unlisten = writer.listen(self._tell)
        watch = self._watch_file if database.is_sqlite else self._watch_server
        self._thread = threading.Thread(target=self._run, args=(watch,), name="arena-feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No call is made after this returns."""
        if not self._stopped.is_set():
            with self._lock:
                self._stopped.set()
            self._unlisten()
            self._thread.join()

    def _tell(self, version: int) -> None:
        with self._lock:  # also while it is told: another thread may hear of the next version meanwhile
            if version > self._told and not self._stopped.is_set():
                self._told = version
                self._callback(version)

    def _version(self) -> int:
        with self._database.reading() as db:
            return current_sequence(db)

    def _run(self, watch: Callable[[], None]) -> None:
        """Watch until stopped; a fault of the database is outlived, not reported: the next write reports it."""
        while not self._stopped.is_set():
            try:
                watch()
            except StoreError:
                self._stopped.wait(_RETRY_SECONDS)

    def _watch_file(self) -> None:
        """`data_version` changes when another connection committed; asking costs microseconds."""
        with self._database.outside_transactions() as connection:
            seen = None
            while not self._stopped.wait(self._poll):
                (now,) = connection.execute("PRAGMA data_version").fetchone()
                if now != seen:
                    seen = now
                    self._tell(self._version())

    def _watch_server(self) -> None:
        with self._database.outside_transactions() as connection:
            connection.execute("LISTEN arena_board")
            self._tell(self._version())
            while not self._stopped.is_set():
                for notice in _notices(connection, self._poll):
                    self._tell(int(notice.payload))
                connection.execute("SELECT 1")  # listening alone does not notice that the server went away


def _notices(connection: Any, seconds: float) -> Any:
    return connection.notifies(timeout=seconds)
