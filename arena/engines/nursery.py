"""Starts worker processes and keeps one ready: its libraries imported, its model not yet named.

Importing torch, transformers and bitsandbytes takes seconds in which a voter would wait. It knows
processes and their reports, no models and no protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import arena

_LOG_LINES = 200
_LIMIT = 1 << 20
_SECRET_ENDINGS = ("_API_KEY", "_SECRET", "_PASSWORD", "_TOKEN", "_CREDENTIALS")
_WORKER_NEEDS = frozenset({"HF_TOKEN"})


class WorkerProcess:
    """One worker from birth to death: what it reports, what it logged, how it ended."""

    def __init__(self, process: asyncio.subprocess.Process, assignment: int) -> None:
        self._process, self._assignment = process, assignment
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._reports: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._readers = [asyncio.create_task(self._read_reports()), asyncio.create_task(self._read_log())]

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines it wrote to standard error."""
        return tuple(self._log)

    def assign(self, **assignment: Any) -> None:
        """Tell an idle worker what to load and where to listen. Raises OSError when it has ended."""
        with open(self._assignment, "wb") as pipe:  # smaller than a pipe's buffer: does not wait for the reader
            self._assignment = -1
            pipe.write(json.dumps(assignment).encode())

    async def report(self, within: float) -> dict[str, Any] | None:
        """The next report, awaited so many seconds; None when the process ended. Raises TimeoutError."""
        async with asyncio.timeout(within):
            return await self._reports.get()

    async def end(self) -> int:
        """Kill it if it still runs; its memory is free when this returns. Gives the exit status."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._assignment >= 0:
            os.close(self._assignment)
            self._assignment = -1
        status = await self._process.wait()
        await asyncio.gather(*self._readers, return_exceptions=True)
        return status

    async def _read_reports(self) -> None:
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                with contextlib.suppress(ValueError):  # a library that prints is no report
                    if isinstance(report := json.loads(line), dict):
                        self._reports.put_nowait(report)
        finally:
            self._reports.put_nowait(None)

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self._log.append(line.decode(errors="replace").rstrip())


class Nursery:
    """Gives out worker processes, from stock when it has one.

    `spares` processes are kept imported; a new one is grown only when `restock` is called, so that
    it does not compete with a model that is loading. `environment` is added to the workers'.
    """

    def __init__(self, *, spares: int = 1, environment: Mapping[str, str] | None = None) -> None:
        self._spares, self._environment = spares, dict(environment or {})
        self._stock: list[WorkerProcess] = []
        self._growing = asyncio.Lock()
        self._closed = False

    @property
    def spare_pids(self) -> tuple[int, ...]:
        """Process ids of the workers in stock."""
        return tuple(worker.pid for worker in self._stock if worker.alive)

    async def take(self) -> WorkerProcess:
        """A worker that waits for its assignment, or will as soon as its imports are done."""
        while self._stock:
            worker = self._stock.pop()
            if worker.alive:
                return worker
        return await self._spawn()

    async def restock(self) -> None:
        """Grow spares up to the wanted number."""
        async with self._growing:
            self._stock = [worker for worker in self._stock if worker.alive]
            while len(self._stock) < self._spares and not self._closed:
                self._stock.append(await self._spawn())

    async def close(self) -> None:
        """End the spares; none is grown any more."""
        self._closed = True
        async with self._growing:
            stock, self._stock = self._stock, []
        await asyncio.gather(*(worker.end() for worker in stock))

    async def _spawn(self) -> WorkerProcess:
        theirs, ours = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "arena.engines.worker", "--assignment-fd", str(theirs),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=_environment(os.environ) | self._environment, limit=_LIMIT,
                pass_fds=(theirs,), start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return WorkerProcess(process, ours)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Our environment without others' keys, and with this package on the path."""
    kept = {k: v for k, v in own.items() if k in _WORKER_NEEDS or not k.upper().endswith(_SECRET_ENDINGS)}
    home = str(Path(arena.__file__).resolve().parents[1])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (home, own.get("PYTHONPATH"))))
    return kept
