"""A contestant that says what a script tells it, when it tells it: for tests, demos and drills.

It ships with the product so that an operator can rehearse slow, silent, crashing and
overflowing models without owning one. It imports no model library.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from arena.errors import EngineError
from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason, Provenance, Usage


@dataclass(frozen=True, slots=True)
class Wait:
    """Silence for so many seconds."""

    seconds: float


Step = Chunk | Wait | EngineError
"""What a script is made of: text, silence, or a failure that is raised when reached."""

Script = Callable[[Conversation, Decoding], Sequence[Step]]


def saying(text: str, *, tokens_per_second: float = 0.0, first_token_after: float = 0.0, reasoning: str = "") -> Script:
    """A script that answers `text` word by word at a steady pace (0 is at once)."""

    def script(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
        pause = [Wait(1 / tokens_per_second)] if tokens_per_second else []
        steps: list[Step] = [Wait(first_token_after)] if first_token_after else []
        if reasoning:
            steps.append(Chunk(reasoning=reasoning))
        for word in _words(text)[: decoding.max_tokens]:
            steps += [Chunk(word), *pause]
        return steps

    return script


def failing(error: EngineError, *, after: str = "", first_token_after: float = 0.0) -> Script:
    """A script that says `after` and then fails."""

    def script(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
        return [Wait(first_token_after), *(Chunk(word) for word in _words(after)), error]

    return script


REMEMBERED = 1_000
"""Questions that a scripted engine can be asked about afterwards: a demo runs for days."""


class FakeEngine:
    """Plays a script; remembers what it was asked and how many of its streams are still open."""

    def __init__(self, script: Script, *, provenance: Provenance = Provenance()) -> None:
        self._script = script
        self._provenance = provenance
        self.asked: list[tuple[Conversation, Decoding]] = []
        self.open_streams = 0

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        """Play the script for this conversation."""
        self.asked.append((conversation, decoding))
        del self.asked[:-REMEMBERED]
        self.open_streams += 1
        tokens = 0
        try:
            for step in self._script(conversation, decoding):
                match step:
                    case Wait(seconds):
                        await asyncio.sleep(seconds)
                    case Chunk():
                        tokens += 1
                        yield step
                    case EngineError():
                        raise step
            prompt_tokens = sum(len(_words(message.content)) for message in conversation)
            reason = FinishReason.LENGTH if tokens >= decoding.max_tokens else FinishReason.STOP
            yield Finish(reason, Usage(prompt_tokens, tokens), decoding.seed, self._provenance)
        finally:
            self.open_streams -= 1

    async def close(self) -> None:
        """Nothing to give back."""


def _words(text: str) -> list[str]:
    """Words with the white space that follows them, so that joining gives the text back."""
    pieces = text.split(" ")
    return [piece + " " for piece in pieces[:-1]] + pieces[-1:]
