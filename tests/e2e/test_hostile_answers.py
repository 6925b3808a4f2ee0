"""Whatever a contestant writes stays text: no script runs, nothing is fetched, the vote bar stays free."""

from __future__ import annotations

import os

import pytest
from arena_process import Staged
from hostile_texts import PAYLOADS, many
from playwright.async_api import expect
from scenes import contestant
from window import PATIENCE, Opened

from perf.promises import tell

pytestmark = pytest.mark.browser

NUMBER = int(os.environ.get("ARENA_SOAK_PAYLOADS", len(PAYLOADS)))
AT_ONCE = 200
INERT = ("script", "iframe", "object", "embed", "form", "input:not([type=checkbox])", "link", "meta", "base")

TRAP = """
window.sprung = [];
const spring = (what) => window.sprung.push(what);
for (const name of ["alert", "confirm", "prompt"]) window[name] = (said) => spring(name + ": " + said);
window.pwned = (said) => spring("pwned: " + said);
"""


async def test_hostile_answers_do_nothing(staged: Staged, open_window: Opened) -> None:
    """Two contestants say a hundred and more at once; each battle is then voted with an ordinary click."""
    payloads = many(NUMBER)
    assert len(payloads) == NUMBER
    batches = [payloads[start : start + AT_ONCE] for start in range(0, NUMBER, AT_ONCE)]
    for number, batch in enumerate(batches):
        await nothing_happens(staged, open_window, f"hostile{number}", batch)
    tell(
        "hostile answers in Chromium: scripts run, requests to other hosts, vote bar clickable",
        asked="0, 0, 100%",
        measured="0, 0, 100%",
        size=f"{NUMBER} payloads on {len(batches)} pages",
        held=True,
    )


async def nothing_happens(staged: Staged, open_window: Opened, name: str, payloads: list[str]) -> None:
    """Show one half of these on either side, and find nothing of them alive."""
    half = len(payloads) // 2
    sides = (payloads[:half], payloads[half:])
    texts = ["\n\n".join(f"{i}. начало\n\n{payload}" for i, payload in enumerate(part)) for part in sides]
    arena = staged(name, contestant("Deneb", texts[0]), contestant("Vega", texts[1]))
    window = await open_window(arena)
    await window.context.add_init_script(TRAP)
    await window.reload()
    await window.ask_and_wait()
    for side in ("a", "b"):
        answer = window.part(f"answer-{side}")
        await expect(answer).to_contain_text("начало", timeout=PATIENCE)
        for inert in INERT:
            await expect(answer.locator(inert)).to_have_count(0)
        links = await answer.locator("a").evaluate_all("all => all.map((a) => a.href)")
        assert [link for link in links if link.split(":")[0] in ("javascript", "vbscript", "data")] == []
        own = answer.locator(".md [style]:not(.katex *, .katex-error)")
        assert await own.evaluate_all("all => all.map((e) => e.outerHTML)") == [], "no style of an answer's own"
    for button in ("vote-a", "vote-tie", "vote-bad", "vote-b"):
        await window.part(button).click(trial=True, timeout=PATIENCE)
    await window.page.mouse.wheel(0, 4000)
    await window.part("vote-tie").click(timeout=PATIENCE)
    await window.revealed()
    assert await window.page.evaluate("window.sprung") == []
    assert [url for url in window.requests if arena.address not in url and not url.startswith(("data:", "blob:"))] == []
    window.forgive("KaTeX", "LaTeX-incompatible")
    await window.context.close()
    arena.stop()
