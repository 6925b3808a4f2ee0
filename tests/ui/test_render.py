"""What a view becomes on the page: names only where they may be known, everything foreign escaped."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.battles.battle import Battle, Turn
from arena.battles.stream import Phase
from arena.ratings.elo import Scale
from arena.service import BattleView, Facts, Nameplate, Reveal
from arena.service.rooms import Room
from arena.service.views import RevealedSide, TurnView
from arena.store.records import Contestant, ContestantRecord, VoteReceipt
from arena.types import SIDES, Answer, AnswerState, BattleStatus, Mode, Side, Usage, Verdict
from arena.ui import render

NAMES = ("Quibblefrost", "Zanzamoth")
KNOWN = {BattleStatus.VOTED, BattleStatus.RETRACTED}
ANYTHING = st.text(max_size=40)


def contestant(number: int) -> ContestantRecord:
    """One whose every field tells who it is."""
    name = NAMES[number]
    fields = Contestant(name=name, fingerprint=name, organisation=f"{name} Org", licence=f"{name} licence")
    return ContestantRecord(number + 1, fields, 0.0)


def answer(text: str) -> Answer:
    """Complete, with all that can be known of it."""
    return Answer(
        text, AnswerState.COMPLETE, "thought", usage=Usage(3, 14), first_token_after=0.5, tokens_per_second=28
    )


def view_of(status: BattleStatus, mode: Mode, texts: tuple[str, str] = ("one", "two")) -> BattleView:
    """What the owner may see of a battle in this state."""
    turn = Turn("why?", None, None) if status is BattleStatus.ANSWERING else Turn("why?", *map(answer, texts))
    battle = Battle("id", "me", mode, *NAMES, status=status, turns=(Turn("first", answer("x"), answer("y")), turn))
    receipt = None
    if status in KNOWN:
        retracted = 101.0 if status is BattleStatus.RETRACTED else None
        receipt = VoteReceipt(
            "id", 1, 1, Verdict.MODEL_A, 100.0, 1, 2, elo_before_a=1000, elo_before_b=1000, elo_after_a=1002,
            elo_after_b=998, retracted_at=retracted,
        )  # fmt: skip
    room = Room(battle, contestant(0), contestant(1), lambda prompt, answer: answer.text, receipt)
    return room.view(now=101.0, undo_seconds=30.0, scale=Scale())


def everything(view: BattleView, language: str) -> str:
    """All that a battle's tab shows of a view."""
    parts = [render.question(view, language), render.verdict(view, language)]
    for side in SIDES:
        parts += [render.side_head(view, side, language), render.answer(view, side, language)]
        parts += [render.earlier(view, side), render.facts(view, side, language)]
    return "\n".join(parts)


@pytest.mark.parametrize(("status", "mode", "language"), product(BattleStatus, Mode, ("ru", "en")))
def test_names_stand_on_the_page_exactly_when_they_may_be_known(
    status: BattleStatus, mode: Mode, language: str
) -> None:
    """In every state: after the vote, or where the voter chose them; and not a word of them otherwise."""
    page = everything(view_of(status, mode), language)
    shown = any(name in page for name in NAMES)
    assert shown == (mode is not Mode.ANONYMOUS or status in KNOWN)


@given(ANYTHING, ANYTHING, st.sampled_from(sorted(set(BattleStatus) - KNOWN)), st.sampled_from(Phase))
def test_before_the_vote_the_two_sides_differ_in_nothing_but_their_answers(
    one: str, other: str, status: BattleStatus, phase: Phase
) -> None:
    """Exchanging the answers exchanges the page's halves, whatever state the battle is in."""
    view = BattleView("id", Mode.ANONYMOUS, status, phase, (TurnView("why?", one, other),))
    swapped = BattleView("id", Mode.ANONYMOUS, status, phase, (TurnView("why?", other, one),))
    opposite: dict[Side, Side] = {"a": "b", "b": "a"}
    for side in SIDES:
        assert render.answer(view, side, "ru") == render.answer(swapped, opposite[side], "ru")
        assert render.side_head(view, side, "ru") == render.side_head(swapped, side, "ru")
        assert render.facts(view, side, "ru") == ""


@given(ANYTHING)
def test_whatever_a_person_or_a_catalogue_wrote_is_escaped(text: str) -> None:
    """Question, name, organisation, licence, reasoning."""
    hostile = f"<img src=x onerror={text}>\"'&"
    plate = Nameplate(hostile, hostile, 7, hostile, hostile)
    reveal = Reveal(
        RevealedSide(plate, Facts(1, 0.1, 9.0, 3), hostile, 1000.0, 1002.0),
        RevealedSide(plate, Facts(), "", 1000.0, 998.0),
        Verdict.MODEL_A, 0.5, 30.0,
    )  # fmt: skip
    view = BattleView("id", Mode.ANONYMOUS, BattleStatus.VOTED, Phase.ENDED, (TurnView(hostile, "x", "y"),), reveal)
    assert "<img" not in everything(view, "en")


