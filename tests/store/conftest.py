"""A fresh store on each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer, Unavailable
from store_kit import Clock, elo_step

from arena.config import Settings
from arena.store.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole run; skips where there can be none."""
    try:
        server = PostgresServer()
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield server
    server.stop()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until told otherwise."""
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'arena.db'}"
    return request.getfixturevalue("postgres").emptied_database()  # type: ignore[no-any-return]


@pytest.fixture
def open_store(tmp_path: Path, clock: Clock) -> Iterator[Callable[[str], Store]]:
    """Open stores that are closed at the end of the test."""
    opened: list[Store] = []

    def opening(url: str) -> Store:
        secrets = Settings(storage=tmp_path).signing_keys()
        opened.append(Store.open(url, storage_dir=tmp_path, elo_step=elo_step, clock=clock, secrets=secrets))
        return opened[-1]

    yield opening
    for store in opened:
        store.close()


@pytest.fixture
def store(url: str, open_store: Callable[[str], Store]) -> Store:
    """A fresh store on each kind of database."""
    return open_store(url)


@pytest.fixture
def file_store(tmp_path: Path, open_store: Callable[[str], Store]) -> Store:
    """A fresh store on SQLite, for what only a file can suffer."""
    return open_store(f"sqlite:///{tmp_path / 'arena.db'}")
