"""An engine that keeps a timetable, so that whatever comes later than it says is the arena's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason

FIRST = 0.5
"""Seconds before the first word."""

Word = Callable[[int, float], str]
"""From a word's number, and when its answer began by the monotonic clock, to its text."""


def five_letters(number: int, began: float) -> str:
    """A word that counts itself, and a space."""
    return f"w{number:04d} "


class Metronome:
    """Word n comes at `FIRST` + n/rate, however late the last one was; `rate` is in words a second."""

    def __init__(self, rate: float, seconds: float, word: Word = five_letters) -> None:
        self._rate, self._words, self._word = rate, int(rate * seconds), word

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        """The words, whatever was asked."""
        began = time.perf_counter()
        for number in range(self._words):
            await asyncio.sleep(max(0.0, began + FIRST + number / self._rate - time.perf_counter()))
            yield Chunk(self._word(number, began))
        yield Finish(FinishReason.STOP)

    async def close(self) -> None:
        """Holds nothing."""
