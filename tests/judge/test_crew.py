"""Judges beside the contestants: local ones share the machine's memory, official words are sent as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from endpoint import saying as answering
from endpoint import serving
from store_kit import elo_step, register, vote

from arena.config import Catalog, Contestant, Judge, Settings
from arena.engines.fake import FakeEngine, saying
from arena.engines.local import ModelState, Phase
from arena.judge.crew import JudgeCrew, battle_judge, judges_fleet
from arena.judge.prompts import read_judge_config
from arena.service.fleet import Fleet, build_fleet
from arena.service.inventory import Reservation
from arena.service.local_models import Measured, PooledModels
from arena.store.store import Store
from arena.types import Verdict

ALPHA = Contestant(name="alpha", model="org/seven", context=8192)
BETA = Contestant(name="beta", model="org/eight")


class Weights(FakeEngine):
    """A scripted engine whose model has to be loaded; counts how often it was."""

    def __init__(self) -> None:
        super().__init__(saying("[[A=B]]"))
        self.state, self.loads = ModelState(), 0

    async def start(self) -> None:
        self.loads += self.state.phase is not Phase.WARM
        self.state = ModelState(Phase.WARM, 1.0)

    async def unload(self) -> None:
        self.state = ModelState()


def housed(judge: Judge, settings: Settings) -> tuple[Fleet, dict[str, Weights]]:
    """A fleet of two contestants and this judge on one machine, and the engines by their places in its memory."""
    engines: dict[str, Weights] = {}

    def measure(entries: Sequence[Contestant], settings: Settings) -> Iterator[Measured]:
        yield Measured(20.0, {entry.name: Reservation(8.0, 64) for entry in entries})

    def here(entries: tuple[Contestant, ...], settings: Settings) -> PooledModels:
        models = PooledModels(entries, settings, measure)
        for name, place in models._pool._places.items():
            engines[name] = place.engine = Weights()
        return models

    return build_fleet(Catalog((ALPHA, BETA), (judge,)), settings, here), engines


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database with a voted battle."""
    with Store.open(storage_dir=tmp_path, elo_step=elo_step, elo_start=1000.0) as opened:
        a, b = register(opened, "alpha", "beta")
        vote(opened, a.id, b.id, Verdict.MODEL_A)
        yield opened


async def test_a_judge_that_is_also_a_contestant_is_loaded_once(store: Store, tmp_path: Path) -> None:
    """It speaks through the contestant's worker, and is no contestant itself."""
    settings = Settings(storage=tmp_path)
    judge = Judge(name="strict", model="org/seven", context=4096)
    fleet, engines = housed(judge, settings)
    assert set(engines) == {"alpha", "beta"}
    await fleet.start()
    crew = JudgeCrew(Catalog((ALPHA, BETA), (judge,)), settings, store, fleet)
    await crew.start()
    async with asyncio.timeout(60):
        while not any(one.done for one in store.judge_standings()):  # noqa: ASYNC110  # another task's work
            await asyncio.sleep(0.01)
    await crew.close()
    assert engines["alpha"].loads == 1
    assert len(engines["alpha"].asked) == 2
    assert set(fleet.ready()) == {"alpha", "beta"}
    await fleet.close()


@pytest.mark.parametrize(
    "other", [{"model": "org/nine"}, {"quantization": "int8", "context": 4096}, {"context": 32768}]
)
async def test_other_weights_take_a_place_of_their_own_under_the_same_budget(
    other: dict[str, object], tmp_path: Path
) -> None:
    """Another model, another quantization or a longer context than the contestant's worker has room for."""
    judge = Judge.model_validate({"name": "strict", "model": "org/seven", **other})
    fleet, engines = housed(judge, Settings(storage=tmp_path))
    assert set(engines) == {"alpha", "beta", "strict"}
    assert "strict" not in fleet.entries
    assert fleet.guest("strict") is not None


OFFICIAL = """
bench_name: {name}
judge_model: another
{system}prompt_template: ["Q: {{question_1}} A: {{answer_1}} B: {{answer_2}}"]
"""


@pytest.mark.parametrize("system", ["", "system_prompt: You are an impartial judge.\n"])
async def test_an_official_protocol_reaches_the_endpoint_word_for_word(
    system: str, store: Store, tmp_path: Path
) -> None:
    """Whatever all contestants are told first, a judge is told what the file says and nothing else."""
    path = tmp_path / "judge_config.yaml"
    path.write_text(OFFICIAL.format(name="short", system=system))
    settings = Settings(storage=tmp_path, system_prompt="Answer like a pirate.")
    async with serving(answering("[[A>B]]")) as endpoint:
        entry = Judge(name="strict", engine="openai", base_url=endpoint.base_url, model="judge-model")
        fleet = judges_fleet([entry], Catalog((), (entry,)), settings)
        judge = battle_judge(entry, fleet.engine("strict"), store, protocol=read_judge_config(path))
        await judge.enqueue()
        await judge.run()
        await fleet.close()
        sent = [request["messages"] for request in endpoint.requests]
    first = [{"role": "system", "content": "You are an impartial judge."}] if system else []
    assert all(messages[:-1] == first for messages in sent)
    assert all(messages[-1]["content"].startswith("Q: ") for messages in sent)
