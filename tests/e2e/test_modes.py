"""Choosing contestants by name, chatting with one, and prompts to begin with."""

from __future__ import annotations

import re

import pytest
from arena_process import ArenaProcess
from playwright.async_api import expect
from scenes import TOKEN
from test_voting import rows
from window import CUT, PATIENCE, Opened, Window

from arena.engines import toy_text
from perf.visitor import newcomer, number_of, play

pytestmark = pytest.mark.browser


async def choose(window: Window, element: str, name: str) -> None:
    """Pick a contestant from a list."""
    box = window.page.locator(f"#{element} input")
    await box.click()
    offered = window.page.locator(f"[id='{await box.get_attribute('aria-controls')}']")
    await offered.get_by_role("option", name=name, exact=True).click()
    await expect(box).to_have_value(name)


async def test_the_address_names_the_tab_for_a_reload_and_the_way_back(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """A reload opens the tab that was open, and the browser's button goes back to the one before."""
    window = await open_window(quick)
    chosen = window.page.locator("#arena-tabs > .tab-wrapper button[aria-selected=true]").first
    await window.open_tab("Рейтинг")
    await window.open_tab("Бенчмарки")
    await expect(window.page).to_have_url(re.compile(r"\?tab=bench"))
    await expect(window.page.locator("#bench-body .bench-chips").first).to_be_visible(timeout=PATIENCE)
    await window.page.reload()
    await expect(chosen).to_have_text("Бенчмарки", timeout=PATIENCE)
    await window.page.go_back()
    await expect(chosen).to_have_text("Рейтинг", timeout=PATIENCE)
    await expect(window.page.locator("#board-table")).to_be_visible(timeout=PATIENCE)
    await window.open_tab("Бой вслепую")
    await expect(window.page).not_to_have_url(re.compile("tab="))
    window.forgive(*CUT)  # of the page that the reload cut


async def test_named_models_stand_side_by_side_in_the_chosen_order_and_take_no_vote(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """Names from the first word on; there is no vote bar, and the server refuses a vote too."""
    window = await open_window(quick)
    await window.open_tab("Рядом по именам")
    await expect(window.page.locator("#named-choice-0 input")).to_have_value("Deneb", timeout=PATIENCE)
    await choose(window, "named-choice-0", "Vega")
    await choose(window, "named-choice-1", "Deneb")
    await window.ask("Кто из вас кто?", "named")
    await expect(window.page.locator("#named-head-a")).to_contain_text("Vega", timeout=PATIENCE)
    await expect(window.page.locator("#named-head-b")).to_contain_text("Deneb")
    await expect(window.page.locator("#named-answer-a")).to_contain_text("Короткий ответ", timeout=PATIENCE)
    await expect(window.page.locator("[id^=named-vote]:visible")).to_have_count(0)
    battle = await window.page.evaluate("sessionStorage.getItem('arena.named')")
    assert await window.post("arena/vote", {"battle": battle, "verdict": "tie"}) == 409
    window.forgive("409")
    assert rows(quick, "select mode from battles where id = ?", battle) == [("named",)]


async def test_a_chat_with_one_model_goes_on_turn_by_turn(quick: ArenaProcess, open_window: Opened) -> None:
    """One side, its name, the earlier turns above; a new chat begins empty. After a reload the field
    for the model shows who answers."""
    window = await open_window(quick)
    await window.open_tab("Диалог")
    await expect(window.page.locator("#direct-choice-0 input")).to_have_value("Deneb", timeout=PATIENCE)
    await choose(window, "direct-choice-0", "Vega")
    for question in ("Первый вопрос?", "Второй вопрос?"):
        await window.ask(question, "direct")
        await expect(window.page.locator("#direct-question")).to_contain_text(question, timeout=PATIENCE)
        await expect(window.page.locator("#direct-send")).to_be_visible(timeout=PATIENCE)
    await window.page.reload()
    await expect(window.page.locator("#direct-choice-0 input")).to_have_value("Vega", timeout=PATIENCE)
    await expect(window.page.locator("#direct-head-a")).to_contain_text("Vega")
    await expect(window.page.locator("#direct-earlier-a")).to_contain_text("Первый вопрос?")
    await expect(window.page.locator("#direct-side-b")).to_have_count(0)
    await window.page.locator("#direct-new").click()
    await expect(window.page.locator("#direct-suggestion-0")).to_be_visible(timeout=PATIENCE)
    window.forgive(*CUT)  # of the page that the reload cut


def test_who_was_chosen_stays_chosen_when_the_tab_is_opened_again(quick: ArenaProcess) -> None:
    """As long as they can answer; who cannot is replaced by somebody else than the other side."""
    voter = newcomer(quick)
    opened = {"offer_names": ("", "Vega", "gone"), "offer_names_1": ("", "Vega")}
    for number, (event, chosen) in enumerate(opened.items()):
        told = play(quick, voter, number_of(quick, event), list(chosen), f"opened{number}")
        assert re.findall(r'"value": ?"(\w+)"', told) == ["Vega", "Deneb"][: len(chosen) - 1]


async def test_suggestions_change_on_demand_and_one_click_asks(quick: ArenaProcess, open_window: Opened) -> None:
    """Other questions come by the button, of the topic that was chosen; a click on one begins the battle."""
    window = await open_window(quick)

    async def offered() -> list[str]:
        return [await window.part(f"suggestion-{index}").inner_text() for index in range(4)]

    first = await offered()
    assert len(set(first)) == 4
    await window.part("others").click()
    seen = re.compile("|".join(f"^{re.escape(prompt)}$" for prompt in first))
    for index in range(4):
        await expect(window.part(f"suggestion-{index}")).not_to_have_text(seen, timeout=PATIENCE)
    await window.part("topic").get_by_label("Столицы", exact=True).check()
    capitals = [pair.prompt for pair in toy_text.pairs() if (pair.language, pair.topic) == ("ru", "capitals")]
    any_capital = re.compile("|".join(map(re.escape, capitals)))
    for index in range(4):
        await expect(window.part(f"suggestion-{index}")).to_have_text(any_capital, timeout=PATIENCE)
    chosen = await window.part("suggestion-0").inner_text()
    await window.part("suggestion-0").click()
    await expect(window.part("question")).to_contain_text(chosen, timeout=PATIENCE)
    await window.can_vote()
    topic = rows(quick, "select topic from battles where id = ?", await window.battle())
    assert topic == [("capitals",)]


async def test_the_page_says_that_the_server_is_gone_and_stops_when_it_is_back(
    quick: ArenaProcess, open_window: Opened
) -> None:
    """By itself and in the page's language, before anybody presses anything."""
    window = await open_window(quick)
    await window.page.route("**/arena/events", lambda route: route.abort("connectionrefused"))
    await window.reload()
    lost = window.page.locator("#arena-offline")
    await expect(lost).to_contain_text("Нет связи с сервером", timeout=PATIENCE)
    await window.page.unroute("**/arena/events")
    await expect(lost).to_be_hidden(timeout=PATIENCE)
    await window.page.context.set_offline(True)
    await expect(lost).to_contain_text("Нет связи с сервером", timeout=PATIENCE)
    await window.page.context.set_offline(False)
    await expect(lost).to_be_hidden(timeout=PATIENCE)
    async with window.page.expect_response("**/arena/events", timeout=PATIENCE):  # this machine may be the server
        await window.page.evaluate("dispatchEvent(new Event('offline'))")
    await expect(lost).to_be_hidden(timeout=PATIENCE)
    window.forgive("ERR_CONNECTION_REFUSED", "ERR_INTERNET_DISCONNECTED", "arena/events")


async def test_the_operators_pages_open_and_close_together(slow: ArenaProcess, open_window: Opened) -> None:
    """By one token, whichever page asked for it; a button whose act failed can be pressed again."""
    window = await open_window(slow)
    page = window.page
    await window.open_tab("Честность")
    await page.locator("#integrity-door input[name=token]").fill(TOKEN)
    await page.locator("#integrity-door button").click()
    await expect(page.locator("#integrity-report h2")).to_be_visible(timeout=PATIENCE)
    await window.open_tab("Модели")
    act = page.locator("#operator-models [data-act=disable]").first
    await expect(act).to_be_enabled(timeout=PATIENCE)
    await page.route("**/arena/operator/*", lambda asked: asked.fulfill(status=503, json={"error": "занято"}))
    await act.click()
    await expect(page.locator("#arena-toast")).to_contain_text("занято", timeout=PATIENCE)
    await expect(act).to_be_enabled(timeout=PATIENCE)
    await page.locator("[data-leave]").click()
    await expect(page.locator("#operator-door")).to_be_visible(timeout=PATIENCE)
    assert "Deneb" not in await page.locator("#operator-models").inner_html()
    await window.open_tab("Честность")
    await expect(page.locator("#integrity-door")).to_be_visible(timeout=PATIENCE)
    assert await page.locator("#integrity-report").inner_html() == ""
    window.forgive("503")


async def test_a_page_that_nobody_sees_holds_no_line(quick: ArenaProcess, open_window: Opened) -> None:
    """A browser has six to a host: one page more than five open ones could not be answered. Seen again, it listens."""
    page = (await open_window(quick)).page
    turn = """(away) => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => away});
        document.dispatchEvent(new Event('visibilitychange')); }"""
    async with page.expect_event("requestfailed", lambda cut: cut.url.endswith("/arena/events"), timeout=PATIENCE):
        await page.evaluate(turn, True)
    async with page.expect_request("**/arena/events", timeout=PATIENCE):
        await page.evaluate(turn, False)


async def test_a_person_has_their_texts_erased_and_begins_anew(quick: ArenaProcess, open_window: Opened) -> None:
    """On the page of their data, not by one careless click; the arena then greets a newcomer."""
    window = await open_window(quick)
    await window.ask_and_wait("Зовут меня Аристарх, а тебя?")
    battle = await window.battle()
    await window.page.goto(f"{quick.address}/arena/my-data")
    erase = window.page.get_by_role("button", name="Стереть мои тексты")
    await erase.click()
    await expect(window.page.locator("input:invalid")).to_be_visible()
    await window.page.get_by_role("checkbox").check()
    await erase.click()
    await expect(window.page.get_by_role("status")).to_contain_text("Стёрто боёв: 1", timeout=PATIENCE)
    assert rows(quick, "select prompt from turns where battle_id = ?", battle) == [("",)]
    await window.page.get_by_role("link", name="Арена").click()
    await window.started()
    await window.ask_and_wait()
    assert await window.battle() != battle
    window.forgive(*CUT)
