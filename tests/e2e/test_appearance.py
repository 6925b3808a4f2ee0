"""Phone and desk, light and dark, Russian and English, keyboard alone and screen reader."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from arena_process import ArenaProcess
from playwright.async_api import expect
from window import PATIENCE, Opened, Window

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
VOTES = ("vote-a", "vote-b", "vote-tie", "vote-bad")
CONTROLS = {
    "button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "radio", "tab", "slider", "switch",
}  # fmt: skip


async def nameless(window: Window) -> list[str]:
    """Controls that a screen reader would announce without a name, from the browser's own accessibility tree."""
    session = await window.context.new_cdp_session(window.page)
    tree = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    found: list[str] = []
    for node in tree["nodes"]:
        role, name = (node.get(key, {}).get("value", "") for key in ("role", "name"))
        if not node.get("ignored") and role in CONTROLS and not str(name).strip():
            found.append(f"{role} {node.get('backendDOMNodeId')}")
    return found


async def brightness(window: Window) -> float:
    """How light the page's background is, from 0 to 255."""
    said: Any = await window.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g)")
    return sum(float(part) for part in said[:3]) / 3


async def test_on_a_phone_the_sides_are_tabs_and_the_vote_bar_stays_within_reach(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """One side at a time, switched by a tap; every verdict lies within the window and is large enough for a thumb.

    The bar takes two rows, whatever is offered in it: the rest of the window is the answers'.
    """
    window = await open_window(quick, **PHONE)
    await window.ask_and_wait()
    a, b = window.part("side-a"), window.part("side-b")
    await expect(a).to_be_visible()
    await expect(b).to_be_hidden()
    await window.page.locator("#anonymous-battle [data-side=b]").tap()
    await expect(b).to_be_visible()
    await expect(a).to_be_hidden()
    for name in VOTES:
        box = await window.part(name).bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390, name  # noqa: PT018
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, name  # noqa: PT018
        assert box["height"] >= 44, name
    await expect(window.part("stop")).to_be_hidden(timeout=PATIENCE)
    assert await rows_of_the_bar(window) == 2
    await window.part("prompt").locator("textarea").fill("А подробнее?")
    assert await rows_of_the_bar(window) == 2
    await expect(window.part("send")).to_be_visible()
    width = await window.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "nothing pushes the page wider than the phone"
    await window.part("vote-b").tap()
    names = await window.revealed()
    for side, name in zip("ab", names, strict=True):
        await expect(window.page.locator(f"#anonymous-battle [data-side={side}]")).to_contain_text(name)
    await window.begin_again()
    await window.ask_and_wait()
    await expect(window.page.locator("#anonymous-battle [data-side=b]")).to_have_text("Модель B")


async def rows_of_the_bar(window: Window) -> int:
    """In how many rows the buttons and the field under the answers stand."""
    script = """() => [...document.querySelectorAll('#anonymous-battle .bar :is(button, textarea)')]
        .filter((one) => one.offsetParent).map((one) => one.getBoundingClientRect().bottom)"""
    bottoms = sorted(await window.page.evaluate(script))
    return 1 + sum(lower - upper > 10 for upper, lower in itertools.pairwise(bottoms))


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_the_narrowest_phone_cuts_no_word_of_field_or_button(
    quick: ArenaProcess, open_window: Opened, language: str
) -> None:
    """Before the question, under the answers and after the vote; and the bar stays two rows high."""
    window = await open_window(quick, language=language, **PHONE | {"viewport": {"width": 320, "height": 640}})
    assert await window.to_spare("prompt") >= 0
    await window.ask_and_wait()
    await expect(window.part("new")).to_be_visible()
    assert await window.to_spare("prompt") >= 0
    assert await rows_of_the_bar(window) == 2
    await window.part("vote-a").tap()
    await window.revealed()
    await expect(window.part("undo")).to_contain_text("·", timeout=PATIENCE)
    for field in ("prompt", "comment"):
        assert await window.to_spare(field) >= 0, field
    for button in ("undo", "new-after"):
        assert await window.part(button).evaluate("it => it.scrollWidth <= it.clientWidth"), button


async def test_what_an_undo_says_stands_in_one_line_of_a_wide_window(quick: ArenaProcess, open_window: Opened) -> None:
    """Nothing stands beside it, so that it may be as wide as its box."""
    window = await open_window(quick)
    await window.ask_and_wait()
    await window.press("ArrowLeft")
    await window.revealed()
    await window.part("undo").click()
    said = window.part("verdict").get_by_role("status")
    await expect(said).to_contain_text("Голос отменён", timeout=PATIENCE)
    wide = "it => [it.getBoundingClientRect().width, it.parentElement.getBoundingClientRect().width]"
    own, box = await said.evaluate(wide)
    assert own == box


async def test_a_long_line_of_code_does_not_widen_an_answer_on_a_phone(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """It is slid in its own box; the sentences around it stay within the window and where they were."""
    window = await open_window(quick, **PHONE)
    await window.ask_and_wait()
    script = """() => { const code = document.createElement('pre'); code.textContent = 'long_name '.repeat(60);
        document.querySelector('#anonymous-answer-a .md').append(code); }"""
    await window.page.evaluate(script)
    box = await window.part("side-a").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390


async def test_whoever_votes_below_a_long_answer_is_shown_what_the_vote_said(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """It stands above the answers: the page goes there, and the whole of it lies on the screen."""
    window = await open_window(quick, **PHONE)
    await window.ask_and_wait()
    await window.page.evaluate("document.querySelector('.pair').style.minHeight = '3000px'")
    await window.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    await window.part("vote-a").tap()
    await window.revealed()
    await expect(window.part("undo")).to_be_in_viewport(ratio=1, timeout=PATIENCE)
    await expect(window.part("verdict")).to_be_in_viewport(ratio=1)


async def test_the_page_speaks_the_browsers_language_and_switches(quick: ArenaProcess, open_window: Opened) -> None:
    """English for an English browser; the switch turns everything Russian and a reload keeps it."""
    window = await open_window(quick, language="en")
    await expect(window.page.locator("html")).to_have_attribute("lang", "en")
    await expect(window.page.get_by_role("tab", name="Leaderboard")).to_be_visible()
    await expect(window.page.locator(".welcome-text:visible").first).to_contain_text("What to ask?")
    await window.page.locator("[data-speak=ru]").click()
    await expect(window.page.locator("html")).to_have_attribute("lang", "ru", timeout=PATIENCE)
    await window.started()
    await expect(window.page.get_by_role("tab", name="Рейтинг")).to_be_visible(timeout=PATIENCE)
    await window.reload()
    await expect(window.page.locator(".welcome-text:visible").first).to_contain_text("О чём спросить?")
    await window.ask_and_wait()
    await window.press("ArrowUp")
    await expect(window.part("verdict")).to_contain_text("ничья", timeout=PATIENCE)


async def test_an_english_battle_is_english_to_the_end(quick: ArenaProcess, open_window: Opened) -> None:
    """Verdicts, what was counted, facts and the board."""
    window = await open_window(quick, language="en")
    await window.ask_and_wait("Why is the sky blue?")
    await expect(window.part("vote-bad")).to_contain_text("Both are bad")
    await window.press("ArrowDown")
    await expect(window.part("verdict")).to_contain_text("both are bad", timeout=PATIENCE)
    await expect(window.part("facts-a")).to_contain_text("Quantization")
    await window.open_tab("Leaderboard")
    await expect(window.page.locator("#board-table")).to_contain_text("Rating", timeout=PATIENCE)


async def test_light_and_dark_follow_the_browser(quick: ArenaProcess, open_window: Opened) -> None:
    """The background is light in one and dark in the other."""
    light = await open_window(quick, color_scheme="light")
    dark = await open_window(quick, color_scheme="dark")
    assert await brightness(light) > 200
    assert await brightness(dark) < 60


async def test_a_battle_is_fought_by_keyboard_alone(quick: ArenaProcess, open_window: Opened) -> None:
    """Tab to a suggestion, Enter, an arrow, Tab to undo, Enter; the focus is always seen."""
    window = await open_window(quick)
    await window.page.keyboard.press("Tab")
    await window.page.keyboard.press("Enter")
    await expect(window.part("prompt").locator("textarea")).to_be_focused()
    await window.press("Escape")
    await _tab_to(window, "anonymous-suggestion-0")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert await window.page.evaluate(outline) == "solid", "the focused element is outlined"
    await window.page.keyboard.press("Enter")
    await expect(window.part("question").locator(".asked")).to_be_visible(timeout=PATIENCE)
    await window.can_vote()
    await window.page.keyboard.press("ArrowLeft")
    await window.revealed()
    await _tab_to(window, "anonymous-undo")
    await window.page.keyboard.press("Enter")
    await expect(window.part("verdict")).to_contain_text("Голос отменён", timeout=PATIENCE)


async def _tab_to(window: Window, element: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(60):
        await window.page.keyboard.press("Tab")
        if await window.page.evaluate("document.activeElement?.id") == element:
            return
    raise AssertionError(f"Tab never reaches {element}")


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_every_control_has_a_name_for_a_screen_reader(
    quick: ArenaProcess, open_window: Opened, language: str
) -> None:
    """At the start, before and after the vote, with both modes by name and on the leaderboard."""
    window = await open_window(quick, language=language)
    tabs = {"ru": ("Рядом по именам", "Диалог", "Рейтинг"), "en": ("Side by side", "Chat", "Leaderboard")}[language]
    assert await nameless(window) == []
    await window.ask_and_wait()
    assert await nameless(window) == []
    await window.press("ArrowLeft")
    await window.revealed()
    assert await nameless(window) == []
    for tab in tabs:
        await window.open_tab(tab)
        shown = "#board-table .live" if tab == tabs[-1] else "[role=tabpanel]:visible .welcome-text"
        await window.page.locator(shown).first.wait_for(timeout=PATIENCE)
        assert await nameless(window) == [], tab


async def test_the_page_has_one_of_each_number_and_its_states_are_announced(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """No two elements share an id; the verdict and the board's news are live regions."""
    window = await open_window(quick)
    await window.ask_and_wait()
    await window.press("ArrowLeft")
    await window.revealed()
    script = (
        "[...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, all) => id && all.indexOf(id) !== i)"
    )
    assert await window.page.evaluate(script) == []
    await expect(window.part("verdict").get_by_role("status")).to_be_visible()
    assert "Арена" in await window.page.title()