def test_a_failure_reads_the_same_on_both_sides() -> None:
    """Even where one side had said something."""
    view = BattleView("id", Mode.ANONYMOUS, BattleStatus.FAILED, Phase.FAILED, (TurnView("why?", "half", ""),))
    assert render.answer(view, "a", "ru") == render.answer(view, "b", "ru")
    assert "half" not in render.answer(view, "a", "ru")


@pytest.mark.parametrize(("language", "said"), [("ru", "время этого боя вышло"), ("en", "time is over")])
def test_a_battle_left_too_long_says_why_it_takes_no_vote(language: str, said: str) -> None:
    """On both sides, with the answers still there to read."""
    view = view_of(BattleStatus.EXPIRED, Mode.ANONYMOUS)
    assert not view.can_vote
    for side in SIDES:
        assert said in render.side_head(view, side, language)
    assert render.answer(view, "a", language) == "one"


def test_an_empty_answer_is_told_and_not_left_blank() -> None:
    """But only when it is complete."""
    done = BattleView("id", Mode.ANONYMOUS, BattleStatus.VOTABLE, Phase.ENDED, (TurnView("why?", " ", "text"),))
    coming = BattleView("id", Mode.ANONYMOUS, BattleStatus.ANSWERING, Phase.WAITING, (TurnView("why?", "", ""),))
    assert "empty text" in render.answer(done, "a", "en")
    assert render.answer(coming, "a", "en") == ""


def test_answers_that_were_stopped_say_so_as_long_as_they_stand() -> None:
    """On both sides; what was stopped before its first word is no answer with an empty text."""
    turn = Turn("why?", *(replace(answer(text), state=AnswerState.STOPPED) for text in ("half a", "")))
    room = Room(
        Battle("id", "me", Mode.ANONYMOUS, *NAMES, turns=(turn,)), contestant(0), contestant(1), lambda _, a: a.text
    )
    room.battle = replace(room.battle, status=BattleStatus.VOTABLE)
    view = room.view(now=101.0, undo_seconds=30.0, scale=Scale())
    for side, text in zip(SIDES, ("half a", ""), strict=True):
        assert "stopped" in render.side_head(view, side, "en")
        assert render.answer(view, side, "en") == text


def test_the_panel_after_the_vote_says_what_was_expected_and_what_changed() -> None:
    """And how long the vote can be taken back; a retracted one says only that."""
    voted = render.verdict(view_of(BattleStatus.VOTED, Mode.ANONYMOUS), "en")
    for said in ("you chose A", "50%", "1,000.0 → 1,002.0", "1,000.0 → 998.0", 'data-undo-seconds="29.0"'):
        assert said in voted
    retracted = render.verdict(view_of(BattleStatus.RETRACTED, Mode.ANONYMOUS), "en")
    assert "taken back" in retracted
    assert "undo-seconds" not in retracted


def test_facts_that_are_not_known_are_said_to_be_so() -> None:
    """No zero stands for what an endpoint did not tell."""
    reveal = Reveal(RevealedSide(Nameplate("x"), Facts(None, None, None, 12)), None)
    view = BattleView("id", Mode.DIRECT, BattleStatus.VOTABLE, Phase.ENDED, (TurnView("why?", "text"),), reveal)
    shown = render.facts(view, "a", "en")
    assert shown.count("not known") == 3
    assert "characters: 12" in shown
    assert "Energy" not in shown


def test_energy_is_shown_where_it_was_measured_whole_and_by_token() -> None:
    """A hundred tokens for 38 joules."""
    reveal = Reveal(RevealedSide(Nameplate("x"), Facts(100, 0.1, 9.0, 300, 38.0)), None)
    view = BattleView("id", Mode.DIRECT, BattleStatus.VOTABLE, Phase.ENDED, (TurnView("why?", "text"),), reveal)
    assert "<dd>38 J · 0.38 J per token</dd>" in render.facts(view, "a", "en")
    assert "<dd>38 Дж · 0,38 Дж на токен</dd>" in render.facts(view, "a", "ru")


def test_a_conversation_too_long_to_be_read_is_told_alike_on_both_sides() -> None:
    """Asking again would not help, so it is not what is advised; who could not read it stays unknown."""
    failed = Answer("", AnswerState.FAILED, error_code="context_overflow")
    battle = Battle(
        "id", "me", Mode.ANONYMOUS, *NAMES, status=BattleStatus.FAILED, turns=(Turn("why?", failed, answer("fine")),)
    )
    view = Room(battle, contestant(0), contestant(1), lambda prompt, answer: answer.text).view(
        now=0.0, undo_seconds=30.0, scale=Scale()
    )
    shown = {render.answer(view, side, "en") for side in SIDES}
    assert len(shown) == 1
    assert "longer than these models can read" in shown.pop()


def test_the_latest_question_stands_alone_and_offers_the_earlier_ones() -> None:
    """Two answers are compared from their beginning; a first question has nothing before it."""
    view = view_of(BattleStatus.VOTABLE, Mode.ANONYMOUS)
    assert "Earlier turns: 1" in render.question(view, "en")
    assert "data-earlier" not in render.question(replace(view, turns=view.turns[-1:]), "en")
