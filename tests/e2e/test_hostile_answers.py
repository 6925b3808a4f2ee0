"""Whatever a contestant writes stays text: no script runs, nothing is fetched, the vote bar stays free."""

from __future__ import annotations

import pytest
from arena_process import Staged
from hostile_texts import PAYLOADS
from playwright.async_api import expect
from scenes import contestant
from window import PATIENCE, Opened

pytestmark = pytest.mark.browser

TRAP = """
window.sprung = [];
const spring = (what) => window.sprung.push(what);
for (const name of ["alert", "confirm", "prompt"]) window[name] = (said) => spring(name + ": " + said);
window.pwned = (said) => spring("pwned: " + said);
"""


async def test_a_hundred_hostile_payloads_do_nothing(staged: Staged, open_window: Opened) -> None:
    """Two contestants say them all, in several answers; each battle is then voted with an ordinary click."""
    assert len(PAYLOADS) >= 100
    half = len(PAYLOADS) // 2
    texts = ["\n\n".join(f"{i}. начало\n\n{payload}" for i, payload in enumerate(part)) for part in _split(half)]
    arena = staged("hostile", contestant("Deneb", texts[0]), contestant("Vega", texts[1]))
    window = await open_window(arena)
    await window.context.add_init_script(TRAP)
    await window.reload()
    await window.ask_and_wait()
    await expect(window.part("answer-a")).to_contain_text("начало", timeout=PATIENCE)
    for side in ("a", "b"):
        for inert in (
            "script",
            "iframe",
            "object",
            "embed",
            "form",
            "input:not([type=checkbox])",
            "link",
            "meta",
            "base",
        ):
            await expect(window.part(f"answer-{side}").locator(inert)).to_have_count(0)
        links = await window.part(f"answer-{side}").locator("a").evaluate_all("all => all.map((a) => a.href)")
        assert [link for link in links if link.split(":")[0] in ("javascript", "vbscript", "data")] == []
        own = window.part(f"answer-{side}").locator(".md [style]:not(.katex *, .katex-error)")
        assert await own.evaluate_all("all => all.map((e) => e.outerHTML)") == [], "no style of an answer's own"
    for name in ("vote-a", "vote-tie", "vote-bad", "vote-b"):
        await window.part(name).click(trial=True, timeout=PATIENCE)
    await window.page.mouse.wheel(0, 4000)
    await window.part("vote-tie").click(timeout=PATIENCE)
    await window.revealed()
    assert await window.page.evaluate("window.sprung") == []
    assert [url for url in window.requests if arena.address not in url and not url.startswith(("data:", "blob:"))] == []
    window.forgive("KaTeX", "LaTeX-incompatible")


def _split(half: int) -> tuple[list[str], list[str]]:
    return PAYLOADS[:half], PAYLOADS[half:]
