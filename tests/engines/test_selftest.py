"""The operator's self-test: all ticks on a sound contestant, and the right cross on a faulty one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from checkpoints import FAMILIES, build
from endpoint import DONE, Reply, event, saying, serving

from arena.engines.local import Patience
from arena.engines.openai import OpenAIEngine
from arena.engines.selftest import Tick, check_contestant, check_endpoint
from arena.engines.worker.spec import WorkerSpec


@pytest.mark.torch
async def test_a_sound_contestant_passes_every_check(tmp_path: Path) -> None:
    """Nothing fails; each tick is told as it is known."""
    heard: list[Tick] = []
    ticks = await check_contestant(_spec(tmp_path, "deepseek"), patience=Patience(load=120), on_tick=heard.append)
    assert [tick for tick in ticks if tick.passed is False] == []
    assert len(ticks) >= 12
    assert heard == ticks


@pytest.mark.torch
async def test_a_contestant_that_cannot_be_loaded_has_one_cross_with_the_reason(tmp_path: Path) -> None:
    """The rest is not even tried."""
    ticks = await check_contestant(_spec(tmp_path, "bare"), patience=Patience(load=120))
    assert [(tick.name, tick.passed) for tick in ticks] == [("loads", False)]
    assert "chat template" in ticks[0].detail


@pytest.mark.torch
async def test_a_forgotten_quirk_is_found_and_named(tmp_path: Path) -> None:
    """Llama-3's config does not declare the token that ends its turns; the mend is in the cross."""
    ticks = await check_contestant(replace(_spec(tmp_path, "llama3"), stop=()), patience=Patience(load=120))
    crosses = [tick for tick in ticks if tick.passed is False]
    assert [tick.name for tick in crosses] == ["the template's end of turn ends an answer"]
    assert "<|eot_id|>" in crosses[0].detail


async def test_an_endpoint_is_asked_counted_and_broken_off() -> None:
    """Four questions; one that tells no usage is told as that, one that shows its tags has a cross."""
    async with serving(saying("Paris")) as server:
        ticks = await check_endpoint(OpenAIEngine("served-name", server.base_url))
        assert [(tick.name, tick.passed) for tick in ticks] == [
            ("answers", True), ("counts its tokens", True), ("can be broken off", True),
        ]  # fmt: skip
        assert len(server.requests) == 4
    silent = Reply([event({"content": "<|im_end|>Paris"}), event(finish="stop"), DONE])
    async with serving(silent) as server:
        answers, counts, _ = await check_endpoint(OpenAIEngine("served-name", server.base_url))
    assert (answers.passed, answers.detail) == (False, "the answer shows <|im_end|>")
    assert counts.passed is None


async def test_an_endpoint_that_refuses_is_crosses_and_no_exception() -> None:
    """With its own words."""
    refused = Reply(status=404, body={"error": {"message": "no such model"}})
    async with serving(refused) as server:
        ticks = await check_endpoint(OpenAIEngine("served-name", server.base_url))
    assert [tick.passed for tick in ticks] == [False] * 3
    assert "no such model" in ticks[0].detail


def _spec(path: Path, family: str) -> WorkerSpec:
    build(path, family, context=1024, endless=True)
    return WorkerSpec(str(path), quantization="fp32", device="cpu", num_blocks=256, **FAMILIES[family].quirks)
