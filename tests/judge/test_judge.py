"""Finished battles are judged in both orders, recorded once each, within the money, through every kill."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from endpoint import Endpoint, Reply, saying, serving
from judging_desk import MemoryDesk
from store_kit import Clock, elo_step, register, votable, vote

from arena.engines.fake import FakeEngine, Script, Wait
from arena.engines.limits import Backoff
from arena.engines.openai import OpenAIEngine
from arena.errors import (
    AccessDenied,
    EndpointError,
    EngineError,
    EngineTimeout,
    SpendingCapReached,
    StoreUnavailable,
)
from arena.judge.calls import TRIES
from arena.judge.judge import ROUNDS, BattleJudge, Tally
from arena.judge.prompts import Case
from arena.judge.spending import Purse
from arena.store.records import JudgmentRecord, JudgmentStatus
from arena.store.store import Store
from arena.store.writer import Pending
from arena.types import Chunk, Conversation, Decoding, Finish, Track, Verdict
from tests.forked import Forked

CASE = Case(("Сколько будет два плюс два?",), ("Четыре.",), ("Пять.",), "ru")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database."""
    with Store.open(
        f"sqlite:///{tmp_path}/arena.db", storage_dir=tmp_path, elo_step=elo_step, elo_start=1000.0
    ) as opened:
        yield opened


def voted_battles(store: Store, count: int) -> tuple[str, ...]:
    """Battles between two contestants, each with a person's vote for side a."""
    a, b = register(store, "alpha", "beta")
    return tuple(vote(store, a.id, b.id, Verdict.MODEL_A, voter=f"voter {number}") for number in range(count))


def speaking(*answers: str) -> Script:
    """A judge that gives these answers in turn, the last one for ever."""
    left = list(answers)

    def script(conversation: Conversation, decoding: Decoding) -> Sequence[Chunk]:
        return [Chunk(left.pop(0) if len(left) > 1 else left[0])]

    return script


def fair(conversation: Conversation, decoding: Decoding) -> Sequence[Chunk]:
    """A judge that knows that four is right, wherever it stands."""
    material = conversation[-1].content
    return [Chunk("[[A>B]]" if material.index("Четыре") < material.index("Пять") else "[[B>A]]")]


async def at_once(seconds: float) -> None:
    """A sleep that only lets others run."""
    await asyncio.sleep(0)


def judge_of(store: Store, script: Script, **options: object) -> BattleJudge:
    """A judge before a store, without waits."""
    return BattleJudge("judge", FakeEngine(script), store, sleep=at_once, rng=random.Random(3), **options)  # type: ignore[arg-type]


async def test_a_battle_without_text_is_not_judged(store: Store) -> None:
    """Whose owner was forgotten, or whose conversation never came with its vote: no verdict is made of nothing."""
    kept, _ = voted_battles(store, 2)
    store.forget_voter_text("voter 1").result()
    judge = judge_of(store, speaking("[[A>B]]"))
    await judge.enqueue()
    tally = await judge.run()
    assert (tally.done, tally.failed) == (1, 1)
    assert [one.battle_id for one in store.judgments() if one.status is JudgmentStatus.DONE] == [kept]


async def test_every_voted_battle_is_judged_once_in_both_orders(store: Store) -> None:
    """Battles without a vote wait; judging again finds nothing to do; the human track stays as it was."""
    voted = voted_battles(store, 5)
    a, b = (record.id for record in store.contestants())
    votable(store, a, b, voter="undecided")
    humans = store.pair_counts(Track.HUMAN)
    judge = judge_of(store, fair)
    assert await judge.enqueue() == 5
    tally = await judge.run()
    assert (tally.done, tally.unscored, tally.flipped) == (5, 0, 0)
    records = store.judgments(judge="judge")
    assert sorted(record.battle_id for record in records) == sorted(voted)
    assert {record.result.verdict for record in records if record.result} == {Verdict.MODEL_A}
    assert sum(count.wins_a for count in store.pair_counts(Track.JUDGE)) == 5
    assert list(store.pair_counts(Track.HUMAN)) == list(humans)
    assert await judge.enqueue() == 0
    assert (await judge.run()).done == 0


