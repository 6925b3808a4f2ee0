"""One turn being written: a task per side, one clock, and as many watching pages as come.

The turn belongs to its battle, not to a page: pages only look at frames, so a reload finds it where
it is. It knows engines and the clock; it does not know voters, databases or names.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

from arena.battles.masking import behind
from arena.battles.stream import Frame, SharedClock
from arena.engines.base import Engine
from arena.engines.energy import EnergyShares, Share
from arena.errors import ArenaError, EngineError
from arena.types import (
    Answer,
    AnswerState,
    Chunk,
    Conversation,
    Decoding,
    Finish,
    FinishReason,
    Provenance,
    Side,
    Spans,
    Usage,
)

log = logging.getLogger(__name__)


class TextFilter(Protocol):
    """Hides what must not be seen before the vote; `feed` and `finish` return text that may be shown."""

    def feed(self, text: str) -> str:
        """The next piece of an answer."""
        ...

    def finish(self, broken_off: bool = False) -> tuple[str, Sequence[object]]:
        """What was held back at the end, and everything that was hidden; `broken_off` where more was to come."""
        ...

    @property
    def hidden(self) -> Spans:
        """Where in the answer so far something is hidden."""
        ...


class ShowEverything:
    """The filter of battles whose names are known."""

    def feed(self, text: str) -> str:
        """The text as it is."""
        return text

    def finish(self, broken_off: bool = False) -> tuple[str, Sequence[object]]:
        """Nothing is ever held back or hidden."""
        return "", ()

    @property
    def hidden(self) -> Spans:
        """Nothing is."""
        return ()


@dataclass(frozen=True, slots=True)
class Part:
    """Who plays one side of a turn: its engine, what it is asked, how, and what hides its identity."""

    engine: Engine
    conversation: Conversation
    decoding: Decoding
    filter: TextFilter = field(default_factory=ShowEverything)
    energy: EnergyShares | None = None  # where this machine's GPUs do the work
    timed: bool = True  # the pace of a recording is nobody's


@dataclass(slots=True)
class _Notes:
    """What is written down of one side while it answers."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    first_token: float | None = None
    finish: Finish | None = None
    ended: float | None = None
    error: str | None = None
    share: Share | None = None
    joules: float | None = None
    hidden: Spans | None = None  # of a side that was heard out


Answers = Mapping[Side, Answer]

Prepare = Callable[[], Awaitable[Mapping[Side, Part]]]
"""Waits until both sides can answer and says who does: others, when the first pair could not be had."""

DISPLAY_STEP = 0.1
"""Seconds between looks at whether the pages have been shown everything."""


