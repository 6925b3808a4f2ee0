"""How a board's names of contestants are shown to a reader. Knows no board and no plot."""

from __future__ import annotations

from arena.service.boards import IMPORTED
from arena.ui.texts import say

_MAKE = 7
"""Characters of a space and the beginning of a fingerprint."""


def model_name(label: str, language: str) -> str:
    """A contestant in the reader's words: one that came with a file's votes says so."""
    name, mark, rest = label.rpartition(f" · {IMPORTED}")
    return f"{name} · {say(language, 'imported')}{rest}" if mark and len(rest) <= _MAKE else label
