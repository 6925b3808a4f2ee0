"""How a board's names of contestants are shown to a reader, on the page and in plots. Knows no board and no plot.

A plot reads every text as HTML, so names reach one only through the functions here.
"""

from __future__ import annotations

from html import escape

from arena.service.boards import IMPORTED
from arena.ui.texts import say

LONG_NAME = 20
"""A name beside a plot that has more characters goes on in a second line: on a phone it would take the plot's place."""

_MAKE = 7
"""Characters of a space and the beginning of a fingerprint."""


def model_name(label: str, language: str) -> str:
    """A contestant in the reader's words: one that came with a file's votes says so."""
    name, mark, rest = label.rpartition(f" · {IMPORTED}")
    return f"{name} · {say(language, 'imported')}{rest}" if mark and len(rest) <= _MAKE else label


def plot_text(text: str) -> str:
    """A stranger's text as a plot shows it: letter by letter."""
    return escape(text, quote=False)


def plot_name(label: str, language: str) -> str:
    """The whole name, for a plot's legend, its points and what is pointed at."""
    return plot_text(model_name(label, language))


def row_name(label: str, language: str) -> str:
    """A name as a plot's row shows it: a long one in two lines, parted at the hyphen or space nearest its middle."""
    name = model_name(label, language)
    places = [at + 1 for at, sign in enumerate(name[:-1]) if sign in "-_ /"]
    if len(name) <= LONG_NAME or not places:
        return plot_text(name)
    at = min(places, key=lambda place: abs(place - len(name) / 2))
    return f"{plot_text(name[:at].rstrip())}<br>{plot_text(name[at:])}"


def short_name(label: str, language: str) -> str:
    """A name where there is no room for two lines: its beginning, and its end, which tells versions and imports."""
    name = model_name(label, language)
    return plot_text(name if len(name) <= LONG_NAME - 2 else f"{name[: LONG_NAME - 11]}…{name[-8:]}")