async def test_a_run_ends_with_its_last_job(store: Store) -> None:
    """Workers that found none do not sleep on: here their sleep would never end."""
    voted_battles(store, 1)

    async def for_ever(seconds: float) -> None:
        await asyncio.Event().wait()

    judge = BattleJudge("judge", FakeEngine(fair), store, sleep=for_ever)
    await judge.enqueue()
    async with asyncio.timeout(60):
        assert (await judge.run()).done == 1


async def test_the_second_order_shows_the_answers_exchanged() -> None:
    """And each order carries its own random code, and neither tells a name."""
    engine = FakeEngine(fair)
    result, pairing, _ = await BattleJudge("judge", engine, MemoryDesk()).judge(CASE)
    first, second = sorted((asked[-1].content for asked, _ in engine.asked), key=lambda text: text.index("Четыре"))
    assert first.index("Четыре") < first.index("Пять")
    assert second.index("Пять") < second.index("Четыре")
    assert result.verdict is result.first_order is result.second_order is Verdict.MODEL_A
    assert pairing.flipped is False


async def test_an_unclear_answer_gets_one_second_try(store: Store) -> None:
    """The judge is reminded of the labels; what it says then is read alone."""
    engine = FakeEngine(speaking("Both are fine.", "[[A<B]]", "[[A=B]]"))
    result, _, orders = await BattleJudge("judge", engine, MemoryDesk()).judge(CASE)
    assert result.verdict is Verdict.TIE
    assert sorted(order.tries for order in orders) == [2, 2]
    assert len(engine.asked) == 4


async def test_what_stays_unclear_is_unscored_counted_and_kept(store: Store) -> None:
    """Never guessed and never dropped: the record is done, without a verdict, with the judge's words."""
    voted_battles(store, 2)
    judge = judge_of(store, speaking("[[A<B]]"))
    await judge.enqueue()
    tally = await judge.run()
    assert (tally.done, tally.unscored) == (2, 2)
    assert tally.reasons == {"unknown verdict A<B": 4}
    for record in store.judgments(judge="judge"):
        assert record.status is JudgmentStatus.DONE
        assert record.result is not None
        assert record.result.verdict is None
        assert json.loads(record.result.explanation)["orders"][0]["reason"] == "unknown verdict A<B"
    assert len(store.pair_counts(Track.JUDGE)) == 0


async def test_a_judge_that_loves_the_first_place_is_seen_to_flip(store: Store) -> None:
    """Its two orders cancel to a tie."""
    voted_battles(store, 3)
    judge = judge_of(store, speaking("[[A>B]]"))
    await judge.enqueue()
    tally = await judge.run()
    assert (tally.done, tally.flipped) == (3, 3)
    assert {record.result.verdict for record in store.judgments() if record.result} == {Verdict.TIE}


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """A real OpenAI-compatible server."""
    async with serving(saying("[[A=B]]")) as running:
        yield running


async def test_a_busy_or_broken_endpoint_is_asked_again_later(store: Store, endpoint: Endpoint) -> None:
    """429, 500 and 503 cost patience, not judgments."""
    voted_battles(store, 2)
    endpoint.script[:0] = [Reply(status=status, body={"error": {"message": "busy"}}) for status in (429, 500, 503)]
    waits: list[float] = []

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    engine = OpenAIEngine("judge-model", endpoint.base_url, backoff=Backoff(retries=0))
    judge = BattleJudge("judge", engine, store, workers=2, sleep=noted)
    await judge.enqueue()
    tally = await judge.run()
    await engine.close()
    assert (tally.done, tally.failed, tally.retries) == (2, 0, 3)
    assert len(endpoint.requests) == 7
    assert all(wait > 0.5 for wait in waits[:3])


