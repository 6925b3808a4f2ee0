"""What paid endpoints have cost, kept in the database, so that a cap holds over restarts and processes.

It joins meters to the store and knows no battle.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import aclosing
from typing import Any, Protocol, cast

from arena.engines.base import Engine
from arena.engines.limits import Meter
from arena.errors import ArenaError
from arena.types import Chunk, Conversation, Decoding, Finish

log = logging.getLogger(__name__)


class Ledger(Protocol):
    """Where sums are kept: the store."""

    def add_spending(self, name: str, amount: float) -> Awaitable[float]:
        """Add to a sum; resolves to the new sum once it is on disk."""
        ...

    def spending(self) -> Mapping[str, float]:
        """All sums."""
        ...


class Accounts:
    """One account for each contestant with a meter; judges keep theirs under their own names."""

    def __init__(self, ledger: Ledger, meters: Mapping[str, Meter]) -> None:
        self._ledger, self._meters = ledger, meters
        self._known = dict.fromkeys(meters, 0.0)
        self._sent = dict.fromkeys(meters, 0.0)

    def open(self) -> None:
        """Begin where the last run ended."""
        kept = self._ledger.spending() if self._meters else {}
        for name, meter in self._meters.items():
            self._known[name] = self._sent[name] = meter.spent = kept.get(account(name), 0.0)

    async def keep(self) -> None:
        """Write down what can be written; what cannot be now is written after a later turn."""
        try:
            await self.write_down()
        except ArenaError as error:
            log.warning("spending is not on disk yet: %s", error)

    async def write_down(self) -> None:
        """Put on disk what was spent since the last time, and learn what other processes spent."""
        for name, meter in self._meters.items():
            amount = meter.spent - self._sent[name]
            if amount <= 0:
                continue
            self._sent[name] += amount  # before waiting: another turn may end meanwhile
            try:
                total = await self._ledger.add_spending(account(name), amount)
            except BaseException:
                self._sent[name] -= amount
                raise
            elsewhere = total - self._known[name] - amount
            self._known[name] = total
            meter.spent += elsewhere
            self._sent[name] += elsewhere


class Accounted:
    """An engine whose answers, whole or broken off, are on the account before the next one begins."""

    def __init__(self, engine: Engine, accounts: Accounts) -> None:
        self._engine, self._accounts = engine, accounts

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        """The engine's answer."""
        try:
            async with aclosing(cast(Any, self._engine.stream(conversation, decoding))) as items:
                async for item in items:
                    yield item
        finally:
            await asyncio.shield(self._accounts.keep())

    async def close(self) -> None:
        """Close the engine."""
        await self._engine.close()


def account(name: str) -> str:
    """The name under which a contestant's spending is kept."""
    return f"contestant:{name}"
