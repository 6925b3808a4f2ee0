"""Limits before an endpoint: places, requests per minute, patience and money."""

from __future__ import annotations

import asyncio
import random

import pytest

from arena.engines.limits import Backoff, Gate, Meter
from arena.errors import EngineTimeout, SpendingCapReached


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_no_more_answers_run_than_there_are_places() -> None:
    """The third waits until one of two is done."""
    gate = Gate(concurrency=2)
    running = most = 0

    async def answer() -> None:
        nonlocal running, most
        async with gate.slot():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(answer() for _ in range(10)))
    assert most == 2


async def test_a_place_is_free_again_after_a_failure() -> None:
    """An answer that breaks gives its place back."""
    gate = Gate(concurrency=1)
    with pytest.raises(RuntimeError):
        async with gate.slot():
            raise RuntimeError
    async with gate.slot(patience=1):
        pass


async def test_waiting_for_a_place_has_an_end() -> None:
    """A battle does not wait for another's endless answer."""
    gate = Gate(concurrency=1)
    async with gate.slot():
        with pytest.raises(EngineTimeout, match="stayed taken"):
            async with gate.slot(patience=0.01):
                pass


async def test_requests_of_a_minute_are_counted_over_any_minute() -> None:
    """With three a minute, seven requests begin at 0, 0, 0, 60, 60, 60 and 120 seconds."""
    clock = Clock()
    gate = Gate(requests_per_minute=3, clock=clock, sleep=clock.sleep)
    begun = []
    for _ in range(7):
        await gate.pace()
        begun.append(clock.now)
    assert begun == [0, 0, 0, 60, 60, 60, 120]


async def test_gates_before_one_endpoint_share_its_places_and_its_minute() -> None:
    """Two models of one vendor with two places each have two together; whoever gives up leaves no place taken."""
    clock = Clock()
    shared = Gate(2, requests_per_minute=2, clock=clock, sleep=clock.sleep)
    one, other = (Gate(2, requests_per_minute=2, behind=shared, clock=clock, sleep=clock.sleep) for _ in range(2))
    async with one.slot(), other.slot():
        with pytest.raises(EngineTimeout, match="all 2 places"):
            async with one.slot(patience=0.01):
                pass
    async with one.slot(patience=1), one.slot(patience=1):
        pass
    begun = []
    for gate in (one, other, one):
        await gate.pace()
        begun.append(clock.now)
    assert begun == [0, 0, 60]


@pytest.mark.parametrize("arguments", [{"concurrency": 0}, {"requests_per_minute": 0}])
def test_limits_of_nothing_are_refused(arguments: dict[str, int]) -> None:
    """An endpoint that lets nobody through would hang every battle."""
    with pytest.raises(ValueError, match="at least 1"):
        Gate(**arguments)


def test_waits_double_and_are_at_least_what_the_endpoint_asks() -> None:
    """Half a second, one, two … with a quarter of jitter either way; then giving up."""
    backoff = Backoff(retries=3, first=0.5, rng=random.Random(1))
    for attempt, middle in enumerate([0.5, 1.0, 2.0]):
        delay = backoff.delay(attempt)
        assert delay is not None
        assert 0.75 * middle <= delay <= 1.25 * middle
    assert backoff.delay(0, retry_after=7.0) == 7.0
    assert backoff.delay(3) is None


def test_money_is_counted_by_the_million_tokens() -> None:
    """1000 prompt tokens at 2 and 500 completion tokens at 10 a million cost 0.007."""
    meter = Meter(prompt_price=2.0, completion_price=10.0)
    held = meter.reserve(2000, 1000)
    assert held == pytest.approx(0.014)
    meter.settle(held, 1000, 500)
    assert meter.spent == pytest.approx(0.007)
    assert meter.reserved == 0


def test_the_cap_holds_for_answers_that_still_run() -> None:
    """Two answers that could each cost 0.6 do not both begin under a cap of 1."""
    meter = Meter(completion_price=1.0, cap=1.0)
    held = meter.reserve(0, 600_000)
    with pytest.raises(SpendingCapReached, match="cap 1 "):
        meter.reserve(0, 600_000)
    meter.settle(held, 0, 100_000)
    meter.reserve(0, 600_000)


def test_what_was_spent_before_counts() -> None:
    """A restart does not forget the money."""
    with pytest.raises(SpendingCapReached):
        Meter(completion_price=1.0, cap=1.0, spent=0.9).reserve(0, 200_000)
