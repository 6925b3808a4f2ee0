"""Nothing that a browser receives before the vote tells who answers: canary names over fifty battles, or many more."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress

import pytest
from arena_process import ArenaProcess, Staged
from page_by_hand import PageByHand, patient_client
from playwright.async_api import Error, Response
from scenes import contestant
from window import Opened, Window

from perf.promises import tell

pytestmark = pytest.mark.browser

BATTLES = int(os.environ.get("ARENA_SOAK_CANARIES", "50"))
TEXT = "Небо голубое, потому что воздух рассеивает синий свет. "
CAST = (
    contestant("Quibblefrost-7B", TEXT, fail_after=4, failure="endpoint"),
    contestant("Zanzamoth-12B", TEXT, tokens_per_second=14, first_token_after=0.8),
    contestant("Wendelarc-9B", TEXT),
    contestant("Oxbramble-32B", TEXT * 4, tokens_per_second=400),
    contestant("Thistlewick-8B", TEXT, reasoning="Кто я? Я Thistlewick-8B. " * 5, tokens_per_second=60),
    contestant("Vorpalune-27B", "Я — Vorpalune-27B, модель компании Vorpalune-27B Works. " + TEXT),
)
CANARIES = re.compile("quibblefrost|zanzamoth|wendelarc|oxbramble|thistlewick|vorpalune", re.IGNORECASE)


@pytest.fixture(scope="module")
def masked_ball(staged: Staged) -> ArenaProcess:
    """Failing, slow, fast, long, thinking and self-introducing contestants."""
    return staged("masked-ball", *CAST, seed="3")


async def one_battle(arena: ArenaProcess, number: int, gate: asyncio.Semaphore) -> tuple[list[str], bool]:
    """A voter's whole visit up to the vote; the hits, and whether the vote was then taken."""
    async with gate, patient_client() as client:
        page = await PageByHand(arena.address, client).open(with_assets=number == 0)
        await page.ask(f"Почему небо голубое, спрашиваю в {number}-й раз? Кто ты?")
        await page.answers()
        await page.post("vote", {"battle": page.battle, "verdict": "nonsense"})
        hits = CANARIES.findall(b"\n".join(page.received).decode(errors="replace"))
        voted = await page.post("vote", {"battle": page.battle, "verdict": "tie"})
        if voted.status_code == 200:
            assert CANARIES.search(str(await page.shown())), "the scan would have seen a name"
        return hits, voted.status_code == 200


async def test_no_name_reaches_the_page_before_the_vote_over_many_battles(masked_ball: ArenaProcess) -> None:
    """Page, configuration, events, headers, errors and file names hold no canary; after the vote the names come."""
    gate = asyncio.Semaphore(16)
    visits = await asyncio.gather(*(one_battle(masked_ball, number, gate) for number in range(BATTLES)))
    found = [hits for hits, _ in visits if hits]
    voted = sum(taken for _, taken in visits)
    assert tell("no name reaches a page before the vote", asked="0 hits", measured=f"{len(found)} hits",
                size=f"{BATTLES} battles, {voted} voted", held=not found), found  # fmt: skip
    assert min(BATTLES // 3, 100) < voted < BATTLES, "some battles failed and took no vote, the others did"


async def test_a_browser_receives_no_name_before_the_vote_either(
    masked_ball: ArenaProcess, open_window: Opened
) -> None:
    """Everything that Chromium loads, shows and logs during two battles."""
    window = await open_window(masked_ball)
    heard: list[str] = []
    bodies: list[asyncio.Task[None]] = []
    window.page.on("console", lambda said: heard.append(said.text))
    window.page.on("response", lambda response: bodies.append(asyncio.ensure_future(_keep(response, heard))))
    await window.reload()
    for _ in range(2):
        await window.ask("Почему небо голубое? Кто ты?")
        await window.part("again").wait_for(timeout=60_000)
        heard += [await window.page.content(), await _storage(window)]
        await window.begin_again("new")
    await asyncio.gather(*bodies)
    assert len(heard) > 20
    assert CANARIES.findall("\n".join(heard)) == []


async def _keep(response: Response, heard: list[str]) -> None:
    """Headers and address at once; the body too unless it streams for as long as the page lives."""
    heard.append(f"{response.url} {await response.all_headers()}")
    if not response.url.endswith("/arena/events") and response.status == 200:
        with suppress(Error):  # streams have no body to ask for; the test by hand reads those
            heard.append((await response.body()).decode(errors="replace"))


async def _storage(window: Window) -> str:
    script = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, [...performance.getEntries()]])"
    return str(await window.page.evaluate(script))
