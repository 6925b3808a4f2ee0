"""What a person sees in the terminal while the arena starts, and what serving asks of Python itself."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Iterator

import pytest

from arena.cli.serve import _steps, look_for_garbage_among_what_is_new


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


@pytest.fixture
def as_before() -> Iterator[None]:
    """The collector afterwards as the other tests know it."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_a_running_arena_does_not_look_through_its_own_code_for_garbage(as_before: None) -> None:
    """What the start made is set aside; garbage that is made later is still found."""
    kept: list[object] = [["made by the start"]]
    look_for_garbage_among_what_is_new()
    assert not any(one is kept for one in gc.get_objects())

    class Link:
        """Refers to itself, so that only the collector finds it."""

    garbage = Link()
    garbage.__dict__["me"] = garbage
    del garbage
    assert gc.collect() > 0
