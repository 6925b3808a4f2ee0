"""Which language a text is in, as an ISO 639-1 code.

py3langid (NumPy only, 5 MB, 97 languages and more) decides. Two things are settled before it is
asked: a text without a single letter has no language, and in a text of mixed scripts the script
with most letters speaks (an English essay with one Hindi line is English).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_ONE_WRITING = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK"}


@dataclass(frozen=True, slots=True)
class Guess:
    """The most likely language with how sure the detector is, 0–1, comparable across lengths."""

    language: str
    confidence: float


def language_of(text: str) -> Guess | None:
    """The most likely language, or None when the text holds no letters."""
    scripts = Counter(_script(character) for character in text if character.isalpha())
    if not scripts:
        return None
    if len(scripts) > 1:
        main = scripts.most_common(1)[0][0]
        text = "".join(" " if letter.isalpha() and _script(letter) != main else letter for letter in text)
    language, confidence = _detector().classify(text)
    return Guess(str(language), float(confidence))


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    """The first word of the letter's Unicode name: LATIN, CYRILLIC, DEVANAGARI …"""
    name = unicodedata.name(letter, "OTHER").split()[0]
    return _ONE_WRITING.get(name, name)


@lru_cache(maxsize=1)
def _detector() -> Any:
    from py3langid import langid  # type: ignore[import-untyped]  # the model takes 0.2 s: only when asked

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
