"""One request inside a worker: what is asked, what has been drawn, what may be said now.

Pure state, no model library: whoever owns the model feeds it tokens and collects deltas. A ticket
holds the request's own randomness, so its draws do not depend on other requests.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from arena.engines.thinking import ThinkSplitter
from arena.engines.worker.wording import Decode, Wording


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt and its decoding. `seed` is always set: the server draws one when nobody asked for one."""

    ids: tuple[int, ...]
    seed: int
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    think: bool = False
    starts_in_think: bool = False
    think_tags: tuple[str, str] = ("<think>", "</think>")


@dataclass(frozen=True, slots=True)
class Delta:
    """What became sayable. The last one carries `finish` ("stop" or "length"), or `error`."""

    text: str = ""
    reasoning: str = ""
    finish: str | None = None
    error: str | None = None
    completion_tokens: int = 0

    @property
    def last(self) -> bool:
        """Whether nothing follows."""
        return self.finish is not None or self.error is not None


class Ticket:
    """A request on its way: token by token in, delta by delta out."""

    def __init__(self, ask: Ask, decode: Decode, terminators: frozenset[int]) -> None:
        self.ask = ask
        self.cancelled = False
        self.finish: str | None = None
        self.spoke = False  # something was said: from then on, saying may wait for company
        self.generated = 0
        self._terminators = terminators
        self._wording = Wording(decode, ask.stop)
        self._splitter = ThinkSplitter(*ask.think_tags, starts_inside=ask.starts_in_think) if ask.think else None
        self._unsaid: list[int] = []
        self._text = ""

    def uniform(self, position: int) -> float:
        """This request's own random number for the token at a position of the conversation, in [0, 1).

        A function of seed and position alone: a token that has to be drawn again, because a draft
        was rejected or a cache gave way, is drawn the same.
        """
        digest = hashlib.blake2b(struct.pack("<qq", self.ask.seed % 2**63, position), digest_size=8).digest()
        return (int.from_bytes(digest, "little") >> 11) / 2**53

    def take(self, token: int) -> None:
        """A token was drawn: it may end the answer."""
        if token in self._terminators:
            self.finish = "stop"
            return
        self.generated += 1
        self._unsaid.append(token)
        if self.ask.stop:  # only then must every token be read at once
            self._read()
        if self._wording.stopped:
            self.finish = "stop"
        elif self.generated >= self.ask.max_tokens:
            self.finish = "length"

    def say(self) -> Delta | None:
        """Everything sayable since the last time; None when there is nothing and nothing ended."""
        self._read()
        if self.finish:
            self._text += self._wording.finish()
        text, self._text = self._text, ""
        reasoning = ""
        if self._splitter:
            chunk = self._splitter.feed(text)
            rest = self._splitter.finish() if self.finish else None
            text, reasoning = chunk.text, chunk.reasoning
            if rest:
                text, reasoning = text + rest.text, reasoning + rest.reasoning
        if not (text or reasoning or self.finish):
            return None
        self.spoke = True
        return Delta(text, reasoning, self.finish, completion_tokens=self.generated)

    def _read(self) -> None:
        if self._unsaid:
            self._text += self._wording.feed(self._unsaid)
            self._unsaid.clear()


Deliver = Callable[[Sequence[tuple[Ticket, Delta]]], None]
"""Told in the model's thread what became sayable, several tickets at a time."""


def takes_the_process_along(error: BaseException) -> bool:
    """Whether only a new process helps: no memory is left, or the device is out of its senses."""
    text = str(error)
    return is_out_of_memory(error) or "CUDA error" in text or "device-side assert" in text


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had no memory; torch says so in three ways."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "can't allocate memory" in str(error) or "out of memory" in str(error)


class Answerer(Protocol):
    """Whatever owns a model and works through tickets in a thread of its own.

    `steps` counts forward passes; `fatal` is set when the process has to be given up.
    """

    steps: int
    fatal: BaseException | None

    @property
    def active(self) -> int:
        """Requests that wait or run."""
        ...

    def start(self) -> None:
        """Begin to work."""
        ...

    def submit(self, ask: Ask) -> Ticket:
        """Queue a request; its deltas are delivered until one is the last."""
        ...

    def cancel(self, ticket: Ticket) -> None:
        """Forget a request: nothing more is delivered, its place is free at the next step."""
        ...

    def stop(self) -> None:
        """End the thread after the step it is in."""
        ...
