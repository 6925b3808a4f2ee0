"""Battles and turns come back as they were stored, to their owner only."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from store_kit import NOON, Clock, answer, register, votable, vote

from arena.errors import UnknownBattle, VotingClosed
from arena.store.records import Contestant, NewBattle
from arena.store.store import Store
from arena.types import (
    Answer,
    AnswerState,
    BattleStatus,
    FinishReason,
    Message,
    Mode,
    Provenance,
    Role,
    Usage,
    Verdict,
)


def test_a_battle_comes_back_whole(store: Store) -> None:
    """Everything known of a battle and its answers survives storage."""
    a, b = register(store, "Вихрь", "Сайга")
    new = NewBattle("voter", Mode.ANONYMOUS, a.id, b.id, 0.25, "ru", "кулинария", "Отвечай кратко.", 7)
    battle = store.create_battle(new).result()
    turn = store.append_turn(battle.id, "Как сварить борщ?").result()
    full = Answer(
        text="Свёкла 🍲",
        state=AnswerState.COMPLETE,
        reasoning="думаю",
        finish_reason=FinishReason.LENGTH,
        usage=Usage(12, 345),
        first_token_after=0.5,
        tokens_per_second=33.5,
        seed=2**62,
        provenance=Provenance("abc123", "nf4", "ffee"),
        joules=41.5,
        hidden=((0, 6), (7, 8)),
    )
    failed = Answer("", AnswerState.FAILED, error_code="timeout")
    store.finish_turn(battle.id, turn, full, failed, masked=True).result()

    read = store.load_battle(battle.id, voter="voter")
    assert (read.contestant_a, read.contestant_b) == (a, b)
    assert (read.propensity, read.language, read.topic, read.system_prompt, read.seed) == new_details(new)
    assert (read.status, read.created_at, read.masked) == (BattleStatus.VOTABLE, NOON, True)
    assert read.turns[0].prompt == "Как сварить борщ?"
    assert (read.turns[0].a, read.turns[0].b) == (full, failed)
    assert read.conversation("a") == (
        Message(Role.SYSTEM, "Отвечай кратко."),
        Message(Role.USER, "Как сварить борщ?"),
        Message(Role.ASSISTANT, "Свёкла 🍲"),
    )


def new_details(new: NewBattle) -> tuple[object, ...]:
    return new.propensity, new.language, new.topic, new.system_prompt, new.seed


def test_ids_cannot_be_guessed(store: Store) -> None:
    """Battle ids are distinct, URL-safe and hold 128 bits."""
    a, b = register(store, "x", "y")
    ids = {store.create_battle(NewBattle("v", Mode.ANONYMOUS, a.id, b.id)).result().id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(battle_id) == 22 and battle_id.replace("-", "").replace("_", "").isalnum() for battle_id in ids)


def test_another_voters_battle_does_not_exist(store: Store) -> None:
    """Whose battle it is not cannot tell it from one that never was."""
    a, b = register(store, "x", "y")
    battle_id = votable(store, a.id, b.id, "owner")
    for wrong_id, voter in ((battle_id, "thief"), ("nothing", "owner")):
        with pytest.raises(UnknownBattle):
            store.load_battle(wrong_id, voter=voter)


def test_a_turn_tried_again_replaces_the_first_attempt(store: Store) -> None:
    """The dropped attempt leaves the conversation; later turns keep their order."""
    a, b = register(store, "x", "y")
    battle = store.create_battle(NewBattle("v", Mode.ANONYMOUS, a.id, b.id)).result()
    store.append_turn(battle.id, "первый").result()
    store.fail_turn(battle.id, 0, answer(), Answer("", AnswerState.FAILED, error_code="timeout")).result()
    assert store.load_battle(battle.id).status == BattleStatus.FAILED
    assert store.ask_again(battle.id).result() == 0
    (asked,) = store.load_battle(battle.id).turns
    assert (asked.prompt, asked.a, asked.b) == ("первый", None, None)
    store.finish_turn(battle.id, 0, answer("раз"), answer("два")).result()
    assert store.append_turn(battle.id, "второй").result() == 1
    read = store.load_battle(battle.id)
    assert [turn.prompt for turn in read.turns] == ["первый", "второй"]
    assert read.turns[0].a == answer("раз")
    assert read.turns[1].a is None
    assert [event.detail for event in store.events(kind="failure")] == ["timeout"]


def test_a_voted_battle_keeps_its_answers(store: Store) -> None:
    """What was voted on cannot be dropped afterwards, and nothing more is asked."""
    a, b = register(store, "x", "y")
    battle_id = votable(store, a.id, b.id)
    store.cast_vote(battle_id, "voter", Verdict.TIE).result()
    for attempt in (store.ask_again(battle_id), store.append_turn(battle_id, "ещё")):
        with pytest.raises(VotingClosed):
            attempt.result()


def test_an_expired_battle_is_not_revived(store: Store) -> None:
    """Whoever still has its page open is told so, and its status stays."""
    a, b = register(store, "x", "y")
    battle_id = votable(store, a.id, b.id)
    store.set_battle_status(battle_id, BattleStatus.EXPIRED).result()
    with pytest.raises(VotingClosed):
        store.append_turn(battle_id, "ещё").result()
    assert store.load_battle(battle_id).status == BattleStatus.EXPIRED


def test_writes_to_a_battle_that_is_not_there_are_refused(store: Store) -> None:
    """No write invents a battle or a turn."""
    for attempt in (
        store.append_turn("nothing", "?"),
        store.finish_turn("nothing", 0, answer(), answer()),
        store.ask_again("nothing"),
        store.set_battle_status("nothing", BattleStatus.OPEN),
        store.mark_masked("nothing"),
    ):
        with pytest.raises(UnknownBattle):
            attempt.result()


def test_status_changes_only_from_what_was_expected(store: Store) -> None:
    """A status that moved on meanwhile is left alone."""
    a, b = register(store, "x", "y")
    battle_id = votable(store, a.id, b.id)
    assert not store.set_battle_status(battle_id, BattleStatus.OPEN, expected=[BattleStatus.FAILED]).result()
    assert store.set_battle_status(battle_id, BattleStatus.OPEN, expected=[BattleStatus.VOTABLE]).result()
    assert store.load_battle(battle_id).status == BattleStatus.OPEN


def test_old_unvoted_battles_expire(store: Store, clock: Clock) -> None:
    """Only battles that are old and still without a vote expire, and each expiry is logged."""
    a, b = register(store, "x", "y")
    old, voted = votable(store, a.id, b.id), votable(store, a.id, b.id)
    store.cast_vote(voted, "voter", Verdict.MODEL_A).result()
    clock.now += 86_400
    fresh = votable(store, a.id, b.id)
    assert store.expire_battles(clock.now - 3_600).result() == 1
    statuses = [store.load_battle(battle_id).status for battle_id in (old, voted, fresh)]
    assert statuses == [BattleStatus.EXPIRED, BattleStatus.VOTED, BattleStatus.VOTABLE]
    assert [event.battle_id for event in store.events(kind="expiry")] == [old]


def test_the_latest_battle_is_found_by_mode_and_status(store: Store, clock: Clock) -> None:
    """A returning voter gets the newest battle that fits, and nobody else's."""
    a, b = register(store, "x", "y")
    first = votable(store, a.id, b.id)
    clock.now += 1
    direct = store.create_battle(NewBattle("voter", Mode.DIRECT, a.id, None)).result()
    clock.now += 1
    votable(store, a.id, b.id, "somebody else")
    newest = store.latest_battle("voter")
    assert newest is not None
    assert (newest.id, newest.contestant_b) == (direct.id, None)
    blind = store.latest_battle("voter", mode=Mode.ANONYMOUS, statuses=[BattleStatus.VOTABLE])
    assert blind is not None
    assert blind.id == first
    assert store.latest_battle("nobody") is None


