"""A bell that pages listen to: rung after every change of the board or of the models' readiness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

HEARTBEAT = 15.0
"""Seconds of silence after which listeners are told that the line still stands."""


class Bell:
    """Rings in one event loop; may be pulled from any thread. Rings in quick succession may merge."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake every listener."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    async def rings(self) -> AsyncIterator[bool]:
        """True at once and after each ring, False after a silence."""
        yield True
        while True:
            try:
                await asyncio.wait_for(self._rung.wait(), HEARTBEAT)
            except TimeoutError:
                yield False
            else:
                yield True
