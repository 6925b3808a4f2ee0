"""Following up, asking again, stopping, reloading, and what is shown when a side fails."""

from __future__ import annotations

import pytest
from arena_process import ArenaProcess, Staged
from playwright.async_api import expect
from scenes import BROKEN, ENDLESS, FORGETFUL, PENSIVE
from test_voting import rows
from window import PATIENCE, Opened, Window, eventually

pytestmark = pytest.mark.browser


async def streaming(window: Window) -> None:
    """Both answers have begun and go on."""
    script = "() => ['a', 'b'].every((side) => window.frames_seen[side].length >= 3)"
    await window.page.wait_for_function(script, timeout=PATIENCE)


async def test_answers_are_drawn_with_code_tables_and_formulas(quick: ArenaProcess, open_window: Opened) -> None:
    """Markdown becomes a heading, a list, a table, coloured code and a typeset formula."""
    window = await open_window(quick)
    await window.ask_and_wait()
    answers = window.page.locator("#anonymous-battle .answer.current")
    for drawn in ("h2", "strong", "ol li", "table td", "pre code span", ".katex"):
        await expect(answers.locator(drawn).first).to_be_visible(timeout=PATIENCE)


async def test_a_conversation_goes_on_with_the_same_pair(quick: ArenaProcess, open_window: Opened) -> None:
    """The newest answers begin side by side, the first exchange is one click away; one battle holds both turns."""
    window = await open_window(quick)
    await window.ask_and_wait("Первый вопрос?")
    battle = await window.battle()
    await window.ask_and_wait("Второй вопрос?")
    assert await window.battle() == battle
    await expect(window.part("earlier-a")).to_be_hidden()
    await window.page.get_by_role("button", name="Прежние реплики: 1").click()
    for side in ("a", "b"):
        await expect(window.part(f"earlier-{side}")).to_be_visible()
        await expect(window.part(f"earlier-{side}")).to_contain_text("Первый вопрос?")
    assert rows(quick, "select count(*) from turns where battle_id = ?", battle) == [(2,)]


async def test_a_refused_question_leaves_the_page_as_it_is(quick: ArenaProcess, open_window: Opened) -> None:
    """A message that is too long is refused with a reason; its text, the suggestions and the buttons stay."""
    window = await open_window(quick)
    suggested = await window.part("suggestion-0").inner_text()
    long = "слово " * 2000
    await window.part("prompt").locator("textarea").fill(long)
    await window.part("send").click()
    await expect(window.page.get_by_test_id("toast-body")).to_be_visible(timeout=PATIENCE)
    await window.page.wait_for_timeout(500)
    assert await window.part("suggestion-0").inner_text() == suggested
    assert await window.part("send").inner_text() != ""
    assert await window.part("prompt").locator("textarea").input_value() == long
    window.forgive("413")


async def test_what_was_written_and_not_sent_outlives_a_reload(quick: ArenaProcess, open_window: Opened) -> None:
    """And a change of language; what was sent does not come back."""
    window = await open_window(quick)
    box = window.part("prompt").locator("textarea")
    await box.fill("Недописанный вопрос")
    await window.reload()
    await expect(box).to_have_value("Недописанный вопрос", timeout=PATIENCE)
    await window.ask_and_wait("Отправленный вопрос?")
    await window.reload()
    await window.can_vote()
    await expect(box).to_have_value("")


async def test_again_asks_both_the_last_question_once_more(quick: ArenaProcess, open_window: Opened) -> None:
    """The turn is replaced, not added; the vote still opens."""
    window = await open_window(quick)
    await window.ask_and_wait()
    battle = await window.battle()
    await window.part("again").click()
    found = "select count(*), sum(dropped_at is not null) from turns where battle_id = ?"
    await eventually(lambda: rows(quick, found, battle), [(2, 1)])
    await eventually(lambda: rows(quick, "select status from battles where id = ?", battle), [("votable",)])
    await window.can_vote()
    await window.press("ArrowLeft")
    await window.revealed()


async def test_stop_ends_both_where_they_are_and_opens_the_vote(slow: ArenaProcess, open_window: Opened) -> None:
    """While they write, neither key nor request votes; after Stop what was shown can be judged."""
    window = await open_window(slow)
    await window.ask("Расскажи долгую историю")
    await streaming(window)
    battle = await window.battle()
    await expect(window.part("vote-a")).to_be_disabled()
    assert await window.post("arena/vote", {"battle": battle, "verdict": "tie"}) == 409
    window.forgive("409")
    await window.part("stop").click()
    await window.can_vote()
    shown = [await window.answer(side) for side in ("a", "b")]
    assert all(0 < len(text) < len(ENDLESS) / 2 for text in shown)
    for side in ("a", "b"):
        await expect(window.part(f"head-{side}")).to_contain_text("остановлено")
    await window.press("ArrowRight")
    await window.revealed()


