"""Who may use how many threads: one for linear algebra, a few for passes over millions of comparisons.

Tables of boards are too small to share among cores: with several threads on a busy machine a
refresh of 200 contestants took up to a hundred times as long. Setting OPENBLAS_NUM_THREADS=1 before
numpy is imported does the same as `one_blas_thread`, which works afterwards.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")

MOST_THREADS = 4
"""Passes over comparisons wait for memory: more threads would only take cores from others."""

_SETTERS = ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads")


def one_blas_thread() -> bool:
    """Tell the linear algebra that numpy came with to use one thread, for the whole process.

    Returns whether it was told: a numpy built on another library is left as it is, and its own
    environment variable (MKL_NUM_THREADS, VECLIB_MAXIMUM_THREADS) is the way then.
    """
    return any(_told(library) for library in _libraries())


def _libraries() -> list[Path]:
    beside = Path(np.__file__).parent
    places = (beside.parent / "numpy.libs", beside / ".libs", beside / ".dylibs")
    return [library for place in places for library in sorted(place.glob("*openblas*"))]


def _told(library: Path) -> bool:
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError:
        return False
    for name in _SETTERS:
        if hasattr(loaded, name):
            getattr(loaded, name)(1)
            return True
    return False


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
