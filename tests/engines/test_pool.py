"""The pool: what fits stays, what answers is never evicted, and waiting pairs cannot block each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from arena.engines.base import Engine
from arena.engines.fake import FakeEngine, saying
from arena.engines.local import ModelState, Phase
from arena.engines.pool import Pool
from arena.errors import ModelUnavailable
from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason, Message, Role

HELLO: Conversation = (Message(Role.USER, "Привет"),)


class Loadable:
    """An engine with a model that takes memory: counts what is resident at once, answers until told to end."""

    resident: set[str]

    def __init__(self, name: str, resident: set[str], *, failure: ModelUnavailable | None = None) -> None:
        self.name, self.state, self.failure = name, ModelState(), failure
        self.resident = resident
        self.loads = 0
        self.let_end = asyncio.Event()
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def start(self) -> None:
        if self.name in self.resident:
            return
        if self.failure:
            self.state = ModelState(Phase.FAILED, reason=str(self.failure), retry_at=1000.0)
            raise self.failure
        self.loads += 1
        self.state = ModelState(Phase.LOADING, 0.5)
        await asyncio.sleep(0)
        self.resident.add(self.name)
        self.state = ModelState(Phase.WARM, 1.0)

    async def unload(self) -> None:
        assert self.let_end.is_set() or not getattr(self, "speaking", False), "evicted while it answered"
        await self.let_go.wait()
        self.resident.discard(self.name)
        self.state = ModelState()

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        self.speaking = True
        try:
            yield Chunk("…")
            await self.let_end.wait()
        finally:
            self.speaking = False
        yield Finish(FinishReason.STOP)

    async def close(self) -> None:
        self.resident.discard(self.name)


class Room:
    """A pool of three 10 GiB models under a budget, with a clock that counts questions."""

    def __init__(self, budget: float | None) -> None:
        self.now = 0.0
        self.resident: set[str] = set()
        self.pool = Pool(budget, clock=self._tick)
        self.models = {name: Loadable(name, self.resident) for name in "abc"}
        for name, model in self.models.items():
            self.pool.add(name, model, gib=10.0)

    def _tick(self) -> float:
        self.now += 1.0
        return self.now


async def test_without_a_budget_everything_stays_resident() -> None:
    """The demo's three toys share one machine."""
    room = Room(None)
    for name in "abc":
        await room.pool.warm([name])
    assert room.pool.warm_names() == {"a", "b", "c"}


async def test_the_model_of_use_longest_ago_makes_room() -> None:
    """Two fit; asking for the third evicts the first."""
    room = Room(20.0)
    for name in "abc":
        await room.pool.warm([name])
    assert room.resident == {"b", "c"}
    await room.pool.warm(["b", "a"])
    assert room.resident == {"a", "b"}
    assert [room.models[name].loads for name in "abc"] == [2, 1, 1]


async def test_a_model_that_answers_is_never_evicted() -> None:
    """The newcomer waits until an answer ends, then takes the place of the model that ended."""
    room = Room(20.0)
    streams = {name: room.pool.engine(name).stream(HELLO, Decoding()) for name in "ab"}
    for stream in streams.values():
        await anext(stream)
    waiting = asyncio.create_task(room.pool.warm(["c"]))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert room.resident == {"a", "b"}
    room.models["a"].let_end.set()
    assert isinstance(await anext(streams["a"]), Finish)
    await streams["a"].aclose()
    await waiting
    assert room.resident == {"b", "c"}
    await streams["b"].aclose()


async def test_pairs_that_wait_for_room_do_not_hold_what_others_need() -> None:
    """Any order of overlapping pairs gets through a budget for two models."""
    room = Room(20.0)
    pairs = ["ab", "bc", "ca", "ab", "cb", "ac"] * 3
    async with asyncio.timeout(60):
        await asyncio.gather(*(room.pool.warm(pair) for pair in pairs))
    assert len(room.resident) == 2


async def test_a_pair_that_never_fits_is_refused_at_once() -> None:
    """The sentence says how much is needed and how much there is."""
    with pytest.raises(ModelUnavailable, match=r"20\.0 GiB.*15\.0 GiB"):
        await Room(15.0).pool.warm("ab")


async def test_a_model_that_fails_to_load_gives_its_room_back() -> None:
    """The next one loads; the failed one is reported with its reason and is not offered until its time."""
    room = Room(10.0)
    room.models["a"].failure = ModelUnavailable("no memory")
    with pytest.raises(ModelUnavailable, match="no memory"):
        await room.pool.warm("a")
    await room.pool.warm("b")
    assert room.resident == {"b"}
    assert room.pool.available_names() == {"b", "c"}
    failed = next(seen for seen in room.pool.snapshot() if seen.name == "a")
    assert (failed.phase, failed.reason) == (Phase.FAILED, "no memory")
    assert failed.retry_in is not None
    assert failed.retry_in > 0


async def test_a_disabled_contestant_is_put_away_and_refused() -> None:
    """The operator's switch holds until it is switched back."""
    room = Room(None)
    await room.pool.warm("a")
    await room.pool.enable("a", False)
    assert room.resident == set()
    with pytest.raises(ModelUnavailable, match="disabled"):
        await room.pool.warm("a")
    await room.pool.enable("a", True)
    await room.pool.warm("a")
    assert room.resident == {"a"}


