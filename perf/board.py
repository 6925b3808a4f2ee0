"""The leaderboard's page at its largest: many models, a million votes, a real Chromium.

    python -m perf.board [--models 200] [--votes 1000000] [--judged 0] [--folder DIR] [--keep-serving]

Makes votes of known strengths (a quarter ties, length liked), serves them, and prints how long the page takes from
the click on its tab to the whole table, how long a vote elsewhere takes to show, and what either costs the
server. Everything stays on loopback and in the folder; figures of a busy machine are upper bounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from playwright.async_api import Page, async_playwright

from arena.store.counting import slice_set
from arena.store.records import MARKUP_COLUMNS, NewBattle
from arena.store.store import Store
from arena.types import Mode, Verdict
from perf.store import opened, say
from tests.e2e.arena_process import ArenaProcess
from tests.e2e.window import LAUNCH
from tests.prepare import chromium

FAMILIES = ("Qwen", "Vikhr", "Saiga", "Gemma", "Llama", "Mistral", "T-lite", "Ruadapt", "Phi", "Yi")
LICENCES = ("apache-2.0", "mit", "gemma", "llama3.1")
SLICES = [
    (f"language={language}", f"length={length}", f"month=2026-{month}", f"topic={topic}", f"turn={turn}", *extra)
    for language in ("ru", "en")
    for length in ("short", "long")
    for month in ("10", "11")
    for topic in ("code", "science", "history")
    for turn in ("first", "later")
    for extra in ((), ("hard",), ("masked",))
]


def catalogue(models: int) -> list[dict[str, object]]:
    """Scripted contestants with everything a nameplate shows."""
    sizes = (2, 3, 7, 8, 9, 12, 14, 27, 32)
    return [
        {
            "name": f"{FAMILIES[i % len(FAMILIES)]}-{sizes[i % len(sizes)]}B-Instruct-v{1 + i // len(FAMILIES)}",
            "engine": "fake",
            "organisation": f"{FAMILIES[i % len(FAMILIES)]} Lab",
            "family": FAMILIES[i % len(FAMILIES)],
            "parameters": sizes[i % len(sizes)],
            "licence": LICENCES[i % len(LICENCES)],
            "script": {"text": "Ответ."},
        }
        for i in range(models)
    ]


def fill(folder: Path, votes: int, judged: float, rng: np.random.Generator) -> None:
    """Votes of known strengths straight into the file, then counts and Elo from them."""
    with opened(folder) as store:
        ids = np.array([one.id for one in store.contestants() if one.retired_at is None])
        sets = [store._write(partial(slice_set, names=tuple(sorted(names)))).result().id for names in SLICES]
    first = rng.integers(0, len(ids), votes)
    second = (first + rng.integers(1, len(ids), votes)) % len(ids)
    strength, verbosity = rng.normal(0, 0.8, len(ids)), rng.normal(0, 0.4, len(ids))
    length = [np.exp(rng.normal(6.5 + verbosity[side], 0.5)).astype(int) for side in (first, second)]
    logit = strength[first] - strength[second] + 0.6 * (length[0] - length[1]) / (length[0] + length[1])
    human, machine = _verdicts(logit, rng), _verdicts(1.3 * logit, rng)
    marks = [rng.poisson(length[side] / per) for side in (0, 1) for per in (900, 250, 300)]
    style = np.column_stack([length[0], *marks[:3], length[1], *marks[3:]])
    numbers = np.arange(1, votes + 1)
    at = 1.795e9 + numbers * (2e6 / votes)
    a, b = ids[first].tolist(), ids[second].tolist()
    names = [f"b{number:09d}" for number in numbers]
    slices = rng.choice(sets, votes)
    with closing(sqlite3.connect(folder / "arena.db")) as db:
        db.executescript("PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;")
        db.executemany("INSERT INTO voters VALUES (?, ?, 0)", [(n, f"voter-{n}") for n in range(1, 3001)])
        voters = rng.integers(1, 3001, votes).tolist()
        db.executemany(
            "INSERT INTO battles VALUES (?, ?, 'anonymous', ?, ?, 0.01, 'ru', 'code', 0, '', 0, 'voted', ?, ?)",
            zip(names, voters, a, b, at.tolist(), at.tolist(), strict=True),
        )
        db.executemany(
            "INSERT INTO votes (sequence, battle_id, voter_id, contestant_a, contestant_b, verdict, weight, "
            f"slice_set_id, cast_at, elo_before_a, elo_before_b, elo_delta_a, elo_delta_b, {', '.join(MARKUP_COLUMNS)})"
            f" VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, 1000, 1000, ?, ?{', ?' * 8})",
            (
                (*row[:7], row[7], row[8], -row[8], *row[9])
                for row in zip(
                    numbers.tolist(), names, voters, a, b, human.tolist(), slices.tolist(), at.tolist(),
                    ((human == 0) * 2.0 - (human == 1) * 2.0).tolist(), style.tolist(), strict=True,
                )
            ),
        )  # fmt: skip
        chosen = np.flatnonzero(rng.random(votes) < judged)
        db.executemany(
            "INSERT INTO judgments (battle_id, judge, status, queued_at, attempts, done_at, verdict, first_order, "
            "second_order, cost, sequence, contestant_a, contestant_b, slice_set_id, elo_delta_a, elo_delta_b) "
            "VALUES (?, 'judge-32b', 'done', 0, 1, ?, ?, ?, ?, 0, ?, ?, ?, ?, 0, 0)",
            [
                (names[i], float(at[i]), verdict, verdict, verdict, votes + 1 + n, a[i], b[i], int(slices[i]))
                for n, i in enumerate(chosen.tolist())
                for verdict in (int(machine[i]),)
            ],
        )
        db.execute("UPDATE counters SET value = ? WHERE name = 'sequence'", (votes + len(chosen),))
        db.execute("INSERT OR IGNORE INTO counters VALUES ('sequence', ?)", (votes + len(chosen),))
        db.commit()
    with opened(folder) as store:
        store.rebuild()


def _verdicts(logit: np.ndarray, rng: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
    """Codes of verdicts: a quarter ties, every fifth of them both bad."""
    draw = rng.random(len(logit))
    won = np.where(rng.random(len(logit)) < 1 / (1 + np.exp(-logit)), 0, 1)
    return np.where(draw < 0.05, 3, np.where(draw < 0.25, 2, won))


async def vote_elsewhere(store: Store, number: int) -> None:
    """A vote by another process on the same database."""
    a, b = (one.id for one in store.contestants()[:2])
    battle = await store.create_battle(NewBattle(f"perf-{number}", Mode.ANONYMOUS, a, b))
    await store.set_battle_status(battle.id, "votable")
    await store.cast_vote(battle.id, f"perf-{number}", Verdict.TIE)


async def opening(page: Page, address: str, models: int) -> float:
    """Seconds from the click on the tab until every row and the plot are there."""
    await page.goto(address)
    await page.locator("#anonymous-suggestion-0:visible").wait_for(timeout=60_000)
    began = time.perf_counter()
    await page.evaluate("document.querySelector('#tab-board-button').click()")
    await page.wait_for_function(f"document.querySelectorAll('#board-table tbody tr').length >= {models}")
    return time.perf_counter() - began


async def showing(page: Page, store: Store, number: int) -> float:
    """Seconds from a vote's commit until the page shows one more."""
    count = "Number(document.querySelector('#board-table .live [data-votes]')?.dataset.votes)"
    before = await page.evaluate(count)
    await vote_elsewhere(store, number)
    began = time.perf_counter()
    await page.wait_for_function(f"{count} > {before}", polling=20, timeout=30_000)
    return time.perf_counter() - began


