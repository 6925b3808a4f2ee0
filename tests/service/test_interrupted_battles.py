"""What a battle comes through: a database that refuses, a restart with another cast, a second window."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from playing import ME, Opened, answered

from arena.battles.stream import Phase
from arena.config import Catalog, Contestant, Settings
from arena.engines.fake import Script, saying
from arena.engines.recorded import Recorded, RecordedEngine
from arena.errors import AnswersChanged, BattleError, EngineTimeout, ModelUnavailable, NotRecorded, StoreUnavailable
from arena.service import Arena, concluding, open_store
from arena.service.fleet import Fleet
from arena.service.opening import masker_of
from arena.store import battles
from arena.types import BattleStatus, Chunk, Conversation, Decoding, Mode, Verdict


def refusing(arena: Arena, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The database takes the answers of a turn only after so many refusals: another program has been writing."""
    take, left = arena.store.finish_turn, [times]

    def finish_turn(*values: Any, **more: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise StoreUnavailable("another program has been writing to the database for 10 s")
        return take(*values, **more)

    monkeypatch.setattr(arena.store, "finish_turn", finish_turn)


@pytest.mark.parametrize("refusals", [1, len(concluding.PAUSES)])
async def test_answers_are_written_down_when_the_database_takes_them_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    """Until its last attempt the battle waits; then it is voted as if nothing had been."""
    monkeypatch.setattr(concluding, "PAUSES", (0.001,) * len(concluding.PAUSES))
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    refusing(arena, monkeypatch, refusals)
    battle = await answered(arena)
    assert (await arena.vote(ME, battle, Verdict.TIE)).status is BattleStatus.VOTED
    assert {turn.a.text for turn in arena.store.load_battle(battle).turns if turn.a} <= {"a", "b"}


async def test_answers_that_no_attempt_could_write_down_are_asked_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The battle has failed like any other: it is not dead until a restart."""
    monkeypatch.setattr(concluding, "PAUSES", (0.001, 0.001))
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    refusing(arena, monkeypatch, 3)
    battle = await answered(arena)
    seen = arena.view(ME, battle)
    assert (seen.phase, seen.can_vote, seen.can_try_again) == (Phase.FAILED, False, True)
    await arena.try_again(ME, battle)
    async for _ in arena.watch(ME, battle):
        pass
    assert (await arena.vote(ME, battle, Verdict.TIE)).status is BattleStatus.VOTED


async def test_an_arena_that_ends_waits_for_no_database(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between attempts are minutes here; the end of the arena ends them."""
    monkeypatch.setattr(concluding, "PAUSES", (600.0,) * 3)
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    refusing(arena, monkeypatch, 100)
    battle = await arena.ask(ME, "почему небо голубое?")
    live = arena._rooms[battle].live
    assert live is not None
    await asyncio.wait({live.answers})
    await arena.end_lines()
    assert arena.view(ME, battle).phase is Phase.FAILED


async def restarted(opened: Opened, arena: Arena, *, revision: str | None = None, **scripts: Script) -> Arena:
    """The same database and another cast."""
    await arena.close()
    arena = opened(revision=revision, **scripts)
    await arena.start()
    return arena


async def test_asking_again_without_one_of_the_pair_leaves_the_answers_to_be_voted(opened: Opened) -> None:
    """The refusal comes before anything is set aside."""
    cast = {name: saying(name) for name in ("one", "two", "three")}
    arena = opened(**cast)
    await arena.start()
    battle = await answered(arena)
    gone = arena._rooms[battle].names[0]
    arena = await restarted(opened, arena, **{name: script for name, script in cast.items() if name != gone})
    with pytest.raises(BattleError, match="takes no part"):
        await arena.try_again(ME, battle)
    assert len(arena.store.load_battle(battle).turns) == 1
    assert (await arena.vote(ME, battle, Verdict.MODEL_A)).status is BattleStatus.VOTED


async def test_another_revision_of_a_model_answers_no_battle_of_the_first(opened: Opened) -> None:
    """It is another contestant: its answers would be voted for the one that began."""
    arena = opened(revision="aaa", one=saying("old"), two=saying("old"))
    await arena.start()
    battle = await answered(arena)
    arena = await restarted(opened, arena, revision="bbb", one=saying("new"), two=saying("new"))
    for going_on in (arena.ask(ME, "а ночью?", battle_id=battle), arena.try_again(ME, battle)):
        with pytest.raises(BattleError, match="takes no part"):
            await going_on
    assert (await arena.vote(ME, battle, Verdict.TIE)).status is BattleStatus.VOTED


async def test_a_vote_counts_only_for_the_answers_that_were_judged(opened: Opened) -> None:
    """A second window of the same voter asked again; the first one's buttons still mean what it shows."""
    said = iter(range(9))

    def counting(conversation: Conversation, decoding: Decoding) -> Iterable[Chunk]:
        return [Chunk(f"answer {next(said)}")]

    arena = opened(one=counting, two=counting)
    await arena.start()
    battle = await answered(arena)
    first = arena.view(ME, battle)
    await arena.try_again(ME, battle)
    async for _ in arena.watch(ME, battle):
        pass
    with pytest.raises(AnswersChanged):
        await arena.vote(ME, battle, Verdict.MODEL_A, judged=first.stamp)
    second = arena.view(ME, battle)
    assert second.can_vote
    for _ in range(2):  # the same click again is answered like the first time
        voted = await arena.vote(ME, battle, Verdict.MODEL_A, judged=second.stamp)
        assert voted.status is BattleStatus.VOTED


async def test_an_undo_that_comes_twice_is_counted_once(opened: Opened) -> None:
    """In the operator's figures too."""
    arena = opened(one=saying("a"), two=saying("b"))
    await arena.start()
    battle = await answered(arena)
    await arena.vote(ME, battle, Verdict.TIE)
    await arena.undo(ME, battle)
    await arena.undo(ME, battle)
    assert arena.watching.votes["retracted"] == 1


class Unloadable(Fleet):
    """The first pair that is wanted cannot be loaded, until `mended`."""

    mended, first = False, frozenset[str]()

    def cold(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset() if self.mended else frozenset(names)

    async def warm(self, names: Iterable[str]) -> None:
        self.first = self.first or frozenset(names)
        if not self.mended and frozenset(names) == self.first:
            raise ModelUnavailable("it does not fit")


async def test_a_stop_while_another_pair_is_written_down_tears_nothing(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who plays in memory, on disk and after the vote is one pair, also when the first could be had later."""
    arena = opened(fleet=Unloadable, **{name: saying(name) for name in ("one", "two", "three", "four")})
    await arena.start()
    under_way, go_on, write = threading.Event(), threading.Event(), battles.replace_pair

    def slowly(*values: Any) -> Any:
        under_way.set()
        go_on.wait(10)
        return write(*values)

    monkeypatch.setattr(battles, "replace_pair", slowly)
    battle = await arena.ask(ME, "почему небо голубое?")
    await asyncio.to_thread(under_way.wait, 10)
    stopping = asyncio.create_task(arena.stop(ME, battle))
    await asyncio.sleep(0.01)
    go_on.set()
    await stopping
    fleet = arena.fleet
    assert isinstance(fleet, Unloadable)
    fleet.mended = True
    await arena.try_again(ME, battle)
    async for _ in arena.watch(ME, battle):
        pass
    stored = arena.store.load_battle(battle)
    assert stored.contestant_b is not None
    names = (stored.contestant_a.name, stored.contestant_b.name)
    assert arena._rooms[battle].names == names
    assert (stored.turns[-1].a.text, stored.turns[-1].b.text) == names
    voted = await arena.vote(ME, battle, Verdict.MODEL_A)
    assert voted.reveal is not None
    assert voted.reveal.b is not None
    assert (voted.reveal.a.nameplate.name, voted.reveal.b.nameplate.name) == names


async def test_a_stop_before_the_first_word_does_not_tie_a_battle_to_its_pair(opened: Opened) -> None:
    """Asked again it takes another pair for one that cannot be loaded: nobody of the first has answered."""

    class Waiting(Unloadable):
        async def warm(self, names: Iterable[str]) -> None:
            if not self.first:
                self.first = frozenset(names)
                await asyncio.sleep(600)
            await super().warm(names)

    arena = opened(fleet=Waiting, **{name: saying(name) for name in ("one", "two", "three", "four")})
    await arena.start()
    battle = await arena.ask(ME, "почему небо голубое?")
    first = arena._rooms[battle].names
    await asyncio.sleep(0.01)
    await arena.stop(ME, battle)
    await arena.try_again(ME, battle)
    async for _ in arena.watch(ME, battle):
        pass
    assert arena.view(ME, battle).can_vote
    assert arena._rooms[battle].names != first
    assert arena.latest(ME, Mode.ANONYMOUS) == battle


def failing_at_the_second(conversation: Conversation, decoding: Decoding) -> Iterable[Chunk]:
    """Answers one message and no other."""
    if len(conversation) > 1:
        raise EngineTimeout("no token within 60 s")
    return [Chunk("whole")]


async def test_a_failed_follow_up_can_be_left_out_for_the_answers_before_it(opened: Opened) -> None:
    """What could be judged is not lost by asking more; the failed attempt stays on record and out of the vote."""
    arena = opened(one=failing_at_the_second, two=failing_at_the_second)
    await arena.start()
    battle = await answered(arena)
    with pytest.raises(BattleError):
        await arena.drop(ME, battle)
    await arena.ask(ME, "а ночью?", battle_id=battle)
    async for _ in arena.watch(ME, battle):
        pass
    failed = arena.view(ME, battle)
    assert (failed.can_vote, failed.can_drop, len(failed.turns)) == (False, True, 2)
    await arena.drop(ME, battle)
    left = arena.view(ME, battle)
    assert (left.can_vote, left.can_drop, len(left.turns), left.turns[0].a) == (True, False, 1, "whole")
    assert (await arena.vote(ME, battle, Verdict.TIE)).status is BattleStatus.VOTED
    assert [turn.prompt for turn in arena.store.load_battle(battle).turns] == ["почему небо голубое?"]


async def test_a_message_follows_one_that_was_left_out(opened: Opened) -> None:
    """It takes its place in the conversation."""
    refusals = iter([True])

    def failing_once(conversation: Conversation, decoding: Decoding) -> Iterable[Chunk]:
        if len(conversation) > 1 and next(refusals, False):
            raise EngineTimeout("no token within 60 s")
        return [Chunk(f"said {len(conversation)}")]

    arena = opened(one=failing_once, two=saying("said"))
    await arena.start()
    battle = await answered(arena)
    for prompt in ("а ночью?", "а утром?"):
        await arena.ask(ME, prompt, battle_id=battle)
        async for _ in arena.watch(ME, battle):
            pass
        if arena.view(ME, battle).can_drop:
            await arena.drop(ME, battle)
    turns = arena.store.load_battle(battle).turns
    assert [turn.prompt for turn in turns] == ["почему небо голубое?", "а утром?"]
    assert "said 3" in {turns[1].a.text, turns[1].b.text}


async def test_a_message_that_was_never_recorded_changes_nothing(tmp_path: Path, shown_at_once: None) -> None:
    """Neither begins a battle nor spoils one; the pace of a recording is told of nobody."""
    names, known = ("one", "two"), {"1": ("почему небо голубое?",)}
    catalog = Catalog(tuple(Contestant(name=name, engine="recorded", answers=tmp_path / "file") for name in names))
    engines = {name: RecordedEngine({"1": (Recorded(name),)}, known, first_token_after=0) for name in names}
    settings = Settings(storage=tmp_path)
    arena = Arena(settings, catalog, open_store(settings), Fleet(catalog, engines), masker=masker_of(catalog))
    await arena.start()
    assert arena.fleet.only_recorded
    with pytest.raises(NotRecorded):
        await arena.ask(ME, "чего никто не спрашивал")
    assert arena.latest(ME, Mode.ANONYMOUS) is None
    battle = await answered(arena)
    with pytest.raises(NotRecorded):
        await arena.ask(ME, "а ночью?", battle_id=battle)
    voted = await arena.vote(ME, battle, Verdict.TIE)
    assert voted.reveal is not None
    assert (voted.reveal.a.facts.tokens_per_second, voted.reveal.a.facts.first_token_after) == (None, None)
    await arena.close()
