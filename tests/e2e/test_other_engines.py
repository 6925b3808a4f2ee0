"""Contestants that are not the demo's: recorded answers of real models, and a server of transformers as a remote."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arena_process import START_SECONDS, ArenaProcess, Staged, environment, free_port
from playwright.async_api import expect
from scenes import PLAIN, contestant
from test_modes import choose
from window import PATIENCE, Opened, eventually

from arena.config import Settings
from arena.engines import toy_text
from arena.service import open_store

pytestmark = pytest.mark.browser

ANSWERS = {
    "T-lite-it-1.0": "T-Tech-T-lite-it-1.0.jsonl.gz",
    "Vikhr-Nemo-12B": "vikhr-nemo-12b-instruct-r-21-09-24.jsonl.gz",
}


@pytest.fixture(scope="module")
def recorded(staged: Staged, shared: Callable[[str], Path]) -> ArenaProcess:
    """Two Russian models' real answers to five hundred real prompts."""
    place = shared("ru_arena_general")
    cast = [
        {"name": name, "engine": "recorded", "answers": str(place / "model_answer" / file)}
        for name, file in ANSWERS.items()
    ]
    return staged("recorded", *cast, more={"prompts": {"dataset": str(place / "question.jsonl")}})


def told_at_length(place: Path) -> str:
    """A short prompt of the dataset that both models answered with at least 1600 Cyrillic letters."""
    lengths: dict[str, list[int]] = {}
    for file in ANSWERS.values():
        for line in gzip.decompress((place / "model_answer" / file).read_bytes()).decode().splitlines():
            record = json.loads(line)
            text = record["choices"][0]["turns"][0]["content"]
            letters = sum("а" <= char.lower() <= "я" for char in text)
            lengths.setdefault(str(record["question_id"]), []).append(letters)
    for line in (place / "question.jsonl").read_text("utf-8").splitlines():
        asked = json.loads(line)
        prompt = str(asked["turns"][0]["content"])
        if len(prompt) < 120 and "\n" not in prompt and min(lengths[str(asked["question_id"])]) >= 1600:
            return prompt
    raise AssertionError("the dataset has no such prompt")


async def test_a_team_votes_blind_on_answers_it_already_has(
    recorded: ArenaProcess, open_window: Opened, shared: Callable[[str], Path]
) -> None:
    """Prompts of the dataset are offered; one of them, two real answers in Russian, a vote, two names."""
    place = shared("ru_arena_general")
    window = await open_window(recorded)
    offered = await window.part("suggestion-0").inner_text()
    known = [str(json.loads(line)["turns"][0]["content"]) for line in (place / "question.jsonl").open(encoding="utf-8")]
    assert any(" ".join(prompt.split()).startswith(" ".join(offered.split())[:40]) for prompt in known)
    prompt = told_at_length(place)
    await window.ask(prompt)
    await expect(window.part("question")).to_contain_text(prompt[:60], timeout=PATIENCE)
    await expect(window.part("stop")).to_be_visible(timeout=PATIENCE)
    long_enough = "() => ['a', 'b'].every((side) => window.frames_seen[side].at(-1) > 200)"
    await window.page.wait_for_function(long_enough, timeout=PATIENCE)
    await window.part("stop").click()
    await window.can_vote()
    answers = [await window.answer(side) for side in ("a", "b")]
    await window.ask("А этого никто не спрашивал?")  # refused in words, and what stands there can be judged as before
    await expect(window.page.get_by_text("Ответы на это не записаны")).to_be_visible(timeout=PATIENCE)
    await window.can_vote()
    assert all(sum("а" <= char.lower() <= "я" for char in text) > 100 for text in answers)
    await window.press("ArrowRight")
    assert set(await window.revealed()) == {"T-lite-it-1.0", "Vikhr-Nemo-12B"}
    await expect(window.part("facts-a")).to_contain_text("неизвестно")  # the pace of a recording is nobody's
    await expect(window.part("facts-a")).not_to_contain_text("ток/с")


@pytest.fixture(scope="module")
def remote(toys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """`transformers serve` with a toy: its address and the model it serves."""
    port, model = free_port(), toys / "toy-a"
    log = tmp_path_factory.mktemp("remote") / "serve.log"
    program = shutil.which("transformers", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None
    command = [program, "serve", str(model), "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(command, env=environment(), stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}/v1", str(model)
    finally:
        process.kill()
        process.wait()


async def test_a_server_of_transformers_is_a_contestant(
    staged: Staged, remote: tuple[str, str], open_window: Opened
) -> None:
    """It answers over the OpenAI protocol beside a scripted one; its answer is the toy's, its tokens are counted."""
    address, model = remote
    far = {"name": "Remote toy", "engine": "openai", "base_url": address, "model": model, "timeout": 60,
           "decoding": {"temperature": 0, "max_tokens": 120}}  # fmt: skip
    arena = staged("remote", far, contestant("Vega", PLAIN))
    window = await open_window(arena)
    prompt = next(pair.prompt for pair in toy_text.pairs() if pair.topic == "capitals")
    await window.open_tab("Рядом по именам")
    await choose(window, "named-choice-0", "Remote toy")
    await choose(window, "named-choice-1", "Vega")
    await window.ask(prompt, "named")
    await expect(window.page.locator("#named-send")).to_be_visible(timeout=4 * PATIENCE)
    await expect(window.page.locator("#named-answer-a")).not_to_be_empty(timeout=PATIENCE)
    battle = await window.page.evaluate("sessionStorage.getItem('arena.named')")
    with open_store(Settings(storage=arena.storage)) as store:
        await eventually(lambda: store.load_battle(battle).turns[-1].a is None, False)
        answer = store.load_battle(battle).turns[-1].a
    assert answer is not None
    assert toy_text.is_correct(prompt, answer.text)
    assert answer.usage.completion_tokens


def _wait_until_up(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address + "/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"transformers serve did not start:\n{log.read_text()[-2000:]}")
