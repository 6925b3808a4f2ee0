"""What all tests of the service share."""

from __future__ import annotations

import pytest

from arena.service import live


@pytest.fixture
def shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads along: an answer that is whole need not wait for the next look at the pages."""
    monkeypatch.setattr(live, "DISPLAY_STEP", 0.005)