def test_who_plays_a_battle_that_still_waits_for_its_vote_is_counted_nowhere(store: Store, clock: Clock) -> None:
    """Else the public share of draws would rise for its pair before the vote; named battles count in no case."""
    one, two, three = (record.id for record in register(store, "x", "y", "z"))
    waiting = votable(store, one, two)
    failed = votable(store, two, one)
    store.set_battle_status(failed, BattleStatus.FAILED).result()
    answering = store.create_battle(NewBattle("voter", Mode.ANONYMOUS, one, three)).result().id
    store.append_turn(answering, "?").result()
    store.create_battle(NewBattle("voter", Mode.NAMED, three, two)).result()
    assert store.recent_pairs() == ()

    clock.now += 1
    undone = vote(store, two, three, Verdict.TIE, "somebody else")
    assert store.recent_pairs() == ((two, three),)
    store.retract_vote(undone, "somebody else", within=60).result()
    assert store.recent_pairs() == ((two, three),)
    store.cast_vote(waiting, "voter", Verdict.MODEL_A).result()
    assert store.recent_pairs() == ((two, three), (one, two))
    store.expire_battles(before=clock.now).result()
    assert sorted(store.recent_pairs()) == sorted([(two, three), (one, two), (two, one), (one, three)])


def test_text_that_no_database_takes_is_mended(store: Store) -> None:
    """NUL and half characters from a model become replacement signs instead of a failure."""
    a, b = register(store, "x", "y")
    battle = store.create_battle(NewBattle("v", Mode.ANONYMOUS, a.id, b.id)).result()
    store.append_turn(battle.id, "?").result()
    nothing_hidden = replace(answer("a\x00b"), hidden=())
    store.finish_turn(battle.id, 0, nothing_hidden, answer("\ud800 и всё")).result()
    read = store.load_battle(battle.id).turns[0]
    assert (read.a, read.b) == (replace(nothing_hidden, text="a\ufffdb"), answer("\ufffd и всё"))


def test_a_changed_fingerprint_is_a_new_contestant(store: Store, clock: Clock) -> None:
    """The old one is retired and stays; one that comes back is no longer retired."""
    (first,) = store.register_contestants([Contestant("x", "one", licence="MIT")]).result()
    clock.now += 5
    (second,) = store.register_contestants([Contestant("x", "two")]).result()
    assert first.id != second.id
    old, new = store.contestants()
    assert (old.retired_at, new.retired_at) == (clock.now, None)
    (again,) = store.register_contestants([Contestant("x", "one", licence="Apache-2.0")]).result()
    assert (again.id, again.retired_at, again.contestant.licence) == (first.id, None, "Apache-2.0")
    assert store.contestants()[1].retired_at is not None


async def test_a_write_can_be_awaited(file_store: Store) -> None:
    """The same write serves an event loop, many at a time."""
    a, b = await file_store.register_contestants([Contestant("x"), Contestant("y")])
    battles = await asyncio.gather(
        *[file_store.create_battle(NewBattle(f"v{i}", Mode.ANONYMOUS, a.id, b.id)) for i in range(50)]
    )
    assert len({battle.id for battle in battles}) == 50
