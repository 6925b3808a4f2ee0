"""The facade keeps its promises: blind before the vote, exactly once, only for the owner."""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar
from typing import Any
from weakref import ref

import pytest
from playing import ME, YOU, Opened, answered

from arena.battles.masking import MASK
from arena.battles.stream import Phase
from arena.engines.fake import Script, Wait, failing, saying
from arena.errors import (
    AlreadyVoted,
    BattleError,
    Busy,
    EngineTimeout,
    StoreUnavailable,
    TooFewContestants,
    TooManyTurns,
    UndoTooLate,
    UnknownBattle,
    VotingClosed,
)
from arena.service import Arena
from arena.service.live import Answers
from arena.service.views import BattleView, Why
from arena.types import Answer, AnswerState, BattleStatus, Chunk, FinishReason, Mode, Verdict


def texts(view: BattleView) -> set[str]:
    return {view.turns[-1].a, view.turns[-1].b}


async def test_a_battle_is_asked_watched_and_voted(opened: Opened) -> None:
    """Both answers are there, nobody is named; the vote names both and moves their ratings."""
    arena = opened(one=saying("answer of one"), two=saying("answer of two"))
    await arena.start()
    battle = await answered(arena)
    before = arena.view(ME, battle)
    assert (before.reveal, before.can_vote, texts(before)) == (None, True, {"answer of one", "answer of two"})
    after = await arena.vote(ME, battle, Verdict.MODEL_A)
    assert after.reveal is not None
    assert after.reveal.b is not None
    assert {after.reveal.a.nameplate.name, after.reveal.b.nameplate.name} == {"one", "two"}
    assert (after.reveal.a.rating_after, after.reveal.b.rating_after) == (1002.0, 998.0)
    assert arena.boards.view().board.votes == 1


class Request:
    """What a page sends, large and soon over."""


REQUEST: ContextVar[Request] = ContextVar("request")


async def test_an_answered_battle_lets_go_of_the_request_that_began_it(opened: Opened) -> None:
    """A task remembers in what context it began; a battle that waits for its vote needs none of that."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    began: list[ref[Request]] = []

    async def request() -> str:
        REQUEST.set(Request())
        began.append(ref(REQUEST.get()))
        return await arena.ask(ME, "почему небо голубое?")

    battle = await asyncio.create_task(request())
    async for _ in arena.watch(ME, battle):
        pass
    for _ in range(3000):  # what the answer set going ends by itself
        gc.collect()
        if began[0]() is None:
            break
        await asyncio.sleep(0.02)
    assert began[0]() is None
    assert arena.view(ME, battle).can_vote


async def test_ten_parallel_votes_count_once(opened: Opened) -> None:
    """The same verdict again is answered like the first time."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    battle = await answered(arena)
    views = await asyncio.gather(*(arena.vote(ME, battle, Verdict.MODEL_B) for _ in range(10)))
    assert all(view.status is BattleStatus.VOTED for view in views)
    assert arena.boards.view().board.votes == 1


async def test_another_verdict_afterwards_is_refused(opened: Opened) -> None:
    """Who knows the names cannot change the vote."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    battle = await answered(arena)
    await arena.vote(ME, battle, Verdict.MODEL_B)
    with pytest.raises(AlreadyVoted):
        await arena.vote(ME, battle, Verdict.MODEL_A)


async def test_another_voter_learns_nothing_of_the_battle(opened: Opened) -> None:
    """Neither a look, nor a vote, nor a stop: for them it does not exist."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    battle = await answered(arena)
    with pytest.raises(UnknownBattle):
        arena.view(YOU, battle)
    with pytest.raises(UnknownBattle):
        await arena.vote(YOU, battle, Verdict.TIE)
    with pytest.raises(UnknownBattle):
        await arena.stop(YOU, battle)


async def test_a_vote_on_half_an_answer_is_refused(opened: Opened) -> None:
    """Voting opens when both sides ended."""
    arena = opened(one=saying("word " * 99, tokens_per_second=1), two=saying("b"))
    await arena.start()
    battle = await arena.ask(ME, "why?")
    with pytest.raises(VotingClosed):
        await arena.vote(ME, battle, Verdict.TIE)
    await arena.stop(ME, battle)
    assert (await arena.vote(ME, battle, Verdict.TIE)).status is BattleStatus.VOTED


