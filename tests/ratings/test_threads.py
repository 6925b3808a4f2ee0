"""One thread for linear algebra."""

from __future__ import annotations

import subprocess
import sys


def test_numpys_linear_algebra_is_told() -> None:
    """In a process that allows several threads, products of matrices stay on the calling one."""
    program = (
        "import os, numpy as np; np.ones((300, 300)) @ np.ones((300, 300))\n"
        "from arena.ratings.threads import one_blas_thread, _libraries\n"
        "import ctypes\n"
        "told = one_blas_thread()\n"
        "left = [getattr(ctypes.CDLL(str(path)), name)() for path in _libraries()"
        " for name in ('scipy_openblas_get_num_threads64_',) if hasattr(ctypes.CDLL(str(path)), name)]\n"
        "assert not told or all(threads == 1 for threads in left), left\n"
        "print(told, left)"
    )
    environment = {"OPENBLAS_NUM_THREADS": "4", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True")