async def test_a_refused_key_stops_the_run_and_loses_no_job(store: Store) -> None:
    """Every other call would fail alike; the jobs wait for a better key."""
    voted_battles(store, 3)

    def refusing(conversation: Conversation, decoding: Decoding) -> Sequence[EngineError]:
        return [AccessDenied("no such key", status=401)]

    judge = judge_of(store, refusing)
    await judge.enqueue()
    tally = await judge.run()
    assert tally.stopped == "no such key"
    assert {record.status for record in store.judgments()} == {JudgmentStatus.QUEUED}


async def test_a_battle_that_cannot_be_judged_fails_alone(store: Store) -> None:
    """A request that the endpoint refuses for itself is written down as failed; the others go on."""
    voted_battles(store, 3)
    calls = 0

    def picky(conversation: Conversation, decoding: Decoding) -> Sequence[Chunk | EngineError]:
        nonlocal calls
        calls += 1
        return [EndpointError("too long", status=400)] if calls == 1 else [Chunk("[[A=B]]")]

    judge = judge_of(store, picky, workers=1)
    await judge.enqueue()
    tally = await judge.run()
    assert (tally.done, tally.failed) == (2, 1)
    assert [record.error for record in store.judgments() if record.status is JudgmentStatus.FAILED] == ["too long"]


async def test_eight_workers_never_spend_more_than_one_call_each_above_the_cap(store: Store) -> None:
    """The most a call can cost is set aside on disk before it; the run stops, and the rest stays queued."""
    voted_battles(store, 40)

    def slow(conversation: Conversation, decoding: Decoding) -> Sequence[Chunk | Wait]:
        return [Wait(0.001), Chunk("[[A=B]]")]

    purse = Purse(store, "judge", prompt_price=1.0, completion_price=10.0, cap=0.015)
    judge = judge_of(store, slow, workers=8, purse=purse, decoding=Decoding(temperature=0.0, max_tokens=512))
    await judge.enqueue()
    tally = await judge.run()
    assert tally.stopped is not None
    assert "spending cap" in tally.stopped
    assert 0 < tally.done < 40
    assert store.spending()["judge"] == pytest.approx(purse.spent)
    assert purse.spent <= 0.015
    assert {record.status for record in store.judgments()} == {JudgmentStatus.DONE, JudgmentStatus.QUEUED}


async def test_a_call_that_was_killed_stays_counted_at_its_ceiling() -> None:
    """Money that may have been spent is never forgotten; a purse opened later stands before the same sum."""
    desk = MemoryDesk()
    first = Purse(desk, "judge", prompt_price=1.0, completion_price=10.0, cap=0.01)
    held = await first.reserve((), 900)
    later = Purse(desk, "judge", prompt_price=1.0, completion_price=10.0, cap=0.01)
    with pytest.raises(SpendingCapReached):
        await later.reserve((), 900)
    assert desk.sums["judge"] == pytest.approx(held)


async def test_progress_is_told_after_every_job(store: Store) -> None:
    """So that a bar can show what is done, what it cost and what is left."""
    voted_battles(store, 4)
    seen: list[tuple[int, int]] = []

    def shown(tally: Tally) -> None:
        seen.append((tally.done, tally.total))

    judge = judge_of(store, fair, workers=1)
    await judge.enqueue()
    await judge.run(shown)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def test_what_failed_for_good_is_judged_when_it_is_asked_for_again(store: Store) -> None:
    """Until then it is left alone; afterwards it is as if it had never been tried."""
    voted_battles(store, 2)
    broken = True

    def script(conversation: Conversation, decoding: Decoding) -> Sequence[Chunk | EngineError]:
        return [EndpointError("too long", status=400)] if broken else [Chunk("[[A=B]]")]

    judge = judge_of(store, script)
    await judge.enqueue()
    assert (await judge.run()).failed == 2
    (standing,) = store.judge_standings()
    assert (standing.failed, standing.open, standing.errors) == (2, 0, (("too long", 2),))
    broken = False
    await judge.enqueue()
    assert (await judge.run()).total == 0
    assert await judge.retry_failed() == 2
    assert (await judge.run()).done == 2
    assert store.judge_standings()[0].done == 2


