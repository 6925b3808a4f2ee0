"""Keeps as many local models resident as the memory allows, and never evicts one that is answering.

Figures come from outside (the planner, or the operator); this module only adds and subtracts
them. It knows nothing of processes: an engine that can be started and unloaded is all it needs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from arena.engines.base import Engine
from arena.engines.local import LocalEngine, ModelState, Phase
from arena.engines.whole import to_its_end
from arena.errors import ModelUnavailable
from arena.types import Chunk, Conversation, Decoding, Finish


@runtime_checkable
class Loadable(Protocol):
    """An engine whose model takes memory only between `start` and `unload`."""

    state: ModelState

    async def start(self) -> None:
        """Load the model. Raises ModelUnavailable."""
        ...

    async def unload(self) -> None:
        """Give the model's memory back."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A contestant as the page and the operator see it.

    `retry_in` is seconds until a failed one is tried again, `failed` what befell its workers since the start, by kind.
    """

    name: str
    phase: Phase
    progress: float
    gib: float
    answering: int
    enabled: bool
    reason: str = ""
    retry_in: float | None = None
    failed: Mapping[str, int] = field(default_factory=dict)


class _Place:
    """A contestant's place in the pool: its engine, its size, who uses it, when it was last of use."""

    def __init__(self, name: str, engine: Engine, gib: float) -> None:
        self.name, self.engine, self.gib = name, engine, gib
        self.enabled = True
        self.answering = 0
        self.wanted = 0
        self.used_at = 0.0
        self.resident = False

    @property
    def state(self) -> ModelState:
        return self.engine.state if isinstance(self.engine, Loadable) else ModelState(Phase.WARM, 1.0)

    @property
    def comes_back(self) -> bool:
        return isinstance(self.engine, LocalEngine) and self.engine.comes_back