async def test_a_stop_before_the_first_word_leaves_nothing_to_judge(staged: Staged, open_window: Opened) -> None:
    """Both sides say so alike; the way on is to ask again, and no key votes."""
    arena = staged("pensive", *PENSIVE)
    window = await open_window(arena)
    await window.ask("Почему небо голубое?")
    await window.part("stop").click()
    for side in ("a", "b"):
        await expect(window.part(f"answer-{side}")).to_have_text(
            "Остановлено раньше первого слова. Спросите ещё раз или начните новый бой."
        )
    await expect(window.part("vote-a")).to_be_hidden()
    await window.press("ArrowLeft")
    await window.part("again").click()
    await window.part("stop").click()
    await expect(window.part("again")).to_be_visible()
    assert rows(arena, "select count(*) from votes") == [(0,)]


async def test_a_reload_in_the_middle_brings_the_battle_back_still_streaming(
    slow: ArenaProcess, open_window: Opened
) -> None:
    """The battle belongs to its voter, not to the page: the text stands there again and grows."""
    window = await open_window(slow)
    await window.ask("Расскажи долгую историю")
    await streaming(window)
    battle, before = await window.battle(), len(await window.answer("a"))
    await window.reload()
    await expect(window.part("question")).to_contain_text("Расскажи долгую историю", timeout=PATIENCE)
    await streaming(window)
    assert await window.battle() == battle
    assert len(await window.answer("a")) >= before
    await expect(window.part("stop")).to_be_visible()
    await window.part("stop").click()
    await window.can_vote()


async def asked_anew_elsewhere(window: Window, second: Window) -> None:
    """The second window asks again; the first, which still shows what was said before, gives no vote on what it did not
    show. It is shown the new answers and can vote on them."""
    longer = "(length) => document.querySelector('#anonymous-answer-a').innerText.length > length + 20"
    await second.part("again").click()
    await expect(second.part("stop")).to_be_visible(timeout=PATIENCE)
    await second.page.wait_for_function(longer, arg=len(await window.answer("a")), timeout=PATIENCE)
    await second.part("stop").click()
    await second.can_vote()
    await window.press("ArrowLeft")
    await expect(window.page.locator("#arena-toast")).to_contain_text("Ответы с тех пор другие", timeout=PATIENCE)
    window.forgive("409")
    await expect(window.part("answer-a")).to_have_text(await second.answer("a"), timeout=PATIENCE)
    await window.can_vote()
    await window.press("ArrowLeft")
    await window.revealed()


async def test_another_window_of_the_same_voter_finds_the_battle_and_a_stranger_does_not(
    slow: ArenaProcess, open_window: Opened
) -> None:
    """A new tab resumes the newest battle; for another voter it does not exist."""
    window, stranger = await open_window(slow), await open_window(slow)
    await window.ask("Расскажи долгую историю")
    await streaming(window)
    battle = await window.battle()
    second = Window(window.context, await window.context.new_page(), slow.address)
    await second.open()
    await expect(second.part("question")).to_contain_text("Расскажи долгую историю", timeout=PATIENCE)
    await second.part("stop").click()
    await window.can_vote()
    await asked_anew_elsewhere(window, second)
    assert not second.troubles
    assert await stranger.post("arena/vote", {"battle": battle, "verdict": "tie"}) == 404
    stranger.forgive("404")


async def test_a_failed_follow_up_gives_the_answers_before_it_back(staged: Staged, open_window: Opened) -> None:
    """They were read and could be judged; the button brings them back with their verdicts."""
    arena = staged("forgetful", *FORGETFUL)
    window = await open_window(arena)
    await window.ask_and_wait()
    before = await window.answer("a")
    await window.ask("А ночью?")
    await expect(window.part("answer-a")).to_contain_text("Ответы получить не удалось", timeout=PATIENCE)
    await expect(window.part("vote-a")).to_be_hidden()
    await window.part("drop").click()
    await window.can_vote()
    await expect(window.part("drop")).to_be_hidden()
    await expect(window.part("question")).to_contain_text("Почему небо голубое?")
    assert await window.answer("a") == before
    await window.press("ArrowRight")
    await window.revealed()


async def test_a_failure_says_the_same_on_both_sides_and_offers_a_way_on(staged: Staged, open_window: Opened) -> None:
    """Whichever failed, no half answer stays, nothing can be voted, nothing reaches the board."""
    arena = staged("broken", *BROKEN)
    window = await open_window(arena)
    await window.ask("Почему небо голубое?")
    for side in ("a", "b"):
        await expect(window.part(f"answer-{side}")).to_have_text(
            "Ответы получить не удалось. Попробуйте ещё раз или начните новый бой.", timeout=PATIENCE
        )
    for button in ("again", "new"):
        await expect(window.part(button)).to_be_visible()
    await expect(window.part("vote-a")).to_be_hidden()
    assert await window.post("arena/vote", {"battle": await window.battle(), "verdict": "model_a"}) == 409
    window.forgive("409")
    await window.page.set_viewport_size({"width": 320, "height": 640})
    assert await window.to_spare("prompt") >= 0, "the way on is said in full on the narrowest phone"
    await window.part("again").click()
    await expect(window.part("again")).to_be_visible(timeout=PATIENCE)
    await window.part("new").click()
    await expect(window.part("suggestion-0")).to_be_visible(timeout=PATIENCE)
    assert rows(arena, "select count(*) from votes") == [(0,)]
