"""The judge at work: finished battles as durable jobs, both orders each, recorded exactly once.

A job is claimed for a while, the claim renewed for as long as the judge takes, and the judgment
written down in one transaction; a process that is killed leaves its claims to lapse, and another takes
them up. A call that was running then is paid twice, a judgment is never recorded twice. It knows no
SQL, no screen and no provider.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from arena.engines.base import Engine
from arena.errors import (
    AccessDenied,
    ArenaError,
    BattleError,
    SpendingCapReached,
    StoreUnavailable,
)
from arena.judge.calls import TRIES, PaidCalls, WrongAddress, pause, transient
from arena.judge.prompts import Case, JudgingProtocol, OwnProtocol
from arena.judge.spending import Ledger, Purse
from arena.judge.verdicts import Fence, Pairing, Reading, combine, read_verdict
from arena.store.records import BattleRecord, JudgeStanding, JudgmentRecord, JudgmentResult
from arena.types import Decoding

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

LEASE = 60.0
"""Seconds a claim holds without being renewed: how long a killed process's jobs wait."""

ROUNDS = 5
"""Times a job may be taken up in vain before it counts as failed; what was given back in order was not taken up."""


class JudgmentDesk(Ledger, Protocol):
    """Where the jobs lie: what the judge needs of `arena.store.Store`, or of the service before it."""

    def load_battle(self, battle_id: str) -> BattleRecord:
        """A battle with its turns."""
        ...

    def queue_missing_judgments(self, judge: str, *, statuses: Sequence[str] = ("voted",)) -> Awaitable[int]:
        """Ask for judgments of battles in these states; known ones are left alone. Resolves to how many are new."""
        ...

    def retry_judgments(self, judge: str) -> Awaitable[int]:
        """Queue the failed jobs anew. Resolves to how many."""
        ...

    def claim_judgments(
        self, judge: str, *, limit: int = 1, lease: float = 600.0
    ) -> Awaitable[tuple[JudgmentRecord, ...]]:
        """Take queued jobs and those whose claim has lapsed."""
        ...

    def renew_judgment(self, judgment_id: int, attempts: int, *, lease: float = 600.0) -> Awaitable[bool]:
        """Hold on to a claimed job; resolves to False when that attempt holds it no more."""
        ...

    def record_judgment(self, battle_id: str, judge: str, result: JudgmentResult) -> Awaitable[JudgmentRecord]:
        """Finish a job once; a second result changes nothing and resolves to the first."""
        ...

    def fail_judgment(self, judgment_id: int, error: str, *, retry: bool = True) -> Awaitable[None]:
        """Give a job back, one attempt the poorer, or mark it failed."""
        ...

    def give_back_judgment(self, judgment_id: int, attempts: int, reason: str) -> Awaitable[None]:
        """Give a job back as if that attempt had never been; one that another holds by now is left alone."""
        ...

    def judge_standings(self) -> tuple[JudgeStanding, ...]:
        """How many jobs of each judge are in which state."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """One order of presentation: what the judge said last and how it was read."""

    reading: Reading
    text: str
    tries: int
    cost: float


@dataclass(slots=True)
class Tally:
    """How far a run is. `stopped` says why it ended before the work did."""

    total: int = 0
    done: int = 0
    unscored: int = 0
    flipped: int = 0
    failed: int = 0
    cost: float = 0.0
    retries: int = 0
    stopped: str | None = None
    reasons: dict[str, int] = field(default_factory=dict)


Shown = Callable[[Tally], None]


class BattleJudge:
    """One judge before one desk. `run` works until nothing is left; `watch` goes on with new battles."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        desk: JudgmentDesk,
        *,
        protocol: JudgingProtocol = OwnProtocol(),
        decoding: Decoding = Decoding(temperature=0.0, top_p=1.0, max_tokens=4096),
        purse: Purse | None = None,
        workers: int = 8,
        lease: float = LEASE,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._desk, self._protocol = desk, protocol
        self._purse = purse or Purse(desk, name)
        self._workers, self._lease = workers, lease
        self._rng = rng or random.SystemRandom()
        self._sleep = sleep
        self._calls = PaidCalls(
            engine, self._purse, protocol.decoding or decoding, at_once=workers, rng=self._rng, sleep=sleep,
            on_retry=self._retried,
        )  # fmt: skip
        self._handling, self._free = 0, asyncio.Event()  # jobs in hand, and whether there is none
        self.tally = Tally()

    async def enqueue(self, statuses: Sequence[str] = ("voted",)) -> int:
        """Ask for a judgment of every finished human battle that has none; returns how many are new."""
        return await self._desk.queue_missing_judgments(self.name, statuses=statuses)

    async def retry_failed(self) -> int:
        """Queue the jobs that failed for good anew; returns how many."""
        return await self._desk.retry_judgments(self.name)

    async def run(self, shown: Shown = lambda tally: None) -> Tally:
        """Judge until no job is queued or claimed, or until the money or the access ends."""
        self.tally = Tally(total=await self._open_jobs())
        await _together(self._work(shown) for _ in range(self._workers))
        return self.tally

    async def watch(self, poll: float = 5.0, shown: Shown = lambda tally: None, *, pause: float = 300.0) -> None:
        """Judge battles as they finish, for as long as the task lives; after a stop only every `pause` seconds."""
        while True:
            try:
                await self.enqueue()
                tally = await self.run(shown)
            except StoreUnavailable as error:  # for a moment: nobody would start the judge again
                _LOG.warning("judge %s waits: %s", self.name, error)
                await self._sleep(poll)
                continue
            if tally.stopped is not None:
                _LOG.warning("judge %s pauses for %.0f s: %s", self.name, pause, tally.stopped)
            await self._sleep(poll if tally.stopped is None else pause)

    async def _work(self, shown: Shown) -> None:
        while self.tally.stopped is None:
            claimed = await self._claimed()
            for job in claimed:
                with self._in_hand():
                    await self._handle(job)
                shown(self.tally)
            if not claimed and not await self._wait_for_lapse():
                return

    @contextmanager
    def _in_hand(self) -> Iterator[None]:
        """Count a job; with the last of them whoever waits for it is told."""
        self._handling += 1
        self._free.clear()
        try:
            yield
        finally:
            self._handling -= 1
            if not self._handling:
                self._free.set()

    async def _claimed(self) -> tuple[JudgmentRecord, ...]:
        """The next job, if one is free; a stop in the middle of the claim gives it back."""
        try:
            claiming = asyncio.ensure_future(self._desk.claim_judgments(self.name, limit=1, lease=self._lease))
            return await asyncio.shield(claiming)
        except StoreUnavailable:
            if not self._handling:
                raise
            return ()  # the others' answers are paid for: they go on, and this one asks again later
        except asyncio.CancelledError:
            with suppress(StoreUnavailable):
                for job in await claiming:
                    await self._give_back(job, "stopped")
            raise

    async def _wait_for_lapse(self) -> bool:
        """No job is free: wait while one may come back, or for the last in hand; False when there is none."""
        if not self._handling and not await self._open_jobs():
            return False
        waits = [self._sleep(min(2.0, self._lease / 4)), *([self._free.wait()] if self._handling else [])]
        pending = [asyncio.ensure_future(one) for one in waits]
        try:
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in pending:
                one.cancel()
        return True

    async def _open_jobs(self) -> int:
        standings = await asyncio.to_thread(self._desk.judge_standings)
        return next((one.open for one in standings if one.judge == self.name), 0)

    async def _handle(self, job: JudgmentRecord) -> None:
        """Judge one job while its claim is held; whatever goes wrong is written down with it."""
        try:
            judged = await self._held(job, self._judged(job))
            await self._patiently(lambda: self._desk.record_judgment(job.battle_id, self.name, judged[0]))
        except ClaimLost as error:
            _LOG.warning("judge %s: %s", self.name, error)
        except (SpendingCapReached, AccessDenied, WrongAddress) as error:
            await self._patiently(partial(self._give_back, job, str(error)))
            self.tally.stopped = str(error)
        except StoreUnavailable as error:  # for longer than patience lasts, and not the job's fault
            await self._give_back(job, str(error))
            raise
        except ArenaError as error:
            await self._fail(job, error)
        except asyncio.CancelledError:  # an orderly stop: whoever comes next need not wait for the claim to lapse
            with suppress(StoreUnavailable):
                await asyncio.shield(asyncio.ensure_future(self._give_back(job, "stopped")))
            raise
        else:
            self._count(*judged)

    async def _judged(self, job: JudgmentRecord) -> tuple[JudgmentResult, Pairing, tuple[Order, Order]]:
        """Both orders of a job's battle."""
        battle = await self._patiently(lambda: asyncio.to_thread(self._desk.load_battle, job.battle_id))
        return await self.judge(case_of(battle))

    async def _fail(self, job: JudgmentRecord, error: ArenaError) -> None:
        """Write down what went wrong; what may pass is tried again, a few times."""
        again = job.attempts < ROUNDS and transient(error)
        await self._patiently(lambda: self._desk.fail_judgment(job.id, str(error), retry=again))
        self.tally.failed += not again

    async def _give_back(self, job: JudgmentRecord, reason: str) -> None:
        """Nothing is wrong with the job: it keeps its rounds."""
        await self._desk.give_back_judgment(job.id, job.attempts, reason)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the desk again while it refuses for a moment: what is judged is paid for. Once asked, it is asked to the
        end, whoever is stopped meanwhile."""
        attempt = 0
        while True:
            try:
                return await asyncio.shield(asyncio.ensure_future(ask()))
            except StoreUnavailable:
                attempt += 1
                if attempt == TRIES:
                    raise
            await self._sleep(pause(attempt, self._rng))

    async def _held(self, job: JudgmentRecord, work: Coroutine[None, None, T]) -> T:
        """The work's result, its claim renewed for as long as it takes. Raises `ClaimLost`."""
        doing = asyncio.create_task(work)
        try:
            while not (await asyncio.wait([doing], timeout=self._lease / 3))[0]:
                if not await self._renewed(job):
                    raise ClaimLost(f"another process took up battle {job.battle_id} meanwhile")
            return await doing
        finally:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)

    async def _renewed(self, job: JudgmentRecord) -> bool:
        """Whether the job is still ours; where the store cannot tell now, it is asked again before the claim lapses."""
        try:
            return await self._desk.renew_judgment(job.id, job.attempts, lease=self._lease)
        except StoreUnavailable:
            return True

    def _retried(self) -> None:
        self.tally.retries += 1

    def _count(self, result: JudgmentResult, pairing: Pairing, orders: Sequence[Order]) -> None:
        self.tally.done += 1
        self.tally.cost = self._purse.spent
        self.tally.unscored += result.verdict is None
        self.tally.flipped += bool(pairing.flipped)
        for order in orders:
            if order.reading.reason is not None:
                self.tally.reasons[order.reading.reason] = self.tally.reasons.get(order.reading.reason, 0) + 1

    async def judge(self, case: Case) -> tuple[JudgmentResult, Pairing, tuple[Order, Order]]:
        """Both orders of one case, at the same time, as one result in terms of the case's own sides."""
        first, second = await _together(self._order(shown) for shown in (case, case.swapped))
        orders = first, second
        pairing = combine(orders[0].reading.label, orders[1].reading.label)
        result = JudgmentResult(
            verdict=pairing.verdict,
            first_order=pairing.first.verdict if pairing.first else None,
            second_order=pairing.second.verdict if pairing.second else None,
            explanation=explain(self._protocol.name, orders),
            cost=sum(order.cost for order in orders),
        )
        return result, pairing, orders

    async def _order(self, case: Case) -> Order:
        """One order: a first try, and a second when the answer holds anything but one verdict."""
        fence = Fence.random(self._rng)
        asked = self._protocol.ask(case, fence)
        text, cost = await self._calls.answer(asked)
        reading = read_verdict(text, fence=fence, answers=case.answers)
        if reading.label is not None:
            return Order(reading, text, 1, cost)
        again, more = await self._calls.answer(self._protocol.ask_again(asked, text, fence))
        second = read_verdict(again, fence=fence, answers=case.answers)
        return Order(second, f"{text}\n\n———\n\n{again}", 2, cost + more)


