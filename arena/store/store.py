"""The one door to the database: every battle, turn, vote, undo and failure goes through here.

A write is handed to the writer thread, which commits all waiting writes together, and comes back
as a `Pending`: `await` it, or call `.result()` where there is no event loop. It resolves only after
COMMIT. Reads run at once on connections of their own, take well under a millisecond unless said
otherwise, and see committed data only. The database session never leaves this package; the store
knows nothing of engines, pages, cookies or how ratings are computed.

What can be asked stands in `arena.store.doors`, a leaf for each subject; here it is opened and closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from arena.errors import StoreUnavailable
from arena.store import board, keyring
from arena.store.connections import Database
from arena.store.doors.battles import BattleDoor
from arena.store.doors.board import BoardDoor
from arena.store.doors.judging import JudgingDoor
from arena.store.doors.upkeep import UpkeepDoor
from arena.store.doors.votes import VoteDoor
from arena.store.migrate import bring_up_to_date
from arena.store.voting import EloFold, EloStep, Rules
from arena.store.writer import Writer


class Store(BattleDoor, VoteDoor, BoardDoor, JudgingDoor, UpkeepDoor):
    """Opened once per process by `Store.open`; safe to call from any thread."""

    @classmethod
    def open(
        cls,
        url: str | None = None,
        *,
        storage_dir: Path,
        elo_step: EloStep,
        elo_start: float = 1000.0,
        elo_fold: EloFold | None = None,
        clock: Callable[[], float] = time.time,
        secrets: Sequence[bytes] = (b"",),
    ) -> Store:
        """Open the database, creating or migrating it first (on a copy, under a lock, after a backup).

        `url` is None for `storage_dir/arena.db`, else `sqlite:///PATH` or `postgresql+psycopg://…`.
        `elo_step(rating_a, rating_b, outcome)` returns both new ratings; `outcome` is side A's score. `elo_fold` does
        the same for many comparisons in order (see `EloFold`): it makes `rebuild` several times as fast. The first of
        `secrets` wraps the keys under which texts are sealed, the others are former ones; without any, who has the
        file reads the texts.
        Raises `SchemaTooNew`, `MigrationFailed` or `StoreUnavailable`.
        """
        database = Database.at(url, storage_dir, secrets)
        bring_up_to_date(database, clock=clock)
        if len(secrets) > 1:
            with database.writing() as db:
                keyring.rewrap(db)
        writer = Writer(database)
        store = cls(database, writer, clock=clock, rules=Rules.of(elo_step, elo_start, elo_fold))
        store.drop_leftovers()
        return store

    def close(self) -> None:
        """Commit what waits, then give back every connection and lock. Closing twice does no harm."""
        for feed in self._feeds:
            feed.stop()
        with suppress(StoreUnavailable):  # a start without it takes some milliseconds more
            self._write(board.save_snapshots).result()
        self._writer.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
