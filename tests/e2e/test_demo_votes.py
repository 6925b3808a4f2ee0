"""Two hundred honest votes through the running demo, and the command line beside it on the same database."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from arena_process import ROOT, ArenaProcess, environment
from page_by_hand import PageByHand, patient_client

from arena.engines import toy_text
from arena.ui.markdown import safe_markdown

pytestmark = pytest.mark.browser

VOTES = 200
AT_ONCE = 16
TRUE_ORDER = ["toy-altair", "toy-bellatrix", "toy-capella"]


def is_right(prompt: str, shown: str) -> bool:
    """Whether what the page shows is the answer that counts as correct."""
    expected = toy_text.correct_answer(prompt)
    assert expected is not None
    return toy_text.is_correct(prompt, shown) or shown.split() == safe_markdown(expected).split()


async def honest_vote(arena: ArenaProcess, prompt: str, gate: asyncio.Semaphore, config: dict[str, Any]) -> str:
    """One voter: asks, reads both answers, prefers the correct one, cannot tell two of a kind apart."""
    async with gate, patient_client() as client:
        page = await PageByHand(arena.address, client, config=config).open()
        await page.ask(prompt)
        a, b = (is_right(prompt, text) for text in await page.answers())
        verdict = "tie" if a and b else "model_a" if a else "model_b" if b else "both_bad"
        answer = await page.post("vote", {"battle": page.battle, "verdict": verdict})
        assert answer.status_code == 200, f"{answer.text} on {prompt!r}; the server's log: {arena.log_of(page.battle)}"
        return verdict


def command(arena: ArenaProcess, *arguments: str) -> str:
    """Output of `python -m arena …` against the database of a running server."""
    options = environment(storage=str(arena.storage), database=f"sqlite:///{arena.storage / 'arena.db'}")
    ran = subprocess.run(
        [sys.executable, "-m", "arena", *arguments], cwd=ROOT, env=options, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def test_two_hundred_honest_votes_rank_the_toys_in_their_true_order(demo: ArenaProcess) -> None:
    """The toy that learned everything comes first, the one that learned a third of it last."""
    prompts = [pair.prompt for pair in toy_text.pairs()]
    asked = random.Random(5).choices(prompts, k=VOTES)
    async with patient_client() as client:
        config = (await PageByHand(demo.address, client).open()).config
    gate = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as voters:  # where one fails, the others end with this test
        votes = [voters.create_task(honest_vote(demo, prompt, gate, config)) for prompt in asked]
    assert len({vote.result() for vote in votes}) == 4, "every verdict occurs"
    board = json.loads(await asyncio.to_thread(command, demo, "leaderboard", "--json"))
    assert [row["model"] for row in board["models"]] == TRUE_ORDER


async def test_the_command_line_works_beside_the_running_server(demo: ArenaProcess, tmp_path: Path) -> None:
    """Leaderboard, export and import run against its database; the import finds every vote already there."""
    async with patient_client() as client:
        page = await PageByHand(demo.address, client).open()
        await page.ask(toy_text.pairs()[0].prompt)
        await page.post("vote", {"battle": page.battle, "verdict": "tie"})
    before = json.loads(await asyncio.to_thread(command, demo, "leaderboard", "--json"))
    file = tmp_path / "votes.csv"
    said = await asyncio.to_thread(command, demo, "votes", "export", str(file))
    count = int(said.split()[0])
    assert count >= 1
    again = await asyncio.to_thread(command, demo, "votes", "import", str(file))
    assert again.startswith(f"0 of {count} votes imported"), again
    offline = json.loads(await asyncio.to_thread(command, demo, "leaderboard", "--json", "--votes", str(file)))
    after = json.loads(await asyncio.to_thread(command, demo, "leaderboard", "--json"))
    assert after == before
    rated = {row["model"]: row["rating"] for row in offline["models"]}
    assert rated == pytest.approx({row["model"]: row["rating"] for row in after["models"]}, abs=1e-6)
    async with patient_client() as client:
        assert (await client.get(demo.address + "/healthz")).status_code == 200
