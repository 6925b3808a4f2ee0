"""The judges of a catalogue at work: their engines, their purses, and one watching task each.

The running arena and the command line build judges here. It knows neither screen nor page.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

from arena.config import Catalog, Judge, Settings
from arena.engines.base import Engine
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
    return build_fleet(replace(catalog, contestants=enabled, judges=()), settings, PooledModels)


def battle_judge(
    entry: Judge,
    engine: Engine,
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
        engine,
        desk,
        protocol=protocol or OwnProtocol(),
        decoding=entry.decoding,
        purse=purse,
        workers=workers or entry.concurrency,
    )


class JudgeCrew:
    """The enabled judges of a running arena, working through voted battles in the background.

    Judges that run on this machine are guests of the arena's fleet and share its memory; others bring their own.
    """

    def __init__(self, catalog: Catalog, settings: Settings, desk: JudgmentDesk, host: Fleet) -> None:
        self._judges, self._desk, self._host = catalog.enabled_judges, desk, host
        others = [entry for entry in self._judges if host.guest(entry.name) is None]
        self._fleet = judges_fleet(others, catalog, settings) if others else None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to watch for voted battles; returns at once."""
        if self._fleet is not None:
            await self._fleet.start()
        for entry in self._judges:
            judge = battle_judge(entry, self._engine(entry.name), self._desk)
            self._tasks.append(asyncio.create_task(self._watch(judge, entry.name), name=f"judge {entry.name}"))

    async def close(self) -> None:
        """Stop; what was being judged goes back to the queue."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._fleet is not None:
            await self._fleet.close()

    def _engine(self, name: str) -> Engine:
        guest = self._host.guest(name)
        if guest is not None:
            return guest
        assert self._fleet is not None  # it holds every judge that is no guest
        return self._fleet.engine(name)

    async def _watch(self, judge: BattleJudge, name: str) -> None:
        try:
            await judge.watch()
        except ArenaError as error:
            log.warning("judge %s stopped: %s", name, error)
