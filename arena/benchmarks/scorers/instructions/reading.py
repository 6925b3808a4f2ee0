"""How a language is read: the few things in which the checkers of two languages differ.

English follows Google's IFEval, Russian NLP-Core-Team's ruIFEval. Knows no instruction.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from arena.benchmarks.scorers.languages import Guess, language_of
from arena.benchmarks.scorers.sentences import english_sentences, russian_sentences


@dataclass(frozen=True, slots=True)
class Reading:
    """One language's conventions.

    `language` is what all-capitals and all-lowercase answers must be written in; `folded` is the
    form in which keywords and texts are compared; `answers` are the constrained options; `section`
    is the pattern of a section's heading around its word; `quotes` are the pairs of marks that may
    wrap a whole answer.
    """

    language: str
    language_of: Callable[[str], Guess | None]
    sentences: Callable[[str], list[str]]
    folded: Callable[[str], str]
    answers: tuple[str, ...]
    section: str
    quotes: tuple[tuple[str, str], ...]


# ruIFEval blanks Latin letters, digits and punctuation before lemmatising; its own list lacks the guillemets,
# without which a word in them keeps its form («матерями» would hold no «мать»).
_NOT_RUSSIAN = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~—–…«»„“”‘’]+")


def lemmatised(text: str) -> str:
    """Every Russian word in its first normal form, everything Latin, digits and punctuation dropped."""
    return " ".join(_lemma(word) for word in _NOT_RUSSIAN.sub(" ", text).split())


@lru_cache(maxsize=100_000)
def _lemma(word: str) -> str:
    return str(_morphology().normal_forms(word)[0])


@lru_cache(maxsize=1)
def _morphology() -> Any:
    import pymorphy3

    library: Any = pymorphy3  # ships without types; its dictionary takes 0.3 s to load
    return library.MorphAnalyzer(lang="ru")


_CYRILLIC_WORD = re.compile(r"[а-яё]+", re.IGNORECASE)
_SURE, _MOSTLY = 0.6, 0.8
"""A guess this sure stands; else the text is Russian where so many of its words are in the dictionary."""


def language_of_russian(text: str) -> Guess | None:
    """The detector's guess, unless it is unsure and the dictionary knows most words as Russian.

    A handful of Cyrillic words looks Bulgarian, Belarusian or Uzbek to any detector of many languages.
    """
    guess = language_of(text)
    words = _CYRILLIC_WORD.findall(text)
    if guess is None or guess.confidence >= _SURE or 2 * sum(map(len, words)) < sum(map(str.isalpha, text)):
        return guess
    known = sum(_morphology().word_is_known(word.lower()) for word in words)
    return Guess("ru", _SURE) if known >= _MOSTLY * len(words) else guess


ENGLISH = Reading(
    language="en",
    language_of=language_of,
    sentences=english_sentences,
    folded=str,
    answers=("My answer is yes.", "My answer is no.", "My answer is maybe."),
    section=r"\s?{}\s?\d+\s?",
    quotes=(('"', '"'),),
)

RUSSIAN = Reading(
    language="ru",
    language_of=language_of_russian,
    sentences=russian_sentences,
    folded=lemmatised,
    answers=("Мой ответ — да", "Мой ответ — нет", "Мой ответ — возможно"),
    section=r" ?{} ?[0-9A-Za-z]",
    quotes=(('"', '"'), ("«", "»"), ("„", "“"), ("“", "”")),
)
