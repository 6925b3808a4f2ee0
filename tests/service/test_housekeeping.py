"""What an open arena does by itself, on time and without anybody."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest

from arena.config import Settings
from arena.service.housekeeping import BACKUP_PAUSE, Housekeeping, until_backup
from arena.service.opening import open_store

DAY, NOW = 86_400.0, 1_790_000_000.0


@pytest.mark.parametrize(
    ("latest", "wait"),
    [
        (None, BACKUP_PAUSE),  # none yet: soon, and not in the rush of a start
        (NOW - 3_600, DAY - 3_600),  # restarted an hour after one
        (NOW - 2 * DAY, BACKUP_PAUSE),  # was off when the last was due
        (NOW, DAY),
        (NOW + 400 * DAY, DAY),  # a clock that was wrong then
    ],
)
def test_a_restart_does_not_put_the_backup_off(latest: float | None, wait: float) -> None:
    """The day is counted from the latest backup and not from the start of the process."""
    assert until_backup(DAY, latest, NOW) == wait


async def test_backups_are_made_by_themselves(tmp_path: Path) -> None:
    """A dated one appears in the storage directory while the arena is open."""
    settings = Settings(storage=tmp_path, backup_hours=1e-6)
    with open_store(settings) as store:
        chores = Housekeeping(settings, store, {}, time.time, lambda *_: None)
        task = asyncio.create_task(chores._back_up())
        while store.backed_up_at() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        latest = store.backed_up_at()
        assert latest is not None
        assert abs(time.time() - latest) < 3_600
