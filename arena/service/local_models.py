"""The models that this machine runs itself: toys trained where needed, the pool filled, progress told.

It joins the catalogue to the pool of workers and knows no battle. Training the demo's toys happens
in a process of its own, at low priority, so that the page stays quick.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from arena.config import Contestant, Settings
from arena.engines.base import Engine
from arena.engines.local import LocalEngine, Phase
from arena.engines.nursery import Nursery
from arena.engines.pool import Pool
from arena.engines.worker.spec import WorkerSpec
from arena.errors import ModelUnavailable
from arena.service.fleet import system_prompt
from arena.service.views import Preparation

log = logging.getLogger(__name__)

DEMO = "demo"
"""Folder of the storage directory in which the toys are kept."""

ATTEMPTS = 5
"""How often a model that would not load is tried again without being asked for."""

TRAINING_SECONDS = 60.0
"""What training a toy is expected to take before the first one has told better."""


class PooledModels:
    """Local contestants behind one pool."""

    def __init__(self, entries: Sequence[Contestant], settings: Settings) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._settings = settings
        self._pool = Pool(settings.vram)
        self._nursery = Nursery(environment={"OMP_NUM_THREADS": str(settings.threads)})
        for entry in entries:
            self._pool.add(entry.name, LocalEngine(worker_spec(entry, settings), self._nursery))
        self._progress = {entry.name: 0.0 for entry in entries if entry.toy}
        self._problem: str | None = None
        self._started = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to prepare: train the toys that are missing, load what fits."""
        self._started = time.monotonic()
        self._spawn(self._raise_toys() if self._progress else self._load_first())

    def engine(self, name: str) -> Engine:
        """The engine of a local contestant; it loads when it must."""
        return self._pool.engine(name)

    def ready(self) -> frozenset[str]:
        """Toys that are loaded, and real models that are not in quarantine: those load while the voter waits."""
        warm, available = self._pool.warm_names(), self._pool.available_names()
        return frozenset(name for name, entry in self._entries.items() if name in (warm if entry.toy else available))

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

    async def close(self) -> None:
        """End training and every worker."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close()
        await self._nursery.close()

    async def _load_first(self) -> None:
        """Load two models ahead of the first voter; the others load when their pair is drawn."""
        await self._load(list(self._entries)[:2])

    async def _load(self, names: Sequence[str]) -> None:
        """Load together; what fails is tried again when its quarantine is over."""
        for _ in range(ATTEMPTS):
            try:
                await self._pool.warm(names)
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
            self._spawn(self._load([name]))
        elif isinstance(report.get("progress"), float):
            self._progress[name] = float(str(report["progress"]))

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def worker_spec(entry: Contestant, settings: Settings) -> WorkerSpec:
    """What a worker must know to load and speak for a local contestant."""
    model = entry.model or ""
    return WorkerSpec(
        model=str(settings.storage / DEMO / Path(model).name) if entry.toy else model,
        revision=entry.revision,
        quantization=entry.quantization or "nf4",
        context=entry.context,
        max_batch=entry.concurrency,
        system_prompt=system_prompt(entry, settings),
        system_role=entry.chat.system_role,
        documents_role=entry.chat.documents_role,
        think=entry.chat.think is not None,
        stop=entry.chat.stop,
        template=entry.chat.template.read_text(encoding="utf-8") if entry.chat.template else None,
        trust_remote_code=entry.trust_remote_code,
        draft=entry.draft,
    )