async def test_who_is_disabled_while_loading_is_put_away_when_that_is_done() -> None:
    """The operator's page offers no way to put it away later."""
    room = Room(None)
    loading = asyncio.create_task(room.pool.warm("ab"))
    while room.models["a"].state.phase is not Phase.LOADING:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await room.pool.enable("a", False)
    await loading
    assert room.resident == {"b"}


async def test_an_endpoint_needs_no_memory_and_is_always_warm() -> None:
    """Remote contestants stand in the same pool."""
    room = Room(10.0)
    engine = room.pool.add("remote", FakeEngine(saying("Привет")), gib=99.0)
    items = [item async for item in engine.stream(HELLO, Decoding())]
    assert isinstance(items[-1], Finish)
    assert "remote" in room.pool.warm_names()
    assert room.resident == set()


async def test_closing_the_pool_closes_every_engine() -> None:
    """Nothing stays resident."""
    room = Room(None)
    await room.pool.warm("abc")
    await room.pool.close()
    assert room.resident == set()


async def test_an_unknown_name_is_refused_and_a_name_is_given_once() -> None:
    """Names are the pool's only handles."""
    room = Room(None)
    with pytest.raises(ModelUnavailable, match="no contestant"):
        room.pool.engine("z")
    with pytest.raises(ValueError, match="already"):
        room.pool.add("a", FakeEngine(saying("x")))


async def test_a_patient_engine_lets_those_who_wait_for_room_go_first() -> None:
    """A judge that never rests between its calls would hold its model's place for ever."""
    room = Room(20.0)
    judge = room.pool.engine("c", patient=True)
    under_way = judge.stream(HELLO, Decoding())
    await anext(under_way)
    voters = asyncio.create_task(room.pool.warm(["a", "b"]))  # cannot fit beside c
    await asyncio.sleep(0)
    next_call = asyncio.create_task(anext(judge.stream(HELLO, Decoding())))
    await asyncio.sleep(0.01)
    assert not voters.done()
    room.models["c"].let_end.set()
    await anext(under_way)
    await under_way.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        await voters
        assert [room.models[name].loads for name in "ab"] == [1, 1]
        assert isinstance(await next_call, Chunk)  # afterwards there is room for it again


async def test_a_judge_and_a_voter_who_come_while_a_model_is_put_away_do_not_wait_for_each_other() -> None:
    """The judge's model is idle and what the voter's pair has to displace: the judge must not pin it from the queue."""
    room = Room(20.0)
    await room.pool.warm(["a"])
    await room.pool.warm(["b"])
    room.models["a"].let_go.clear()
    room.models["b"].let_end.set()
    everybody = []
    for arrival in (
        room.pool.warm(["c"]),  # in place of a, which takes its time to leave
        _answer(room.pool.engine("b", patient=True)),
        room.pool.warm(["a", "c"]),  # in place of b
    ):
        everybody.append(asyncio.create_task(arrival))
        await _turns(5)
    assert not any(task.done() for task in everybody)
    room.models["a"].let_go.set()
    await _turns(200)
    assert all(task.done() for task in everybody)
    await asyncio.gather(*everybody)
    assert room.resident == {"a", "c"}


async def test_a_model_put_away_for_an_operator_who_left_wakes_those_who_wait_for_room() -> None:
    """Whose answer had ended beside it was gone too: nobody else would ever tell them."""
    room = Room(20.0)
    reader = asyncio.create_task(_answer(room.pool.engine("a")))
    await _turns(20)
    await room.pool.warm(["b"])
    waiting = asyncio.create_task(room.pool.warm(["b", "c"]))  # in place of a, once that has answered
    await _turns(20)
    room.models["b"].let_go.clear()
    operator = asyncio.create_task(room.pool.evict("b"))
    for leaver in (reader, reader, operator):  # the reader twice: the second time while it waits to say that it left
        await _turns(5)
        leaver.cancel()
    await _turns(5)
    room.models["b"].let_go.set()
    await _turns(100)
    assert waiting.done()
    await waiting
    assert room.resident == {"b", "c"}


async def test_whoever_waits_for_a_model_that_grew_is_refused_and_blocks_nobody() -> None:
    """The hub knew better how large it is than what lay on this machine: the pair will never fit."""
    room = Room(20.0)
    reader = asyncio.create_task(_answer(room.pool.engine("a")))
    await _turns(20)
    waiting = asyncio.create_task(room.pool.warm(["b", "c"]))
    await _turns(20)
    room.pool.resize("c", 12.0)
    room.models["a"].let_end.set()
    judge = asyncio.create_task(_answer(room.pool.engine("a", patient=True)))
    await _turns(100)
    assert (reader.done(), waiting.done(), judge.done()) == (True, True, True)
    with pytest.raises(ModelUnavailable, match=r"22\.0 GiB"):
        await waiting


async def _answer(engine: Engine) -> None:
    async for _ in engine.stream(HELLO, Decoding()):
        pass


async def _turns(number: int) -> None:
    """Let the loop turn: nothing here waits for time."""
    for _ in range(number):
        await asyncio.sleep(0)
