"""The judge's work, from the queue to the verdict, and the scores of benchmarks."""

from __future__ import annotations

from collections.abc import Sequence

from arena.store import judgments, scores
from arena.store.doors.door import Door
from arena.store.records import JudgeStanding, JudgmentRecord, JudgmentResult, ScoreRecord
from arena.store.writer import Pending


class JudgingDoor(Door):
    """Judgments and score sheets."""

    def queue_missing_judgments(self, judge: str, *, statuses: Sequence[str] = ("voted",)) -> Pending[int]:
        """Ask for a judge's verdict on every battle in these states that it was never asked about."""
        return self._write(lambda db: judgments.queue_missing(db, judge, tuple(statuses), self._clock()))

    def claim_judgments(
        self, judge: str, *, limit: int = 1, lease: float = 600.0
    ) -> Pending[tuple[JudgmentRecord, ...]]:
        """Take work: queued jobs, oldest first, and those whose holder's `lease` seconds ran out."""
        return self._write(lambda db: judgments.claim(db, judge, limit, lease, self._clock()))

    def record_judgment(self, battle_id: str, judge: str, result: JudgmentResult) -> Pending[JudgmentRecord]:
        """Finish a job, queued before or not; a verdict counts on the judge track in the same transaction.

        Exactly once: a second result for the same battle and judge changes nothing and returns the first.
        """
        return self._write(lambda db: judgments.record(db, battle_id, judge, result, self._rules, self._clock()))

    def fail_judgment(self, judgment_id: int, error: str, *, retry: bool = True) -> Pending[None]:
        """Give a claimed job back to the queue, or mark it failed for good."""
        return self._write(lambda db: judgments.fail(db, judgment_id, error, retry))

    def give_back_judgment(self, judgment_id: int, attempts: int, reason: str) -> Pending[None]:
        """Queue a claimed job as if that attempt had never been; nothing changes when the claim is another's by now."""
        return self._write(lambda db: judgments.give_back(db, judgment_id, attempts, reason))

    def renew_judgment(self, judgment_id: int, attempts: int, *, lease: float = 600.0) -> Pending[bool]:
        """Hold a claimed job for `lease` seconds more; False when the claim of that attempt has lapsed to another."""
        return self._write(lambda db: judgments.renew(db, judgment_id, attempts, lease, self._clock()))

    def retry_judgments(self, judge: str) -> Pending[int]:
        """Queue a judge's failed jobs anew, as if never tried; returns how many."""
        return self._write(lambda db: judgments.retry(db, judge, self._clock()))

    def judge_standings(self) -> tuple[JudgeStanding, ...]:
        """How far every judge's work is, in order of name."""
        return self._read(judgments.standings)

    def judgments(self, *, battle_id: str | None = None, judge: str | None = None) -> tuple[JudgmentRecord, ...]:
        """Judgments of a battle or judge, oldest first."""
        return self._read(lambda db: judgments.find(db, battle_id, judge))

    def keep_score(
        self, task: str, model: str, sheet: str, *, judge: str = "", protocol: str = ""
    ) -> Pending[ScoreRecord]:
        """Keep a model's score sheet (JSON); a former one of the same task, judge and protocol is replaced,
        and one that nobody judged gives way to a judged one."""
        return self._write(lambda db: scores.keep(db, ScoreRecord(task, model, self._clock(), sheet, judge, protocol)))

    def scores(self, task: str | None = None, model: str | None = None) -> tuple[ScoreRecord, ...]:
        """The kept sheets, or those of one task or model, in order of task and model."""
        return self._read(lambda db: scores.find(db, task, model))
