"""What a battle comes through: a database that refuses, a restart with another cast, a second window."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

import pytest
from playing import ME, Opened, answered

from arena.battles.stream import Phase
from arena.engines.fake import Script, saying
from arena.errors import AnswersChanged, BattleError, ModelUnavailable, StoreUnavailable
from arena.service import Arena, concluding
from arena.service.fleet import Fleet
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
