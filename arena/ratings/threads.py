"""How many threads passes over millions of comparisons take.

Linear algebra takes one: tables of boards are too small to share among cores, and with several
threads on a busy machine a refresh of 200 contestants took up to a hundred times as long. Whoever
starts a process sets OPENBLAS_NUM_THREADS=1 for that before numpy is imported (`arena.cli` does).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")

MOST_THREADS = 4
"""Passes over comparisons wait for memory: more threads would only take cores from others."""


def in_threads(work: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
    """What `work` makes of each part, in their order, on as many cores as there are (`MOST_THREADS` at most).

    It pays where numpy does the work on arrays of thousands: it lets go of the interpreter meanwhile.
    """
    threads = min(MOST_THREADS, _cores(), len(parts))
    if threads < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads, "arena-ratings") as pool:
        return list(pool.map(work, parts))


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
