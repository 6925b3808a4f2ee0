"""One answer of a paid model: every try of it is set aside for, and paid by what was said."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from judging_desk import MemoryDesk

from arena.engines.fake import FakeEngine, Step
from arena.errors import EndpointError, SpendingCapReached
from arena.judge.calls import PaidCalls
from arena.judge.spending import Purse, most_tokens
from arena.types import Chunk, Conversation, Decoding, Message, Role

ASKED = (Message(Role.USER, "grade this " * 30),)


async def at_once(seconds: float) -> None:
    """A sleep that only lets others run."""
    await asyncio.sleep(0)


def calls_of(desk: MemoryDesk, engine: FakeEngine, cap: float | None = None) -> PaidCalls:
    """Calls at a price of one per token of the prompt and one per token of the answer."""
    purse = Purse(desk, "judge", prompt_price=1e6, completion_price=1e6, cap=cap)
    return PaidCalls(engine, purse, Decoding(max_tokens=100), at_once=1, rng=random.Random(3), sleep=at_once)


def breaking(times: int, *said: Chunk) -> FakeEngine:
    """Breaks off after these words so many times, then answers."""
    left = [True] * times

    def script(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
        return [*said, EndpointError("the stream broke off")] if left and left.pop() else [Chunk("[[7]]")]

    return FakeEngine(script)


@pytest.mark.parametrize("said", [Chunk("x" * 60), Chunk(reasoning="x" * 60)])
async def test_what_breaks_off_is_paid_by_what_it_said(said: Chunk) -> None:
    """Thoughts are tokens as words are; the last try is paid as the endpoint counted it."""
    desk = MemoryDesk()
    text, cost = await calls_of(desk, breaking(2, said)).answer(ASKED)
    assert text == "[[7]]"
    assert desk.sums["judge"] == pytest.approx(2 * (most_tokens(ASKED) // 3 + 20) + cost)


async def test_every_try_has_its_own_place_under_the_cap() -> None:
    """What was spent in vain counts: a try that no longer fits is not made."""
    desk, engine = MemoryDesk(), breaking(2, Chunk("x" * 60))
    ceiling = most_tokens(ASKED) + 100
    with pytest.raises(SpendingCapReached):
        await calls_of(desk, engine, cap=ceiling).answer(ASKED)
    assert len(engine.asked) == 1
    assert desk.sums["judge"] <= ceiling
