"""A turn is written for its battle, whoever watches, and ends in exactly one way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from arena.battles.masking import Masker, hide
from arena.battles.stream import Frame, Phase
from arena.engines.energy import EnergyShares
from arena.engines.fake import FakeEngine, Script, Wait, failing, saying
from arena.errors import EngineTimeout
from arena.service.live import LiveTurn, Part
from arena.types import AnswerState, Chunk, Decoding, Message, Role

QUESTION = (Message(Role.USER, "why?"),)


def turn_of(a: Script, b: Script, **more: Callable[[], float]) -> tuple[LiveTurn, FakeEngine, FakeEngine]:
    one, two = FakeEngine(a), FakeEngine(b)
    parts = {"a": Part(one, QUESTION, Decoding()), "b": Part(two, QUESTION, Decoding())}
    return LiveTurn(parts, blind=True, **more), one, two  # type: ignore[arg-type]


async def shown(turn: LiveTurn) -> None:
    """Until something of both answers may be seen."""
    async with asyncio.timeout(60):
        while not (turn.frame().a and turn.frame().b):  # noqa: ASYNC110  # the clock's doing
            await asyncio.sleep(0.01)


async def test_both_answers_are_kept_whole_with_their_facts() -> None:
    """Text, tokens and pace of each side are there when the turn is over."""
    turn, _, _ = turn_of(saying("one two three"), saying("four five", reasoning="hm"))
    answers = await turn.answers
    assert [answers[side].text for side in ("a", "b")] == ["one two three", "four five"]
    assert (answers["a"].usage.completion_tokens, answers["b"].reasoning) == (3, "hm")
    assert turn.frame() == Frame(Phase.ENDED, "one two three", "four five")


async def test_a_failing_side_ends_the_other_and_hides_which_it_was() -> None:
    """The frame is the same whichever side failed; only the record knows."""
    turn, _, other = turn_of(
        failing(EngineTimeout("silent"), after="half"), saying("word " * 500, tokens_per_second=50)
    )
    answers = await turn.answers
    assert (answers["a"].state, answers["a"].error_code) == (AnswerState.FAILED, "timeout")
    assert answers["b"].state is AnswerState.COMPLETE
    assert turn.frame() == Frame(Phase.FAILED)
    assert other.open_streams == 0


async def test_a_stop_closes_both_models_and_keeps_what_was_shown() -> None:
    """The judged text is what the voter saw."""
    turn, one, two = turn_of(saying("word " * 500, tokens_per_second=80), saying("text " * 500, tokens_per_second=80))
    await shown(turn)
    answers = await turn.stop()
    assert (one.open_streams, two.open_streams) == (0, 0)
    assert answers["a"].state is AnswerState.STOPPED
    assert turn.frame() == Frame(Phase.STOPPED, answers["a"].text, answers["b"].text)
    assert 0 < len(answers["a"].text) < 2500


@pytest.mark.parametrize("glyphs", [1, 2, 3])
async def test_a_stop_within_a_mask_keeps_nothing_of_the_name_behind_it(glyphs: int) -> None:
    """Whatever of the mask was on the page: the answer ends before it, or holds it whole; all else is as shown."""
    now = 0.0
    text = "Hello! I am Zorblax, a model that was made to answer questions of all kinds, as well as it can. Well,"
    turn = masked_turn(lambda *_: [Chunk(text), Wait(600)], now=lambda: now)
    async with asyncio.timeout(60):
        while turn.frame().a.count("▇") < glyphs:
            await asyncio.sleep(0)
            now += 0.01  # less than a character
    on_page = turn.frame().a
    assert on_page == "Hello! I am " + "▇" * glyphs
    answers = await turn.stop()
    kept = "Hello! I am Zorblax" if glyphs == 3 else "Hello! I am "
    for answer in answers.values():
        assert (answer.text, answer.state) == (kept, AnswerState.STOPPED)
        assert hide(answer.text, answer.hidden or ()) == on_page.removesuffix("▇" * (glyphs % 3))
    assert turn.masked is (glyphs == 3)


async def test_a_name_in_which_the_limit_of_tokens_cut_an_answer_is_masked() -> None:
    """Half a name is name enough; where in the answer it is hidden is known with the answer."""
    turn = masked_turn(lambda *_: [Chunk("I am Zorb")], decoding=Decoding(max_tokens=1))
    answers = await turn.answers
    assert turn.frame() == Frame(Phase.ENDED, "I am ▇▇▇", "I am ▇▇▇")
    assert [(answer.text, answer.hidden) for answer in answers.values()] == 2 * [("I am Zorb", ((5, 9),))]
    assert (await masked_turn(lambda *_: [Chunk("I am Zorb")]).answers)["a"].hidden == ()


def masked_turn(script: Script, decoding: Decoding = Decoding(), **more: Callable[[], float]) -> LiveTurn:
    """A turn of which both sides say the same and know a Zorblax."""
    masker = Masker.from_names(["acme/Zorblax-7B"])
    parts = {side: Part(FakeEngine(script), QUESTION, decoding, masker.answering("why?")) for side in ("a", "b")}
    return LiveTurn(parts, blind=True, **more)  # type: ignore[arg-type]


async def test_a_turn_that_nobody_watches_is_neglected_and_a_watched_one_is_not() -> None:
    """Generation belongs to the battle, but not for ever."""
    now = 100.0
    turn, _, _ = turn_of(saying("word " * 500, tokens_per_second=1), saying("text"), now=lambda: now)
    now += 9
    turn.seen()
    now += 9
    assert not turn.neglected(10)
    now += 2
    assert turn.neglected(10)
    await turn.stop()
    assert not turn.neglected(10)


async def test_the_energy_of_both_answers_is_kept_also_of_a_turn_that_was_stopped() -> None:
    """A hundred joules in all; nothing of it is lost and the sides need not ask for it."""
    counter = {"joules": 0.0}

    def read() -> float:
        counter["joules"] = min(100.0, counter["joules"] + 25.0)
        return counter["joules"]

    shares = EnergyShares(read)
    await shares.settle()
    parts = {
        side: Part(FakeEngine(saying("word " * 500, tokens_per_second=80)), QUESTION, Decoding(), energy=shares)
        for side in ("a", "b")
    }
    turn = LiveTurn(parts, blind=True)  # type: ignore[arg-type]
    await shown(turn)
    answers = await turn.stop()
    joules = [answer.joules for answer in answers.values()]
    assert all(joules)
    assert sum(one or 0 for one in joules) == pytest.approx(75.0 - 25.0)
