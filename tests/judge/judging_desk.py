"""A desk in memory for tests of a judge that needs no database: it keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from arena.store.records import BattleRecord, JudgmentRecord, JudgmentResult


class MemoryDesk:
    """Has no battles; adds up spending."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}

    async def add_spending(self, name: str, amount: float) -> float:
        """Add, after giving others a turn as a database would."""
        await asyncio.sleep(0)
        self.sums[name] = self.sums.get(name, 0.0) + amount
        return self.sums[name]

    def battles_with(self, *, statuses: Sequence[str], after_id: str = "", limit: int = 1000) -> tuple[str, ...]:
        """None."""
        return ()

    def load_battle(self, battle_id: str) -> BattleRecord:
        """None."""
        raise NotImplementedError

    async def queue_judgments(self, battle_ids: Iterable[str], judge: str) -> int:
        """None."""
        return 0

    async def claim_judgments(self, judge: str, *, limit: int = 1, lease: float = 600.0) -> tuple[JudgmentRecord, ...]:
        """None."""
        return ()

    async def record_judgment(self, battle_id: str, judge: str, result: JudgmentResult) -> JudgmentRecord:
        """None."""
        raise NotImplementedError

    async def fail_judgment(self, judgment_id: int, error: str, *, retry: bool = True) -> None:
        """None."""

    def judgments(self, *, judge: str | None = None) -> tuple[JudgmentRecord, ...]:
        """None."""
        return ()
