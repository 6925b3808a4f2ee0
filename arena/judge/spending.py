"""Money of a judge: the most a call can cost is set aside on disk before the call is made.

Because the sum is written down first, any number of workers and processes stay under one cap, and
a process that is killed leaves its running calls counted at their ceiling rather than not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from typing import Protocol

from arena.errors import SpendingCapReached, StoreUnavailable
from arena.types import Conversation, Usage

_LOG = logging.getLogger(__name__)


class Ledger(Protocol):
    """Where spending is kept: `arena.store` or anything that adds up as durably."""

    def add_spending(self, name: str, amount: float) -> Awaitable[float]:
        """Add to what `name` has cost so far; resolves to the new sum once it is on disk."""
        ...


class Purse:
    """What one judge may spend. Prices are per million tokens; without any, nothing is written."""

    def __init__(
        self, ledger: Ledger, name: str, *, prompt_price: float = 0.0, completion_price: float = 0.0,
        cap: float | None = None,
    ) -> None:  # fmt: skip
        self._ledger, self._name = ledger, name
        self._prompt_price, self._completion_price = prompt_price, completion_price
        self.cap = cap
        self.spent = 0.0  # by this purse, settled calls only
        self._owed = 0.0  # what the ledger refused to write down

    @property
    def free(self) -> bool:
        """Whether calls cost nothing."""
        return self._prompt_price == self._completion_price == 0.0

    def cost(self, usage: Usage, conversation: Conversation, said: int) -> float:
        """The price of a finished or broken call that said so many characters, its reasoning among them; tokens that
        the engine did not count are estimated."""
        prompt = usage.prompt_tokens if usage.prompt_tokens is not None else most_tokens(conversation) // 3
        completion = usage.completion_tokens if usage.completion_tokens is not None else said // 3
        return self._price(prompt, completion)

    async def reserve(self, conversation: Conversation, max_tokens: int) -> float:
        """Set aside the most a call can cost. Raises `SpendingCapReached`, nothing set aside, when it is too much,
        and `StoreUnavailable` when the ledger refuses.

        Nor is anything left set aside for a caller who is cancelled meanwhile.
        """
        if self.free:
            return 0.0
        booking = asyncio.ensure_future(self._booked(conversation, max_tokens))
        try:
            return await asyncio.shield(booking)
        except asyncio.CancelledError:
            with suppress(SpendingCapReached, StoreUnavailable):
                await self.settle(await booking, 0.0)
            raise

    async def _booked(self, conversation: Conversation, max_tokens: int) -> float:
        amount = self._price(most_tokens(conversation), max_tokens)
        total = await self._add(amount)
        if self.cap is not None and total > self.cap:
            await self._correct(-amount)
            raise SpendingCapReached(
                f"{self._name}: the spending cap {self.cap:g} would be passed: {total - amount:.4f} spent or promised, "
                f"up to {amount:.4f} for the next call (raise spending_cap to go on)"
            )
        return amount

    async def settle(self, reserved: float, cost: float) -> None:
        """Replace what was set aside by what the call cost; what the ledger refuses goes with the next sum."""
        if not self.free:
            self.spent += cost
            await self._correct(cost - reserved)

    async def _correct(self, amount: float) -> None:
        """Add to the account, later if not now: no answer that is paid is lost for a moment's refusal."""
        try:
            await self._add(amount)
        except StoreUnavailable as error:
            self._owed += amount
            _LOG.warning("%s: spending is not on disk yet: %s", self._name, error)

    async def _add(self, amount: float) -> float:
        """Add to the account together with what it is owed; the new sum."""
        owed, self._owed = self._owed, 0.0  # before waiting: another call may end meanwhile
        try:
            return await self._ledger.add_spending(self._name, amount + owed)
        except BaseException:
            self._owed += owed
            raise

    def _price(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self._prompt_price + completion_tokens * self._completion_price) / 1e6


def most_tokens(conversation: Conversation) -> int:
    """A ceiling for a prompt's tokens: one per character and eight for each message's frame."""
    return sum(len(message.content) + 8 for message in conversation)
