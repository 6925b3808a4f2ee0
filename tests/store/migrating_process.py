"""A process that migrates again and again: one request a line, DATABASE HEAD SCRIPTS STEP.

Every request is worked off by a child of its own, forked after everything is imported, which kills itself without
warning at its STEP-th statement or file operation (0: never). The reply is how many steps it came, or "killed".
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from arena.store.connections import Database
from arena.store.migrate import bring_up_to_date

FILES = ("open", "os.rename", "os.remove", "sqlite3.connect", "shutil.copyfile", "os.truncate")
"""What the interpreter reports of a program's dealings with files."""


class Steps:
    """Counts what a migration does, and ends the process at one of these steps."""

    def __init__(self, last: int) -> None:
        self.taken, self._last = 0, last
        event.listen(Engine, "before_cursor_execute", self._step)
        sys.addaudithook(self._heard)

    def _heard(self, name: str, arguments: Any) -> None:
        if name in FILES:
            self._step()

    def _step(self, *_: Any) -> None:
        self.taken += 1
        if self.taken == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def migrate(path: Path, head: str, scripts: Path, last: int) -> int:
    """Bring the file up, or die trying; how many steps it took."""
    steps = Steps(last)
    database = Database.at(f"sqlite:///{path}", path.parent)
    bring_up_to_date(database, head=head, scripts=scripts)
    database.close()
    return steps.taken


def answered(request: str) -> str:
    """Work a request off in a child."""
    path, head, scripts, step = request.split()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(migrate(Path(path), head, Path(scripts), int(step))).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as line:
        said = line.read()
    return "killed" if os.WIFSIGNALED(status) else said or "failed"


if __name__ == "__main__":
    for asked in sys.stdin:
        print(answered(asked), flush=True)
