"""The judges of a catalogue at work: their engines, their purses, and one watching task each.

The running arena and the command line build judges here. It knows neither screen nor page.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

from arena.config import Catalog, Judge, Settings
from arena.errors import ArenaError
from arena.judge.judge import BattleJudge, JudgmentDesk
from arena.judge.prompts import JudgingProtocol, OwnProtocol
from arena.judge.spending import Purse
from arena.service.fleet import Fleet, build_fleet
from arena.service.local_models import PooledModels

log = logging.getLogger(__name__)


def judges_fleet(judges: Iterable[Judge], catalog: Catalog, settings: Settings) -> Fleet:
    """Engines for these judges, disabled ones included: who names a judge wants it."""
    enabled = tuple(entry.model_copy(update={"enabled": True}) for entry in judges)
    return build_fleet(replace(catalog, contestants=enabled), settings, PooledModels)


def battle_judge(
    entry: Judge,
    fleet: Fleet,
    desk: JudgmentDesk,
    *,
    protocol: JudgingProtocol | None = None,
    workers: int | None = None,
) -> BattleJudge:
    """One judge with its engine and the purse that its price and cap describe."""
    price = entry.price
    purse = Purse(
        desk,
        entry.name,
        prompt_price=price.prompt if price else 0.0,
        completion_price=price.completion if price else 0.0,
        cap=entry.spending_cap,
    )
    return BattleJudge(
        entry.name,
        fleet.engine(entry.name),
        desk,
        protocol=protocol or OwnProtocol(),
        decoding=entry.decoding,
        purse=purse,
        workers=workers or entry.concurrency,
    )


class JudgeCrew:
    """The enabled judges of a running arena, working through voted battles in the background."""

    def __init__(self, catalog: Catalog, settings: Settings, desk: JudgmentDesk) -> None:
        self._judges = catalog.enabled_judges
        self._desk = desk
        self._fleet = judges_fleet(self._judges, catalog, settings) if self._judges else None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to watch for voted battles; returns at once."""
        if self._fleet is None:
            return
        await self._fleet.start()
        for entry in self._judges:
            judge = battle_judge(entry, self._fleet, self._desk)
            self._tasks.append(asyncio.create_task(self._watch(judge, entry.name), name=f"judge {entry.name}"))

    async def close(self) -> None:
        """Stop; claims lapse and are taken up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._fleet is not None:
            await self._fleet.close()

    async def _watch(self, judge: BattleJudge, name: str) -> None:
        try:
            await judge.watch()
        except ArenaError as error:
            log.warning("judge %s stopped: %s", name, error)
