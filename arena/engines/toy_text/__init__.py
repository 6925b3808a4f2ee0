"""The question-and-answer text that the demo's toy models learn, in Russian and English.

Pure text: it knows no model and imports none, so the page can suggest its prompts and a test can
vote by correctness without loading torch. Files: `=== topic`, then `? question` and its answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["ru", "en"]

LANGUAGES: tuple[Language, Language] = ("ru", "en")
_DIRECTORY = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Pair:
    """One question and the answer that counts as correct, Markdown included."""

    topic: str
    language: Language
    prompt: str
    answer: str


@cache
def pairs() -> tuple[Pair, ...]:
    """Every pair of the text, Russian first, in the order of the files."""
    return tuple(pair for language in LANGUAGES for pair in _read(language))


def suggested_prompts() -> list[tuple[str, Language, str]]:
    """Topic, language and prompt of everything that a fully trained toy can answer."""
    return [(pair.topic, pair.language, pair.prompt) for pair in pairs()]


def correct_answer(prompt: str) -> str | None:
    """The answer that counts as correct, None for a prompt that is not of the text."""
    return _answers().get(_normal(prompt))


def is_correct(prompt: str, answer: str) -> bool:
    """Whether the answer is the text's own, white space aside; False for an unknown prompt."""
    expected = correct_answer(prompt)
    return expected is not None and _normal(expected) == _normal(answer)


def known_share(share: float) -> tuple[Pair, ...]:
    """The part of the text that a toy of this skill learns; a smaller share lies within a larger one.

    Pairs are ranked by a hash within their topic and language, so every topic is known in part.
    """
    chosen: list[Pair] = []
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs():
        groups.setdefault((pair.language, pair.topic), []).append(pair)
    for group in groups.values():
        chosen += sorted(group, key=_rank)[: round(share * len(group))]
    return tuple(chosen)


def _rank(pair: Pair) -> bytes:
    return hashlib.sha256(pair.prompt.encode()).digest()


@cache
def _answers() -> dict[str, str]:
    return {_normal(pair.prompt): pair.answer for pair in pairs()}


def _normal(text: str) -> str:
    return " ".join(text.split())


def _read(language: Language) -> Iterator[Pair]:
    text = (_DIRECTORY / f"{language}.txt").read_text(encoding="utf-8")
    for section in text.split("=== ")[1:]:
        topic, _, body = section.partition("\n")
        for entry in ("\n" + body).split("\n? ")[1:]:
            prompt, _, answer = entry.partition("\n")
            yield Pair(topic, language, prompt, answer.strip("\n"))
