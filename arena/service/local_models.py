"""The models that this machine runs itself: measured, toys trained where needed, loaded ahead, progress told.

It joins the catalogue, the planner and the pool of workers, and knows no battle. Training the demo's
toys happens in a process of its own, at low priority, so that the page stays quick.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from arena.config import Catalog, Contestant, Settings
from arena.engines.base import Engine
from arena.engines.gpus import visible_gpus
from arena.engines.local import LocalEngine, Phase
from arena.engines.memory import GIB
from arena.engines.nursery import Nursery
from arena.engines.placement import Placement
from arena.engines.pool import Pool, Snapshot
from arena.engines.socket_folder import sweep
from arena.errors import ModelUnavailable
from arena.service.inventory import SHARE_OF_FREE, Reservation, budget, reservations, the_hub
from arena.service.views import Preparation
from arena.service.worker_specs import DEMO, worker_spec
from arena.types import Chunk, Conversation, Decoding, Finish

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""How often a model that would not load is tried again without being asked for."""

TRAINING_SECONDS = 60.0
"""What training a toy is expected to take before the first one has told better."""

COUNTED_AS_THE_DRIVER_DOES = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
"""Else CUDA counts the fastest GPU first, and a model would be put where another has the room that was measured."""

LOADING_SECONDS = 4.0
LOADING_SECONDS_PER_GIB = 1.5
"""What a load is expected to take before the first one of that model has told better."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What models may take together in GiB (None: not known), what to keep for each, and what each GPU has."""

    budget_gib: float | None
    kept: Mapping[str, Reservation]
    gpus: tuple[float, ...] = ()


Measure = Callable[[Sequence[Contestant], Settings], Iterator[Measured]]
"""Measures models before they are loaded, at once and then better; blocks, so it runs in a thread."""


def measured(entries: Sequence[Contestant], settings: Settings) -> Iterator[Measured]:
    """First by what lies on this machine, without a network; then by the hub for what was not there."""
    found = visible_gpus()
    limit = budget(settings.vram, Catalog(tuple(entries), profile="cpu"), found)
    rooms = tuple(SHARE_OF_FREE * gpu.free / GIB for gpu in found)
    hub = the_hub()
    entries = [entry.model_copy(update={"model": worker_spec(entry, settings).model}) for entry in entries]
    kept = reservations(entries, hub.offline(), limit.device)
    yield Measured(limit.gib, kept, rooms)
    unread = [entry for entry in entries if kept[entry.name].kv_blocks is None and not entry.toy]
    if unread:
        yield Measured(limit.gib, kept | reservations(unread, hub, limit.device), rooms)


class PlacedEngine(LocalEngine):
    """A local engine that asks which GPU to take each time it starts from nothing."""

    place: Callable[[], str] = staticmethod(lambda: "auto")
    leave: Callable[[], None] = staticmethod(lambda: None)

    async def start(self) -> None:
        """Take a place, then load."""
        if self.state.phase in (Phase.COLD, Phase.FAILED):
            self.spec = replace(self.spec, device=self.place())
        try:
            await super().start()
        except ModelUnavailable:
            if not self.comes_back:
                self.leave()
            raise

    async def unload(self) -> None:
        """End the worker, then give the place back."""
        await super().unload()
        self.leave()


class GuestEngine:
    """An engine that waits for its model to be at hand before each answer."""

    def __init__(self, engine: Engine, at_hand: Callable[[], Coroutine[None, None, None]]) -> None:
        self._engine, self._at_hand = engine, at_hand

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        """Answer the conversation's last user message."""
        await self._at_hand()
        async with aclosing(
            cast("AsyncGenerator[Chunk | Finish]", self._engine.stream(conversation, decoding))
        ) as items:
            async for item in items:
                yield item

    async def close(self) -> None:
        """The pool closes what it holds."""