async def test_an_undone_vote_leaves_the_board_and_the_battle_stays_closed(opened: Opened) -> None:
    """Undo retracts; the names are known, so no other vote is taken."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    battle = await answered(arena)
    await arena.vote(ME, battle, Verdict.MODEL_A)
    view = await arena.undo(ME, battle)
    assert view.reveal is not None
    assert view.reveal.retracted
    assert arena.boards.view().board.votes == 0
    with pytest.raises(AlreadyVoted):
        await arena.vote(ME, battle, Verdict.MODEL_A)


async def test_undo_ends_after_its_time(opened: Opened) -> None:
    """Thirty seconds, by the arena's clock."""
    now = 1_000_000.0
    arena = opened(lambda: now, one=saying("a"), two=saying("b"))
    await arena.start()
    arena.store._clock = lambda: now
    battle = await answered(arena)
    await arena.vote(ME, battle, Verdict.MODEL_A)
    now += 31
    with pytest.raises(UndoTooLate):
        await arena.undo(ME, battle)


async def test_a_failed_battle_says_the_same_of_both_sides_and_can_be_tried_again(opened: Opened) -> None:
    """No text stays, no vote is taken, the question can be put once more."""
    arena = opened(one=failing(EngineTimeout("silent"), after="half"), two=saying("whole"))
    await arena.start()
    battle = await answered(arena)
    view = arena.view(ME, battle)
    assert (view.phase, texts(view), view.can_vote, view.can_try_again) == (Phase.FAILED, {""}, False, True)
    with pytest.raises(VotingClosed):
        await arena.vote(ME, battle, Verdict.TIE)
    arena.fleet.engine("one")._script = saying("now it works")  # type: ignore[attr-defined]
    await arena.try_again(ME, battle)
    async for _ in arena.watch(ME, battle):
        pass
    assert texts(arena.view(ME, battle)) == {"now it works", "whole"}


async def test_a_conversation_goes_on_with_the_same_pair(opened: Opened) -> None:
    """Each side is asked with its own history."""
    arena = opened(one=saying("first"), two=saying("second"))
    await arena.start()
    battle = await answered(arena)
    assert await answered(arena, battle_id=battle) == battle
    for name in ("one", "two"):
        conversation, _ = arena.fleet.engine(name).asked[-1]  # type: ignore[attr-defined]
        assert len(conversation) == 3


async def test_a_self_introduction_is_hidden_until_the_vote(opened: Opened) -> None:
    """Streaming, reload and the finished view hide the same; afterwards the words are there."""
    arena = opened(Zorblax=saying("I am Zorblax, made by Acme."), two=saying("I am Zorblax, made by Acme."))
    await arena.start()
    battle = await arena.ask(ME, "hello")
    seen = [texts(view) async for view in arena.watch(ME, battle)]
    assert not any("Zorblax" in text for shown in seen for text in shown)
    voted = await arena.vote(ME, battle, Verdict.TIE)
    assert "Zorblax" in "".join(texts(voted))


async def test_the_mask_that_a_stop_finds_on_the_page_stays_there(opened: Opened) -> None:
    """Also after a restart with other contestants, until the vote; and the vote counts among those that were masked."""
    text = "I am Zorblax, a model that was made to answer questions of all kinds, as well as it can. Well,"
    stalled: Script = lambda *_: [Chunk(text), Wait(600)]  # noqa: E731
    arena = opened(Zorblax=stalled, two=stalled)
    await arena.start()
    battle = await arena.ask(ME, "hello")
    async for view in arena.watch(ME, battle):
        if MASK in view.turns[-1].a and MASK in view.turns[-1].b:
            await arena.stop(ME, battle)
    shown = texts(arena.view(ME, battle))
    assert all(text.startswith(f"I am {MASK}") for text in shown)
    assert arena.store.load_battle(battle).masked
    await arena.close()
    again = opened(one=saying("a"), three=saying("b"))
    await again.start()
    assert texts(again.view(ME, battle)) == shown
    assert all("Zorblax" in text for text in texts(await again.vote(ME, battle, Verdict.TIE)))


