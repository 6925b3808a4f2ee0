"""How an arena ends when it is told to, as containers and services do: in order, whoever looks on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import scenes
from arena_process import ArenaProcess
from page_by_hand import PageByHand, patient_client

pytestmark = pytest.mark.browser


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[ArenaProcess]:
    """Two contestants who talk until they are stopped, for this test alone."""
    arena = ArenaProcess(tmp_path, profile="test", models=scenes.write(tmp_path, *scenes.SLOW))
    yield arena.wait_until_ready(2)
    arena.stop()


async def test_an_arena_that_is_told_to_end_closes_beside_open_pages(arena: ArenaProcess) -> None:
    """Their lines end, what was being written can be voted on by what was shown, and the log holds no trouble."""
    async with patient_client() as client, client.stream("GET", arena.address + "/arena/events") as news:
        page = await PageByHand(arena.address, client).open()
        await page.event("anonymous-send", "click", {"anonymous-prompt": "Почему небо голубое?"})
        async with client.stream("GET", f"{arena.address}/arena/battle/{page.battle}") as battle:
            frames = battle.aiter_lines()
            await anext(line async for line in frames if '"more"' in line)
            await asyncio.to_thread(arena.stop)
            assert "event: over" in [line async for line in frames]
        assert [line async for line in news.aiter_lines()]
    assert arena.ended == 0
    assert "Traceback" not in arena.log_tail()
    with closing(sqlite3.connect(arena.storage / "arena.db")) as database:
        assert database.execute("SELECT status FROM battles").fetchall() == [("votable",)]
