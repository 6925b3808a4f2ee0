"""The one thread that writes: whatever waits at a moment is committed together, then acknowledged.

A commit costs one fsync however many operations it holds, so a hundred voters wait for one disk
turn and not for a hundred. Each operation stands behind a savepoint: one that fails takes nothing
of its neighbours along. Knows transactions and threads, and no table.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from arena.errors import StoreUnavailable
from arena.store.connections import Database, told
from arena.store.prepared import run_text

T = TypeVar("T")

MOST_AT_ONCE = 256
"""Operations in one commit: bounds how long the first of them waits for the last."""

BOARD_CHANGED = "arena_board_version"
"""Key in a connection's `info` where an operation leaves the board's new version."""


class Pending(Generic[T]):
    """A write under way: `await` it, or `.result()` it from a thread. Resolves after COMMIT only."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, T]:
        return asyncio.wrap_future(self._future).__await__()

    def result(self, timeout: float | None = None) -> T:
        """Wait for the commit; raises what the operation raised."""
        return self._future.result(timeout)


class _Job(Generic[T]):
    """An operation, its outcome once tried, and the future that waits for the commit."""

    def __init__(self, operation: Callable[[Connection], T], then: Callable[[], None] | None) -> None:
        self.operation, self.then = operation, then
        self.future: Future[T] = Future()
        self._outcome: tuple[T] | None = None
        self._error: BaseException | None = None

    def attempt(self, connection: Connection) -> None:
        """Run behind a savepoint. Faults of the database itself are not kept: they fail the whole batch."""
        run_text(connection, "SAVEPOINT job")
        try:
            self._outcome, self._error = (self.operation(connection),), None
        except Exception as error:
            if isinstance(error, StoreUnavailable) or _is_unavailable(error):
                raise
            self._error = error
            run_text(connection, "ROLLBACK TO SAVEPOINT job")
        run_text(connection, "RELEASE SAVEPOINT job")

    def acknowledge(self) -> None:
        """Tell whoever waits, after the commit."""
        if self._outcome is None:
            self.fail(self._error or StoreUnavailable("the store was closed before this was written"))
            return
        try:
            if self.then is not None:
                self.then()
        except Exception as error:
            self.fail(error)
        else:
            self.future.set_result(self._outcome[0])

    def fail(self, error: BaseException) -> None:
        """Tell whoever waits that nothing was recorded."""
        self.future.set_exception(told(error) if isinstance(error, SQLAlchemyError) else error)


class Writer:
    """Takes operations from any thread and commits them in order of arrival."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._listeners: list[Callable[[int], None]] = []
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="arena-writer", daemon=True)
        self._thread.start()

    def submit(self, operation: Callable[[Connection], T], then: Callable[[], None] | None = None) -> Pending[T]:
        """Queue an operation; `then` runs after its commit and before it is acknowledged."""
        job = _Job(operation, then)
        with self._closing:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._waiting.put(job)
        return Pending(job.future)

    def listen(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Hear the board's version after each commit that changed it; returns how to stop."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def close(self) -> None:
        """Commit what waits and end the thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch, last = self._take()
            if batch:
                self._commit(batch)
            if last:
                return

    def _take(self) -> tuple[list[_Job[Any]], bool]:
        """Wait for a job, then take every other that is there already."""
        jobs: list[_Job[Any]] = []
        job = self._waiting.get()
        while job is not None:
            if job.future.set_running_or_notify_cancel():
                jobs.append(job)
            if len(jobs) >= MOST_AT_ONCE:
                return jobs, False
            try:
                job = self._waiting.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _commit(self, batch: list[_Job[Any]]) -> None:
        version: int | None = None
        try:
            with self._database.writing() as connection:
                connection.info.pop(BOARD_CHANGED, None)
                for job in batch:
                    job.attempt(connection)
                version = connection.info.pop(BOARD_CHANGED, None)
                if version is not None and not self._database.is_sqlite:
                    connection.exec_driver_sql("SELECT pg_notify('arena_board', %s)", (str(version),))
        except BaseException as error:
            _let_go(error)
            self._database.forget_connections()
            for job in batch:
                job.fail(error)
            return
        for job in batch:
            job.acknowledge()
        if version is not None:
            self._announce(version)

    def _announce(self, version: int) -> None:
        for callback in tuple(self._listeners):
            callback(version)


def _let_go(error: BaseException) -> None:
    """Drop what the error's frames hold: a cursor kept alive there would keep its connection open after closing."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def _is_unavailable(error: Exception) -> bool:
    return isinstance(error, SQLAlchemyError) and isinstance(told(error), StoreUnavailable)
