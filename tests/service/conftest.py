"""What all tests of the service share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from playing import Opened

from arena.config import Catalog, Contestant, Settings
from arena.engines.fake import FakeEngine, Script
from arena.service import Arena, live, open_store
from arena.service.fleet import Fleet
from arena.service.opening import masker_of


@pytest.fixture
def shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads along: an answer that is whole need not wait for the next look at the pages."""
    monkeypatch.setattr(live, "DISPLAY_STEP", 0.005)


@pytest.fixture
async def opened(tmp_path: Path, shown_at_once: None) -> AsyncIterator[Opened]:
    """Opens arenas over one database; all are closed at the end."""
    arenas: list[Arena] = []

    def make(
        now: Callable[[], float] | None = None,
        /,
        *,
        grace: float = 600,
        fleet: type[Fleet] = Fleet,
        revision: str | None = None,
        **scripts: Script,
    ) -> Arena:
        settings = Settings(storage=tmp_path, seed=1, grace_seconds=grace, max_battles=3)
        entries = tuple(
            Contestant(name=name, engine="fake", organisation="Acme", revision=revision) for name in scripts
        )
        catalog = Catalog(entries)
        playing = fleet(catalog, {name: FakeEngine(script) for name, script in scripts.items()})
        more = {"clock": now} if now else {}
        arena = Arena(settings, catalog, open_store(settings), playing, masker=masker_of(catalog), **more)
        arenas.append(arena)
        return arena

    yield make
    for arena in arenas:
        await arena.close()
