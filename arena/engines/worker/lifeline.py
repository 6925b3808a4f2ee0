"""Ends this process when its parent ends, and tells the parent how it fares.

The lifeline is standard input: nothing is ever written to it, the parent keeps the other end open
for as long as it lives, and the kernel closes it in whatever way the parent dies. Reports go to
standard output, one JSON object a line. It knows nothing of models.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading


def read_assignment(descriptor: int) -> dict[str, object]:
    """What the parent writes into its pipe before it closes it. Raises EOFError when it writes nothing."""
    with open(descriptor, "rb") as pipe:
        text = pipe.read()
    if not text:
        raise EOFError("the parent ended before it said what to load")
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("an assignment is an object")
    return value


def hold_on() -> None:
    """From now on, end at once when the parent's end of standard input closes.

    Two ways, because either may be late: the kernel's own signal (SIGIO ends a process that has no
    handler for it, even while C code keeps Python from running), and a thread that waits to read.
    """
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([0], [], [], 0)[0]:  # closed before the signal was armed
            os._exit(0)
    threading.Thread(target=_wait_for_the_end, name="lifeline", daemon=True).start()


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which ends its workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def report(**facts: object) -> None:
    """Tell the parent something; a parent that no longer listens is no error."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


def _wait_for_the_end() -> None:
    while True:
        select.select([0], [], [])
        if not os.read(0, 4096):
            os._exit(0)
