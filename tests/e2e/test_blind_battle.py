"""The main job in a real browser, on the demo's models: ask, watch, vote, learn who it was, see the board move."""

from __future__ import annotations

import re

import pytest
from arena_process import ArenaProcess
from playwright.async_api import expect
from window import PATIENCE, Opened, Window

from arena.engines import toy_text

pytestmark = pytest.mark.browser

LONGEST = max((pair for pair in toy_text.pairs() if pair.language == "ru"), key=lambda pair: len(pair.answer)).prompt
TOYS = {"toy-altair", "toy-bellatrix", "toy-capella"}


async def votes_on_board(window: Window) -> int:
    """How many votes the open leaderboard counts."""
    said = await window.page.locator("#board-table .live").inner_text(timeout=PATIENCE)
    return int(re.sub(r"\D", "", said.split("·")[0]))


async def both_seen_growing(window: Window) -> bool:
    """Ask until both answers were seen to grow: a toy on a busy machine may say all it knows between two looks."""
    for _ in range(6):
        await window.page.evaluate("window.frames_seen = {a: [], b: []}")
        await window.ask_and_wait(LONGEST)
        frames = await window.page.evaluate("window.frames_seen")
        if all(len(frames[side]) >= 3 for side in ("a", "b")):
            return True
        await window.begin_again("new")
    return False


async def test_two_models_answer_a_vote_names_them_and_another_window_sees_the_board_move(
    demo: ArenaProcess, open_window: Opened
) -> None:
    """Both stream, a key votes, names and what changed appear; the other window asks for nothing until it is told."""
    mine, other = await open_window(demo), await open_window(demo)
    await other.open_tab("Рейтинг")
    before = await votes_on_board(other)
    assert await both_seen_growing(mine), "both answers grow on the screen"
    assert not TOYS & set(re.findall(r"toy-\w+", await mine.page.content())), "nobody is named before the vote"
    quiet = len(other.requests)
    await mine.press("ArrowLeft")
    names = await mine.revealed()
    assert set(names) <= TOYS
    assert len(set(names)) == 2
    await expect(mine.part("verdict")).to_contain_text("вы выбрали A")
    await expect(mine.part("verdict").locator(".change")).to_have_count(2)
    await expect(mine.part("head-a")).to_contain_text("ваш выбор")
    await expect(mine.part("facts-a")).to_contain_text("Квантизация")
    await expect(other.page.locator("#board-table .live")).to_contain_text(f"Голосов: {before + 1}", timeout=PATIENCE)
    asked = other.requests[quiet:]
    assert 0 < len(asked) <= 4, f"one refresh, not polling: {asked}"