async def test_answers_on_record_without_their_masks_are_masked_anew(opened: Opened) -> None:
    """As those of earlier schemas are, half a name at their end included."""
    arena = opened(Zorblax=saying("a"), two=saying("b"))
    await arena.start()
    battle = (await arena.store.create_battle(_new(arena))).id
    await arena.store.append_turn(battle, "hello")
    whole = Answer("I am Zorblax.", AnswerState.COMPLETE, finish_reason=FinishReason.STOP)
    half = Answer("I am Zorb", AnswerState.STOPPED, finish_reason=FinishReason.CANCELLED)
    await arena.store.finish_turn(battle, 0, whole, half)
    assert texts(arena.view(ME, battle)) == {f"I am {MASK}.", f"I am {MASK}"}


async def test_a_battle_that_nobody_watches_is_stopped(opened: Opened) -> None:
    """After its grace, long before it would have ended by itself."""
    slow = saying("word " * 500, tokens_per_second=1)
    arena = opened(one=slow, two=slow, grace=0.2)
    await arena.start()
    battle = await arena.ask(ME, "why?")
    async with asyncio.timeout(60):
        while arena.view(ME, battle).writing:  # noqa: ASYNC110  # nobody watches: no bell rings
            await asyncio.sleep(0.05)
    assert arena.fleet.engine("one").open_streams == 0  # type: ignore[attr-defined]


async def test_a_battle_stopped_before_its_first_word_is_no_failure_and_is_asked_again(opened: Opened) -> None:
    """Nothing is there to compare; no model is blamed, and the same stands after a restart."""
    mute = saying("word " * 500, first_token_after=600)
    arena = opened(one=mute, two=mute)
    await arena.start()
    battle = await arena.ask(ME, "why?")
    await arena.stop(ME, battle)
    view = arena.view(ME, battle)
    assert (view.can_vote, view.can_try_again, view.turns[-1].why) == (False, True, Why.STOPPED)
    with pytest.raises(VotingClosed):
        await arena.vote(ME, battle, Verdict.TIE)
    assert [line.kind for line in arena.store.events()] == []
    await arena.close()
    again = opened(one=saying("a"), two=saying("b"))
    await again.start()
    assert again.view(ME, battle).turns[-1].why is Why.STOPPED
    await again.try_again(ME, battle)
    async for _ in again.watch(ME, battle):
        pass
    assert again.view(ME, battle).can_vote


async def test_a_battle_has_an_end_to_its_turns(opened: Opened) -> None:
    """However often one asks: the operator's limit is told, and the battle stands as it was."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    battle = await answered(arena)
    for _ in range(arena.settings.max_turns - 1):
        await answered(arena, battle_id=battle)
    for _ in range(50):
        with pytest.raises(TooManyTurns, match="at most 20 turns"):
            await arena.ask(ME, "ещё", battle_id=battle)
    assert len(arena.store.load_battle(battle).turns) == len(arena.view(ME, battle).turns) == 20
    assert (await arena.vote(ME, battle, Verdict.TIE)).reveal is not None


async def test_too_many_battles_are_asked_to_wait(opened: Opened) -> None:
    """The operator's limit is answered in words, not by a pile."""
    arena = opened(one=saying("word " * 500, tokens_per_second=1), two=saying("x"))
    await arena.start()
    for _ in range(3):
        await arena.ask(ME, "why?")
    with pytest.raises(Busy):
        await arena.ask(ME, "why?")