class LiveTurn:
    """Starts at once and runs to its end, a stop, a failure or neglect; `answers` then has both answers.

    With `prepare` both sides wait for it first, whichever of them needs it.
    """

    def __init__(
        self,
        parts: Mapping[Side, Part],
        *,
        blind: bool,
        prepare: Prepare | None = None,
        now: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        self._parts = parts
        self._prepare = prepare
        self._now = now
        self._clock = SharedClock(tuple(parts), blind=blind, rng=rng)
        self._notes = {side: _Notes() for side in parts}
        self._started = now()
        self._last_seen = self._started
        self.masked = False  # whether either answer, as it was shown, gave its model away; known when the turn is over
        self._stopping = asyncio.Event()
        self._begun = asyncio.Event()  # both sides were heard, or the turn is over
        self.answers: asyncio.Task[Answers] = asyncio.create_task(self._run(), name="turn")

    @property
    def preparing(self) -> bool:
        """Whether neither side has been asked yet."""
        return self._prepare is not None

    @property
    def streams(self) -> int:
        """How many sides are being written."""
        return 0 if self.preparing else sum(notes.ended is None for notes in self._notes.values())

    def frame(self) -> Frame:
        """What may be shown now."""
        return self._clock.frame(self._now())

    def seen(self) -> None:
        """A page looks on at this moment."""
        self._last_seen = self._now()

    async def pause(self, seconds: float) -> None:
        """Wait so long, or less when the writing begins or is over: what a watching page does between frames."""
        if self._begun.is_set():
            await asyncio.wait({self.answers}, timeout=seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._begun.wait(), seconds)

    def neglected(self, grace: float) -> bool:
        """Whether nobody has watched for `grace` seconds (or ever) while it is still being written."""
        return not self.answers.done() and self._now() - self._last_seen > grace

    async def stop(self) -> Answers:
        """End both sides where the pages are; what was shown is the answer."""
        self._stopping.set()
        return await asyncio.shield(self.answers)

    async def _run(self) -> Answers:
        """Both sides to their end as pages see it, or to the first failure or stop."""
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        tasks: list[asyncio.Task[None]] = []
        try:
            if self._prepare is not None:
                await self._until_prepared(self._prepare, stopping)
            if not self._failed and not self._stopping.is_set():
                tasks = [asyncio.create_task(self._listen(side), name=f"side-{side}") for side in self._parts]
            waiting = {*tasks, stopping}
            while waiting != {stopping} and not self._stopping.is_set() and not self._failed:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            while not self._failed and not self._stopping.is_set() and not self.frame().final:
                await asyncio.wait({stopping}, timeout=DISPLAY_STEP)
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.wait((*tasks, stopping))
            for side in self._parts:
                await self._measure(side)
            self._begun.set()
        answers = self._conclude()
        self.masked = any(answer.hidden for answer in answers.values())
        return answers

    async def _until_prepared(self, prepare: Prepare, stopping: asyncio.Task[bool]) -> None:
        """Until the sides can be asked, or the voter has had enough. What cannot be had fails both sides alike."""
        preparing = asyncio.ensure_future(prepare())
        try:
            await asyncio.wait({preparing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if preparing.done():
                self._parts = preparing.result()
                self._started = self._now()
        except ArenaError as error:
            log.warning("no pair could be had: %s: %s", error.code, error)
            self._fail(error.code)
        except Exception:
            log.exception("preparing failed in an unforeseen way")
            self._fail(EngineError.code)
        finally:
            preparing.cancel()
            await asyncio.wait({preparing})
            self._prepare = None

    def _fail(self, code: str) -> None:
        for notes in self._notes.values():
            notes.error = code

    def _conclude(self) -> Answers:
        if self._failed:
            self._clock.fail()
        elif self._stopping.is_set() and not self.frame().final:
            shown = self._clock.stop(self._now())
            return {side: self._cut(side, len(text)) for side, text in zip(self._parts, shown, strict=True)}
        return {side: self._answer(side) for side in self._parts}

    @property
    def _failed(self) -> bool:
        return any(notes.error for notes in self._notes.values())

    async def _listen(self, side: Side) -> None:
        """Hear one side out. An `EngineError` ends the whole turn; anything unforeseen too, but loudly."""
        part, notes = self._parts[side], self._notes[side]
        notes.share = part.energy.begin() if part.energy else None
        try:
            async with aclosing(part.engine.stream(part.conversation, part.decoding)) as stream:  # type: ignore[type-var]
                async for item in stream:
                    self._hear(side, item)
        except EngineError as error:
            notes.error = error.code
            log.warning("side %s failed: %s: %s", side, error.code, error)
        except Exception:
            notes.error = EngineError.code
            log.exception("side %s failed in an unforeseen way", side)
        notes.ended = self._now()
        tail, _ = part.filter.finish(broken_off=notes.finish is None or notes.finish.reason is not FinishReason.STOP)
        notes.hidden = part.filter.hidden
        if tail:
            self._clock.hear(side, tail, notes.ended)
        self._clock.end(side, notes.ended)
        self._notice_the_beginning()
        await self._measure(side)

    async def _measure(self, side: Side) -> None:
        """The energy of a side that is over, once."""
        energy, notes = self._parts[side].energy, self._notes[side]
        share, notes.share = notes.share, None
        if energy and share:
            notes.joules = await energy.end(share)

    def _notice_the_beginning(self) -> None:
        if self._clock.begun:
            self._begun.set()

    def _hear(self, side: Side, item: Chunk | Finish) -> None:
        notes = self._notes[side]
        if isinstance(item, Finish):
            notes.finish = item
            return
        if notes.first_token is None and (item.text or item.reasoning):
            notes.first_token = self._now()
        if notes.share:
            notes.share.tokens += item.tokens or 1
        notes.reasoning.append(item.reasoning)
        notes.text.append(item.text)
        if item.text and (visible := self._parts[side].filter.feed(item.text)):
            self._clock.hear(side, visible, self._now())
            self._notice_the_beginning()

    def _answer(self, side: Side) -> Answer:
        """The side's whole answer, with what is known of how it came about."""
        notes, timed = self._notes[side], self._parts[side].timed
        finish = notes.finish
        return Answer(
            text="".join(notes.text),
            state=AnswerState.FAILED if notes.error else AnswerState.COMPLETE,
            reasoning="".join(notes.reasoning),
            error_code=notes.error,
            finish_reason=finish.reason if finish else None,
            usage=finish.usage if finish else Usage(),
            first_token_after=notes.first_token - self._started if timed and notes.first_token is not None else None,
            tokens_per_second=_speed(notes) if timed else None,
            seed=finish.seed if finish else None,
            provenance=finish.provenance if finish else Provenance(),
            joules=notes.joules,
            hidden=notes.hidden,
        )

    def _cut(self, side: Side, length: int) -> Answer:
        """The side's answer as far as it was shown (`length` characters, masks counted) when the voter stopped it."""
        answer = self._answer(side)
        end, hidden = behind(length, self._parts[side].filter.hidden)
        return replace(
            answer,
            text=answer.text[:end],
            hidden=hidden,
            state=AnswerState.STOPPED,
            finish_reason=FinishReason.CANCELLED,
        )


def _speed(notes: _Notes) -> float | None:
    """Tokens per second from the first token to the end; None where either is not known."""
    if notes.finish is None or notes.first_token is None or notes.ended is None:
        return None
    tokens, seconds = notes.finish.usage.completion_tokens, notes.ended - notes.first_token
    return tokens / seconds if tokens and seconds > 0 else None
