"""The leaderboard's headings sort it, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from arena.ui import look
from tests.prepare import chromium

ROWS = (("1", "mild", "1100", "3"), ("2", "Bold", "1000", ""), ("3", "calm", "900", "7"))
COLUMNS = ("Rank", "Model", "Rating", "Size")


def board() -> str:
    """A small table as the leaderboard's is."""
    head = "".join(
        f'<th aria-sort="none"><button data-sort="{"rising" if name in COLUMNS[:2] else ""}">{name}</button></th>'
        for name in COLUMNS
    )
    rows = "".join("<tr>" + "".join(f'<td data-value="{value}">{value}</td>' for value in row) for row in ROWS)
    return f'<table data-sortable="board"><thead><tr>{head}</thead><tbody>{rows}</tbody></table>'


@pytest.fixture
def window() -> Iterator[Page]:
    """A window with the table and the script that sorts."""
    script = next(part for part in look.head().split("<script>") if part.startswith("// Tables whose headings sort"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content(f"<!doctype html><script>{script}<main>{board()}</main>")
        yield page
        browser.close()


def names(window: Page) -> list[str]:
    """The models from first to last."""
    return window.locator("tbody td:nth-child(2)").all_inner_texts()


@pytest.mark.browser
def test_a_table_painted_anew_keeps_its_readers_order(window: Page) -> None:
    """A vote elsewhere paints the board; what is not known stays last either way."""
    window.get_by_role("button", name="Size").press("Enter")
    assert names(window) == ["calm", "mild", "Bold"]
    window.evaluate(
        """html => {
        document.querySelector("main").innerHTML = html;
        document.querySelector("table").dispatchEvent(new Event("painted", { bubbles: true }));
    }""",
        board(),
    )
    assert names(window) == ["calm", "mild", "Bold"]
    assert window.locator("th[aria-sort=descending]").inner_text().startswith("Size")
    window.get_by_role("button", name="Size").click()
    assert names(window) == ["mild", "calm", "Bold"]
    window.get_by_role("button", name="Model").click()
    assert names(window) == ["Bold", "calm", "mild"]
    window.get_by_role("button", name="Rank").click()
    assert names(window) == ["mild", "Bold", "calm"]