class ClaimLost(ArenaError):
    """The claim lapsed unrenewed (a machine that slept) and the job is another's now."""


async def _together(work: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """Run side by side; the first failure cancels the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    return [task.result() for task in tasks]


def case_of(battle: BattleRecord) -> Case:
    """A stored battle as a case: the user's messages and each side's answers, without names.

    Raises `BattleError` where there is no text to judge: it never was here, or its owner was forgotten.
    """
    turns = [turn for turn in battle.turns if turn.a is not None and turn.b is not None]
    if not any(turn.prompt for turn in turns):
        raise BattleError(f"battle {battle.id} has no text that can be read: there is nothing to judge")
    return Case(
        questions=tuple(turn.prompt for turn in turns),
        answers_a=tuple(turn.a.text for turn in turns if turn.a is not None),
        answers_b=tuple(turn.b.text for turn in turns if turn.b is not None),
        language=battle.language,
    )


def explain(protocol: str, orders: Sequence[Order]) -> str:
    """The judge's words and how they were read, as JSON that is stored with the verdict."""
    entries = [
        {
            "label": order.reading.label,
            "reason": order.reading.reason,
            "seen": order.reading.seen,
            "tries": order.tries,
            "text": order.text,
        }
        for order in orders
    ]
    return json.dumps({"protocol": protocol, "orders": entries}, ensure_ascii=False)
