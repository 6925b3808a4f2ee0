"""One answer of a paid model, as patiently as its endpoint needs it: the most it can cost is set aside before each try.

What judges battles and what judges benchmarks both ask this way. It knows no battle, no job and no verdict.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Protocol, cast

from arena.engines.base import Engine
from arena.errors import (
    AccessDenied,
    ArenaError,
    EndpointError,
    EngineError,
    EngineTimeout,
    ModelUnavailable,
    RateLimited,
    SpendingCapReached,
    StoreUnavailable,
)
from arena.judge.spending import Purse
from arena.types import Chunk, Conversation, Decoding, Finish, Usage

TRIES = 6
"""Attempts at one call while the endpoint is busy, down or silent, or the database refuses."""

Sleep = Callable[[float], Awaitable[None]]


class PaidCalls:
    """Calls of one engine from one purse, at most `at_once` of them at a time; `on_retry` is told of every new try."""

    def __init__(
        self,
        engine: Engine,
        purse: Purse,
        decoding: Decoding,
        *,
        at_once: int,
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
        on_retry: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine, self._purse, self._decoding = engine, purse, decoding
        self._places = asyncio.Semaphore(at_once)
        self._rng, self._sleep, self._on_retry = rng, sleep, on_retry
        self._running, self._settled = 0, asyncio.Event()  # calls under way

    async def answer(self, conversation: Conversation) -> tuple[str, float]:
        """One answer and its cost. Raises the last try's error, or `SpendingCapReached` when nothing more is paid."""
        attempt = 0
        while True:
            try:
                async with self._places:
                    return await self._paid(conversation)
            except SpendingCapReached:
                if not self._running:
                    raise
                self._settled.clear()
                await self._settled.wait()  # what others hold at its ceiling may leave room once it is paid
                continue
            except (EngineError, StoreUnavailable) as error:  # the store refuses before the call, never after it
                attempt += 1
                _stop_at_wrong_address(error)
                if not transient(error) or attempt == TRIES:
                    raise
            self._on_retry()
            await self._sleep(pause(attempt, self._rng))

    async def _paid(self, conversation: Conversation) -> tuple[str, float]:
        reserved = await self._purse.reserve(conversation, self._decoding.max_tokens)
        text, said, usage, cost = "", 0, None, 0.0
        self._running += 1
        try:
            async with aclosing(cast("_Closable", self._engine.stream(conversation, self._decoding))) as items:
                async for item in items:
                    match item:
                        case Chunk():
                            text += item.text
                            said += len(item.text) + len(item.reasoning)
                        case Finish():
                            usage = item.usage
        finally:
            if usage is not None or said:
                cost = self._purse.cost(usage or Usage(), conversation, said)
            try:
                await asyncio.shield(self._purse.settle(reserved, cost))
            finally:
                self._running -= 1
                self._settled.set()
        return text, cost


class WrongAddress(EndpointError):
    """Nothing of that name is served there: every other call would fail alike."""


def _stop_at_wrong_address(error: ArenaError) -> None:
    if isinstance(error, EndpointError) and error.status in (404, 405):
        raise WrongAddress(str(error), status=error.status) from error


class _Closable(Protocol):
    """An answer that can be closed before its end."""

    def __aiter__(self) -> _Closable: ...

    def __anext__(self) -> Awaitable[Chunk | Finish]: ...

    def aclose(self) -> Awaitable[None]: ...


def transient(error: BaseException) -> bool:
    """Whether trying again later may help: busy, silent, down or loading, or a database that refuses for a moment."""
    if isinstance(error, AccessDenied):
        return False
    if isinstance(error, RateLimited | EngineTimeout | ModelUnavailable | StoreUnavailable):
        return True
    return isinstance(error, EndpointError) and (error.status is None or error.status >= 500 or error.status == 408)


def pause(attempt: int, rng: random.Random) -> float:
    """Seconds before the next try after this many: doubling up to a minute, with jitter."""
    return min(60.0, 2.0 ** (attempt - 1)) * rng.uniform(0.75, 1.25)
