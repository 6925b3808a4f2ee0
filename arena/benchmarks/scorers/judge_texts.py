"""Reading a grade or a choice out of a judge's raw words, as MT-Bench does.

A grade is `[[n]]`, else `[n]`; a choice is `[[A]]`, `[[B]]` or `[[C]]` (tie). FastChat takes the
first match, others the last. Out of range or absent is None: it is counted, never guessed.
Arena-Hard's labels are `[[A>>B]]` and so on.
"""

from __future__ import annotations

import re
from typing import Literal

Which = Literal["first", "last"]
Choice = Literal["A", "B", "tie"]

_DOUBLE = re.compile(r"\[\[(\d+\.?\d*)\]\]")
_SINGLE = re.compile(r"\[(\d+\.?\d*)\]")
_CHOICE = re.compile(r"\[\[([ABC])\]\]")
_LABEL = re.compile(r"\[\[([AB<>=]+)\]\]")
_CHOICES: dict[str, Choice] = {"A": "A", "B": "B", "C": "tie"}


def grade(text: str, which: Which = "first") -> float | None:
    """The grade in a judge's text, 1–10."""
    found = _DOUBLE.findall(text) or _SINGLE.findall(text)
    value = float(found[0 if which == "first" else -1]) if found else None
    return value if value is not None and 1 <= value <= 10 else None


def choice(text: str, which: Which = "first") -> Choice | None:
    """Which answer the judge prefers, by the letters it was shown."""
    found = _CHOICE.findall(text)
    return _CHOICES[found[0 if which == "first" else -1]] if found else None


def labels(text: str) -> tuple[str, ...]:
    """The distinct pairwise labels in a judge's text, as `A>>B` of `[[A>>B]]`: two say as little as none."""
    return tuple(dict.fromkeys(_LABEL.findall(text)))
