"""What a battle is about, read off its texts: the slices it belongs to, and the style of its answers.

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


def is_hard(prompt: str) -> bool:
    """Whether at least two of four signs are there: length, several demands, code, mathematics."""
    demands = max(len(_POINT.findall(prompt)), len(_SENTENCE.findall(prompt)))
    signs = (len(prompt) >= LONG, demands >= SEVERAL, bool(_CODE.search(prompt)), bool(_MATHEMATICS.search(prompt)))
    return sum(signs) >= 2


def slices_of(battle: Battle) -> tuple[str, ...]:
    """The slices that the store cannot see by itself."""
    turn = "turn=first" if len(battle.turns) == 1 else "turn=later"
    length = "length=short" if len(battle.turns[0].prompt) < SHORT else "length=long"
    hard = ("hard",) if any(is_hard(one.prompt) for one in battle.turns) else ()
    return turn, length, *hard


def markup_of(battle: Battle) -> tuple[Markup, Markup]:
    """Length and Markdown of both sides over all turns."""
    a = [turn.a.text for turn in battle.turns if turn.a is not None]
    b = [turn.b.text for turn in battle.turns if turn.b is not None]
    return count_markup(*a), count_markup(*b)
