"""The folder in which a worker's socket lies, and the sweep of those that a killed arena left behind.

An arena holds a lock on each of its folders, and the kernel lets go of it in whatever way the arena dies: a
folder that can be locked has lost its owner. No process id is looked at, since containers that share a temporary
directory count processes each by themselves.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

_PREFIX = "arena-worker-"
_SOCKET = "s"  # the path of a socket has room for about a hundred characters


class SocketFolder:
    """A folder of this process alone; `socket` is where the worker listens."""

    def __init__(self) -> None:
        self.path, self._held = _made()
        self.socket = self.path / _SOCKET

    def close(self) -> None:
        """Remove it."""
        _remove(self.path)
        os.close(self._held)


def sweep() -> None:
    """Remove this user's folders whose arena is gone. One that holds anything but a socket is not ours."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # a link, another user's, of an arena that runs, or just swept
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(folder).st_uid == os.geteuid():
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(path)
            finally:
                os.close(folder)


def _made() -> tuple[Path, int]:
    """A new folder, locked. A sweep may find it before that: then another is made."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with contextlib.suppress(FileNotFoundError):
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            with contextlib.suppress(OSError):  # where folders cannot be locked, no sweep can lock them either
                fcntl.flock(folder, fcntl.LOCK_EX)  # once a sweep has let go of it, it is gone
            if path.exists():
                return path, folder
            os.close(folder)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if (path / _SOCKET).is_socket():
            (path / _SOCKET).unlink()
        path.rmdir()
