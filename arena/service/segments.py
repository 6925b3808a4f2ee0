"""Keeps votes outside a disk that is wiped: pushes segments to a private dataset repository, restores at boot.

A failed push is repeated from the same cursor under the same name, so that it neither loses nor doubles a
vote. It knows when to push and what the hub's client does, not what a vote is.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Protocol

from arena.config import Settings
from arena.errors import StoreError
from arena.store.segments import Cursor, Segment, restore_segments, segment_after
from arena.store.store import Store

log = logging.getLogger(__name__)

PUSH_SECONDS, PUSH_VOTES = 5.0, 50
"""A segment goes to the hub when its oldest vote is so old, or when it holds so many."""
FIRST_PAUSE, LONGEST_PAUSE, QUICK_TRIES = 1.0, 60.0, 5
"""Between two attempts at a hub that fails. The first five pauses are short, so that a vote is safe within 10 s even
where three calls of ten fail (six failures in a row: 0.07%); then each is twice as long as the one before."""

BOOT_SECONDS = 120.0
"""So long the start waits for segments; then the arena opens without them and goes on trying."""

FAREWELL_SECONDS = 20.0
"""So long the end waits for the last segment to be taken."""


class Hub(Protocol):
    """A private place of files that are only ever added."""

    def prepare(self) -> None:
        """Make sure that it is there and private."""

    def put(self, name: str, content: bytes) -> None:
        """Add a file; the same name again replaces it."""

    def fetch(self, folder: Path) -> list[Path]:
        """Bring every file."""


class DatasetRepository:
    """A private dataset repository of the Hugging Face Hub."""

    def __init__(self, repository: str) -> None:
        from huggingface_hub import HfApi  # only who has such a repository pays for the import

        self._api, self._repository = HfApi(), repository

    def prepare(self) -> None:
        """See `Hub.prepare`. Raises `StoreError` when everybody could read it."""
        self._api.create_repo(self._repository, repo_type="dataset", private=True, exist_ok=True)
        if not self._api.repo_info(self._repository, repo_type="dataset").private:
            raise StoreError(f"{self._repository} is public: make it private, or name another in ARENA_SEGMENTS_REPO")

    def put(self, name: str, content: bytes) -> None:
        """See `Hub.put`."""
        self._api.upload_file(
            path_or_fileobj=content,
            path_in_repo=f"segments/{name}",
            repo_id=self._repository,
            repo_type="dataset",
            commit_message=f"Add {name}",
        )

    def fetch(self, folder: Path) -> list[Path]:
        """See `Hub.fetch`."""
        self._api.snapshot_download(
            self._repository, repo_type="dataset", allow_patterns="segments/*", local_dir=folder
        )
        return list((folder / "segments").glob("*.jsonl"))


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds of votes that a wipe would lose: now, and at most since the start."""

    now: float
    longest: float


