"""Any storm of loads, evictions, failures and questions: the budget holds, and nobody is put away while it answers."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from arena.engines.local import ModelState, Phase
from arena.engines.pool import Pool
from arena.errors import ModelUnavailable
from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason, Message, Role

HELLO: Conversation = (Message(Role.USER, "Привет"),)
SIZES = {"small": 4.0, "middle": 7.0, "large": 12.0, "huge": 19.0}
BUDGET = 20.0
EXAMPLES = int(os.environ.get("ARENA_SOAK_STORMS", "40"))
CROWDS = int(os.environ.get("ARENA_SOAK_CROWDS", "150"))


class Fragile:
    """An engine whose loads take a moment and may fail, and whose answers last until they are told to end.

    As a worker's, a load is one for all who ask for it, and goes on when they leave.
    """

    def __init__(self, machine: Storm, name: str) -> None:
        self.machine, self.name = machine, name
        self.state = ModelState()
        self.fails = self.held = False
        self.answering = self.awaited = 0
        self.over = asyncio.Event()
        self.loading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self.state.phase is Phase.WARM:
            return
        if self.loading is None or self.loading.done():
            self.loading = asyncio.create_task(self._load())
        self.awaited += 1
        try:
            await asyncio.shield(self.loading)
        finally:
            self.awaited -= 1

    async def _load(self) -> None:
        self.state = ModelState(Phase.LOADING)
        self.held = True
        self.machine.look()
        for _ in range(15):
            await asyncio.sleep(0)
        if self.fails:
            self.held, self.state = False, ModelState(Phase.FAILED, reason="out of memory", retry_at=0.0)
            raise ModelUnavailable("out of memory")
        self.state = ModelState(Phase.WARM, 1.0)

    async def unload(self) -> None:
        assert not self.answering, f"{self.name} was put away while it answered"
        assert not self.awaited, f"{self.name} was put away while somebody waited for it to load"
        if self.loading and not self.loading.done():
            self.loading.cancel()
        for _ in range(25):  # ending a process takes its time
            await asyncio.sleep(0)
        assert not self.answering, f"{self.name} began to answer while it was put away"
        self.held, self.state = False, ModelState()

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        assert self.state.phase is Phase.WARM, f"{self.name} was asked while {self.state.phase}"
        self.answering += 1
        try:
            yield Chunk("…")
            await self.over.wait()
            yield Finish(FinishReason.STOP)
        finally:
            self.answering -= 1

    async def close(self) -> None:
        self.held = False


class Storm(RuleBasedStateMachine):
    """Questions, pairs loaded ahead, and an operator who cannot leave it alone."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.pool = Pool(BUDGET)
        self.engines = {name: Fragile(self, name) for name in SIZES}
        for name, engine in self.engines.items():
            self.pool.add(name, engine, gib=SIZES[name])
        self.tasks: list[asyncio.Task[Any]] = []

    def look(self) -> None:
        """The memory that is really held."""
        held = sum(SIZES[name] for name, engine in self.engines.items() if engine.held)
        assert held <= BUDGET, f"{held} GiB of {BUDGET} are held"

    def run(self, work: Coroutine[Any, Any, Any] | None = None, steps: int = 2) -> None:
        """Begin some work and let the loop turn a little."""
        if work is not None:
            self.tasks.append(self.loop.create_task(work))
        self.loop.run_until_complete(_turns(steps))
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.remove(task)
            with suppress(ModelUnavailable, asyncio.CancelledError):
                task.result()

    @rule(name=st.sampled_from(sorted(SIZES)))
    def ask(self, name: str) -> None:
        """Somebody asks a model."""
        self.engines[name].over.clear()
        self.run(self._answer(name))

    @rule(name=st.sampled_from(sorted(SIZES)))
    def judge(self, name: str) -> None:
        """A judge asks a model: nobody waits for it."""
        self.engines[name].over.clear()
        self.run(self._answer(name, patient=True))

    @rule(a=st.sampled_from(sorted(SIZES)), b=st.sampled_from(sorted(SIZES)))
    def load_ahead(self, a: str, b: str) -> None:
        """A pair is wanted together, whether or not it fits."""
        self.run(self.pool.warm([a, b]))

    @rule(name=st.sampled_from(sorted(SIZES)))
    def finish(self, name: str) -> None:
        """The model's answers end."""
        self.engines[name].over.set()
        self.run(steps=4)

    @rule(name=st.sampled_from(sorted(SIZES)))
    def evict(self, name: str) -> None:
        """The operator puts a model away, or is told that it answers."""
        self.run(self.pool.evict(name))

    @rule(name=st.sampled_from(sorted(SIZES)), enabled=st.booleans())
    def enable(self, name: str, enabled: bool) -> None:
        """The operator lets a model take part or not."""
        self.run(self.pool.enable(name, enabled))

    @rule(name=st.sampled_from(sorted(SIZES)), fails=st.booleans())
    def break_or_mend(self, name: str, fails: bool) -> None:
        """Its next load fails, or works again."""
        self.engines[name].fails = fails

    @rule(name=st.sampled_from(sorted(SIZES)), times=st.sampled_from([1.0, 1.5]))
    def measure(self, name: str, times: float) -> None:
        """The hub says that it needs more than was thought, or no more."""
        self.pool.resize(name, times * SIZES[name])

    @rule(which=st.integers(0, 30))
    def give_up(self, which: int) -> None:
        """Somebody who waits or reads leaves."""
        if self.tasks:
            self.tasks[which % len(self.tasks)].cancel()
        self.run()

    @rule(steps=st.integers(1, 12))
    def wait(self, steps: int) -> None:
        """Time passes."""
        self.run(steps=steps)

    @invariant()
    def the_budget_holds(self) -> None:
        """What is held, and what the pool says is kept, fits."""
        self.look()
        assert self.pool.resident_gib <= BUDGET

    def teardown(self) -> None:
        """When all is mended and everybody has been answered, nothing waits for ever and nothing stays pinned."""
        for engine in self.engines.values():
            engine.fails = False
            engine.over.set()
        self.run(steps=600)
        assert not self.tasks, "somebody waits for ever"
        for name in SIZES:
            assert self.loop.run_until_complete(self.pool.evict(name)), f"{name} stays pinned"
        assert self.pool.resident_gib == 0
        self.loop.close()

    async def _answer(self, name: str, *, patient: bool = False) -> None:
        stream = self.pool.engine(name, patient=patient).stream(HELLO, Decoding())
        try:
            async for _ in stream:
                pass
        finally:
            await stream.aclose()  # type: ignore[attr-defined]


