"""What paid endpoints have cost, kept in the database, so that a cap holds over restarts and processes.

It joins meters to the store and knows no engine and no battle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Protocol

from arena.engines.limits import Meter


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


def account(name: str) -> str:
    """The name under which a contestant's spending is kept."""
    return f"contestant:{name}"