async def test_a_slow_judge_keeps_its_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease is renewed for as long as an answer takes: nobody else takes the job up, and it counts once."""
    clock, renewed, may_answer = Clock(), asyncio.Event(), asyncio.Event()

    class Thinking(FakeEngine):
        async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
            await may_answer.wait()
            async for item in super().stream(conversation, decoding):
                yield item

    with Store.open(None, storage_dir=tmp_path, elo_step=elo_step, clock=clock) as store:
        voted_battles(store, 1)
        renew = store.renew_judgment

        async def noted(judgment: int, attempts: int, *, lease: float) -> bool:
            held = await renew(judgment, attempts, lease=lease)
            renewed.set()
            return held

        monkeypatch.setattr(store, "renew_judgment", noted)
        engine = Thinking(speaking("[[A=B]]"))
        judge = BattleJudge("judge", engine, store, sleep=at_once, rng=random.Random(3), workers=2, lease=0.06)
        await judge.enqueue()
        run = asyncio.create_task(judge.run())
        for _ in range(5):  # three times the lease
            renewed.clear()
            await renewed.wait()
            clock.now += 0.036
            assert await store.claim_judgments("judge") == ()
        may_answer.set()
        assert ((await run).done, run.result().failed) == (1, 0)
        assert store.judgments()[0].attempts == 1


@pytest.mark.parametrize("reason", ["cap", "key", "address"])
async def test_waiting_for_the_operator_uses_up_no_rounds(store: Store, reason: str) -> None:
    """However often a judge stands before its cap, its key or its address: an outage later is no last straw."""
    voted_battles(store, 1)
    refusals: dict[str, list[Chunk | EngineError]] = {
        "key": [AccessDenied("no such key", status=401)],
        "address": [EndpointError("no such model", status=404)],
    }
    left = Purse(store, "judge", prompt_price=1.0, completion_price=1.0, cap=1e-9 if reason == "cap" else None)
    waiting = judge_of(store, lambda conversation, decoding: refusals.get(reason, []), purse=left, workers=1)
    await waiting.enqueue()
    for _ in range(ROUNDS):
        assert (await waiting.run()).stopped is not None
    assert [(record.status, record.attempts) for record in store.judgments()] == [(JudgmentStatus.QUEUED, 0)]
    outage = itertools.count()

    def recovering(conversation: Conversation, decoding: Decoding) -> Sequence[Chunk | EngineError]:
        return [EngineTimeout("silent")] if next(outage) < 2 * TRIES else [Chunk("[[A=B]]")]

    tally = await judge_of(store, recovering).run()
    assert (tally.done, tally.failed) == (1, 0)


async def test_a_job_that_another_holds_by_now_is_not_given_back(store: Store) -> None:
    """Whoever wakes up late takes nobody's claim away."""
    voted_battles(store, 1)
    await store.queue_missing_judgments("judge")
    (mine,) = await store.claim_judgments("judge", lease=-1.0)
    (theirs,) = await store.claim_judgments("judge", lease=60.0)
    await store.give_back_judgment(mine.id, mine.attempts, "stopped")
    assert await store.renew_judgment(theirs.id, theirs.attempts)
    await store.give_back_judgment(theirs.id, theirs.attempts, "stopped")
    assert [(one.status, one.attempts) for one in store.judgments()] == [(JudgmentStatus.QUEUED, mine.attempts)]


