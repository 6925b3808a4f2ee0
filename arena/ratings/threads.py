"""One thread for linear algebra: tables of boards are too small to share among cores.

With several threads on a busy machine a refresh of 200 contestants took up to a hundred times as
long. Setting OPENBLAS_NUM_THREADS=1 before numpy is imported does the same; this works afterwards.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

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
