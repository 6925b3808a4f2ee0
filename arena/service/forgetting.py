"""Forgetting a person by the code that their page shows.

The code is a keyed digest of the pseudonym: who knows it cannot vote as its owner, and who reads an
export cannot have others forgotten. It knows the signing key, not cookies.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from arena.service.rooms import Room
from arena.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased: battles in the database, and backups and exports that held something; and which files could
    not be cleaned, so that it has to be done again once they are mended or gone."""

    battles: int
    files: int
    unread: tuple[Path, ...] = ()


def keyed_digest(key: bytes, use: str, text: str) -> str:
    """64 hexadecimal digits that only the key's holder can compute; one `use` tells nothing about another."""
    return hmac.new(key, f"{use}:{text}".encode(), hashlib.sha256).hexdigest()


def forget_code(key: bytes, voter: str) -> str:
    """Sixteen digits in four groups, short enough to be read aloud."""
    digits = keyed_digest(key, "forget", voter)[:16]
    return "-".join(digits[start : start + 4] for start in range(0, 16, 4))


def voter_of(store: Store, key: bytes, code: str) -> str | None:
    """Whose code this is, however it was typed; None when it is nobody's. Computes every voter's code."""
    wanted = re.sub(r"[^0-9a-f]", "", code.lower())
    return next((voter for voter in store.voters() if forget_code(key, voter).replace("-", "") == wanted), None)


def forget(store: Store, voter: str, *, keep_votes: bool = True) -> Forgotten:
    """Erase every text of a voter from the database, its log, backups and exports, and the key to every other copy.

    Blocks. Killed at any moment, it is finished by doing it again.
    """
    battles = store.forget_voter_text(voter, keep_votes=keep_votes).result()
    cleaned = store.forget_in_files(voter, keep_votes=keep_votes)
    for path in cleaned.unread:
        log.error("somebody was forgotten, but %s cannot be cleaned: mend or delete it, then see doctor", path)
    return Forgotten(battles, cleaned.held, cleaned.unread)


@dataclass(slots=True)
class Forgetting:
    """Forgetting people while the arena runs, one after another: each look through backups and exports takes time."""

    store: Store
    rooms: MutableMapping[str, Room]
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, voter: str) -> Forgotten:
        """Erase what a voter wrote or was answered, also what is being answered; votes stay as outcomes.

        Raises `StoreUnavailable` where it has to be asked for again.
        """
        async with self._turn:
            await self._leave(voter)
            return await asyncio.to_thread(forget, self.store, voter)

    async def _leave(self, voter: str) -> None:
        """Their battles end and leave the memory: an answer that came later would be written down."""
        theirs = [room for room in self.rooms.values() if room.battle.voter == voter]
        for room in theirs:
            if room.live is not None:
                await room.live.stop()
            if room.conclusion is not None:
                await asyncio.wait({room.conclusion})
            self.rooms.pop(room.battle.id, None)
