"""A judge that agrees with people sharpens their board; one that does not stays outside."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import pytest

from arena.config import Catalog, Contestant, Judge, Settings
from arena.judge.desk import JudgeDesk
from arena.service import open_store
from arena.service.boards import Boards, default_parameters
from arena.store.records import ALL, Answer, AnswerState, JudgmentResult, NewBattle
from arena.store.records import Contestant as Stored
from arena.store.store import Store
from arena.types import Mode, Verdict
from arena.ui.judge_tab import table

CATALOG = Catalog(
    (Contestant(name="one", engine="fake"), Contestant(name="two", engine="fake")),
    judges=(Judge(name="judge", engine="fake"),),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(storage=tmp_path, judge_gate_battles=40)


async def battles(store: Store, says: Callable[[Verdict], Verdict], *, unvoted: int = 0) -> None:
    """Sixty voted battles, all judged, and some that only the judge saw; each step for all, so they share commits."""
    one, two = await store.register_contestants([Stored("one"), Stored("two")])
    rng, answer = random.Random(4), Answer("because", AnswerState.COMPLETE)
    verdicts = [Verdict.MODEL_A if rng.random() < 0.7 else Verdict.MODEL_B for _ in range(60 + unvoted)]
    new = NewBattle("me", Mode.ANONYMOUS, one.id, two.id, language="ru")
    begun = [store.create_battle(new) for _ in verdicts]
    ids = [(await battle).id for battle in begun]
    asked = [store.append_turn(battle, "why?") for battle in ids]
    said = [store.finish_turn(battle, 0, answer, answer) for battle in ids]
    voted = [store.cast_vote(battle, "me", verdict) for battle, verdict in zip(ids[:60], verdicts, strict=False)]
    await asyncio.gather(*asked, *said, *voted, store.queue_missing_judgments("judge", statuses=("votable", "voted")))
    await store.claim_judgments("judge", limit=len(ids))
    found = [JudgmentResult(says(verdict), says(verdict), says(verdict)) for verdict in verdicts]
    await asyncio.gather(*(store.record_judgment(*one) for one in zip(ids, repeat("judge"), found, strict=False)))


def human_board(store: Store, settings: Settings):  # type: ignore[no-untyped-def]
    return Boards(store, parameters=default_parameters(4, 1000, 400), preliminary=10).view()


async def test_an_agreeing_judge_is_admitted_and_narrows_the_intervals(settings: Settings) -> None:
    """With twice as many battles judged as voted, the combined interval is the shorter one."""
    with open_store(settings) as store:
        await battles(store, lambda verdict: verdict, unvoted=60)
        desk = JudgeDesk(store, CATALOG, settings)
        assert desk.view().admitted == ("judge",)
        human = human_board(store, settings)
        combined = desk.combined(human)
    assert combined is not None

    def width(row) -> float:  # type: ignore[no-untyped-def]
        return row.ci_high - row.ci_low

    assert width(combined.board.row("one")) < width(human.board.row("one"))
    assert combined.board.votes == human.board.votes


async def test_what_voters_share_widens_the_combined_intervals_too(settings: Settings) -> None:
    """They are as much wider as people's own are."""
    with open_store(settings) as store:
        await battles(store, lambda verdict: verdict, unvoted=60)
        boards = Boards(store, parameters=default_parameters(4, 1000, 400), preliminary=10)
        desk = JudgeDesk(store, CATALOG, settings)
        plain = desk.combined(boards.view())
        boards.widen(ALL, {"one": 1.5, "two": 0.8})
        wide = desk.combined(boards.view())
    assert plain is not None
    assert wide is not None

    def reach(model: str) -> float:
        now, before = wide.board.row(model), plain.board.row(model)
        return (now.ci_high - now.ci_low) / (before.ci_high - before.ci_low)

    assert reach("one") == pytest.approx(1.5)
    assert reach("two") == pytest.approx(1.0)


async def test_a_contrary_judge_stays_outside(settings: Settings) -> None:
    """Its verdicts are shown with their figures and sharpen nothing."""
    with open_store(settings) as store:
        await battles(store, lambda verdict: verdict.mirrored)
        desk = JudgeDesk(store, CATALOG, settings)
        assert desk.view().admitted == ()
        assert desk.view().reports[0].without_ties.value == 0
        assert desk.combined(human_board(store, settings)) is None


async def test_jobs_without_a_verdict_or_in_waiting_are_seen_at_once(settings: Settings) -> None:
    """They move no board; the page tells of them all the same, and how to try again what failed."""
    with open_store(settings) as store:
        await battles(store, lambda verdict: verdict)
        desk = JudgeDesk(store, CATALOG, settings)
        assert desk.view().reports[0].unscored == 0
        one, two = await store.register_contestants([Stored("one"), Stored("two")])
        made = [await store.create_battle(NewBattle("me", Mode.ANONYMOUS, one.id, two.id)) for _ in range(3)]
        await store.queue_missing_judgments("judge", statuses=("open",))
        await store.record_judgment(made[0].id, "judge", JudgmentResult(None))
        for job in await store.claim_judgments("judge", limit=1):
            await store.fail_judgment(job.id, "http://10.0.0.7 said no", retry=False)
        view = desk.view()
    assert view.reports[0].unscored == 1
    (standing,) = view.standings
    assert (standing.queued, standing.failed, standing.done) == (1, 1, 61)
    page = table(view, "en")
    assert "python -m arena judge --judge judge --retry-failed" in page
    assert "10.0.0.7" not in page
