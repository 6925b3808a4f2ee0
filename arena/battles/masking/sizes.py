"""Finds the size that a model tells of itself: "I am a 7B model", «во мне 12 миллиардов параметров».

A size alone singles out few of a catalogue, so it is a name too. Rules only: a number, its unit, what is
counted, and the first person that leads to it. It knows no names and nothing of the stream.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from arena.battles.masking.folding import fold_word
from arena.battles.masking.grammar import patterns, vocabulary
from arena.battles.masking.names import UNDECIDED, Found, Kind, Name, Undecided

SIZE = Name(Kind.SIZE, "size")
MAX_FILLERS = 8
_NUMBER = re.compile(r"\d{1,3}(?:[.,]\d{1,2})?")
_GAP = " \u00a0-"
_SHORT = ("b", "в", "б")  # 7B in both alphabets
_AM = patterns("size of whom")
_HAVE = patterns("size of what")
_unit = vocabulary("size units")
_counted = vocabulary("size counted")
_filler = vocabulary("plain", "self", "made", "loose", "size about")
_self_noun = vocabulary("self")


def size_at(text: str, start: int, final: bool) -> Found | Undecided | None:
    """The size that begins at a digit: "7B", "8 billion parameters"; billions of nothing said are no size."""
    number = _NUMBER.match(text, start)
    if number is None or text[number.end() : number.end() + 1].isdigit():
        return None
    unit, end = _word(text, number.end())
    if end == len(text) and not final:
        return UNDECIDED
    if unit.lower() in _SHORT and text[end - 1].isupper():
        return Found(start, end, SIZE)
    if not _unit(fold_word(unit)):
        return None
    counted, stop = _word(text, end)
    if stop == len(text) and not final:
        return UNDECIDED
    return Found(start, stop, SIZE) if _counted(fold_word(counted)) else None


def own_size(before: Sequence[str], short: bool) -> bool:
    """Whether the words before a size lead from the first person to it; `short`: 7B, of which nothing is counted."""
    for end in range(len(before), max(len(before) - MAX_FILLERS, 0), -1):
        crossed = before[end:]
        if _AM.end_at(before, end) is not None:
            return True
        if _HAVE.end_at(before, end) is not None:
            return not short and not any(map(_self_noun, crossed))
        if not _filler(before[end - 1]):
            return False
    return False


def _word(text: str, position: int) -> tuple[str, int]:
    """The word after at most one gap, and where it ends."""
    start = position + 1 if text[position : position + 1] in tuple(_GAP) else position
    end = start
    while end < len(text) and text[end].isalpha() and end - start < 24:
        end += 1
    return text[start:end], end
