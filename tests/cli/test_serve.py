"""What a person sees in the terminal while the arena starts."""

from __future__ import annotations

import io
import sys

import pytest

from arena.cli.serve import _steps


class Terminal(io.StringIO):
    """A text that says whether somebody is watching."""

    def __init__(self, watched: bool) -> None:
        super().__init__()
        self.watched = watched

    def isatty(self) -> bool:
        return self.watched


@pytest.mark.parametrize("watched", [True, False])
def test_a_start_shows_how_far_it_is_where_somebody_watches(monkeypatch: pytest.MonkeyPatch, watched: bool) -> None:
    """Every step by its name with a bar; nothing in a log file."""
    terminal = Terminal(watched)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with _steps("first", "second") as begin:
        begin()
        begin()
    assert ("Arena: second" in terminal.getvalue()) == watched
