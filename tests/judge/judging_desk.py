"""A desk in memory for tests of a judge that needs no database: it keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from arena.store.records import BattleRecord, JudgeStanding, JudgmentRecord, JudgmentResult


class MemoryDesk:
    """Has no battles; adds up spending."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}

    async def add_spending(self, name: str, amount: float) -> float:
        """Add, after giving others a turn as a database would."""
        await asyncio.sleep(0)
        self.sums[name] = self.sums.get(name, 0.0) + amount
        return self.sums[name]

    def load_battle(self, battle_id: str) -> BattleRecord:
        """None."""
        raise NotImplementedError

    async def queue_missing_judgments(self, judge: str, *, statuses: Sequence[str] = ("voted",)) -> int:
        """None."""
        return 0

    async def retry_judgments(self, judge: str) -> int:
        """None."""
        return 0

    async def renew_judgment(self, judgment_id: int, attempts: int, *, lease: float = 600.0) -> bool:
        """None."""
        return False

    async def claim_judgments(self, judge: str, *, limit: int = 1, lease: float = 600.0) -> tuple[JudgmentRecord, ...]:
        """None."""
        return ()

    async def record_judgment(self, battle_id: str, judge: str, result: JudgmentResult) -> JudgmentRecord:
        """None."""
        raise NotImplementedError

    async def fail_judgment(self, judgment_id: int, error: str, *, retry: bool = True) -> None:
        """None."""

    async def give_back_judgment(self, judgment_id: int, attempts: int, reason: str) -> None:
        """None."""

    def judge_standings(self) -> tuple[JudgeStanding, ...]:
        """None."""
        return ()
