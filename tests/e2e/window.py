"""A voter's browser window on the arena: what a person does there, and a record of everything that went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Locator, Page, Response, expect

LAUNCH = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip

PATIENCE = 60_000
"""Milliseconds to wait for what must come: generous, since the machine may be busy with everything else."""

expect.set_options(timeout=PATIENCE)

CUT = ("signal is aborted", "Connection errored out")
"""What a page may say of its connections when it is left for another: it depends on what was under way."""

RECORD_FRAMES = """
window.frames_seen = {a: [], b: []};
const looked = (side) => document.querySelector(`#anonymous-answer-${side} .md`)?.textContent.length ?? 0;
new MutationObserver(() => {
  for (const side of ["a", "b"]) {
    const seen = window.frames_seen[side], length = looked(side);
    if (length && seen.at(-1) !== length) seen.push(length);
  }
}).observe(document, {subtree: true, childList: true, characterData: true});
"""
"""Notes every length that either answer had on the screen."""

TO_SPARE = """box => {
  const own = getComputedStyle(box), sign = getComputedStyle(box, "::placeholder");
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${sign.fontWeight} ${sign.fontSize} ${own.fontFamily}`;
  const wide = box.clientWidth - parseFloat(own.paddingLeft) - parseFloat(own.paddingRight);
  return wide - pen.measureText(box.placeholder).width;
}"""
"""How many pixels a field is wider than what it invites to."""


class Window:
    """One page of one voter."""

    def __init__(self, context: BrowserContext, page: Page, address: str) -> None:
        self.context, self.page, self.address = context, page, address
        page.set_default_timeout(PATIENCE)
        self.troubles: list[str] = []
        self.requests: list[str] = []
        page.on(
            "console",
            lambda said: self._hear(f"console: {said.text} {said.location['url']}") if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: self._hear(f"page error: {error}"))
        page.on("response", self._answered)
        page.on("request", lambda request: self._asked(request.url))

    def _hear(self, trouble: str) -> None:
        self.troubles.append(trouble)

    def _answered(self, response: Response) -> None:
        if response.status >= 500:
            self._hear(f"{response.status} from {response.url}")

    def _asked(self, url: str) -> None:
        self.requests.append(url)
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.address).netloc:
            self._hear(f"request to another host: {url}")

    def forgive(self, *parts: str) -> None:
        """Forget troubles that a test provoked itself: those that hold one of these words."""
        self.troubles = [trouble for trouble in self.troubles if not any(part in trouble for part in parts)]

    async def reload(self) -> None:
        """Load the page anew; the old page's complaint about its cut connections is no trouble."""
        await self.page.reload(timeout=PATIENCE)
        await self.started()
        self.forgive(*CUT)

    async def open(self) -> Window:
        """Load the page and wait until it can be asked."""
        await self.page.goto(self.address, timeout=PATIENCE)
        await self.started()
        return self

    async def started(self) -> None:
        """The page is loaded and its first handler has painted it."""
        said = self.page.locator(
            "#anonymous-suggestion-0:visible:not(:text-is('…')), #anonymous-question .asked:visible"
        )
        await said.first.wait_for(timeout=PATIENCE)

    def part(self, name: str) -> Locator:
        """A component of the blind battle, by the name the layout gives it."""
        return self.page.locator(f"#anonymous-{name}")

    async def ask(self, prompt: str, mode: str = "anonymous") -> None:
        """Write a message and send it by Enter."""
        box = self.page.locator(f"#{mode}-prompt textarea")
        await expect(box).to_be_enabled(timeout=PATIENCE)
        await box.fill(prompt)
        await box.press("Enter")

    async def to_spare(self, part: str) -> float:
        """By how many pixels what a field invites to is shorter than the field; below 0 it is cut."""
        box = self.part(part).locator("textarea")
        await expect(box).to_be_visible()
        return float(await box.evaluate(TO_SPARE))

    async def can_vote(self) -> None:
        """Both answers are there and the verdicts are open."""
        await expect(self.part("vote-a")).to_be_enabled(timeout=PATIENCE)

    async def answer(self, side: str, mode: str = "anonymous") -> str:
        """What a side's answer says on the screen."""
        return await self.page.locator(f"#{mode}-answer-{side}").inner_text()

    async def press(self, key: str) -> None:
        """Press a key with the focus in no text field."""
        await self.page.evaluate("document.activeElement?.blur()")
        await self.page.keyboard.press(key)

    async def revealed(self) -> tuple[str, str]:
        """The two names, once they stand on the page."""
        names = self.page.locator("#anonymous-battle .side-head .name")
        await expect(names).to_have_count(2, timeout=PATIENCE)
        return (await names.nth(0).inner_text(), await names.nth(1).inner_text())

    async def battle(self) -> str:
        """The number of the battle that this tab is in."""
        return str(await self.page.evaluate("sessionStorage.getItem('arena.anonymous') || ''"))

    async def ask_and_wait(self, prompt: str = "Почему небо голубое?") -> None:
        """Ask, and wait until both answers can be voted on."""
        await self.ask(prompt)
        await self.page.wait_for_function("() => sessionStorage.getItem('arena.anonymous')", timeout=PATIENCE)
        await expect(self.part("question")).to_contain_text(prompt, timeout=PATIENCE)
        await self.can_vote()

    async def begin_again(self, button: str = "new-after") -> None:
        """Leave a battle, voted on or not; what stood there is gone when this returns."""
        await self.part(button).click()
        await expect(self.part("suggestion-0")).to_be_visible(timeout=PATIENCE)
        await self.page.wait_for_function("() => !sessionStorage.getItem('arena.anonymous')", timeout=PATIENCE)

    async def open_tab(self, name: str) -> None:
        """Open one of the page's tabs by its words."""
        await self.page.get_by_role("tab", name=name, exact=True).click()

    async def post(self, path: str, body: Any) -> int:
        """The status of a request that the page itself could send."""
        script = """async ([path, body]) => (await fetch(path, {method: 'POST', body: JSON.stringify(body),
                    headers: {'Content-Type': 'application/json'}})).status"""
        return int(await self.page.evaluate(script, [path, body]))


async def eventually(look: Callable[[], object], wanted: object) -> None:
    """Wait until looking gives what is wanted; fails with what it gave last."""
    for _ in range(PATIENCE // 100):
        if look() == wanted:
            return
        await asyncio.sleep(0.1)
    assert look() == wanted


Opened = Callable[..., Awaitable[Window]]
"""The fixture `open_window`: from an arena and options of the browser's context to a window on it."""
