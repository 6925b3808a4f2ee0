"""Recorded answers play back by prompt, from the files that benchmarks leave behind."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena.engines.recorded import Recorded, RecordedEngine, read_answers, read_questions
from arena.errors import EngineError, FileFormatError
from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason, Message, Role


def user(*prompts: str, answers: tuple[str, ...] = ()) -> Conversation:
    messages: list[Message] = []
    for index, prompt in enumerate(prompts):
        messages.append(Message(Role.USER, prompt))
        if index < len(answers):
            messages.append(Message(Role.ASSISTANT, answers[index]))
    return tuple(messages)


def jsonl(path: Path, *records: Any, compressed: bool = False) -> Path:
    data = "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode()
    path.write_bytes(gzip.compress(data) if compressed else data)
    return path


def answer(question: object, *turns: object) -> dict[str, object]:
    return {"question_id": question, "model_id": "m", "choices": [{"index": 0, "turns": list(turns)}]}


async def play(engine: RecordedEngine, conversation: Conversation) -> tuple[str, str, Finish]:
    text = reasoning = ""
    finish = None
    async for item in engine.stream(conversation, Decoding(seed=5)):
        if isinstance(item, Chunk):
            text, reasoning = text + item.text, reasoning + item.reasoning
        else:
            finish = item
    assert finish is not None
    return text, reasoning, finish


def at_once(answers: dict[str, tuple[Recorded, ...]], questions: dict[str, tuple[str, ...]]) -> RecordedEngine:
    return RecordedEngine(answers, questions, tokens_per_second=0, first_token_after=0)


async def test_a_known_prompt_gets_its_recorded_answer_whole() -> None:
    """White space, line ends and Markdown of the answer survive; the tokens are those of the file."""
    text = "# Да\n\n- раз\n- два  \n\n```py\nx = 1\n```"
    engine = at_once({"1": (Recorded(text, 17),)}, {"1": ("Вопрос?",)})
    shown, reasoning, finish = await play(engine, user("Вопрос?"))
    assert (shown, reasoning) == (text, "")
    assert finish.reason is FinishReason.STOP
    assert finish.usage.completion_tokens == 17
    assert finish.usage.prompt_tokens is None


async def test_a_prompt_is_found_whatever_its_white_space() -> None:
    """A browser trims the prompt and sends other line ends."""
    engine = at_once({"1": (Recorded("ok"),)}, {"1": ("  Line one\nline two ",)})
    assert (await play(engine, user("Line one\r\nline two")))[0] == "ok"


async def test_an_unknown_prompt_is_an_error_and_no_text() -> None:
    """Nothing is made up for a prompt that nobody asked the model."""
    engine = at_once({"1": (Recorded("ok"),)}, {"1": ("known",)})
    with pytest.raises(EngineError, match="no recorded answer"):
        await play(engine, user("unknown"))


async def test_the_second_turn_answers_only_after_its_own_first() -> None:
    """Turns are matched by all user messages so far, not by the last alone."""
    engine = at_once({"1": (Recorded("one"), Recorded("two"))}, {"1": ("first", "second")})
    assert (await play(engine, user("first", "second", answers=("one",))))[0] == "two"
    with pytest.raises(EngineError):
        await play(engine, user("second"))


async def test_recorded_reasoning_is_split_from_the_answer() -> None:
    """A recording of a thinking model holds its tags in the text."""
    engine = at_once({"1": (Recorded("<think>\nhmm, well\n</think>\n\nYes."),)}, {"1": ("q",)})
    text, reasoning, _ = await play(engine, user("q"))
    assert text == "Yes."
    assert reasoning.strip() == "hmm, well"


async def test_an_empty_answer_is_played_as_it_is_but_not_suggested() -> None:
    """Empty answers occur in real files; a vote on one is possible, a suggestion of one is not."""
    engine = at_once({"1": (Recorded(""),), "2": (Recorded("b"),)}, {"1": ("one",), "2": ("two",)})
    assert (await play(engine, user("one")))[0] == ""
    assert engine.prompts() == ("two",)


async def test_a_recorded_endpoint_failure_is_an_error() -> None:
    """Arena-Hard writes a marker in place of an answer when the endpoint failed."""
    engine = at_once({"1": (Recorded("$ERROR$"),)}, {"1": ("one",)})
    assert engine.prompts() == ()
    with pytest.raises(EngineError, match="failure"):
        await play(engine, user("one"))


async def test_the_pace_follows_the_token_count() -> None:
    """Ten tokens at 40 per second take a quarter of a second after the first-token wait."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    engine = RecordedEngine({"1": (Recorded("a b c d", 10),)}, {"1": ("q",)}, first_token_after=0.3, sleep=sleep)
    await play(engine, user("q"))
    assert slept[0] == 0.3
    assert sum(slept[1:]) == pytest.approx(10 / 40)