async def test_no_more_battles_are_let_in_at_once_than_may_stream(opened: Opened) -> None:
    """Those that ask in one instant are counted before any of them is under way; who was refused takes no place."""
    arena = opened(one=saying("word " * 500, tokens_per_second=1), two=saying("x"))
    await arena.start()
    asked = await asyncio.gather(*(arena.ask(ME, "why?") for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in asked] == [str, str, str, Busy, Busy]
    assert arena.report().battles == 3
    await arena.stop(ME, str(asked[0]))
    with pytest.raises(BattleError):
        await arena.ask(ME, "why?", mode=Mode.DIRECT, choice=["nobody"])
    await arena.ask(ME, "why?")


async def test_what_is_stopped_at_the_end_is_written_down(opened: Opened) -> None:
    """The battle can be voted after the restart, also where writing takes a moment."""
    arena = opened(one=saying("one " * 50, tokens_per_second=500), two=saying("two " * 500, tokens_per_second=5))
    await arena.start()
    battle = await arena.ask(ME, "why?")
    async for view in arena.watch(ME, battle):
        if view.turns[-1].a and view.turns[-1].b:
            break
    write = arena.store.finish_turn

    async def slow(*answers: Any, **more: Any) -> None:
        await asyncio.sleep(0.05)
        await write(*answers, **more)

    arena.store.finish_turn = slow  # type: ignore[method-assign,assignment]
    await arena.close()
    again = opened(one=saying("a"), two=saying("b"))
    await again.start()
    assert again.view(ME, battle).can_vote


async def test_an_arena_closes_wholly_while_rooms_come_and_go(opened: Opened) -> None:
    """A room is put away while another one's turn is being stopped: the database is closed all the same."""
    arena = opened(one=saying("word " * 500, tokens_per_second=1), two=saying("x"))
    await arena.start()
    first, second = [await arena.ask(voter, "why?") for voter in (ME, YOU)]
    live = arena._rooms[first].live
    assert live is not None
    stop = live.stop

    async def stopped() -> Answers:
        arena._rooms.pop(second, None)
        return await stop()

    live.stop = stopped  # type: ignore[method-assign]
    await arena.close()
    with pytest.raises(StoreUnavailable):
        arena.store.log("closed", "")


async def test_a_lone_contestant_makes_no_blind_battle(opened: Opened) -> None:
    """It says that another is missing, not that one is being prepared: waiting would not help."""
    arena = opened(one=saying("a"))
    await arena.start()
    with pytest.raises(TooFewContestants):
        await arena.ask(ME, "why?")


async def test_named_battles_show_names_at_once_and_take_no_vote(opened: Opened) -> None:
    """They are for looking, not for rating."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    battle = await answered(arena, mode=Mode.NAMED, choice=["two", "one"])
    view = arena.view(ME, battle)
    assert view.reveal is not None
    assert view.reveal.a.nameplate.name == "two"
    with pytest.raises(VotingClosed):
        await arena.vote(ME, battle, Verdict.TIE)


async def test_a_chat_with_an_unknown_name_is_refused(opened: Opened) -> None:
    """Only contestants that can answer now are chosen."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    with pytest.raises(BattleError):
        await arena.ask(ME, "why?", mode=Mode.DIRECT, choice=["nobody"])


async def test_news_that_are_told_late_are_told_as_they_are_by_then(opened: Opened) -> None:
    """A page in a crowd waits for its moment, and then hears of votes that came meanwhile too."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()

    async def its_moment() -> None:
        arena._changed(8)

    news = arena.news(its_moment)
    now = await anext(news)
    assert now is not None
    assert now[1] < 7
    arena._changed(7)
    assert await anext(news) == (now[0], 8)


async def test_a_restart_finds_the_votes_and_closes_what_was_being_written(opened: Opened) -> None:
    """The board is as it was; a battle that was cut off can be tried again."""
    first = opened(one=saying("a"), two=saying("b"))
    await first.start()
    voted = await answered(first)
    await first.vote(ME, voted, Verdict.MODEL_A)
    record = await first.store.create_battle(_new(first))
    await first.store.append_turn(record.id, "cut off")
    second = opened(one=saying("a"), two=saying("b"))
    await second.start()
    assert second.boards.view().board.votes == 1
    assert second.view(ME, voted).reveal is not None
    assert second.view(ME, record.id).can_try_again


def _new(arena: Arena):  # type: ignore[no-untyped-def]
    from arena.store.records import NewBattle

    one, two = arena.store.contestants()
    return NewBattle(ME, Mode.ANONYMOUS, one.id, two.id)
