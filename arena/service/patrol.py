"""Looks for rigged votes by itself while the arena is open: seldom, briefly, and in a thread.

It holds votes back only where the operator said so (`ARENA_INTEGRITY_AUTO`); otherwise it tells, in the log, to
Prometheus and on the operator's page, and leaves the deed to a person. It knows no page.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from arena.errors import StoreError
from arena.service.housekeeping import give_back
from arena.service.integrity import Finding, IntegrityDesk, reason_of, reason_of_crowd
from arena.store.store import Store

log = logging.getLogger(__name__)

MOST = 50_000
"""The newest so many votes are looked at: a fraction of a second of one core."""

FEWEST, SHARE = 50, 0.02
"""A look is worth its while after so many new votes, and after so large a share of those it would read."""

REST = 50.0
"""After a look it rests for so many times the seconds that the look took: at most a fiftieth of one core."""

TICK = 15.0
"""Seconds between looks at whether a look is due."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the latest look found and when (Unix seconds); `held` counts votes that it held back by itself."""

    at: float
    seconds: float
    votes: int
    voters: int
    crowds: int
    held: int


class Patrol:
    """Looks into one store, again and again. `now` tells Unix seconds."""

    def __init__(self, store: Store, *, auto: bool, now: Callable[[], float] = time.time, tick: float = TICK) -> None:
        self._store, self._desk, self._auto, self._now, self._tick = store, IntegrityDesk(store), auto, now, tick
        self._seen = 0  # the board's version at the latest look
        self._rested = 0.0
        self._told: frozenset[str] = frozenset()
        self.sighting: Sighting | None = None
        self.held = 0  # votes held back by itself since the start

    async def keep_looking(self) -> None:
        """Look whenever it is due, until cancelled; a database that refuses is asked again later."""
        while True:
            await asyncio.sleep(self._tick)
            try:
                if await asyncio.to_thread(self.look_if_due) is not None:
                    await asyncio.to_thread(give_back)
            except StoreError as error:
                log.warning("votes were not looked over: %s", error)
            except Exception:
                log.exception("looking over votes failed in an unforeseen way")
                return

    def look_if_due(self) -> Sighting | None:
        """One look, when enough votes came and the last one is long enough ago. Blocks."""
        version = self._store.board_version()
        if version - self._seen < max(FEWEST, SHARE * min(version, MOST)) or time.monotonic() < self._rested:
            return None
        began = time.monotonic()
        finding = self._desk.sweep(MOST, hold=self._auto)
        seconds = time.monotonic() - began
        self._rested = time.monotonic() + REST * seconds
        self._seen = self._store.board_version()
        self.held += finding.held
        flagged, crowds = len(finding.flagged), len(finding.crowds)
        self.sighting = Sighting(self._now(), seconds, finding.votes, flagged, crowds, finding.held)
        self._tell(finding)
        return self.sighting

    def _tell(self, finding: Finding) -> None:
        """A line in the log for everything that was not said in the last one."""
        said = {one.code: reason_of(one.evidence) for one in finding.flagged}
        said |= {f"{one.alarm.most} {one.alarm.shift.model}": reason_of_crowd(one.alarm) for one in finding.crowds}
        done = "held back" if self._auto else "waits for the operator"
        for key, reason in said.items():
            if key not in self._told:
                log.warning("suspicious votes, %s: %s", done, reason, extra={"fields": {"event": "integrity"}})
        self._told = frozenset(said)
