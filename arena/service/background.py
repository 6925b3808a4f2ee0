"""Results that take long, kept fresh enough by one thread: whoever asks gets the last one at once and its age.

It knows nothing of what is made. A result is made anew when its subject moved on, but never so often that
making it takes more than a tenth of the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

EVERY = 5.0
"""Seconds between two beginnings of the same work."""

SHARE = 10
"""A work that took s seconds begins again no sooner than `SHARE`·s seconds after it began."""


@dataclass(frozen=True, slots=True)
class Made(Generic[T]):
    """A result, the version of its subject when it was begun, and the age of its beginning in seconds."""

    value: T
    version: int
    age: float
    stale: bool


@dataclass(slots=True)
class _Kept(Generic[T]):
    value: T
    version: int
    begun: float
    took: float


class Workbench(Generic[T]):
    """Makes results by key, one at a time, in a thread of its own."""

    def __init__(self, name: str, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock = every, clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._kept: dict[Hashable, _Kept[T]] = {}
        self._making: dict[Hashable, Future[None]] = {}

    def get(self, key: Hashable, version: int, make: Callable[[], T], *, patience: float = 0.5) -> Made[T] | None:
        """The last result; None while the first is not ready.

        `make` is begun when the kept result is of another version and old enough. Waits for at most `patience`
        seconds for what is being made. An error of `make` is raised where it is waited for, and else forgotten.
        """
        with self._lock:
            kept, future = self._kept.get(key), self._making.get(key)
            if future is None and self._due(kept, version):
                future = self._making[key] = self._thread.submit(self._make, key, version, make)
        if future is not None:
            with suppress(TimeoutError):
                future.result(patience)
        with self._lock:
            now = self._kept.get(key)
        if now is None:
            return None
        return Made(now.value, now.version, self._clock() - now.begun, now.version != version)

    def _due(self, kept: _Kept[T] | None, version: int) -> bool:
        if kept is None:
            return True
        return kept.version != version and self._clock() - kept.begun >= max(self._every, SHARE * kept.took)

    def _make(self, key: Hashable, version: int, make: Callable[[], T]) -> None:
        begun = self._clock()
        try:
            value = make()
            with self._lock:
                self._kept[key] = _Kept(value, version, begun, self._clock() - begun)
        finally:
            with self._lock:
                self._making.pop(key, None)

    def close(self) -> None:
        """Begin nothing more; what is being made is waited for."""
        self._thread.shutdown(wait=True, cancel_futures=True)
