"""Sentences that are kept in English, for scripts read them too, and are said on the page in its own language.

It knows how a sentence with places is found again, and no sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

Sentence = tuple[str, str]
"""In English and in Russian, with the same {places}."""


def said(sentence: str, language: str, known: Sequence[Sentence], inside: Callable[[str], str] = str) -> str:
    """The sentence in the page's language; one that is not known stays as it is. `inside` translates what stands in
    its places."""
    if language != "ru":
        return sentence
    for english, russian in known:
        if found := _pattern(english).fullmatch(sentence):
            return russian.format(**{name: inside(part) for name, part in found.groupdict().items()})
    return sentence


@cache
def _pattern(english: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(english)))