@pytest.mark.parametrize("compressed", [False, True])
def test_files_are_read_plain_or_gzipped_whatever_their_name(tmp_path: Path, compressed: bool) -> None:
    """A compressed file may have lost its suffix; identifiers may be numbers or strings."""
    path = jsonl(tmp_path / "m.jsonl", answer(7, {"content": "seven", "token_len": 2}), compressed=compressed)
    questions = jsonl(tmp_path / "q.jsonl", {"question_id": "7", "turns": [{"content": "?"}]}, compressed=compressed)
    assert read_answers(path) == {"7": (Recorded("seven", 2),)}
    assert RecordedEngine.from_files(path, questions).prompts() == ("?",)


def test_of_two_answers_to_one_question_the_later_counts(tmp_path: Path) -> None:
    """A rerun appends to the file, as Arena-Hard's own reader expects."""
    path = jsonl(tmp_path / "m.jsonl", answer(1, {"content": "old"}), answer(1, {"content": "new"}))
    assert read_answers(path)["1"] == (Recorded("new"),)


def test_turns_may_be_plain_strings(tmp_path: Path) -> None:
    """FastChat's files of the same kind write a turn as a string."""
    path = jsonl(tmp_path / "m.jsonl", answer(1, "one", "two"))
    assert read_answers(path)["1"] == (Recorded("one"), Recorded("two"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"question_id": 1}', "choices"),
        ('{"question_id": 1, "choices": []}', "choices"),
        ('{"question_id": 1, "choices": [{"turns": [{"content": 5}]}]}', "no text"),
        ("[1]", "object"),
        ('{"question_id": ', "no JSON"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    """The error says which file, which line and what was expected."""
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(answer(1, "fine")) + "\n\n" + line + "\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match=complaint) as caught:
        read_answers(path)
    assert (caught.value.path, caught.value.line) == (path, 3)


def test_a_file_that_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    """An interrupted download ends in the middle of the compressed data."""
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b"x" * 1000)[:-9])
    for path in (cut, tmp_path / "missing.jsonl"):
        with pytest.raises(FileFormatError, match="cannot be read"):
            read_questions(path)


def test_answers_that_belong_to_other_questions_are_refused(tmp_path: Path) -> None:
    """A contestant that can answer nothing is an error at start, not at the first battle."""
    answers = jsonl(tmp_path / "m.jsonl", answer(1, "one"))
    questions = jsonl(tmp_path / "q.jsonl", {"question_id": 2, "turns": ["two"]})
    with pytest.raises(FileFormatError, match="no answer belongs"):
        RecordedEngine.from_files(answers, questions)


async def test_nine_real_models_answer_every_real_russian_prompt(shared: Callable[[str], Path]) -> None:
    """500 prompts, nine models: each prompt has each model's own answer, to the letter."""
    files = sorted(shared("ru_arena_general/model_answer").iterdir())
    assert len(files) == 9
    asked = shared("ru_arena_general/question.jsonl")
    questions = read_questions(asked)
    for file in files:
        engine = RecordedEngine.from_files(file, asked, tokens_per_second=0, first_token_after=0)
        assert len(engine.prompts()) == 500
        recorded = read_answers(file)
        for key in list(questions)[::50]:
            text, reasoning, finish = await play(engine, user(questions[key][0]))
            assert (text, reasoning) == (recorded[key][0].text, "")
            assert finish.usage.completion_tokens == recorded[key][0].tokens


def test_it_says_beforehand_what_it_can_answer() -> None:
    """By the whole conversation: a second turn belongs to its own first."""
    engine = at_once({"1": (Recorded("one"), Recorded("two"))}, {"1": ("first", "second")})
    assert engine.knows(user("first"))
    assert engine.knows(user("first", "second", answers=("one",)))
    assert not engine.knows(user("second"))
