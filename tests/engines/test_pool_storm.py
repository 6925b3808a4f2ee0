"""Any storm of loads, evictions, failures and questions: the budget holds, and nobody is put away while it answers."""

from __future__ import annotations

import asyncio
import os
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


class Fragile:
    """An engine whose loads take a moment and may fail, and whose answers last until they are told to end."""

    def __init__(self, machine: Storm, name: str) -> None:
        self.machine, self.name = machine, name
        self.state = ModelState()
        self.fails = self.held = False
        self.answering = 0
        self.over = asyncio.Event()

    async def start(self) -> None:
        if self.state.phase is Phase.WARM:
            return
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
        for _ in range(steps):
            self.loop.run_until_complete(asyncio.sleep(0))
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.remove(task)
            with suppress(ModelUnavailable, asyncio.CancelledError):
                task.result()

    @rule(name=st.sampled_from(sorted(SIZES)))
    def ask(self, name: str) -> None:
        """Somebody asks a model."""
        self.engines[name].over.clear()
        self.run(self._answer(name))

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

    async def _answer(self, name: str) -> None:
        stream = self.pool.engine(name).stream(HELLO, Decoding())
        try:
            async for _ in stream:
                pass
        finally:
            await stream.aclose()  # type: ignore[attr-defined]


TestStorm = Storm.TestCase
TestStorm.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
