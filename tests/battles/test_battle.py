"""A battle allows what its state allows, and nothing else."""

from __future__ import annotations

import pytest

from arena.battles.battle import Battle, clean_prompt
from arena.errors import AlreadyVoted, BattleError, PromptRefused, VotingClosed
from arena.types import Answer, AnswerState, BattleStatus, Message, Mode, Role, Verdict


def fresh(mode: Mode = Mode.ANONYMOUS) -> Battle:
    return Battle("id", "voter", mode, "one", "two" if mode is not Mode.DIRECT else None)


def done(text: str = "an answer") -> Answer:
    return Answer(text, AnswerState.COMPLETE)


def answered(mode: Mode = Mode.ANONYMOUS) -> Battle:
    battle = fresh(mode).ask("why?")
    return battle.finish(done("because a"), done("because b") if battle.contestant_b else None)


def test_a_battle_is_asked_answered_and_voted() -> None:
    """The straight way from the question to the verdict."""
    voted = answered().vote(Verdict.MODEL_A)
    assert (voted.status, voted.verdict, voted.names_known) == (BattleStatus.VOTED, Verdict.MODEL_A, True)


def test_each_side_sees_only_its_own_answers() -> None:
    """The two conversations share the user's messages and nothing else."""
    battle = answered().ask("and then?")
    assert battle.conversation("b") == (
        Message(Role.USER, "why?"),
        Message(Role.ASSISTANT, "because b"),
        Message(Role.USER, "and then?"),
    )


def test_voting_is_closed_while_answers_are_written() -> None:
    """A verdict on half an answer is not a verdict."""
    with pytest.raises(VotingClosed):
        fresh().ask("why?").vote(Verdict.TIE)


def test_one_failed_side_fails_the_turn() -> None:
    """A turn with one answer compares nothing."""
    failed = fresh().ask("why?").finish(done(), Answer("", AnswerState.FAILED, error_code="timeout"))
    assert failed.status is BattleStatus.FAILED
    with pytest.raises(VotingClosed):
        failed.vote(Verdict.MODEL_A)


def test_a_stop_before_the_first_word_leaves_nothing_to_compare() -> None:
    """Unless an earlier turn was answered, or one side had begun; a chat goes on as it is."""
    stopped = Answer("", AnswerState.STOPPED)
    mute = fresh().ask("why?").finish(stopped, stopped)
    assert mute.status is BattleStatus.FAILED
    assert mute.again().status is BattleStatus.ANSWERING
    assert fresh().ask("why?").finish(Answer("I", AnswerState.STOPPED), stopped).status is BattleStatus.VOTABLE
    assert answered().ask("and then?").finish(stopped, stopped).status is BattleStatus.VOTABLE
    assert fresh(Mode.DIRECT).ask("why?").finish(stopped, None).status is BattleStatus.VOTABLE


def test_a_failed_turn_can_be_asked_again() -> None:
    """Again keeps the question and forgets the failed answers."""
    again = fresh().ask("why?").finish(done(), Answer("", AnswerState.FAILED)).again()
    assert again.status is BattleStatus.ANSWERING
    assert [turn.prompt for turn in again.turns] == ["why?"]
    assert again.turns[0].a is None


def test_a_second_vote_is_refused() -> None:
    """One battle, one vote."""
    with pytest.raises(AlreadyVoted):
        answered().vote(Verdict.TIE).vote(Verdict.MODEL_A)


def test_a_retracted_battle_is_not_voted_again() -> None:
    """Its names are known."""
    with pytest.raises(AlreadyVoted):
        answered().vote(Verdict.TIE).retract().vote(Verdict.MODEL_B)


def test_a_blind_battle_takes_no_message_once_names_are_known() -> None:
    """A conversation that goes on with known names would be a named battle."""
    with pytest.raises(BattleError, match="start a new one"):
        answered().vote(Verdict.TIE).ask("more?")


@pytest.mark.parametrize("mode", [Mode.NAMED, Mode.DIRECT])
def test_battles_with_known_names_take_no_vote(mode: Mode) -> None:
    """Only blind battles are rated."""
    with pytest.raises(VotingClosed):
        answered(mode).vote(Verdict.MODEL_A)


def test_an_expired_battle_takes_no_vote() -> None:
    """A battle left for a day is closed."""
    with pytest.raises(VotingClosed):
        answered().expire().vote(Verdict.MODEL_A)


@pytest.mark.parametrize(
    ("text", "mend", "code"),
    [
        ("  \n", "write a question", "prompt_empty"),
        ("x" * 11, "shorten it to 10", "prompt_too_long"),
        ("a\ud800", "remove", "prompt_refused"),
        ("a\x00", "remove", "prompt_refused"),
    ],
)
def test_an_unusable_prompt_is_refused_with_the_mend(text: str, mend: str, code: str) -> None:
    """The voter learns what to change, on the page too, which translates the code."""
    with pytest.raises(PromptRefused, match=mend) as refused:
        clean_prompt(text, limit=10)
    assert refused.value.code == code
