"""How long an answer is and how much Markdown it holds: what style control controls for.

Counted as LMSYS's style control (2024) and Arena-Hard v2 (2025) count, with code blocks stripped: headers `#` to
`######`, list items by number or by `-`, `*`, `+`, bold by `**` or `__` within a line. It sees one text and knows
neither models nor votes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CODE = re.compile(r"```[^`]*```")
_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)
_ORDERED = re.compile(r"^\s*\d+\.\s", re.MULTILINE)
_UNORDERED = re.compile(r"^\s*[-*+]\s", re.MULTILINE)
_BOLD = (re.compile(r"\*\*[^*\n]+\*\*"), re.compile(r"__[^_\n]+__"))


@dataclass(frozen=True, slots=True)
class Markup:
    """Length in characters, code blocks included, and counts of Markdown outside of them.

    Characters and not tokens: every tokenizer has its own, and hidden reasoning has tokens too.
    """

    characters: int = 0
    headers: int = 0
    lists: int = 0
    bold: int = 0


def count_markup(*texts: str) -> Markup:
    """What the texts hold together: a side's answers are counted over all turns."""
    return _sum(_count(text) for text in texts)


def _count(answer: str) -> Markup:
    text = _CODE.sub("", answer)
    return Markup(
        len(answer),
        len(_HEADER.findall(text)),
        len(_ORDERED.findall(text)) + len(_UNORDERED.findall(text)),
        sum(len(pattern.findall(text)) for pattern in _BOLD),
    )


def _sum(parts: Iterable[Markup]) -> Markup:
    characters = headers = lists = bold = 0
    for part in parts:
        characters, headers = characters + part.characters, headers + part.headers
        lists, bold = lists + part.lists, bold + part.bold
    return Markup(characters, headers, lists, bold)
