"""Programs to be killed, each in a process that is there at once: forked from one that has the arena imported.

What takes a second of every kill is not what a drill is about. The process from which they are forked runs no thread
and has opened nothing; it ends with the tests.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

_KNOWN = [
    "alembic.command",
    "alembic.config",
    "alembic.context",
    "arena.benchmarks.runner",
    "arena.engines.openai",
    "arena.judge.judge",
    "arena.store.store",
    "sqlalchemy.dialects.postgresql.psycopg",
]
"""What programs import that are killed in these tests."""

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(_KNOWN)


class Forked:
    """A running program: `python SCRIPT WORDS…` with these variables in its environment."""

    def __init__(self, script: Path, *words: object, environment: Mapping[str, str] | None = None) -> None:
        said, saying = _SERVER.Pipe(duplex=False)
        with said, saying:
            arguments = (script, [*map(str, words)], dict(environment or {}), saying)
            self._process = _SERVER.Process(target=_run, args=arguments, daemon=True)
            self._process.start()
            self.stdout = os.fdopen(os.dup(said.fileno()), encoding="utf-8")

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.is_alive()

    def kill(self) -> None:
        """End it without warning, as `kill -9` does."""
        if self._process.pid is not None and self.alive:
            os.kill(self._process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its status once it has ended; the negative number of a signal that ended it."""
        self._process.join()
        self.stdout.close()
        assert self._process.exitcode is not None
        return self._process.exitcode


def _run(script: Path, words: list[str], environment: Mapping[str, str], saying: Connection) -> None:
    os.dup2(saying.fileno(), 1)
    saying.close()
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.argv = [str(script), *words]
    os.environ.update(environment)
    runpy.run_path(str(script), run_name="__main__")
