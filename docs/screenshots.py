"""Makes the pictures of README from a real run: `make screenshots`.

It prepares the demo, lets simulated voters judge by whether an answer is right, serves the page and
photographs a battle and the leaderboard in Chromium. Nothing in the pictures is drawn by hand.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.async_api import Page, async_playwright

from arena.config import Settings
from arena.engines.toy_text import correct_answer, is_correct, suggested_prompts
from arena.service import Arena, open_arena
from arena.types import Verdict
from tests.prepare import chromium

HERE = Path(__file__).parent
STORAGE = HERE.parent / "build" / "screenshots"
BATTLES = 150
AT_ONCE = 6
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


async def vote_honestly(arena: Arena, number: int, prompt: str) -> None:
    """One simulated voter: right beats wrong, otherwise a tie or both bad."""
    voter = f"simulated-{number}"
    battle = await arena.ask(voter, prompt)
    async for _ in arena.watch(voter, battle):
        pass
    answers = arena.view(voter, battle).turns[-1]
    a, b = is_correct(prompt, answers.a), is_correct(prompt, answers.b)
    verdict = {(True, False): Verdict.MODEL_A, (False, True): Verdict.MODEL_B, (True, True): Verdict.TIE}.get((a, b))
    await arena.vote(voter, battle, verdict or Verdict.BOTH_BAD)


async def fill() -> None:
    """Train the toys if they are missing and fight so many battles."""
    arena = open_arena(Settings(profile="demo", storage=STORAGE, seed=3))
    await arena.start()
    while arena.preparation().ready < arena.preparation().total:
        print(f"preparing the models: {arena.preparation().done:.0%}", end="\r", flush=True)
        await asyncio.sleep(1)
    rng = random.Random(5)
    prompts = [prompt for _, _, prompt in suggested_prompts() if correct_answer(prompt)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await vote_honestly(arena, number, rng.choice(prompts))
            print(f"battle {number + 1} of {BATTLES}", end="\r", flush=True)

    missing = BATTLES - arena.boards.view().board.votes
    await asyncio.gather(*(one(number) for number in range(max(0, missing))))
    await arena.close()


async def photograph(address: str) -> None:
    """A battle being voted and the board, light and dark, desktop and phone."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        desktop = {"width": 1280, "height": 800}
        phone = {"width": 390, "height": 844}
        for name, size, locale, scheme in (
            ("", desktop, "ru-RU", "light"),
            ("-en", desktop, "en-US", "light"),
            ("-dark", desktop, "ru-RU", "dark"),
            ("-phone", phone, "ru-RU", "light"),
        ):
            context = await browser.new_context(viewport=size, locale=locale, color_scheme=scheme)  # type: ignore[arg-type]
            page = await context.new_page()
            await page.goto(address)
            await battle(page, name)
            await context.close()
        await browser.close()


async def battle(page: Page, name: str) -> None:
    """Ask, photograph, vote, photograph, open the board, photograph."""
    await page.wait_for_selector("#anonymous-suggestion-0")
    await page.wait_for_timeout(800)
    await page.click("#anonymous-suggestion-0")
    await page.wait_for_selector("#anonymous-vote-a:not([disabled])", timeout=60_000)
    await page.wait_for_timeout(600)  # buttons that open do so gently
    await page.screenshot(path=HERE / f"battle{name}.png")
    await page.click("#anonymous-vote-a")
    await page.wait_for_selector(".verdict .split")
    await page.wait_for_timeout(600)
    await page.screenshot(path=HERE / f"reveal{name}.png")
    await page.evaluate("document.querySelector('#arena-tabs').scrollIntoView()")
    await (
        page.locator("#arena-tabs button[role=tab]")
        .filter(has_text="Рейтинг")
        .or_(page.locator("#arena-tabs button[role=tab]").filter(has_text="Leaderboard"))
        .first.click()
    )
    await page.wait_for_selector(".board-table")
    await page.wait_for_timeout(2500)
    await page.screenshot(path=HERE / f"leaderboard{name}.png")


def main() -> None:
    """Everything, in about four minutes."""
    asyncio.run(fill())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--profile", "demo", "--storage", str(STORAGE), "--port", str(port)]
    server = subprocess.Popen(command, cwd=HERE.parent, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        asyncio.run(photograph(f"http://127.0.0.1:{port}/"))
    finally:
        server.terminate()
        server.wait(10)


def wait_for(address: str) -> None:
    """Until the server says that all contestants are ready."""
    for _ in range(240):
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if b'"ready":3' in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit("the arena did not become ready")


if __name__ == "__main__":
    main()
