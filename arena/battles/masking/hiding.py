"""An answer and what is visible of it: masks in place of hidden spans, and the way back from a visible length.

It knows places only, and nothing of names or of how they are found.
"""

from __future__ import annotations

from arena.types import Spans

MASK = "▇▇▇"
"""What stands for a hidden name: always the same, so that its length tells nothing."""


def hide(text: str, hidden: Spans) -> str:
    """The text with a mask for every hidden span; a span that a text no longer has (it was erased) is none."""
    shown: list[str] = []
    at = 0
    for start, end in hidden:
        if end <= len(text):
            shown += text[at:start], MASK
            at = end
    return "".join([*shown, text[at:]])


def behind(length: int, hidden: Spans) -> tuple[int, Spans]:
    """How much of a text stands behind its first `length` visible characters, and which spans of that are hidden.

    A mask that is not visible whole is left out, with the name behind it.
    """
    longer = 0  # by so much the text up to here is longer than what is visible of it
    for number, (start, end) in enumerate(hidden):
        if length + longer < start + len(MASK):
            return min(start, length + longer), hidden[:number]
        longer += end - start - len(MASK)
    return length + longer, hidden
