"""`python -m arena judge` judges what is voted, tells its cost, and says why it stopped."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from endpoint import Reply, saying, serving
from store_kit import register, vote
from typer.testing import Result

from arena.config import Settings
from arena.service import open_store
from arena.types import Verdict
from tests.cli.commanding import commanded

ROOT = Path(__file__).parents[2]
MODELS = """
profiles:
  demo:
    contestants:
      - {{name: Alpha, engine: fake}}
      - {{name: Beta, engine: fake}}
    judges:
      - name: Strict
        engine: openai
        base_url: {base_url}
        model: judge-model
        price: {{prompt: 1, completion: 2}}
        spending_cap: {cap}
      - {{name: Silent, engine: fake, enabled: false, script: {{text: "I would rather not say."}}}}
"""


def prepared(folder: Path, battles: int) -> None:
    """A storage directory with voted battles."""
    with open_store(Settings(storage=folder)) as store:
        a, b = register(store, "Alpha", "Beta")
        for number in range(battles):
            vote(store, a.id, b.id, Verdict.MODEL_A, voter=f"voter {number}")


def words(folder: Path, *options: str) -> list[str]:
    """The command's words, on the test's storage and models."""
    return ["judge", "--profile", "demo", "--models", str(folder / "models.yaml"), "--storage", str(folder), *options]


def judging(folder: Path, *options: str) -> Result:
    """Run the command beside the test's endpoint, in a thread of its own for it brings its own event loop."""
    return commanded(*words(folder, *options))


async def run(folder: Path, cap: float, *options: str) -> Result:
    """The command against a server that always says that A is better."""
    async with serving(saying("[[A>B]]")) as endpoint:
        (folder / "models.yaml").write_text(MODELS.format(base_url=endpoint.base_url, cap=cap), encoding="utf-8")
        return await asyncio.to_thread(judging, folder, *options)


async def test_it_judges_every_voted_battle_and_prints_the_bill(tmp_path: Path) -> None:
    """As a program of its own. One JSON object: judged, unscored, flips and cost per judge; again, nothing is left."""
    prepared(tmp_path, 3)
    async with serving(saying("[[A>B]]")) as endpoint:
        (tmp_path / "models.yaml").write_text(MODELS.format(base_url=endpoint.base_url, cap=5.0), encoding="utf-8")
        program = [sys.executable, "-m", "arena", *words(tmp_path, "--json")]
        done = await asyncio.to_thread(subprocess.run, program, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["judges"]
    assert (found["judge"], found["done"], found["flipped"], found["stopped"]) == ("Strict", 3, 3, None)
    assert found["cost"] > 0
    again = await run(tmp_path, 5.0, "--json")
    assert json.loads(again.stdout)["judges"][0]["total"] == 0


async def test_a_spent_cap_stops_it_with_a_reason_and_status_1(tmp_path: Path) -> None:
    """Nothing is judged that cannot be paid for."""
    prepared(tmp_path, 2)
    done = await run(tmp_path, 0.0001)
    assert done.exit_code == 1
    assert "spending cap 0.0001 would be passed" in done.stderr


async def test_a_disabled_judge_can_be_named_and_its_silence_is_counted(tmp_path: Path) -> None:
    """An answer without a verdict is unscored, and the reason is printed."""
    prepared(tmp_path, 2)
    done = await run(tmp_path, 5.0, "--judge", "Silent")
    assert done.exit_code == 0, done.stderr
    assert "2 of 2 battles judged" in done.stdout
    assert "no verdict in the answer (4)" in done.stdout


async def test_an_unknown_judge_is_one_line_and_status_2(tmp_path: Path) -> None:
    """With the nearest name."""
    prepared(tmp_path, 1)
    done = await run(tmp_path, 5.0, "--judge", "Strikt")
    assert done.exit_code == 2
    assert "Strict" in done.stderr
    assert "Traceback" not in done.stderr


async def test_what_failed_is_told_and_judged_again_when_asked(tmp_path: Path) -> None:
    """Without the option it is left alone; with it the reasons come first, then a new try."""
    prepared(tmp_path, 2)
    refusal = Reply(status=400, body={"error": {"message": "too long for me"}})
    async with serving(refusal) as endpoint:
        (tmp_path / "models.yaml").write_text(MODELS.format(base_url=endpoint.base_url, cap=5.0), encoding="utf-8")
        failed = await asyncio.to_thread(judging, tmp_path, "--judge", "Strict")
    assert "--retry-failed" in failed.stdout
    assert "0 of 0 battles" in (await run(tmp_path, 5.0, "--judge", "Strict")).stdout
    again = await run(tmp_path, 5.0, "--judge", "Strict", "--retry-failed")
    assert "too long for me" in again.stderr
    assert "2 of 2 battles judged" in again.stdout
