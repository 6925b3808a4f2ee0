"""Sentences and words of English and Russian texts, by libraries that know these languages.

English: NLTK's Punkt, the splitter that IFEval counts with, with the common abbreviations named
here because its trained data is a separate download. Russian: razdel, whose rules know Russian
abbreviations, initials and direct speech. Words: NLTK's Treebank tokenizer for both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

_ABBREVIATIONS = (
    "mr mrs ms dr prof sr jr st vs etc e.g i.e inc ltd co corp no vol fig jan feb mar apr aug sept oct nov dec "
    "u.s u.k a.m p.m ph.d b.a m.a d.c gen col capt lt sgt rev hon approx dept est ave blvd"
)


def english_sentences(text: str) -> list[str]:
    """Sentences as Punkt cuts them; a line break alone ends none."""
    return [str(sentence) for sentence in _punkt().tokenize(text)]


def russian_sentences(text: str) -> list[str]:
    """Sentences as razdel cuts them, empty ones left out."""
    return [part.text for part in _razdel().sentenize(text) if part.text.strip()]


def treebank_words(sentences: list[str]) -> list[str]:
    """Words and punctuation; a hyphenated word is one, a contraction two."""
    return [str(word) for sentence in sentences for word in _treebank().tokenize(sentence)]


@lru_cache(maxsize=1)
def _razdel() -> Any:
    import razdel

    return razdel


@lru_cache(maxsize=1)
def _punkt() -> Any:
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer  # type: ignore[import-untyped]

    parameters = PunktParameters()
    parameters.abbrev_types = set(_ABBREVIATIONS.split())
    return PunktSentenceTokenizer(parameters)


@lru_cache(maxsize=1)
def _treebank() -> Any:
    from nltk.tokenize import NLTKWordTokenizer  # type: ignore[import-untyped]

    return NLTKWordTokenizer()
