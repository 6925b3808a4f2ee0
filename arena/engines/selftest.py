"""The self-test an operator runs on a contestant before letting it take part: a list of ticks.

It loads the model in a worker, or asks an endpoint, like any battle would; it knows neither catalogue nor terminal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from arena.engines.base import Engine
from arena.engines.local import LocalEngine, Patience
from arena.engines.nursery import Nursery
from arena.engines.worker.spec import WorkerSpec
from arena.errors import ContextOverflow, EngineError
from arena.types import Chunk, Conversation, Decoding, Finish, Message, Role

_QUESTION: Conversation = (Message(Role.USER, "Назови столицу Франции. / Name the capital of France."),)
_TAGS = ("<think>", "</think>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "</s>")


@dataclass(frozen=True, slots=True)
class Tick:
    """One thing that was tried. `passed` None means that it could not be told."""

    name: str
    passed: bool | None
    detail: str = ""


async def check_contestant(
    spec: WorkerSpec, *, patience: Patience = Patience(), on_tick: Callable[[Tick], None] = lambda tick: None
) -> list[Tick]:
    """Load the model, ask it, cancel it, overfill it, put it away; say what held.

    Failures are ticks, never exceptions. `on_tick` hears of each as it is known.
    """
    ticks: list[Tick] = []
    nursery = Nursery(spares=0)
    engine = LocalEngine(spec, nursery, patience=patience)
    try:
        async for tick in _ticks(engine):
            ticks.append(tick)
            on_tick(tick)
    finally:
        await engine.close()
        await nursery.close()
    return ticks


async def check_endpoint(engine: Engine) -> list[Tick]:
    """Ask an endpoint a few short questions, one of which is broken off, and close the engine.

    Failures are ticks, never exceptions.
    """
    try:
        return [
            await _tried("answers", _answers, engine),
            await _tried("counts its tokens", _counts, engine),
            await _tried("can be broken off", _breaks_off, engine),
        ]
    finally:
        await engine.close()


async def _ticks(engine: LocalEngine) -> AsyncIterator[Tick]:
    began = time.monotonic()
    try:
        await engine.start()
    except EngineError as error:
        yield Tick("loads", False, str(error))
        return
    yield Tick("loads", True, f"{engine.spec.quantization}, {time.monotonic() - began:.1f} s, {engine.revision}")
    for name, right, detail in engine.findings:
        yield Tick(name, right, detail)
    for name, trial in (
        ("answers", _answers),
        ("repeats itself with the same seed", _repeats),
        ("refuses what does not fit", _refuses),
        ("stops when told to", _stops),
    ):
        yield await _tried(name, trial, engine)
    await engine.unload()
    yield Tick("gives its memory back", engine.pid is None)


Tried = TypeVar("Tried", bound=Engine)
Trial = Callable[[Tried], Awaitable[tuple[bool | None, str]]]


async def _tried(name: str, trial: Trial[Tried], engine: Tried) -> Tick:
    try:
        passed, detail = await trial(engine)
    except EngineError as error:
        passed, detail = False, f"{type(error).__name__}: {error}"
    return Tick(name, passed, detail)


async def _answers(engine: Engine) -> tuple[bool | None, str]:
    began = time.monotonic()
    text, reasoning, finish = await _ask(engine, Decoding(temperature=0.0, max_tokens=64))
    seconds = time.monotonic() - began
    tokens = finish.usage.completion_tokens or 0
    leaked = [tag for tag in _TAGS if tag in text]
    if leaked:
        return False, f"the answer shows {', '.join(leaked)}"
    told = f"{tokens} tokens, {tokens / seconds:.0f} tokens/s, {finish.reason.value}"
    return bool(text or reasoning), told + (", reasoning told apart" if reasoning else "")


async def _counts(engine: Engine) -> tuple[bool | None, str]:
    """Without them money and speed are estimates."""
    usage = (await _ask(engine, Decoding(temperature=0.0, max_tokens=8)))[2].usage
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None, "it tells no usage: tokens and money will be estimates"
    return True, f"{usage.prompt_tokens} read, {usage.completion_tokens} written"


async def _breaks_off(engine: Engine) -> tuple[bool | None, str]:
    """Closing the stream after its first chunk is what a voter's "stop" does; the next question is answered."""
    async with aclosing(engine.stream(_QUESTION, Decoding(max_tokens=512))) as stream:  # type: ignore[type-var]
        async for _ in stream:
            break
    text, reasoning, _ = await _ask(engine, Decoding(temperature=0.0, max_tokens=8))
    return bool(text or reasoning), ""


async def _repeats(engine: LocalEngine) -> tuple[bool | None, str]:
    decoding = Decoding(temperature=1.0, max_tokens=24, seed=1)
    first, again = [await _ask(engine, decoding) for _ in range(2)]
    return first[:2] == again[:2], ""


async def _refuses(engine: LocalEngine) -> tuple[bool | None, str]:
    context = engine.context or 4096
    try:
        await _ask(engine, Decoding(max_tokens=1), (Message(Role.USER, "щ ы " * context),))
    except ContextOverflow:
        return True, f"context {context}"
    return False, f"a prompt longer than {context} tokens was answered"


async def _stops(engine: LocalEngine) -> tuple[bool | None, str]:
    """Close a long answer after its first chunk; the worker must have nothing to do soon after."""
    stream = engine.stream(_QUESTION, Decoding(max_tokens=2048, temperature=1.0, seed=3))
    async for item in stream:
        if isinstance(item, Finish):
            return None, "the answer ended by itself too soon"
        break
    await stream.aclose()
    for _ in range(30):
        await asyncio.sleep(0.1)
        if engine.active == 0:
            return True, ""
    return False, "the worker went on"


async def _ask(engine: Engine, decoding: Decoding, conversation: Conversation = _QUESTION) -> tuple[str, str, Finish]:
    text = reasoning = ""
    async for item in engine.stream(conversation, decoding):
        if isinstance(item, Chunk):
            text, reasoning = text + item.text, reasoning + item.reasoning
        else:
            return text, reasoning, item
    raise EngineError("the stream ended without a finish")
