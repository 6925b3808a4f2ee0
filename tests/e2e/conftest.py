"""One browser and a few arenas for the whole run; every window must end without a trouble."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import scenes
from arena_process import ROOT, ArenaProcess, Staged, environment
from playwright.async_api import Browser, async_playwright
from window import LAUNCH, RECORD_FRAMES, Opened, Window

from tests.prepare import chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here shares one event loop, since the browser lives in it."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=LAUNCH)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def toys(test_cache: Path) -> Path:
    """The demo's three checkpoints, made once and kept."""
    place = test_cache / "toys"
    command = [sys.executable, "-m", "arena.engines.toys", str(place)]
    subprocess.run(command, cwd=ROOT, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return place


@pytest.fixture(scope="session")
def demo(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaProcess]:
    """The demo with its three toys, loaded and ready."""
    storage = tmp_path_factory.mktemp("demo")
    shutil.copytree(toys, storage / "demo", ignore=shutil.ignore_patterns(".*.new"))
    arena = ArenaProcess(storage)
    try:
        yield arena.wait_until_ready(3)
    finally:
        arena.stop()
        _keep_log(arena)


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    """Opens arenas with scripted contestants; all are stopped at the end."""
    arenas: list[ArenaProcess] = []

    def staging(name: str, *cast: dict[str, Any], more: dict[str, Any] | None = None, **options: str) -> ArenaProcess:
        storage = tmp_path_factory.mktemp(name)
        arena = ArenaProcess(storage, profile="test", models=scenes.write(storage, *cast, **(more or {})), **options)
        arenas.append(arena)
        return arena.wait_until_ready(len(cast))

    yield staging
    for arena in arenas:
        arena.tell_to_end()
    for arena in arenas:
        arena.stop()
        _keep_log(arena)


@pytest.fixture(scope="session")
def quick(staged: Staged) -> ArenaProcess:
    """Two contestants who answer at once."""
    return staged("quick", *scenes.QUICK)


@pytest.fixture(scope="session")
def slow(staged: Staged) -> ArenaProcess:
    """Two contestants who talk until they are stopped; its operator has a token."""
    return staged("slow", *scenes.SLOW, grace_seconds="120", admin_token=scenes.TOKEN)


@pytest_asyncio.fixture(loop_scope="session")
async def open_window(browser: Browser) -> AsyncIterator[Opened]:
    """Opens windows of different voters on an arena; at the end none may have had a trouble."""
    windows: list[Window] = []

    async def opening(arena: ArenaProcess, *, language: str = "ru", **options: object) -> Window:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        locale = {"ru": "ru-RU", "en": "en-US"}[language]
        context = await browser.new_context(locale=locale, **options)  # type: ignore[arg-type]
        await context.add_init_script(RECORD_FRAMES)
        windows.append(Window(context, await context.new_page(), arena.address))
        return await windows[-1].open()

    yield opening
    troubles = [trouble for window in windows for trouble in window.troubles]
    for window in windows:
        await window.context.close()
    assert not troubles, troubles


def _keep_log(arena: ArenaProcess) -> None:
    """Leave the server's log where a failed run can be looked into."""
    if kept := os.environ.get("ARENA_TEST_CACHE"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        shutil.copy(arena.log, Path(kept) / f"{arena.storage.name}.log")
