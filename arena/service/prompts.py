"""What a battle is about, read off its texts: its language, the slices it belongs to, the style of its answers.

Plain rules that can be told in a sentence, so that a reader of a slice knows what is in it. It calls no model.
"""

from __future__ import annotations

import re

from arena.battles.battle import Battle
from arena.markup import Markup, count_markup

SHORT = 200
"""Characters below which a first question counts as short."""

LONG = 300
"""Characters from which a question's length is a sign that it is hard."""

SEVERAL = 3
"""Points of a list, or sentences, from which a question makes several demands."""

_POINT = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+\S", re.MULTILINE)
_SENTENCE = re.compile(r"[^\s\d.!?…][.!?…]+(?=\s|$)")
_CODE = re.compile(
    r"```|`[^`\n]+`|\b(?:def|class|import|return|const|public|lambda|func)\s+\w|#include|\w\(.*\)\s*[;{:]"
    r"|</\w+>|\bSELECT\b.+\bFROM\b|\bfor\s*\(|=>|==|!=",
    re.IGNORECASE | re.DOTALL,
)
_MATHEMATICS = re.compile(
    r"\$[^$\n]+\$|\\(?:frac|sqrt|sum|int|lim|begin)\b|[∑∫√≤≥≠∞π]|\b[a-zA-Zа-яА-Я]\s*[\^=<>]\s*[-\d\w]|\d\s*[*/^=×÷]\s*[\da-z(]"
    r"|\b(?:докаж|уравнен|неравенств|интеграл|производн|вероятност|матриц|теорем)"
    r"|\b(?:prove|proof|equation|inequality|integral|derivative|probability|matrix|theorem)",
    re.IGNORECASE,
)


_DATE = re.compile(r"\b\d{1,4}(?:\s*/\s*\d{1,4})+\b")
"""A date, a share, "24/7": no mathematics by itself."""


def has_code(prompt: str) -> bool:
    """Whether the signs of a program's text are there."""
    return bool(_CODE.search(prompt))


def has_mathematics(prompt: str) -> bool:
    """Whether there is a formula, a calculation or a word of mathematics."""
    return bool(_MATHEMATICS.search(_DATE.sub(" ", prompt)))


def is_hard(prompt: str) -> bool:
    """Whether at least two of four signs are there: length, several demands, code, mathematics."""
    demands = max(len(_POINT.findall(prompt)), len(_SENTENCE.findall(prompt)))
    signs = (len(prompt) >= LONG, demands >= SEVERAL, has_code(prompt), has_mathematics(prompt))
    return sum(signs) >= 2


def language_of(text: str) -> str:
    """`ru` when at least a third of the letters are Cyrillic, else `en`."""
    letters = [char for char in text if char.isalpha()]
    cyrillic = sum("а" <= char.lower() <= "я" or char in "ёЁ" for char in letters)
    return "ru" if letters and cyrillic * 3 >= len(letters) else "en"


def slices_of(battle: Battle) -> tuple[str, ...]:
    """The slices that the store cannot see by itself."""
    turn = "turn=first" if len(battle.turns) == 1 else "turn=later"
    length = "length=short" if len(battle.turns[0].prompt) < SHORT else "length=long"
    signs = (("hard", is_hard), ("code", has_code), ("mathematics", has_mathematics))
    return turn, length, *(name for name, shows in signs if any(shows(one.prompt) for one in battle.turns))


def markup_of(battle: Battle) -> tuple[Markup, Markup]:
    """Length and Markdown of both sides over all turns."""
    a = [turn.a.text for turn in battle.turns if turn.a is not None]
    b = [turn.b.text for turn in battle.turns if turn.b is not None]
    return count_markup(*a), count_markup(*b)
