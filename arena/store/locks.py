"""Locks between processes that share one SQLite file; held by the kernel, so a killed holder lets go.

Two locks stand beside the database. `in use` is shared by everybody who has it open and taken alone
to migrate or restore it. `writing` is held around every write transaction and the checkpoint inside
it: SQLite 3.7.0 to 3.51.2 can lose a reset of the write-ahead log when one connection writes while
another checkpoints, and here no two ever do either at once. A third, `alone`, is for what threads of one process
must not do at once either: making copies of texts and taking a voter out of them.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arena.errors import StoreUnavailable

_PAUSE = 0.001
"""Seconds between two attempts at a lock that another process holds."""


class FileLock:
    """One lock file, opened once per process that uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self, *, alone: bool, patience: float) -> bool:
        """Take or convert the lock, trying for `patience` seconds. Returns whether it is held that way now."""
        deadline = time.monotonic() + patience
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        while not self._try(kind):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
        return True

    def give_back(self) -> None:
        """Let the lock go and keep the file at hand."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let the lock and its file go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _try(self, kind: int) -> bool:
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StoreUnavailable(f"the lock {self._path} cannot be used: {error.strerror}") from error
        return True


@contextmanager
def alone(path: Path, *, patience: float) -> Iterator[None]:
    """Hold a lock file by a descriptor of one's own: that keeps out other processes, and other threads of this one.

    Raises `StoreUnavailable` when another keeps it longer than `patience` seconds.
    """
    lock = FileLock(path)
    try:
        if not lock.take(alone=True, patience=patience):
            raise StoreUnavailable(f"{path} has been held for {patience:.0f} s: try again")
        yield
    finally:
        lock.close()


class WritingLock:
    """The right to write, passed on fairly: who waits holds `next`, so a busy writer cannot take it again at once."""

    def __init__(self, database: Path, *, patience: float = 10.0) -> None:
        self._next = FileLock(database.with_name(database.name + ".next.lock"))
        self._writing = FileLock(database.with_name(database.name + ".writing.lock"))
        self._patience = patience

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the right to write. Raises `StoreUnavailable` when another program keeps it too long."""
        if not self._next.take(alone=True, patience=self._patience):
            raise StoreUnavailable("other programs are waiting to write to the database: try again")
        try:
            if not self._writing.take(alone=True, patience=self._patience):
                raise StoreUnavailable(f"another program has been writing for {self._patience:.0f} s: try again")
        finally:
            self._next.give_back()
        try:
            yield
        finally:
            self._writing.give_back()

    def close(self) -> None:
        """Let both files go."""
        self._next.close()
        self._writing.close()
