"""What the slices say of a question can be told in a sentence, and is so."""

from __future__ import annotations

import pytest

from arena.battles.battle import Battle
from arena.service.prompts import has_code, has_mathematics, is_hard, slices_of
from arena.types import Answer, AnswerState, Mode

HARD = [
    "Напиши функцию на Python. Она принимает список строк. Верни самую частую.\n```python\ndef f(words): ...\n```",
    "Докажи, что сумма углов треугольника равна 180°. Укажи аксиомы. Приведи чертёж словами.",
    "1. Solve x^2 = 9.\n2. Explain each step.\n3. Give one more example.",
    "Составь план. " * 30,
]
EASY = [
    "Сколько будет 2 + 2?",
    "Почему небо голубое?",
    "Какая столица у Франции?",
    "Explain `map` in one line",
    "Опиши море " * 40,  # long and nothing else
]


@pytest.mark.parametrize("prompt", HARD)
def test_two_signs_make_a_question_hard(prompt: str) -> None:
    """Length, several demands, code, mathematics."""
    assert is_hard(prompt)


@pytest.mark.parametrize("prompt", EASY)
def test_one_sign_does_not(prompt: str) -> None:
    """A short question may hold a formula, a long one nothing."""
    assert not is_hard(prompt)


@pytest.mark.parametrize(
    ("prompt", "code", "mathematics"),
    [
        ("Почему `len(x)` бывает нулём?", True, False),
        ("SELECT name FROM people — что это?", True, False),
        ("Реши x^2 = 9", False, True),
        ("Сколько будет 17 * 23?", False, True),
        ("Докажи теорему Пифагора", False, True),
        ("What is the probability of two sixes?", False, True),
        ("Работаете 24/7? Приду 12/05/2026.", False, False),
        ("Напиши письмо другу", False, False),
    ],
)
def test_code_and_mathematics_are_seen_in_whatever_people_write(prompt: str, code: bool, mathematics: bool) -> None:
    """A typed question has no topic that somebody gave it; these two can be read off it."""
    assert (has_code(prompt), has_mathematics(prompt)) == (code, mathematics)


def test_a_battle_is_in_every_slice_that_any_of_its_questions_shows() -> None:
    """The first question is plain, the second holds code."""
    said = Answer("Да.", AnswerState.COMPLETE)
    battle = Battle("b", "v", Mode.ANONYMOUS, "x", "y").ask("Привет").finish(said, said)
    assert slices_of(battle) == ("turn=first", "length=short")
    assert slices_of(battle.ask("Что делает `map`?")) == ("turn=later", "length=short", "code")
