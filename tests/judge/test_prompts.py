"""What a judge is asked: fenced material without names in the conversation's language, or an official file's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.errors import ConfigError
from arena.judge.prompts import Case, OfficialProtocol, OwnProtocol, read_judge_config
from arena.judge.verdicts import Fence, Label
from arena.types import Decoding, Role

FENCE = Fence("c0ffee123456")
CASE = Case(("Первый вопрос", "Второй вопрос"), ("a1", "a2"), ("b1", "b2"), "ru")

VERSION_01 = """
name: my own protocol
judge_model: some-judge
temperature: 0
max_tokens: 100
system_prompt: "Compare. Say [[A>B]] or another."
prompt_template: ["Q: {question_1}\\n1: {answer_1}\\n2: {answer_2}"]
"""
VERSION_20 = """
judge_model: some-judge
temperature: 0.5
max_tokens: 16000
prompt_template: "Q: {QUESTION}\\nA: {ANSWER_A}\\nB: {ANSWER_B}"
"""


def config(folder: Path, text: str) -> Path:
    """The text as a file."""
    path = folder / "judge_config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("language", "word"), [("ru", "Ты сравниваешь"), ("en", "You compare"), ("de", "You compare")])
def test_the_judge_is_asked_in_the_language_of_the_conversation(language: str, word: str) -> None:
    """Russian for Russian, English for everything else."""
    system, user = OwnProtocol().ask(Case(("q",), ("a",), ("b",), language), FENCE)
    assert (system.role, user.role) == (Role.SYSTEM, Role.USER)
    assert system.content.startswith(word)


def test_every_label_is_offered_with_the_code_and_every_text_stands_between_markers() -> None:
    """All turns of both answers, in order, A before B."""
    system, user = OwnProtocol().ask(CASE, FENCE)
    assert all(FENCE.coded(label) in system.content for label in Label)
    places = [user.content.index(f"<{name}-{FENCE.code}>") for name in
              ("request-1", "request-2", "answer-A-1", "answer-A-2", "answer-B-1", "answer-B-2")]  # fmt: skip
    assert places == sorted(places)
    assert FENCE.dropped(user.content).strip() == ""


def test_the_reminder_speaks_the_language_of_the_question() -> None:
    """After the judge's own answer, with the labels once more."""
    for language, word in (("ru", "ровно одного"), ("en", "exactly one")):
        protocol = OwnProtocol(language)
        again = protocol.ask_again(protocol.ask(CASE, FENCE), "hm", FENCE)
        assert [message.role for message in again[-2:]] == [Role.ASSISTANT, Role.USER]
        assert word in again[-1].content
        assert FENCE.coded(Label.TIE) in again[-1].content


def test_an_official_file_is_asked_word_for_word(tmp_path: Path) -> None:
    """Version 0.1: system prompt, template, temperature and length as written, and no marker of ours."""
    protocol = read_judge_config(config(tmp_path, VERSION_01))
    system, user = protocol.ask(Case(("two {answer_2}?",), ("four",), ("five",)), FENCE)
    assert system.content == "Compare. Say [[A>B]] or another."
    assert user.content == "Q: two {answer_2}?\n1: four\n2: five"
    assert protocol.decoding == Decoding(temperature=0.0, top_p=1.0, max_tokens=100)
    assert protocol.judge_model == "some-judge"


def test_version_2_of_the_official_file_is_read_too(tmp_path: Path) -> None:
    """One template as a text, placeholders in capitals, no system prompt."""
    protocol = read_judge_config(config(tmp_path, VERSION_20))
    (user,) = protocol.ask(Case(("q",), ("x",), ("y",)), FENCE)
    assert user.content == "Q: q\nA: x\nB: y"
    assert isinstance(protocol, OfficialProtocol)
    assert protocol.decoding is not None
    assert protocol.decoding.temperature == 0.5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prompt_template: 5", "prompt_template"),
        ("prompt_template: ['no places']", "no place for the question"),
        ("- a list", "mapping"),
        ("a: [", "YAML"),
        (VERSION_01.replace("temperature: 0", "temperature: hot"), "temperature"),
        (VERSION_01.replace("max_tokens: 100", "max_tokens: -1"), "max_tokens"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_key(tmp_path: Path, text: str, told: str) -> None:
    """One line that names the file and what is wrong."""
    with pytest.raises(ConfigError, match=told) as refused:
        read_judge_config(config(tmp_path, text))
    assert "judge_config.yaml" in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_judge_config(tmp_path / "nowhere.yaml")
