"""Sizes that let small boards take the ways of large ones."""

from __future__ import annotations

import pytest

from arena.ratings import style_rows


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks, and several runs within each."""
    for name, value in (("_BLOCK", 700), ("_PER_PAIR", 1), ("RUN", 100)):
        monkeypatch.setattr(style_rows, name, value)
