"""Verdicts by key and button, taking them back, giving reasons, and taking the votes away as a file."""

from __future__ import annotations

import asyncio
import csv
import io
import sqlite3
from contextlib import closing

import pytest
from arena_process import ArenaProcess
from playwright.async_api import Route, expect
from window import PATIENCE, Opened, Window

from arena.config import Settings
from arena.service import open_store

pytestmark = pytest.mark.browser

COUNTED = {
    "ArrowLeft": "вы выбрали A",
    "ArrowRight": "вы выбрали B",
    "ArrowUp": "ничья",
    "ArrowDown": "оба плохо",
    "1": "вы выбрали A",
    "2": "вы выбрали B",
    "3": "ничья",
    "4": "оба плохо",
}


def rows(arena: ArenaProcess, query: str, *values: object) -> list[tuple[object, ...]]:
    """What the arena's own database says, read beside it."""
    with closing(sqlite3.connect(f"file:{arena.storage / 'arena.db'}?mode=ro", uri=True)) as database:
        return database.execute(query, values).fetchall()


async def voted(window: Window) -> None:
    """One battle, voted for A."""
    await window.ask_and_wait()
    await window.press("ArrowLeft")
    await window.revealed()


async def test_every_key_gives_its_verdict(quick: ArenaProcess, open_window: Opened) -> None:
    """Arrows and digits, and the next battle is under the keys; the voter stays in one window, battle after battle."""
    window = await open_window(quick)
    for key, said in COUNTED.items():
        await window.ask_and_wait()
        await window.press(key)
        await expect(window.part("verdict")).to_contain_text(said, timeout=PATIENCE)
        await expect(window.part("new-after")).to_be_focused(timeout=PATIENCE)
        await window.begin_again()


async def test_a_key_pressed_while_typing_is_a_letter_and_no_vote(quick: ArenaProcess, open_window: Opened) -> None:
    """Arrows move in the text field; after Escape they vote."""
    window = await open_window(quick)
    await window.ask_and_wait()
    box = window.part("prompt").locator("textarea")
    await box.fill("ещё")
    for key in ("ArrowLeft", "ArrowDown", "1"):
        await box.press(key)
    assert "1" in await box.input_value()
    await expect(window.part("vote-a")).to_be_enabled()
    assert not rows(quick, "select 1 from votes where battle_id = ?", await window.battle())
    await box.press("Escape")
    await window.page.keyboard.press("ArrowRight")
    await expect(window.part("verdict")).to_contain_text("вы выбрали B", timeout=PATIENCE)


async def test_reasoning_unfolds_after_the_vote_and_not_before(quick: ArenaProcess, open_window: Opened) -> None:
    """Only one of the two thinks; before the vote neither side shows it."""
    window = await open_window(quick)
    await window.ask_and_wait()
    assert "Надо вспомнить" not in await window.page.content()
    await window.press("ArrowUp")
    await window.revealed()
    unfolded = window.page.locator("details.reasoning")
    await expect(unfolded).to_have_count(1)
    await unfolded.locator("summary").click()
    await expect(unfolded).to_contain_text("Надо вспомнить Рэлея.")


