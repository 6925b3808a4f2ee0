"""The end of a turn: its answers are written down, again and again where the database refuses them for a while.

It knows rooms and the store; it draws no pairs and asks no engine.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from arena.battles.masking import Masker
from arena.errors import StoreUnavailable
from arena.service.accounts import Accounts
from arena.service.live import Answers, LiveTurn
from arena.service.rooms import Room
from arena.service.watching import Watching, log_turn
from arena.store.store import Store
from arena.types import BattleStatus

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts to write answers down; each attempt waits for the database by itself, too."""


class Conclusions:
    """Writes the answers of one arena's turns down. `written` is called after each."""

    def __init__(
        self,
        store: Store,
        masker: Masker,
        watching: Watching,
        accounts: Accounts,
        written: Callable[[], None],
        *,
        log_prompts: bool,
    ) -> None:
        self._store, self._masker, self._watching, self._accounts = store, masker, watching, accounts
        self._written, self._log_prompts = written, log_prompts
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Wait for no database any more: one attempt for each turn is left."""
        self._ending.set()

    async def conclude(self, room: Room, live: LiveTurn, index: int) -> None:
        """Write the answers down as soon as they are complete. A turn whose answers no attempt could store has failed:
        it can be asked again."""
        answers = await asyncio.shield(live.answers)
        for pause in PAUSES:
            if await self._attempt(room, live, answers, index) or self._ending.is_set():
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)
        else:
            await self._attempt(room, live, answers, index)
        if room.battle.status is BattleStatus.ANSWERING and room.live is live:
            log.error("the answers of battle %s are lost: the database did not take them", room.battle.id)
            room.battle = replace(room.battle, status=BattleStatus.FAILED)
            room.rest()

    async def _attempt(self, room: Room, live: LiveTurn, answers: Answers, index: int) -> bool:
        """Whether nothing more can be done: the answers are written down, or never will be."""
        async with room.lock:
            try:
                masked = live.masked or self._masker.asks_identity(room.battle.turns[-1].prompt)
                await self._write_down(room, answers, index, masked=masked)
            except StoreUnavailable as error:
                log.warning("answers of battle %s are not on disk yet: %s", room.battle.id, error)
                return False
            except Exception:
                log.exception("answers of battle %s cannot be written down", room.battle.id)
                return True
            if room.live is live:
                room.rest()
        return True

    async def _write_down(self, room: Room, answers: Answers, index: int, *, masked: bool) -> None:
        a, b = answers["a"], answers.get("b")
        finished = room.battle.finish(a, b)
        if finished.turns[-1].failed:
            await self._store.fail_turn(room.battle.id, index, a, b)
        else:
            await self._store.finish_turn(room.battle.id, index, a, b, status=finished.status, masked=masked)
        room.battle, room.touched = finished, time.monotonic()
        self._written()
        self._watching.answered(room.names, (a, b))
        log_turn(finished, room.names, (a, b), prompts=self._log_prompts)
        await self._accounts.keep()
