"""Models inside the web process: both sides share one loan, the visitor's context goes along."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from checkpoints import build

from arena.engines.worker.spec import WorkerSpec
from arena.errors import ContextOverflow, ModelUnavailable
from arena.types import Chunk, Conversation, Decoding, Finish, Message, Role

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from arena.engines import zerogpu  # noqa: E402

HELLO: Conversation = (Message(Role.USER, "Привет!"),)
VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("visitor", default="nobody")


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, WorkerSpec]:
    def spec(seed: int) -> WorkerSpec:
        path = build(tmp_path_factory.mktemp("qwen2"), "qwen2", context=512, endless=True, seed=seed)
        return WorkerSpec(str(path), quantization="fp32", device="cpu", num_blocks=128)

    return {"one": spec(1), "two": spec(2)}


@pytest.fixture
async def stage(specs: dict[str, WorkerSpec]) -> AsyncIterator[zerogpu.ZeroGpu]:
    stage = zerogpu.ZeroGpu(specs)
    stage.load()
    yield stage
    await stage.close()


@pytest.fixture
def loans(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every loan: on whose account and for how many questions."""
    taken: list[tuple[str, int]] = []
    lend = zerogpu.answer_together

    def counted(questions: Any) -> Any:
        taken.append((VISITOR.get(), len(pickle.loads(pickle.dumps(questions)))))
        return lend(questions)

    monkeypatch.setattr(zerogpu, "answer_together", counted)
    return taken


async def test_both_sides_of_a_battle_are_answered_by_one_loan_on_the_visitors_account(
    stage: zerogpu.ZeroGpu, loans: list[tuple[str, int]]
) -> None:
    """Two models, one call, made in the context of the request that asked."""
    VISITOR.set("anna")
    decoding = Decoding(temperature=0, max_tokens=20)
    first, second = await asyncio.gather(*(_all(stage.engine(name), decoding) for name in ("one", "two")))
    assert loans == [("anna", 2)]
    assert _text(first) != _text(second)
    for items in (first, second):
        assert isinstance(items[-1], Finish)
        assert items[-1].usage.completion_tokens == 20
        assert items[-1].provenance.quantization == "fp32"


async def test_a_side_alone_does_not_wait_for_ever(stage: zerogpu.ZeroGpu, loans: list[tuple[str, int]]) -> None:
    """Direct chat has one side."""
    items = await _all(stage.engine("one"), Decoding(max_tokens=5, temperature=0))
    assert isinstance(items[-1], Finish)
    assert loans == [("nobody", 1)]


async def test_a_loan_ends_when_nobody_listens_any_more(
    stage: zerogpu.ZeroGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both readers leave after the first words; the call stops at the next round."""
    rounds, left = 0, threading.Event()
    lend = zerogpu.answer_together

    def counted(questions: Any) -> Any:
        nonlocal rounds
        for said in lend(questions):
            rounds += 1
            yield said
            if rounds == 50:  # both have been heard by now
                left.wait(60)

    monkeypatch.setattr(zerogpu, "answer_together", counted)
    streams = [stage.engine(name).stream(HELLO, Decoding(max_tokens=400, temperature=0)) for name in ("one", "two")]
    await asyncio.gather(*(anext(stream) for stream in streams))
    for stream in streams:
        await stream.aclose()
    left.set()
    await stage.close()
    assert rounds <= 51


async def test_a_refused_loan_fails_both_sides(stage: zerogpu.ZeroGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spent quota arrives as an exception of the call; the sides raise the arena's own error."""

    def refused(questions: Any) -> Any:
        raise RuntimeError("quota exceeded")
        yield

    monkeypatch.setattr(zerogpu, "answer_together", refused)
    results = await asyncio.gather(
        *(_all(stage.engine(name), Decoding()) for name in ("one", "two")), return_exceptions=True
    )
    assert [type(result) for result in results] == [ModelUnavailable, ModelUnavailable]
    assert "quota" in str(results[0])


async def test_an_overlong_conversation_costs_no_loan(stage: zerogpu.ZeroGpu, loans: list[tuple[str, int]]) -> None:
    """It is refused before anything is borrowed."""
    with pytest.raises(ContextOverflow):
        await anext(stage.engine("one").stream((Message(Role.USER, "щ" * 900),), Decoding()))
    assert loans == []


def test_a_loan_is_as_long_as_the_longest_answer_may_take(specs: dict[str, WorkerSpec]) -> None:
    """And never longer than what a Space grants."""
    from arena.engines.worker.answering import Ask

    short, long = (zerogpu.Question("one", Ask((1,), seed=0, max_tokens=n)) for n in (100, 1000))
    assert zerogpu.seconds([short]) < zerogpu.seconds([short, long]) == zerogpu.seconds([long])
    endless = zerogpu.Question("one", Ask((1,), seed=0, max_tokens=10**6))
    assert zerogpu.seconds([endless]) == zerogpu.LONGEST_LOAN


def test_an_architecture_that_cannot_be_batched_is_refused(tmp_path: Path) -> None:
    """RWKV needs a worker of its own, which a ZeroGPU Space cannot have."""
    spec = WorkerSpec(str(build(tmp_path, "rwkv")), quantization="fp32", device="cpu")
    with pytest.raises(ModelUnavailable, match="architecture"):
        zerogpu.ZeroGpu({"rwkv": spec}).load()


async def _all(engine: zerogpu.ZeroGpuEngine, decoding: Decoding) -> list[Chunk | Finish]:
    return [item async for item in engine.stream(HELLO, decoding)]


def _text(items: list[Chunk | Finish]) -> str:
    return "".join(item.text for item in items if isinstance(item, Chunk))