class Keeper:
    """Restores once, then pushes for as long as the arena runs."""

    def __init__(self, store: Store, hub: Hub, cursor_file: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._store, self._hub, self._file, self._clock = store, hub, cursor_file, clock
        known = json.loads(cursor_file.read_text()) if cursor_file.exists() else {}
        self._fresh = not known
        self._cursor = Cursor(known.get("vote", 0), known.get("event", 0))
        self._boot = known.get("boot") or f"{int(clock()):012d}-{token_hex(4)}"  # segments of one disk, in its order
        self._waiting_since: float | None = None
        self._longest = 0.0
        self._pause = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._turn = threading.RLock()  # a cancelled task's thread goes on, beside the last push

    @property
    def saved(self) -> bool:
        """Whether, at the last look, every vote was at the hub."""
        return not self._fresh and self._waiting_since is None

    @property
    def unsaved_seconds(self) -> float:
        """How long the oldest vote that is nowhere but on this disk has waited: what a wipe now would lose."""
        since = self._waiting_since  # once: a push may end meanwhile, in its thread
        return 0.0 if since is None else self._clock() - since

    @property
    def window(self) -> Window:
        """The loss window, for the operator."""
        return Window(self.unsaved_seconds, max(self._longest, self.unsaved_seconds))

    # ---------------------------------------------------------------- boot

    def restore(self) -> int:
        """On a fresh disk, bring back every pushed vote; returns how many. Blocks. Raises what the hub raises."""
        if not self._fresh:
            return 0
        self._hub.prepare()
        own = self._task is not None or segment_after(self._store, Cursor()) is not None
        with TemporaryDirectory() as folder:
            restored = restore_segments(self._store, self._hub.fetch(Path(folder)))
        there = None if own else segment_after(self._store, Cursor())
        self._fresh = False
        # Votes that were here before have to be pushed; sending the others once more does no harm.
        self._advance(there.cursor if there is not None else Cursor())
        return restored

    async def start(self) -> None:
        """Restore, patiently, then begin to push."""
        await self._until_done(self.tend, BOOT_SECONDS)
        if self._fresh:
            log.error("pushed votes could not be fetched yet: the board lacks them until they are")
        self._task = asyncio.create_task(self._run(), name="segments")

    async def close(self) -> None:
        """Push what is left, within a bounded time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not await self._until_done(self.push, FAREWELL_SECONDS):
            log.error("the last %.0f s of votes are on this disk only", self.unsaved_seconds)

    # ---------------------------------------------------------------- running

    def tend(self) -> bool:
        """One look: restore if that is still to be done, push if it is time; whether nothing is left undone. Blocks."""
        with self._turn:
            if self._fresh:
                return self._attempt(self._restored)
            if self._clock() < self._retry_at:
                return True  # a hub that is away for long leaves much unsaved: it is read when it can be sent
            segment = self._pending()
            if segment is None:
                return True
            due = segment.votes >= PUSH_VOTES or self.unsaved_seconds >= PUSH_SECONDS
            return self.push() if due else True

    def push(self) -> bool:
        """Push what is pending now, after what a fresh disk lacks has come back; whether it arrived. Blocks."""
        with self._turn:
            if self._fresh and not self._attempt(self._restored):
                return False
            segment = self._pending()
            return segment is None or self._attempt(lambda: self._pushed(segment))

    def _restored(self) -> None:
        restored = self.restore()
        log.info("%d votes brought back from their segments", restored)

    def _pushed(self, segment: Segment) -> None:
        if segment.content:
            self._hub.put(f"{self._boot}-{self._cursor.vote:012d}-{self._cursor.event:012d}.jsonl", segment.content)
        self._advance(segment.cursor)

    def _attempt(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except StoreError:
            raise
        except Exception as error:  # the hub's client raises what its transport raises
            self._failures += 1
            self._pause = FIRST_PAUSE if self._failures <= QUICK_TRIES else min(LONGEST_PAUSE, 2 * self._pause)
            self._retry_at = self._clock() + self._pause
            log.warning("the hub did not answer, %.0f s of votes are unsaved: %s", self.unsaved_seconds, error)
            return False
        self._pause, self._retry_at, self._failures = 0.0, 0.0, 0
        return True

    def _pending(self) -> Segment | None:
        segment = segment_after(self._store, self._cursor)
        if segment is not None and not segment.content:
            self._advance(segment.cursor)
            segment = None
        if segment is None:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = self._clock()
        return segment

    def _advance(self, cursor: Cursor) -> None:
        """Remember on the disk how far the pushes reach: a wiped disk forgets it together with its votes."""
        part = self._file.with_suffix(".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({**asdict(cursor), "boot": self._boot}))
        os.replace(part, self._file)
        self._longest = self.window.longest
        self._cursor, self._waiting_since = cursor, None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            try:
                await asyncio.to_thread(self.tend)
            except StoreError as error:  # a full disk or a damaged segment: the arena goes on, and says so each time
                log.error("votes are not being pushed: %s", error)

    async def _until_done(self, act: Callable[[], bool], seconds: float) -> bool:
        """Repeat an attempt, with its growing pause, until it succeeds or the time is over."""
        deadline = time.monotonic() + seconds
        done = await asyncio.to_thread(act)
        while not done and time.monotonic() + self._pause < deadline:
            await asyncio.sleep(self._pause)
            done = await asyncio.to_thread(act)
        return done


def keeper_of(settings: Settings, store: Store) -> Keeper | None:
    """The keeper that the settings name; None where there is none, with a word to the operator of a Space."""
    if settings.segments_repo:
        return Keeper(store, DatasetRepository(settings.segments_repo), settings.storage / "segments.json")
    if not_kept(settings):
        log.warning(
            "this Space forgets every vote at its next restart: set ARENA_SEGMENTS_REPO to a private dataset "
            "repository (and HF_TOKEN, ARENA_SECRET), or ARENA_DATABASE to a PostgreSQL address"
        )
    return None


def not_kept(settings: Settings) -> bool:
    """Whether votes end with the next restart: a Space's disk is wiped."""
    in_space = bool(os.environ.get("SPACE_ID"))
    return in_space and not settings.segments_repo and settings.database.startswith("sqlite")
