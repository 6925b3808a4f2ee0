"""What an endpoint is allowed: requests at once and per minute, patience between retries, money.

Knows no protocol. Objects may be shared by several engines that stand before the same endpoint.
Clock, sleep and randomness arrive as arguments.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

from arena.errors import EngineTimeout, SpendingCapReached

_MINUTE = 60.0


class Gate:
    """Lets at most `concurrency` answers run at once and `requests_per_minute` begin in any minute.

    What passes must also pass the gate `behind` it, which several may have in common.
    """

    def __init__(
        self,
        concurrency: int = 8,
        requests_per_minute: int | None = None,
        *,
        behind: Gate | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if concurrency < 1 or (requests_per_minute is not None and requests_per_minute < 1):
            raise ValueError("concurrency and requests_per_minute must be at least 1")
        self.concurrency, self.requests_per_minute, self.behind = concurrency, requests_per_minute, behind
        self._slots = asyncio.Semaphore(concurrency)
        self._turn = asyncio.Lock()
        self._begun: deque[float] = deque(maxlen=requests_per_minute)
        self._clock, self._sleep = clock, sleep

    @asynccontextmanager
    async def slot(self, patience: float | None = None) -> AsyncIterator[None]:
        """A place among the running answers, given in order of arrival; waits `patience` seconds at most."""
        async with AsyncExitStack() as places:
            try:
                async with asyncio.timeout(patience):
                    for gate in self._in_order():
                        await places.enter_async_context(gate._slots)
            except TimeoutError:
                raise EngineTimeout(f"all {gate.concurrency} places before the endpoint stayed taken") from None
            yield

    async def pace(self) -> None:
        """Wait until one more request may begin in this minute."""
        for gate in self._in_order():
            await gate._take_turn()

    async def _take_turn(self) -> None:
        if self.requests_per_minute is None:
            return
        async with self._turn:
            if len(self._begun) == self.requests_per_minute:
                await self._sleep(max(0.0, self._begun[0] + _MINUTE - self._clock()))
            self._begun.append(self._clock())

    def _in_order(self) -> Iterator[Gate]:
        yield self
        if self.behind is not None:
            yield from self.behind._in_order()


class Backoff:
    """How long to wait before each retry: doubling, with jitter, or as long as the endpoint asked."""

    def __init__(
        self, retries: int = 3, first: float = 0.5, longest: float = 20.0, *, rng: random.Random | None = None
    ) -> None:
        self.retries, self._first, self._longest = retries, first, longest
        self._rng = rng or random.Random()

    def delay(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Seconds to wait after the failure of `attempt` (0 is the first); None is "give up"."""
        if attempt >= self.retries:
            return None
        doubled = min(self._longest, self._first * 2.0**attempt)
        return max(retry_after or 0.0, doubled * self._rng.uniform(0.75, 1.25))


class Meter:
    """Counts money: prices are per million tokens, the cap holds for running answers as well.

    The currency is the operator's. `spent` begins at what was spent before.
    """

    def __init__(
        self,
        prompt_price: float = 0.0,
        completion_price: float = 0.0,
        cap: float | None = None,
        spent: float = 0.0,
    ) -> None:
        self._prompt_price, self._completion_price = prompt_price, completion_price
        self.cap, self.spent, self.reserved = cap, spent, 0.0

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """The price of one request."""
        return (prompt_tokens * self._prompt_price + completion_tokens * self._completion_price) / 1e6

    def reserve(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Set aside the most that a request can cost; raises `SpendingCapReached` when it does not fit."""
        amount = self.cost(prompt_tokens, completion_tokens)
        if self.cap is not None and self.spent + self.reserved + amount > self.cap:
            raise SpendingCapReached(
                f"spending cap {self.cap:g} would be passed: {self.spent:.4f} spent, {self.reserved:.4f} promised "
                f"to running answers, up to {amount:.4f} for this one (raise spending_cap to go on)"
            )
        self.reserved += amount
        return amount

    def settle(self, reserved: float, prompt_tokens: int, completion_tokens: int) -> None:
        """Replace what was set aside by what the request cost."""
        self.reserved = max(0.0, self.reserved - reserved)
        self.spent += self.cost(prompt_tokens, completion_tokens)


class Bill:
    """What one question costs: an attempt that the endpoint took is paid for, also when it came to nothing.

    The most that an attempt can cost is set aside when the bill is opened and before each further one; both
    raise `SpendingCapReached`. `prompt` and `completion` are the running attempt's tokens as far as they are known.
    """

    def __init__(self, meter: Meter, most_prompt_tokens: int, most_completion_tokens: int) -> None:
        self._meter, self._most = meter, (most_prompt_tokens, most_completion_tokens)
        self.prompt = self.completion = 0
        self._reserved = meter.reserve(*self._most)

    def accept(self) -> None:
        """The endpoint took the request: until it tells how long the prompt was, half of the most is the estimate."""
        self.prompt = self._most[0] // 2

    def again(self) -> None:
        """Pay for the attempt that came to nothing and set aside what the next one can cost."""
        self.settle()
        self._reserved = self._meter.reserve(*self._most)

    def settle(self) -> None:
        """Pay for what the running attempt cost, once."""
        self._meter.settle(self._reserved, self.prompt, self.completion)
        self._reserved, self.prompt, self.completion = 0.0, 0, 0