async def test_a_vote_taken_back_leaves_the_board_and_the_battle_takes_no_other(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """The button counts its seconds down; names stay, so voting again is answered by 409."""
    window = await open_window(quick)
    await voted(window)
    battle = await window.battle()
    undo = window.part("undo")
    await expect(undo).to_contain_text("Отменить · ", timeout=PATIENCE)
    await undo.click()
    await expect(window.part("verdict")).to_contain_text("Голос отменён", timeout=PATIENCE)
    await expect(undo).to_be_hidden()
    await expect(window.part("vote-a")).to_be_hidden()
    assert rows(quick, "select retracted_at is not null from votes where battle_id = ?", battle) == [(1,)]
    assert await window.post("arena/vote", {"battle": battle, "verdict": "model_b"}) == 409
    window.forgive("409")


async def test_ten_votes_at_once_from_the_page_make_one(quick: ArenaProcess, open_window: Opened) -> None:
    """The same verdict is acknowledged each time; another one is refused."""
    window = await open_window(quick)
    await window.ask_and_wait()
    battle = await window.battle()
    script = """(battle) => Promise.all([...Array(10).keys()].map(async (n) => (await fetch("arena/vote", {
        method: "POST", body: JSON.stringify({battle, verdict: n % 2 ? "model_a" : "tie"}),
        headers: {"Content-Type": "application/json"}})).status))"""
    statuses = await window.page.evaluate(script, battle)
    assert sorted(statuses) == [200] * 5 + [409] * 5
    assert rows(quick, "select count(*) from votes where battle_id = ?", battle) == [(1,)]
    window.forgive("409")


async def test_a_vote_that_was_not_counted_can_be_tried_again(quick: ArenaProcess, open_window: Opened) -> None:
    """Refused for its pace or lost on the way: the page says so and opens the verdicts again."""
    window = await open_window(quick)
    await window.ask_and_wait()
    toast = window.page.locator("#arena-toast")

    async def lost(route: Route) -> None:
        await route.abort()

    async def too_fast(route: Route) -> None:
        await route.fulfill(status=429, headers={"Retry-After": "7"}, json={"error": "too_fast"})

    for not_counted, said in ((lost, "Нет связи с сервером"), (too_fast, "примерно через 7 с")):
        await window.page.route("**/arena/vote", not_counted, times=1)
        await window.part("vote-b").click()
        await expect(toast).to_contain_text(said, timeout=PATIENCE)
        await expect(window.part("vote-b")).to_be_enabled(timeout=PATIENCE)
    await window.part("vote-b").click()
    await expect(window.part("verdict")).to_contain_text("вы выбрали B", timeout=PATIENCE)
    assert rows(quick, "select verdict from votes where battle_id = ?", await window.battle()) == [(1,)]
    window.forgive("ERR_FAILED", "429")


async def test_a_vote_can_be_tried_again_before_the_page_is_painted_anew(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """Gradio drops a click while the one before is not answered; a verdict is heard all the same."""
    window = await open_window(quick)
    await window.ask_and_wait()
    again = asyncio.Event()

    async def lost(route: Route) -> None:
        await route.abort()

    async def held(route: Route) -> None:
        await again.wait()
        await route.continue_()

    await window.page.route("**/arena/vote", lost, times=1)
    await window.page.route("**/queue/join*", held)
    async with window.page.expect_request("**/queue/join*", timeout=PATIENCE):
        await window.part("vote-b").click()
    async with window.page.expect_response("**/arena/vote", timeout=PATIENCE):
        await window.part("vote-b").click()
    again.set()
    await expect(window.part("verdict")).to_contain_text("вы выбрали B", timeout=PATIENCE)
    window.forgive("ERR_FAILED")


async def test_reasons_and_a_comment_are_noted_with_the_vote(quick: ArenaProcess, open_window: Opened) -> None:
    """Chips are sent as they are tapped, the comment by its button; what comes last stands, however long the first one
    was on its way. After a reload all of it is there, and one more chip erases nothing."""
    window, arrived, noted = await open_window(quick), asyncio.Event(), asyncio.Semaphore(0)

    async def late(route: Route) -> None:
        await arrived.wait()
        await route.continue_()

    await voted(window)
    await window.page.route("**/arena/feedback", late, times=1)
    window.page.on("response", lambda answer: noted.release() if answer.url.endswith("/arena/feedback") else None)
    await window.page.get_by_label("полезно", exact=True).check()
    await window.page.get_by_label("верно", exact=True).check()
    await window.part("comment").locator("textarea, input").fill("Второй отвечал не о том")
    await window.part("send-feedback").click()
    arrived.set()
    for _ in range(3):
        await noted.acquire()
    await expect(window.page.locator("#arena-toast")).to_contain_text("Спасибо", timeout=PATIENCE)
    battle = await window.battle()
    with open_store(Settings(storage=quick.storage)) as store:
        (vote,) = [vote for vote in store.votes() if vote.battle_id == battle]
    assert (vote.reasons, vote.comment) == (("useful", "correct"), "Второй отвечал не о том")
    await window.reload()
    await expect(window.page.get_by_label("верно", exact=True)).to_be_checked(timeout=PATIENCE)
    await expect(window.part("comment").locator("textarea, input")).to_have_value("Второй отвечал не о том")
    await window.page.get_by_label("полно", exact=True).check()
    await noted.acquire()
    with open_store(Settings(storage=quick.storage)) as store:
        (vote,) = [vote for vote in store.votes() if vote.battle_id == battle]
    assert (vote.reasons, vote.comment) == (("useful", "correct", "complete"), "Второй отвечал не о том")


async def test_the_page_hands_out_the_votes_as_csv(quick: ArenaProcess, open_window: Opened) -> None:
    """The file opens as a table in the field's columns and holds the vote just cast, conversation and all."""
    window = await open_window(quick)
    await voted(window)
    names = set(await window.revealed())
    await window.open_tab("Рейтинг")
    await expect(window.page.locator("#board-table .board-table")).to_be_visible(timeout=PATIENCE)
    async with window.page.expect_download(timeout=PATIENCE) as waited:
        await window.page.locator("a[href='arena/export.csv']").click()
    download = await waited.value
    table = list(csv.DictReader(io.StringIO((await download.path()).read_bytes().decode("utf-8-sig"), newline="")))
    last = table[-1]
    assert {"question_id", "model_a", "model_b", "winner", "language", "tstamp", "conversation_a"} <= set(last)
    assert {last["model_a"], last["model_b"]} == names
    assert last["winner"] == "model_a"
    assert "Почему небо голубое?" in last["conversation_a"]
    assert [(len(table),)] == rows(quick, "select count(*) from votes where retracted_at is null")
