"""The public files of votes: each form is made once for all who wait for it, on a thread of its own.

Making one takes long, and whoever asks needs no leave: on the threads that all share, a few who asked at once kept
everything else waiting. It knows forms by name, and not what is in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


class Exports:
    """`make` writes the file of a form and blocks meanwhile; one is made at a time."""

    def __init__(self, make: Callable[[str], Path]) -> None:
        self._make = make
        self._waiting: dict[str, asyncio.Task[Path]] = {}
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="arena-export")

    async def file(self, form: str) -> Path:
        """The file, with every vote that was counted before it was asked for. Raises what `make` raises."""
        waiting = self._waiting.get(form)
        if waiting is None:
            waiting = self._waiting[form] = asyncio.ensure_future(self._made(form))
        return await asyncio.shield(waiting)  # who hangs up takes it from nobody else

    async def _made(self, form: str) -> Path:
        async with self._turn:
            del self._waiting[form]  # it is begun now: who comes later may ask for a vote that it will not hold
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._make, form)