class Server:
    """What the server's process has used so far."""

    def __init__(self, arena: ArenaProcess) -> None:
        self._stat = Path(f"/proc/{arena._process.pid}/stat")

    def used(self) -> float:
        """Processor seconds."""
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def calm(self) -> None:
        """Until the fits in the background are done: hardly anything used in a second."""
        for _ in range(300):
            before = self.used()
            await asyncio.sleep(1.0)
            if self.used() - before < 0.06:
                return


async def measure(folder: Path, arena: ArenaProcess, models: int, times: int) -> None:
    """Open the page several times, each in a fresh context, and vote beside it."""
    server = Server(arena)
    opened_in, shown_in, costs = [], [], []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=LAUNCH)
        with opened(folder) as store:
            for number in range(times):
                context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="ru-RU")
                page = await context.new_page()
                before = server.used()
                opened_in.append(await opening(page, arena.address, models))
                spent = server.used() - before
                await server.calm()
                before = server.used()
                shown_in.append(await showing(page, store, number))
                costs.append((spent, server.used() - before))
                await context.close()
        await browser.close()
    say("click on the tab → every row on the page", _spread(opened_in))
    say("a vote's commit in another process → the page shows it", _spread(shown_in))
    say("processor of the server, page and opening", _spread([one for one, _ in costs]))
    say("processor of the server, the vote on that page", _spread([one for _, one in costs]))


def _spread(seconds: Sequence[float]) -> str:
    first, *others = seconds
    return f"first {first:.2f} s, then {statistics.median(others):.2f} s (worst {max(others):.2f} s)"


def main() -> None:
    """Fill, serve, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--judged", type=float, default=0.0, help="share of battles that a judge judged too")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep-serving", action="store_true", help="leave the page open until a key is pressed")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="arena-board-"))
    folder.mkdir(parents=True, exist_ok=True)
    models = folder / "models.yaml"
    models.write_text(yaml.safe_dump({"contestants": catalogue(arguments.models)}, allow_unicode=True))
    arena = ArenaProcess(folder, profile="test", models=models)
    if not (folder / "filled").exists():
        arena.wait_until_ready(arguments.models).stop()
        began = time.perf_counter()
        fill(folder, arguments.votes, arguments.judged, np.random.default_rng(7))
        (folder / "filled").touch()
        say(f"{arguments.votes:,} votes of {arguments.models} models made", f"{time.perf_counter() - began:.0f} s")
        arena = ArenaProcess(folder, profile="test", models=models)
    try:
        arena.wait_until_ready(arguments.models)
        if arguments.keep_serving:
            input(f"{arena.address} is open; Enter ends it")
        else:
            asyncio.run(measure(folder, arena, arguments.models, arguments.times))
    finally:
        arena.stop()


if __name__ == "__main__":
    main()