async def test_a_claim_that_was_lost_is_not_recorded_over_the_other_process(store: Store) -> None:
    """A machine that slept wakes up to find its job taken: it stops, and the job stays the other's."""
    voted_battles(store, 1)
    judge = judge_of(store, lambda conversation, decoding: [Wait(30.0)], workers=1, lease=0.3)
    await judge.enqueue()
    (mine,) = await store.claim_judgments("judge", lease=-1.0)
    (theirs,) = await store.claim_judgments("judge", lease=60.0)
    assert theirs.attempts == mine.attempts + 1
    await judge._handle(mine)
    (left,) = store.judgments()
    assert (left.status, left.attempts) == (JudgmentStatus.CLAIMED, theirs.attempts)


async def test_a_stop_gives_the_jobs_in_hand_back(store: Store) -> None:
    """The next start need not wait for claims to lapse."""
    voted_battles(store, 2)
    at_work = asyncio.Event()

    def slow(conversation: Conversation, decoding: Decoding) -> Sequence[Wait]:
        at_work.set()
        return [Wait(30.0)]

    judge = judge_of(store, slow, workers=2)
    await judge.enqueue()
    run = asyncio.create_task(judge.run())
    await at_work.wait()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert {(record.status, record.attempts) for record in store.judgments()} == {(JudgmentStatus.QUEUED, 0)}


@pytest.mark.soak
async def test_killed_at_any_moment_every_battle_is_recorded_exactly_once(store: Store, tmp_path: Path) -> None:
    """kill -9 five times in the middle; afterwards one judgment and one count per battle, none twice."""
    battles = voted_battles(store, 40)
    rng = random.Random(11)
    async with serving(saying("[[A>>B]]")) as running:
        for _ in range(5):
            enough = len(running.requests) + rng.randint(1, 14)  # of eighty calls
            child = start_judging(tmp_path, running.base_url)
            while len(running.requests) < enough:  # the other process says so
                assert child.alive
                await asyncio.sleep(0.001)
            await asyncio.sleep(rng.random() * 0.01)
            child.kill()
            assert await asyncio.to_thread(child.wait) == -signal.SIGKILL
        child = start_judging(tmp_path, running.base_url)
        assert await asyncio.to_thread(child.wait) == 0
    records = store.judgments(judge="judge")
    assert sorted(record.battle_id for record in records) == sorted(battles)
    assert {record.status for record in records} == {JudgmentStatus.DONE}
    assert sum(count.ties for count in store.pair_counts(Track.JUDGE)) == len(battles)


def start_judging(folder: Path, base_url: str) -> Forked:
    """A judging process that has reached its work."""
    program = Path(__file__).with_name("judging_process.py")
    child = Forked(program, f"sqlite:///{folder}/arena.db", folder, base_url)
    assert child.stdout.readline() == "ready\n"
    return child