TestStorm = Storm.TestCase
TestStorm.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def _step(storm: Storm, dice: random.Random) -> None:
    """One thing that can happen, as often as it does where people vote and a judge works."""
    a, b = dice.choices(sorted(SIZES), k=2)
    who = dice.randrange(30)
    happenings = {
        lambda: storm.ask(a): 3,
        lambda: storm.load_ahead(a, b): 4,
        lambda: storm.judge(a): 4,
        lambda: storm.finish(a): 5,
        lambda: storm.evict(a): 2,
        lambda: storm.enable(a, dice.random() < 0.7): 1,
        lambda: storm.break_or_mend(a, dice.random() < 0.3): 1,
        lambda: storm.measure(a, dice.choice([1.0, 1.0, 1.5])): 2,
        lambda: storm.give_up(who): 2,
        lambda: (storm.give_up(who), storm.give_up(who)): 2,  # the second time while the first is being taken in
        lambda: storm.wait(dice.randint(1, 30)): 3,
    }
    dice.choices(list(happenings), list(happenings.values()))[0]()
    storm.the_budget_holds()


def test_in_no_crowd_does_anybody_wait_for_ever() -> None:
    """Voters, judges and an operator by the dice; when everybody else has left, whoever waits gets through."""
    for seed in range(CROWDS):
        dice, storm = random.Random(seed), Storm()
        try:
            for _ in range(60):
                _step(storm, dice)
            storm.teardown()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
