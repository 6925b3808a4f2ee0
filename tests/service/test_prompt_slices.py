"""What the slices say of a question can be told in a sentence, and is so."""

from __future__ import annotations

import pytest

from arena.service.prompts import is_hard

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