class Pool:
    """The contestants of one machine under one memory budget.

    `budget_gib` None means that everything may be resident. `add` in any order, then use
    `engine(name)` wherever an `Engine` is wanted; `warm` loads ahead.
    """

    def __init__(self, budget_gib: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget_gib = budget_gib
        self._clock = clock
        self._places: dict[str, _Place] = {}
        self._changed = asyncio.Condition()
        self._in_line = 0  # callers of whom people wait, themselves waiting for room

    def add(self, name: str, engine: Engine, *, gib: float = 0.0) -> Engine:
        """Give a contestant a place; returns the engine to use, which loads and pins as needed."""
        if name in self._places:
            raise ValueError(f"{name} is already in the pool")
        self._places[name] = _Place(name, engine, gib if isinstance(engine, Loadable) else 0.0)
        return PooledEngine(self, name)

    def engine(self, name: str, *, patient: bool = False) -> Engine:
        """The engine of a contestant, loading and pinning as needed.

        A patient one (a judge's, for whom nobody waits) takes up nothing while others wait for room.
        """
        return PooledEngine(self, self._place(name).name, patient)

    def resize(self, name: str, gib: float) -> None:
        """Correct the memory kept for a model; without effect while it is resident, since it was loaded as planned."""
        place = self._place(name)
        if not place.resident and isinstance(place.engine, Loadable):
            place.gib = gib

    def fits(self, names: Iterable[str]) -> bool:
        """Whether these could be resident together if nothing else were."""
        needed = sum(self._place(name).gib for name in set(names))
        return self.budget_gib is None or needed <= self.budget_gib

    def has_room(self, name: str) -> bool:
        """Whether a model could be loaded now without putting another away."""
        return self._fits([self._place(name)])

    @property
    def resident_gib(self) -> float:
        """Memory kept for what is resident or loading now."""
        return sum(place.gib for place in self._places.values() if place.resident)

    def snapshot(self) -> tuple[Snapshot, ...]:
        """Every contestant's state now."""
        return tuple(self._seen(place) for place in self._places.values())

    def warm_names(self) -> frozenset[str]:
        """Contestants that can answer without waiting."""
        return frozenset(p.name for p in self._places.values() if p.enabled and p.state.phase is Phase.WARM)

    def available_names(self) -> frozenset[str]:
        """Contestants that can answer now or after loading: enabled, not in quarantine, not larger than the budget."""
        return frozenset(place.name for place in self._places.values() if self._usable(place))

    async def warm(self, names: Iterable[str]) -> None:
        """Make all of these resident together, evicting what is of least use.

        Waits while models that answer hold the memory. Raises ModelUnavailable when one is
        disabled or cannot be loaded, or when they never fit together.
        """
        places = [self._place(name) for name in dict.fromkeys(names)]
        await self._make_room(places)
        try:
            await _all(place.engine.start() for place in places if isinstance(place.engine, Loadable))
        finally:
            await self._release(places)

    @asynccontextmanager
    async def acquire(self, name: str, *, patient: bool = False) -> AsyncIterator[Engine]:
        """The loaded engine of a contestant, safe from eviction inside the block."""
        place = self._place(name)
        if patient:  # it pins nothing before it was let through: the line may be waiting for this very model
            await self._make_room([place], patient)
        else:
            place.wanted += 1  # from here on nobody evicts it
        try:
            await self.warm([name])
            place.answering += 1
            try:
                yield place.engine
            finally:
                place.answering -= 1
        finally:
            place.used_at = self._clock()
            await self._release([place])

    async def evict(self, name: str) -> bool:
        """Put a model away now; False when it is answering and stays."""
        place = self._place(name)
        async with self._changed:  # whoever wants it meanwhile waits until it is away, and loads it anew
            if place.answering or place.wanted:
                return False
            await self._put_away(place)
        return True

    async def enable(self, name: str, enabled: bool) -> None:
        """Let a contestant answer or not. A disabled one finishes what it says and is put away."""
        self._place(name).enabled = enabled
        if not enabled:
            await self.evict(name)

    async def close(self) -> None:
        """Close every engine."""
        await asyncio.gather(*(place.engine.close() for place in self._places.values()))

    def _place(self, name: str) -> _Place:
        if (place := self._places.get(name)) is None:
            raise ModelUnavailable(f"there is no contestant {name!r}")
        return place

    def _usable(self, place: _Place) -> bool:
        retry_at = place.state.retry_at
        resting = place.state.phase is Phase.FAILED and retry_at is not None and retry_at > self._clock()
        return place.enabled and not resting and (self.budget_gib is None or place.gib <= self.budget_gib)

    def _seen(self, place: _Place) -> Snapshot:
        state = place.state
        retry_in = None if state.retry_at is None else max(0.0, state.retry_at - self._clock())
        failed = dict(place.engine.failed) if isinstance(place.engine, LocalEngine) else {}
        return Snapshot(
            place.name, state.phase, state.progress, place.gib, place.answering, place.enabled, state.reason, retry_in,
            failed,
        )  # fmt: skip

    async def _make_room(self, places: list[_Place], patient: bool = False) -> None:
        """Reserve memory for all of them at once, and pin them; so two callers never hold half of what each needs."""
        self._refuse_the_impossible(places)
        async with self._changed:
            self._in_line += not patient
            try:
                await self._until_room(places, patient)
            finally:
                self._in_line -= not patient
                self._changed.notify_all()
            for place in places:
                place.wanted += 1  # not before: whoever waits for room must not hold any
                place.resident = True
                place.used_at = self._clock()

    async def _until_room(self, places: list[_Place], patient: bool) -> None:
        """Put away what is of least use until these fit; the patient let others go first."""
        while (others := patient and self._in_line) or not self._fits(places):
            if others or (victim := self._least_useful(besides=places)) is None:
                await self._changed.wait()
            else:
                await self._put_away(victim)
            self._refuse_the_impossible(places)  # a size or the operator's mind may be another by now

    def _refuse_the_impossible(self, places: list[_Place]) -> None:
        for place in places:
            if not place.enabled:
                raise ModelUnavailable(f"{place.name} is disabled by the operator")
        needed = sum(place.gib for place in places)
        if self.budget_gib is not None and needed > self.budget_gib:
            names = " and ".join(place.name for place in places)
            raise ModelUnavailable(f"{names} need {needed:.1f} GiB, the budget is {self.budget_gib:.1f} GiB")

    def _fits(self, places: list[_Place]) -> bool:
        if self.budget_gib is None:
            return True
        resident = {place.name: place.gib for place in self._places.values() if place.resident}
        return sum((resident | {place.name: place.gib for place in places}).values()) <= self.budget_gib + 1e-9

    def _least_useful(self, besides: list[_Place]) -> _Place | None:
        """The resident model that nobody uses or waits for and that was of use longest ago."""
        resident = [place for place in self._places.values() if place.resident and place.gib]
        idle = [place for place in resident if not place.answering and not place.wanted and place not in besides]
        return min(idle, key=lambda place: (place.used_at, -place.gib), default=None)

    async def _release(self, places: list[_Place]) -> None:
        """Unpin them. One that was not loaded gives its room back once nobody is left who may be loading it anew."""
        for place in places:
            place.wanted -= 1
            if not place.wanted and place.state.phase is Phase.FAILED:
                place.resident = place.resident and place.comes_back
        await self._announce()
        for place in places:
            if not place.enabled:  # it was disabled while it loaded or spoke
                await self.evict(place.name)

    async def _put_away(self, place: _Place) -> None:
        """Under the lock. Also for a caller who leaves meanwhile: half put away, its memory would be nobody's."""
        try:
            if isinstance(place.engine, Loadable):
                await to_its_end(place.engine.unload())
        finally:
            place.resident = False
            self._changed.notify_all()

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class PooledEngine:
    """A contestant's engine that finds room for its model first and keeps it there while it answers."""

    def __init__(self, pool: Pool, name: str, patient: bool = False) -> None:
        self._pool, self._name, self._patient = pool, name, patient

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        """Answer the conversation's last user message."""
        async with self._pool.acquire(self._name, patient=self._patient) as engine:
            answer = engine.stream(conversation, decoding)
            try:
                async for item in answer:
                    yield item
            finally:
                await answer.aclose()  # type: ignore[attr-defined]

    async def close(self) -> None:
        """The pool closes what it holds."""


async def _all(tasks: Iterable[object]) -> None:
    """Await all; when some failed, raise the first failure after every one has ended."""
    results = await asyncio.gather(*tasks, return_exceptions=True)  # type: ignore[call-overload]
    for result in results:
        if isinstance(result, BaseException):
            raise result