class PooledModels:
    """Local contestants behind one pool."""

    def __init__(self, entries: Sequence[Contestant], settings: Settings, measure: Measure = measured) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._settings, self._measure = settings, measure
        self._pool = Pool(settings.vram)
        self._nursery = Nursery(environment={"OMP_NUM_THREADS": str(settings.threads)} | COUNTED_AS_THE_DRIVER_DOES)
        self._engines = {entry.name: PlacedEngine(worker_spec(entry, settings), self._nursery) for entry in entries}
        self._placement = Placement()
        for name, engine in self._engines.items():
            self._pool.add(name, engine)
        self._progress = {entry.name: 0.0 for entry in entries if entry.toy}
        self._problem: str | None = None
        self._started = time.monotonic()
        self._sized = asyncio.Event()
        self._trained: set[str] = set()  # toys that need not be awaited any more
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to prepare: measure, train the toys that are missing, load what fits. Returns at once."""
        self._started = time.monotonic()
        sweep()
        if self._progress:
            self._spawn(self._raise_toys())
        self._spawn(self._measure_and_load())

    def engine(self, name: str) -> Engine:
        """The engine of a local contestant; it loads when it must."""
        return self._pool.engine(name)

    def guest(self, name: str) -> Engine:
        """The same for a judge: it begins once the model can be loaded, and lets people's battles go first."""
        return GuestEngine(self._pool.engine(name, patient=True), partial(self._until_loadable, name))

    def ready(self) -> frozenset[str]:
        """Who is loaded, and who can be loaded on demand: real models once they are measured, toys that were
        trained. Nobody in quarantine."""
        warm = self._pool.warm_names()
        if not self._sized.is_set():
            return warm
        known = frozenset(name for name, entry in self._entries.items() if not entry.toy or name in self._trained)
        return warm | known & self._pool.available_names()

    def cold(self) -> frozenset[str]:
        """Those that would have to be loaded before they answer."""
        return frozenset(self._entries) - self._pool.warm_names()

    def together(self, names: Iterable[str]) -> bool:
        """Whether the memory holds these at once."""
        return self._pool.fits([name for name in names if name in self._entries])

    async def warm(self, names: Iterable[str]) -> None:
        """Load these together, waiting for room where it must. Raises `ModelUnavailable`."""
        mine = [name for name in names if name in self._entries]
        await self._sized.wait()
        began = time.monotonic()
        cold = [name for name in mine if name in self.cold()]
        for name in cold:
            self._began.setdefault(name, began)
        try:
            await self._pool.warm(mine)
            took = time.monotonic() - began
            self._took.update(dict.fromkeys(cold, took))
            self._trained.update(cold)
        finally:
            for name in cold:
                self._began.pop(name, None)

    def seconds(self, names: Iterable[str]) -> float:
        """About how long until all of these can answer; 0 when they can."""
        states = {one.name: one for one in self._pool.snapshot()}
        left = [self._left(states[name]) for name in names if name in states]
        return max(left, default=0.0)

    def preparation(self) -> Preparation:
        """How far training and loading are."""
        snapshots = self._pool.snapshot()
        shares = [
            1.0 if one.phase is Phase.WARM else 0.8 * self._progress.get(one.name, 1.0) + 0.2 * one.progress
            for one in snapshots
        ]
        done = sum(shares) / len(shares) if shares else 1.0
        elapsed = time.monotonic() - self._started
        left = elapsed * (1 - done) / done if done > 0.05 else TRAINING_SECONDS * len(shares)
        return Preparation(len(self.ready()), len(snapshots), done, None if done >= 1 else left, self._problem)

    def states(self) -> tuple[Snapshot, ...]:
        """Every model as the operator sees it."""
        return self._pool.snapshot()

    def memory(self) -> tuple[float, float | None]:
        """GiB kept for what is resident, and GiB that models may take together (None: not known)."""
        return self._pool.resident_gib, self._pool.budget_gib

    def pardon(self, name: str) -> None:
        """End a model's quarantine."""
        self._engines[name].pardon()

    async def evict(self, name: str) -> bool:
        """Put a model away; False when it is answering and stays."""
        return await self._pool.evict(name)

    async def enable(self, name: str, enabled: bool) -> None:
        """Let a model take part or not; one that answers finishes first."""
        await self._pool.enable(name, enabled)

    async def close(self) -> None:
        """End training and every worker."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close()
        await self._nursery.close()

    # ---------------------------------------------------------------- inside

    async def _until_loadable(self, name: str) -> None:
        """Wait until sizes are known and, for a toy, until it was trained."""
        await self._sized.wait()
        while self._entries[name].toy and name not in self._trained | self._pool.warm_names():  # noqa: ASYNC110  # no bell
            await asyncio.sleep(1.0)

    def _left(self, state: Snapshot) -> float:
        if state.phase is Phase.WARM:
            return 0.0
        expected = self._took.get(state.name, LOADING_SECONDS + LOADING_SECONDS_PER_GIB * state.gib)
        elapsed = time.monotonic() - self._began.get(state.name, time.monotonic())
        if state.progress > 0.3 and elapsed > 1:  # earlier it tells little
            expected = elapsed / state.progress
        return max(1.0, expected - elapsed)

    async def _measure_and_load(self) -> None:
        """Give every model its size, then load the first pair; sizes that the hub knows better follow."""
        looks = self._measure(tuple(self._entries.values()), self._settings)
        first = True
        while (found := await asyncio.to_thread(next, looks, None)) is not None:
            self._keep(found)
            self._sized.set()
            if first:
                self._spawn(self._load(self._first_pair()))
            first = False

    def _keep(self, found: Measured) -> None:
        """Reserve what was measured. A model that is resident keeps what it was loaded with."""
        self._pool.budget_gib = found.budget_gib
        if not self._sized.is_set():
            self._placement = Placement(found.gpus)
        resident = self._pool.warm_names()
        for name, kept in found.kept.items():
            self._pool.resize(name, kept.gib)
            engine = self._engines[name]
            if kept.kv_blocks is not None and name not in resident:
                engine.spec = replace(engine.spec, num_blocks=kept.kv_blocks)
            engine.place = partial(self._placement.take, name, kept.gib)
            engine.leave = partial(self._placement.leave, name)

    def _first_pair(self) -> list[str]:
        """Two models to have ready for the first voter, in the catalogue's order; the others load when drawn."""
        chosen: list[str] = []
        for name in (name for name, entry in self._entries.items() if not entry.toy):
            if len(chosen) < 2 and self._pool.fits([*chosen, name]):
                chosen.append(name)
        return chosen

    async def _load_beside(self, name: str) -> None:
        """Load a toy that was just trained, unless others would have to leave for it: then it waits to be drawn."""
        await self._sized.wait()
        if self._pool.has_room(name):
            await self._load([name])
        else:
            self._trained.add(name)

    async def _load(self, names: Sequence[str]) -> None:
        """Load together; what fails is tried again when its quarantine is over."""
        for _ in range(ATTEMPTS if names else 0):
            try:
                await self.warm(names)
            except ModelUnavailable as error:
                self._problem = str(error)
                log.warning("not loaded: %s", error)
                waits = [one.retry_in or 0.0 for one in self._pool.snapshot() if one.name in names]
                await asyncio.sleep(max(waits) + 1.0)
            else:
                self._problem = None
                return

    async def _raise_toys(self) -> None:
        """Run the trainer and load each toy as soon as its checkpoint is there."""
        by_folder = {Path(entry.model or "").name: entry.name for entry in self._entries.values() if entry.toy}
        trainer = await asyncio.create_subprocess_exec(
            "nice", "-n", "5", sys.executable, "-m", "arena.engines.toys", str(self._settings.storage / DEMO),
            stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert trainer.stdout is not None
        try:
            while line := await trainer.stdout.readline():
                self._heard(json.loads(line), by_folder)
            if await trainer.wait():
                self._problem = "the demo models could not be trained: see the log"
        finally:
            if trainer.returncode is None:
                trainer.kill()
                await trainer.wait()

    def _heard(self, report: dict[str, object], by_folder: dict[str, str]) -> None:
        name = by_folder.get(str(report.get("toy")))
        if name is None:
            return
        if report.get("state") == "ready":
            self._progress[name] = 1.0
            self._spawn(self._load_beside(name))
        elif isinstance(report.get("progress"), float):
            self._progress[name] = float(str(report["progress"]))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
