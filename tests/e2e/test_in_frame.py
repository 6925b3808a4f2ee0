"""A Space stands in a frame of the hub's page: its voter's cookie is that frame's own, and votes count from there."""

from __future__ import annotations

import pytest
from arena_process import Staged
from playwright.async_api import Browser, expect
from scenes import QUICK
from window import LAUNCH

from perf.visitor import stored_votes
from tests.prepare import chromium

pytestmark = pytest.mark.browser

HUB = "https://huggingface.co"
ON_LOOPBACK = "--disable-features=LocalNetworkAccessChecks"
"""A public page may not hold a frame of this machine, which a Space is not."""


async def test_a_vote_from_within_the_hubs_page_counts(
    staged: Staged, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says what is stored, and that a restart ends it. Chromium takes the cookie into the hub's partition,
    where no other site's page finds it, and sends it along; so it does with the language that was switched to."""
    monkeypatch.setenv("SPACE_ID", "somebody/arena")
    space = staged("framed", *QUICK, host="127.0.0.1")
    own = await browser.browser_type.launch(executable_path=chromium(), args=[*LAUNCH, ON_LOOPBACK])
    context = await own.new_context(locale="ru-RU")
    page = await context.new_page()
    frame = f'<iframe src="{space.address}" width="1200" height="780"></iframe>'
    await page.route(HUB + "/**", lambda asked: asked.fulfill(content_type="text/html", body=frame))
    await page.goto(HUB + "/spaces/somebody/arena")
    inside = page.frame_locator("iframe")
    await expect(inside.locator(".consent:visible")).to_contain_text("Не пишите личного", timeout=60_000)
    await expect(inside.locator("#arena-strips")).to_contain_text("Голоса на этой странице хранятся до её следующего")
    await inside.locator("[data-speak=en]").click()
    await expect(inside.locator(".consent:visible")).to_contain_text("Write nothing personal", timeout=60_000)
    await inside.locator("#anonymous-suggestion-0:visible").click(timeout=60_000)
    await inside.locator("#anonymous-vote-a:not([disabled])").click(timeout=60_000)
    await inside.locator(".verdict [role=status]").wait_for(timeout=60_000)
    (cookie,) = [one for one in await context.cookies() if one["name"].startswith("arena_voter_")]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "None")
    assert cookie["partitionKey"] == HUB
    await own.close()
    assert len(stored_votes(space)) == 1
