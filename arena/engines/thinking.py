"""Splits a streamed answer into reasoning and text at think tags, however the stream is cut.

Pure: it is fed pieces and returns chunks. It knows no protocol and no model, only two tags.
"""

from __future__ import annotations

from enum import Enum, auto

from arena.types import Chunk


class _Place(Enum):
    HEAD = auto()  # nothing visible yet: a tag may still open
    REASONING = auto()
    TEXT = auto()


class ThinkSplitter:
    """Tells reasoning from answer while the text arrives; tags may be split between pieces.

    Reasoning opens only where nothing visible has been said, so an answer that quotes a tag keeps
    it. `starts_inside` is for templates that put the opening tag into the prompt: the stream is
    reasoning until the closing tag comes, and all of it if none does. White space between
    reasoning and answer belongs to neither.
    """

    def __init__(self, opening: str = "<think>", closing: str = "</think>", *, starts_inside: bool = False) -> None:
        self._opening, self._closing = opening, closing
        self._default = _Place.REASONING if starts_inside else _Place.TEXT
        self._place = _Place.HEAD
        self._held = ""
        self._reasoned = False

    def feed(self, piece: str) -> Chunk:
        """What can be told so far, this piece included; the rest waits for the next."""
        self._held += piece
        reasoning: list[str] = []
        while self._step(reasoning):
            pass
        if self._place is not _Place.TEXT:
            return Chunk(reasoning="".join(reasoning))
        text, self._held = self._held, ""
        return Chunk(text, "".join(reasoning))

    def finish(self) -> Chunk:
        """What was held back in case it was the beginning of a tag."""
        held, self._held = self._held, ""
        if self._place is _Place.HEAD and self._reasoned:
            held = held.lstrip()
        inside = self._place is _Place.REASONING or (self._place is _Place.HEAD and self._default is _Place.REASONING)
        return Chunk(reasoning=held) if inside else Chunk(held)

    def _step(self, reasoning: list[str]) -> bool:
        """Move to the next place if what is held allows it; True when it did."""
        match self._place:
            case _Place.HEAD:
                return self._leave_head()
            case _Place.REASONING:
                return self._leave_reasoning(reasoning)
            case _Place.TEXT:
                return False

    def _leave_head(self) -> bool:
        start = self._held.lstrip()
        if start.startswith(self._opening):
            self._held, self._place = start.removeprefix(self._opening), _Place.REASONING
            return True
        if self._opening.startswith(start):
            return False
        if self._reasoned:
            self._held = start
        self._place = self._default
        return True

    def _leave_reasoning(self, reasoning: list[str]) -> bool:
        thought, tag, rest = self._held.partition(self._closing)
        if tag:
            reasoning.append(thought)
            self._held, self._place, self._default, self._reasoned = rest, _Place.HEAD, _Place.TEXT, True
            return True
        kept = len(thought) - _overlap(thought, self._closing)
        reasoning.append(thought[:kept])
        self._held = thought[kept:]
        return False


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of `text` that begins `tag`."""
    return next((n for n in range(min(len(text), len(tag) - 1), 0, -1) if text.endswith(tag[:n])), 0)
