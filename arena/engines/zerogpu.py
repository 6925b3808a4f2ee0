"""Local models inside the web process of a ZeroGPU Space, where no other process may hold a model.

Such a Space lends a GPU for the length of one synchronous call and charges the visitor whose
request is in Gradio's context. So both sides of a battle are answered by one call: the first side
waits a moment for the second, and the call runs in a thread that carries the first one's context.
Elsewhere the loan is a plain function call, and everything runs on what the machine has.

`spaces` must be imported before torch, so app.py imports this module first on a Space.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

try:
    import spaces
except ImportError:  # not on a Space
    spaces = None

from arena.engines.worker.answering import Ask, Delta, Ticket
from arena.engines.worker.batching import Batcher
from arena.engines.worker.loading import Loaded, load
from arena.engines.worker.paging import BlockPool
from arena.engines.worker.prompting import asked
from arena.engines.worker.serving import bounded, cache_blocks
from arena.engines.worker.spec import WorkerSpec
from arena.errors import ModelUnavailable
from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason, Provenance, Usage

START_SECONDS = 10
TOKENS_PER_SECOND = 25.0
LONGEST_LOAN = 120
"""A loan is asked for `START_SECONDS` and the longest answer at this pace, and never for longer:
what is asked counts against the visitor's quota."""


@dataclass(frozen=True, slots=True)
class Question:
    """One side's request; it crosses into the GPU's process by pickle."""

    model: str
    ask: Ask


Said = list[tuple[int, Delta]]
"""What became sayable, by the place of its question."""

_models: dict[str, tuple[Loaded, WorkerSpec]] = {}
"""Loaded models by name. A module's own, since the GPU's process is a fork that finds them here."""


def seconds(questions: Sequence[Question]) -> int:
    """How long a loan these questions need; sides are answered at once, so the longest decides."""
    tokens = max(question.ask.max_tokens for question in questions)
    return min(LONGEST_LOAN, START_SECONDS + round(tokens / TOKENS_PER_SECOND))


def _borrowing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a GPU lent for its length, or as it is where none is to be lent."""
    return function if spaces is None else spaces.GPU(duration=seconds)(function)


@_borrowing
def answer_together(questions: Sequence[Question]) -> Generator[Said]:
    """Answer all questions at once, yielding after every round (also nothing, so that it can be stopped)."""
    said: Said = []
    places: dict[Ticket, int] = {}

    def deliver(news: Sequence[tuple[Ticket, Delta]]) -> None:
        said.extend((places[ticket], delta) for ticket, delta in news)

    batchers = {name: _batcher(name, deliver) for name in {question.model for question in questions}}
    for place, question in enumerate(questions):
        places[batchers[question.model].submit(question.ask)] = place
    while any(batcher.active for batcher in batchers.values()):
        for batcher in batchers.values():
            if batcher.active:
                batcher.round()
        yield said.copy()
        said.clear()


def _batcher(name: str, deliver: Callable[[Sequence[tuple[Ticket, Delta]]], None]) -> Batcher:
    """A batch for one loan: its cache is made on the GPU that was lent and ends with the loan."""
    loaded, spec = _models[name]
    pool = BlockPool(cache_blocks(loaded, spec), spec.block_size, reuse=False)
    return Batcher(loaded, deliver, max_batch=spec.max_batch, pool=pool, prefill_tokens=2048)


class _Seat:
    """A request that waits for the call, then for its deltas."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.news: asyncio.Queue[Delta] = asyncio.Queue()
        self.context = contextvars.copy_context()
        self.gone = False


class ZeroGpu:
    """The models of a Space and the calls that answer with them.

    `load` before the app is launched. Requests that arrive within `gather` seconds of the first,
    `together` at most, share one call: two, because a battle has two sides.
    """

    def __init__(self, specs: Mapping[str, WorkerSpec], *, gather: float = 0.1, together: int = 2) -> None:
        self._specs, self._gather, self._together = dict(specs), gather, together
        self._waiting: list[_Seat] = []
        self._timer: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Future[None]] = set()

    def load(self) -> None:
        """Load every model. Raises ModelUnavailable, also for architectures that cannot be batched."""
        for name, spec in self._specs.items():
            bound = bounded(spec)
            loaded = load(bound)
            if not loaded.paged:
                raise ModelUnavailable(f"{spec.model} cannot run on ZeroGPU: its architecture allows no shared batch")
            _models[name] = (loaded, bound)

    def engine(self, name: str) -> ZeroGpuEngine:
        """The engine of one of the models. Raises ModelUnavailable when it is not loaded."""
        if name not in _models:
            raise ModelUnavailable(f"{name} is not loaded")
        return ZeroGpuEngine(self, name)

    async def close(self) -> None:
        """Let the calls under way end, forget the models."""
        await asyncio.gather(*self._calls, return_exceptions=True)
        for name in self._specs:
            _models.pop(name, None)

    def take_seat(self, question: Question) -> _Seat:
        """Join the next call."""
        seat = _Seat(question)
        self._waiting.append(seat)
        if len(self._waiting) >= self._together:
            self._depart()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._gather, self._depart)
        return seat

    def _depart(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        seats, self._waiting = [seat for seat in self._waiting if not seat.gone], []
        if seats:
            loop = asyncio.get_running_loop()
            call = loop.run_in_executor(None, partial(seats[0].context.run, _call, seats, loop))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)


def _call(seats: Sequence[_Seat], loop: asyncio.AbstractEventLoop) -> None:
    """In a thread: one loan for all seats; given back early when everyone has left."""

    def tell(said: Said) -> None:
        for place, delta in said:
            seats[place].news.put_nowait(delta)

    try:
        with contextlib.closing(answer_together(tuple(seat.question for seat in seats))) as rounds:
            for said in rounds:
                loop.call_soon_threadsafe(tell, said)
                if all(seat.gone for seat in seats):
                    return
    except Exception as error:  # a refused loan, a spent quota, a lost GPU: all are the side's failure
        reason = f"{type(error).__name__}: {error}"
        loop.call_soon_threadsafe(tell, [(place, Delta(error=reason)) for place in range(len(seats))])


class ZeroGpuEngine:
    """One model of the Space as a contestant's engine."""

    def __init__(self, stage: ZeroGpu, name: str) -> None:
        self._stage, self._name = stage, name

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncGenerator[Chunk | Finish]:
        """Answer the conversation's last user message."""
        loaded, spec = _models[self._name]
        messages = [{"role": message.role.value, "content": message.content} for message in conversation]
        ask = asked(loaded.prompter, messages, decoding, stop=loaded.stop, think=spec.think)
        seat = self._stage.take_seat(Question(self._name, ask))
        try:
            while True:
                delta = await seat.news.get()
                if delta.error is not None:
                    raise ModelUnavailable(f"{self._name}: {delta.error}")
                if delta.text or delta.reasoning:
                    yield Chunk(delta.text, delta.reasoning)
                if delta.finish:
                    yield _finish(ask, delta, loaded, spec)
                    return
        finally:
            seat.gone = True

    async def close(self) -> None:
        """The stage holds the model."""


def _finish(ask: Ask, delta: Delta, loaded: Loaded, spec: WorkerSpec) -> Finish:
    provenance = Provenance(loaded.revision, spec.quantization, loaded.prompter.template_hash)
    usage = Usage(len(ask.ids), delta.completion_tokens)
    return Finish(FinishReason(delta.finish or "stop"), usage, ask.seed, provenance)