async def test_a_watching_judge_takes_up_new_battles_and_pauses_when_it_was_stopped(store: Store) -> None:
    """Votes that come later are judged without a word; a refused key is not tried every few seconds."""
    voted_battles(store, 1)
    waits: list[float] = []
    refused = False

    def script(conversation: Conversation, decoding: Decoding) -> Sequence[Chunk | EngineError]:
        return [AccessDenied("no such key", status=401)] if refused else [Chunk("[[A=B]]")]

    async def noted(seconds: float) -> None:
        nonlocal refused
        waits.append(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError
        a, b = (record.id for record in store.contestants())
        await asyncio.to_thread(vote, store, a, b, Verdict.MODEL_B, f"later {len(waits)}")
        refused = len(waits) == 2

    judge = BattleJudge("judge", FakeEngine(script), store, workers=1, sleep=noted)
    with pytest.raises(asyncio.CancelledError):
        await judge.watch(poll=5.0, pause=300.0)
    assert waits == [5.0, 5.0, 300.0]
    assert [record.status for record in store.judgments()].count(JudgmentStatus.DONE) == 2


async def test_a_watching_judge_outlives_a_database_that_refuses(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks again after a pause, and judges what waits."""
    voted_battles(store, 1)
    claim, refusals, waits = store.claim_judgments, [StoreUnavailable("another program has locked it")], list[float]()

    def refusing(judge: str, *, limit: int, lease: float) -> Pending[tuple[JudgmentRecord, ...]]:
        if refusals:
            raise refusals.pop()
        return claim(judge, limit=limit, lease=lease)

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr(store, "claim_judgments", refusing)
    judge = BattleJudge("judge", FakeEngine(fair), store, workers=1, sleep=noted)
    with pytest.raises(asyncio.CancelledError):
        await judge.watch(poll=5.0, pause=300.0)
    assert waits == [5.0, 5.0]
    assert [record.status for record in store.judgments()] == [JudgmentStatus.DONE]


@pytest.mark.parametrize("name", ["load_battle", "add_spending", "record_judgment", "fail_judgment"])
async def test_a_database_that_refuses_for_a_moment_costs_no_job_and_no_second_call(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Five calls of its kind are refused: nothing fails for it, nothing is asked twice, all is paid once."""
    voted_battles(store, 4)
    store.forget_voter_text("voter 0").result()  # the one that fails by itself
    method, calls = getattr(store, name), itertools.count()

    def moody(*arguments: object, **options: object) -> object:
        if next(calls) in range(0, 3 * (TRIES - 1), 3):  # all of them together would not end one call's patience
            raise StoreUnavailable("another program has locked it")
        return method(*arguments, **options)

    monkeypatch.setattr(store, name, moody)
    engine, purse = FakeEngine(fair), Purse(store, "judge", prompt_price=1.0, completion_price=10.0)
    judge = BattleJudge("judge", engine, store, sleep=at_once, rng=random.Random(3), workers=2, purse=purse)
    await judge.enqueue()
    tally = await judge.run()
    assert (tally.done, tally.failed, len(engine.asked)) == (3, 1, 6)
    monkeypatch.undo()
    await purse.settle(0.0, 0.0)  # whatever sum comes next brings along what was refused
    assert store.spending()["judge"] == pytest.approx(purse.spent)


@pytest.mark.parametrize("name", ["claim_judgments", "renew_judgment"])
async def test_an_answer_under_way_outlives_a_database_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Neither another worker's claim nor a renewal that is refused for a moment gives it up."""
    begun, refused = asyncio.Event(), asyncio.Event()

    class Thinking(FakeEngine):
        async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
            begun.set()
            await refused.wait()
            async for item in super().stream(conversation, decoding):
                yield item

    with Store.open(None, storage_dir=tmp_path, elo_step=elo_step, clock=Clock()) as store:
        voted_battles(store, 1)
        method = getattr(store, name)

        def once(*arguments: object, **options: object) -> object:
            if begun.is_set() and not refused.is_set():
                refused.set()
                raise StoreUnavailable("another program has locked it")
            return method(*arguments, **options)

        monkeypatch.setattr(store, name, once)
        engine = Thinking(fair)
        judge = BattleJudge("judge", engine, store, sleep=at_once, rng=random.Random(3), workers=2, lease=0.06)
        await judge.enqueue()
        assert (await judge.run()).done == 1
        assert len(engine.asked) == 2


async def test_a_stop_is_a_stop_while_the_database_refuses(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that cannot be given back is left to lapse; the watch ends all the same."""
    voted_battles(store, 1)
    at_work = asyncio.Event()

    def slow(conversation: Conversation, decoding: Decoding) -> Sequence[Wait]:
        at_work.set()
        return [Wait(30.0)]

    def refusing(*arguments: object, **options: object) -> None:
        raise StoreUnavailable("another program has locked it")

    for name in ("give_back_judgment", "add_spending"):
        monkeypatch.setattr(store, name, refusing)
    watch = asyncio.create_task(judge_of(store, slow).watch())
    await at_work.wait()
    watch.cancel()
    async with asyncio.timeout(60):
        assert isinstance(*await asyncio.gather(watch, return_exceptions=True), asyncio.CancelledError)
