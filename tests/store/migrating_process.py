"""A process that migrates: `python migrating_process.py DATABASE HEAD SCRIPTS STEP`.

It kills itself without warning at its STEP-th statement or file operation (0: never), or says how many it took.
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


if __name__ == "__main__":
    sys.dont_write_bytecode = True  # as many steps the first time as ever after
    print(migrate(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])), flush=True)
