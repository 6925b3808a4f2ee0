"""How every call reaches the database: writes through the one writer thread, reads on connections of their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from sqlalchemy import Connection

from arena.store.connections import Database
from arena.store.feed import Feed
from arena.store.locks import alone
from arena.store.voting import Rules
from arena.store.writer import Pending, Writer

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with (done, total) now and then by operations that take long."""

COPY_SECONDS = 900.0
"""How long one copy is waited for by the next, or by who wants to be forgotten."""


class Door:
    """What all leaves share: an open database with its writer, the time, how Elo moves, and who listens for changes."""

    def __init__(self, database: Database, writer: Writer, *, clock: Callable[[], float], rules: Rules) -> None:
        self._database, self._writer, self._clock, self._rules = database, writer, clock, rules
        self._feeds: list[Feed] = []

    def _write(self, operation: Callable[[Connection], T], then: Callable[[], None] | None = None) -> Pending[T]:
        return self._writer.submit(operation, then)

    def _read(self, query: Callable[[Connection], T]) -> T:
        with self._database.reading() as connection:
            return query(connection)

    def _alone_with_copies(self, patience: float = COPY_SECONDS) -> AbstractContextManager[None]:
        """One at a time writes exports and backups in the storage directory, or takes a voter out of them: a copy that
        is begun before somebody is forgotten would else appear after all copies were looked through."""
        return alone(self._database.storage_dir / "copies.lock", patience=patience)


def silent(done: int, total: int) -> None:
    """Progress that nobody asked for."""
