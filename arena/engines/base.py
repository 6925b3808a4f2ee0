"""The seam between battles and whatever produces text: one method and a close.

An engine knows nothing of battles, sides, voters or ratings. It is handed a conversation and
yields chunks until exactly one `Finish`. Everything that goes wrong leaves it as an `EngineError`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from arena.types import Chunk, Conversation, Decoding, Finish


class Engine(Protocol):
    """Answers conversations for one contestant.

    `stream` yields `Chunk`s and then exactly one `Finish`; closing the iterator early
    (`aclose`, or cancelling the task that reads it) stops the model within a second.
    It raises an `EngineError` before or between chunks and never puts a failure into text.
    """

    def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        """Answer the conversation's last user message."""
        ...

    async def close(self) -> None:
        """Give back what the engine holds: connections, processes, memory."""
        ...
