"""The leaderboard in a browser: what is chosen stands in the address, what is shown can be taken away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from arena_process import ArenaProcess
from playwright.async_api import Page, Route, expect
from window import CUT, PATIENCE, Opened, Window, eventually

pytestmark = pytest.mark.browser


async def board_of(open_window: Opened, arena: ArenaProcess, **options: object) -> Window:
    """A voter's window on the leaderboard, after a vote of theirs."""
    window = await open_window(arena, language="en", **options)
    await window.ask_and_wait()
    await window.part("vote-a").click()
    await window.revealed()
    await window.open_tab("Leaderboard")
    await expect(window.page.locator("#board-table tbody tr")).to_have_count(2, timeout=PATIENCE)
    return window


async def choose(page: Page, filter: str, words: str) -> None:
    """Take an entry of one of the board's filters."""
    await page.locator(f"#{filter} input").click()
    await page.get_by_role("option", name=words, exact=True).click()


async def test_a_link_opens_the_view_that_it_was_taken_from(quick: ArenaProcess, open_window: Opened) -> None:
    """Filters, plot, compared pair and what was looked for; another tab's address names none of it."""
    window = await board_of(open_window, quick)
    page = window.page
    await choose(page, "board-slice", "First question")
    await page.get_by_label("Battle counts").check()
    await expect(page.locator("#board-plot")).to_contain_text("How often row and column met", timeout=PATIENCE)
    await page.locator("#board-find").fill("deneb")
    await expect(page.locator("#board-table tbody tr:visible")).to_have_count(1)
    await page.wait_for_url("**plot=counts**find=deneb**", timeout=PATIENCE)
    query = parse_qs(urlsplit(page.url).query)
    assert query["slice"] == ["turn=first"]
    assert {query["a"][0], query["b"][0]} == {"Deneb", "Vega"}

    other = await open_window(quick, language="en")
    await other.page.goto(page.url, timeout=PATIENCE)
    await expect(other.page.locator("#board-table tbody tr:visible")).to_have_count(1, timeout=PATIENCE)
    await expect(other.page.locator("#board-slice input")).to_have_value("First question")
    await expect(other.page.locator("#board-plot")).to_contain_text("How often row and column met", timeout=PATIENCE)
    await expect(other.page.locator("#board-find")).to_have_value("deneb")
    await expect(other.page.locator("#compare-a input")).to_have_value(query["a"][0])
    await other.page.wait_for_url(lambda url: parse_qs(urlsplit(url).query) == query)
    await other.open_tab("Blind battle")
    await other.page.wait_for_url(lambda url: "tab=board" not in url, timeout=PATIENCE)
    other.forgive(*CUT)


async def test_nothing_jumps_when_the_board_arrives(quick: ArenaProcess, open_window: Opened) -> None:
    """What stands under the table waits for it, by the browser's own measure of what moved without being asked."""
    window = await board_of(open_window, quick)
    await window.context.add_init_script(
        "window.moved = 0; new PerformanceObserver(seen => seen.getEntries().forEach(one => "
        "window.moved += one.hadRecentInput ? 0 : one.value)).observe({type: 'layout-shift', buffered: true})"
    )
    await window.page.goto(f"{quick.address}/?tab=board", timeout=PATIENCE)
    await expect(window.page.locator("#board-table tbody tr")).to_have_count(2, timeout=PATIENCE)
    await window.page.locator("#board-plot .js-plotly-plot .scatterlayer").wait_for(state="attached", timeout=PATIENCE)
    assert await window.page.evaluate("window.moved") < 0.1, "web.dev calls more than this a bad page"
    window.forgive(*CUT)


async def test_elo_of_a_slice_is_not_passed_off(quick: ArenaProcess, open_window: Opened) -> None:
    """Bradley–Terry is shown, the filter says so, and so does a sentence."""
    page = (await board_of(open_window, quick)).page
    await choose(page, "board-method", "Elo (in order of votes)")
    await expect(page.locator("#board-table")).to_contain_text("Elo depends on the order", timeout=PATIENCE)
    await choose(page, "board-slice", "First question")
    await expect(page.locator("#board-table")).to_contain_text("Bradley–Terry is shown", timeout=PATIENCE)
    await expect(page.locator("#board-method input")).to_have_value("Bradley–Terry")


async def test_what_is_asked_while_the_board_waits_is_asked_after_it(quick: ArenaProcess, open_window: Opened) -> None:
    """A second choice before the first is answered, and a vote's news while those of the one before are fetched."""
    page = (await board_of(open_window, quick)).page
    answered = asyncio.Event()
    asked: list[Route] = []

    async def held(route: Route) -> None:
        asked.append(route)
        await answered.wait()
        await route.continue_()

    await page.route("**/queue/join*", held)
    for plot in ("Who beats whom", "Battle counts"):
        await page.get_by_label(plot).check()
        await eventually(lambda: len(asked), 1)
    answered.set()
    await expect(page.locator("#board-plot")).to_contain_text("How often row and column met", timeout=PATIENCE)
    await page.wait_for_url("**plot=counts**", timeout=PATIENCE)

    asked.clear()
    answered.clear()
    for _ in range(2):  # what the page does at news of a vote
        await page.evaluate("document.querySelector('#board-refresh').click()")
        await eventually(lambda: len(asked), 1)
    answered.set()
    await eventually(lambda: len(asked) >= 3, True)  # table and plot, and the table again


async def test_plot_and_table_can_be_taken_away(quick: ArenaProcess, open_window: Opened, tmp_path: Path) -> None:
    """Pictures are drawn by the page, files hold the view that the address names."""
    window = await board_of(open_window, quick)
    begins = {
        "[data-picture=png]": b"\x89PNG",
        "[data-picture=svg]": b"<svg",
        "a[href*='arena/plot.csv']": b"track,model,rating",
        "a[href*='arena/board.csv']": b"model,rating",
    }
    await window.page.locator("#board-plot .js-plotly-plot .scatterlayer").wait_for(state="attached", timeout=PATIENCE)
    for what, begin in begins.items():
        async with window.page.expect_download(timeout=PATIENCE) as download:
            await window.page.locator(what).click()
        kept = tmp_path / "file"
        await (await download.value).save_as(kept)
        assert kept.read_bytes().startswith(begin), what
    answer = await window.page.request.get(f"{quick.address}/arena/compare.json?a=Deneb&b=Vega")
    assert json.loads(await answer.text())["battles"][0]["topic"] == "all"
    for nonsense in ("board.csv?slice=nothing", "plot.exe", "compare.csv?a=Deneb&b=Deneb", "board.csv?track=nobody"):
        assert (await window.page.request.get(f"{quick.address}/arena/{nonsense}")).status == 404


async def test_a_page_that_a_full_arena_refused_hears_the_news_later(quick: ArenaProcess, open_window: Opened) -> None:
    """Its line of news was answered with 503, which no browser asks again by itself; ours does, after a while."""
    window = await open_window(quick)
    refused: list[Route] = []

    async def full_at_first(route: Route) -> None:
        refused.append(route)
        await (route.fulfill(status=503) if len(refused) == 1 else route.continue_())

    await window.page.clock.install()
    await window.page.route("**/arena/events", full_at_first)
    await window.reload()
    await eventually(lambda: len(refused) > 0, True)
    await window.page.clock.fast_forward(15_000)
    await eventually(lambda: len(refused) > 1, True)
    window.forgive("503")
