"""What the arena does by itself while it is open: stop what nobody watches, expire, back up, announce.

Each chore runs in a task of its own and outlives a database that refuses for a while.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import time
from collections.abc import Callable, Coroutine, MutableMapping

from arena.config import Settings
from arena.errors import StoreError
from arena.service.news import Bell
from arena.service.rooms import Room
from arena.service.views import Preparation
from arena.store.store import Store
from arena.types import BattleStatus

log = logging.getLogger(__name__)

REAPER_SECONDS, EXPIRY_SECONDS, TRIM_SECONDS = 0.2, 60.0, 60.0
"""Between two looks for what nobody watches, for what was left unvoted, for memory to give back."""

BACKUPS_KEPT = 14
BACKUP_PAUSE = 600.0
"""Seconds at least between two backups, also where the last one failed."""

ROOM_SECONDS, ENDED_SECONDS = 600.0, 60.0
"""How long a battle that nobody touches stays in memory, going on or voted on; afterwards the store has it."""

Spawn = Callable[[Coroutine[None, None, None], str], object]


class Housekeeping:
    """The chores of one open arena, over its rooms and its store."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        rooms: MutableMapping[str, Room],
        clock: Callable[[], float],
        spawn: Spawn,
    ) -> None:
        self._settings, self._store, self._rooms = settings, store, rooms
        self._clock, self._spawn = clock, spawn

    def begin(self, bell: Bell, preparation: Callable[[], Preparation]) -> None:
        """Start every chore."""
        self._spawn(self._reap(), "reaper")
        self._spawn(self._expire(), "expiry")
        self._spawn(self._back_up(), "backups")
        self._spawn(self._announce(bell, preparation), "announcements")
        self._spawn(self._give_back(), "freed memory")

    async def _reap(self) -> None:
        """Stop what nobody watches, forget rooms that nobody enters."""
        while True:
            await asyncio.sleep(REAPER_SECONDS)
            for battle_id, room in list(self._rooms.items()):
                if room.live is not None and room.live.neglected(self._settings.grace_seconds):
                    self._spawn(_stopped(room), "neglected")
                patience = ENDED_SECONDS if room.battle.names_known else ROOM_SECONDS
                idle = time.monotonic() - room.touched > patience
                if idle and room.battle.status is not BattleStatus.ANSWERING:
                    del self._rooms[battle_id]

    async def _expire(self) -> None:
        """Close battles that were left unvoted."""
        while True:
            try:
                await self._store.expire_battles(self._clock() - self._settings.battle_ttl_hours * 3600)
            except StoreError as error:
                log.warning("no battle was expired: %s", error)
            await asyncio.sleep(EXPIRY_SECONDS)

    async def _back_up(self) -> None:
        """Copy the database at the operator's interval; PostgreSQL has tools of its own."""
        every = self._settings.backup_hours * 3600
        while every and self._settings.database.startswith("sqlite"):
            await asyncio.sleep(until_backup(every, self._store.backed_up_at(), self._clock()))
            try:
                made = await asyncio.to_thread(self._store.backup, keep=BACKUPS_KEPT)
            except (StoreError, OSError) as error:
                log.error("no backup was made: %s", error)
            else:
                log.info("backed up to %s", made)

    async def _give_back(self) -> None:
        """Hand freed memory back now and then."""
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            await asyncio.to_thread(give_back)

    async def _announce(self, bell: Bell, preparation: Callable[[], Preparation]) -> None:
        """Tell listeners how the preparation goes, as long as it goes."""
        while (now := preparation()).ready < now.total:
            bell.ring()
            await asyncio.sleep(1.0)
        bell.ring()


def give_back() -> None:
    """Hand freed memory back to the machine, which the C library keeps for itself; where it can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def until_backup(every: float, latest: float | None, now: float) -> float:
    """Seconds until the next backup, counted from the latest: an arena that is restarted daily must come to one too.

    At least some minutes, so that neither a start nor a full disk makes one after the other.
    """
    due = 0.0 if latest is None else latest + every - now
    return max(min(due, every), min(every, BACKUP_PAUSE))


async def _stopped(room: Room) -> None:
    if room.live is not None:
        await room.live.stop()
