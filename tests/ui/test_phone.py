"""What a phone's width does to tables, in a real browser, with the page's own stylesheet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright
from test_board_on_page import ROUND, board_of, seen

from arena.judge.agreement import Estimate, Gate, JudgeReport
from arena.judge.desk import JudgesView
from arena.types import Mode
from arena.ui import board_render, judge_tab, look
from arena.ui.battle_tab import welcome_html
from arena.ui.render import carded
from arena.ui.texts import say
from tests.prepare import chromium

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def phone() -> Iterator[Page]:
    """A window as wide as a phone's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        browser.close()


def show(phone: Page, html: str) -> None:
    """Put a fragment on a page that is dressed as ours."""
    looks = "font: 16px DejaVu Sans; width: 340px"
    page = f"<main class=board style='{looks}'><div id=board-table>{html}</div></main>"
    phone.set_content(f"<!doctype html><style>{look.css()}</style>{page}")


def test_a_judges_marks_do_not_squeeze_the_board(phone: Page) -> None:
    """The table is as wide with the legend of its marks as without, so that names are read and not spelt."""
    board = board_of(ROUND)
    show(phone, board_render.table(seen(board), "ru"))
    wide = phone.locator(".board-scroll").bounding_box()
    show(phone, board_render.table(seen(board, rings={"first": 1010.0}), "ru"))
    assert phone.locator(".legend").is_visible()
    marked = phone.locator(".board-scroll").bounding_box()
    assert wide is not None
    assert marked is not None
    assert marked["width"] == wide["width"] >= 340


@pytest.mark.parametrize("language", ["ru", "en"])
def test_an_arena_of_one_model_offers_a_chat_and_no_battle(phone: Page, language: str) -> None:
    """It says at once what a battle needs, in place of what nobody can answer; with a second model all is there."""
    field = "<div class=bar><textarea></textarea></div>"
    welcome = f"<div class=welcome><div class=welcome-text>{welcome_html(Mode.ANONYMOUS, language)}</div></div>"
    show(phone, f"<div class='arena-battle mode-anonymous'>{welcome}{field}</div>")
    for alone in (True, False):
        phone.evaluate("alone => document.documentElement.classList.toggle('arena-alone', alone)", alone)
        assert phone.locator("textarea").is_visible() is not alone
        assert phone.get_by_text(say(language, "welcome")).is_visible() is not alone
        assert phone.get_by_text(say(language, "alone_title")).is_visible() is alone
        assert phone.get_by_role("link", name=say(language, "alone_act")).is_visible() is alone


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_is_not_determined_stays_within_its_cell(phone: Page, language: str) -> None:
    """The words are longer than a rating, and a young board has nothing but them."""
    show(phone, board_render.table(seen(board_of([("first", "second", 1.0)])), language))
    cells = phone.locator("td.rating")
    assert cells.count() == 3
    for n in range(3):
        cell, words = cells.nth(n).bounding_box(), cells.nth(n).locator(".unrated").bounding_box()
        assert cell is not None
        assert words is not None
        assert cell["x"] <= words["x"]
        assert words["x"] + words["width"] <= cell["x"] + cell["width"]


def test_a_judges_figures_stand_beside_their_headings(phone: Page) -> None:
    """Twelve columns become a card: nothing lies beyond the edge, and each figure says what it is."""
    figure = Estimate(0.61, 0.55, 0.66, 12_345)
    report = JudgeReport("A judge", "", 12_345, 7, *[figure] * len(judge_tab.COLUMNS))
    show(phone, judge_tab.table(JudgesView((report,), (), Gate()), "ru"))
    cells = phone.locator(".judges td")
    for place, box in enumerate([cell.bounding_box() for cell in cells.all()]):
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"], place  # noqa: PT018
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    script = "cell => getComputedStyle(cell, '::before').content"
    assert cells.nth(3).evaluate(script) == '"Согласие с людьми"'


def test_an_operators_row_is_a_few_lines_to_skim(phone: Page) -> None:
    """How it is stands beside its name, and what there is nothing to say of takes no line."""
    headings = ("Model", "State", "Memory", "Speed", "Answers", "Actions")
    state, act = '<span class="state warm">ready</span>', "<button>Disable</button>"
    row = carded(headings, "A model", (state, "—", "—", "12", act))
    show(phone, f"<div id=operator class=operator-scroll><table class=cards><tbody>{row}</tbody></table></div>")
    name, ready = phone.locator("th").bounding_box(), phone.locator(".state").bounding_box()
    assert name is not None
    assert ready is not None
    assert name["y"] <= ready["y"] + ready["height"] / 2 <= name["y"] + name["height"]
    assert [cell.is_visible() for cell in phone.locator("td").all()] == [True, False, False, True, True]
    answers, button = phone.get_by_text("12").bounding_box(), phone.locator("button").bounding_box()
    assert answers is not None
    assert button is not None
    assert button["y"] <= answers["y"] + answers["height"] / 2 <= button["y"] + button["height"]
