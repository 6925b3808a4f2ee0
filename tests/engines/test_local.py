"""Local engines: a real worker process with a real tiny model, its death, its hanging, its parent's death."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from checkpoints import build

from arena.engines.local import LocalEngine, Patience, Phase
from arena.engines.nursery import Nursery
from arena.engines.worker.spec import WorkerSpec
from arena.errors import ContextOverflow, ModelUnavailable
from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason, Message, Role
from perf.promises import tell

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="module")]

HELLO: Conversation = (Message(Role.USER, "Привет! What is the capital of France?"),)
QUICK = Patience(load=240, silence=60, restart=0.05, quarantine=300)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("qwen2"), "qwen2", context=4096, endless=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nursery() -> AsyncIterator[Nursery]:
    nursery = Nursery(spares=1, environment={"OMP_NUM_THREADS": "1"})
    yield nursery
    await nursery.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(checkpoint: Path, nursery: Nursery) -> AsyncIterator[LocalEngine]:
    """One engine for all tests of this file: each leaves it warm, or able to become warm again."""
    engine = LocalEngine(_spec(checkpoint), nursery, patience=QUICK)
    yield engine
    await engine.close()


async def test_a_local_model_streams_chunks_and_then_says_what_produced_them(engine: LocalEngine) -> None:
    """The first request loads the model; the last item carries counts, seed, revision and template."""
    items = [item async for item in engine.stream(HELLO, Decoding(max_tokens=24, seed=7))]
    chunks, finish = items[:-1], items[-1]
    assert all(isinstance(chunk, Chunk) for chunk in chunks)
    assert isinstance(finish, Finish)
    assert finish.usage.completion_tokens is not None
    assert 0 < finish.usage.completion_tokens <= 24
    assert finish.seed == 7
    assert finish.provenance.quantization == "fp32"
    assert finish.provenance.template_hash
    assert finish.provenance.revision == engine.revision
    assert engine.state.phase is Phase.WARM


async def test_the_same_seed_gives_the_same_text_and_another_seed_another(engine: LocalEngine) -> None:
    """Each request has randomness of its own; neighbours in the batch do not disturb it."""
    first, other, again = await asyncio.gather(
        *(_text(engine, Decoding(temperature=1.5, max_tokens=32, seed=seed)) for seed in (1, 2, 1))
    )
    assert first == again
    assert first != other


async def test_an_overlong_conversation_is_refused_before_the_model_sees_it(engine: LocalEngine) -> None:
    """The worker answers 400 and the client turns it into the arena's own error."""
    with pytest.raises(ContextOverflow):
        await _text(engine, Decoding(), (Message(Role.USER, "q" * 9000),))
    assert engine.state.phase is Phase.WARM


async def test_closing_the_stream_early_stops_the_model(engine: LocalEngine) -> None:
    """The slot is free at once: nothing is active any more although the answer had far to go."""
    stream = engine.stream(HELLO, Decoding(max_tokens=4000, temperature=0))
    assert isinstance(await anext(stream), Chunk)
    await _until(lambda: _busy(engine))
    await stream.aclose()
    assert engine.answering == 0
    await _until(lambda: _idle(engine))


async def test_a_worker_that_dies_mid_answer_fails_the_turn_and_comes_back(engine: LocalEngine) -> None:
    """The reader gets ModelUnavailable, never a short answer; the next request is served again."""
    stream = engine.stream(HELLO, Decoding(max_tokens=4000, temperature=0))
    await anext(stream)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(ModelUnavailable):
        await _last(stream)
    await _until(lambda: _is(engine, Phase.WARM))
    assert await _text(engine, Decoding(max_tokens=8, seed=1))


async def test_a_worker_that_hangs_is_killed_and_replaced(checkpoint: Path, nursery: Nursery) -> None:
    """Stopped processes give no heartbeat; patience ends them."""
    engine = LocalEngine(_spec(checkpoint), nursery, patience=Patience(load=240, silence=5, restart=0.05))
    try:
        await engine.start()
        hung = engine.pid
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        await _until(lambda: _is(engine, Phase.WARM, besides=hung))
        assert not _exists(hung)
    finally:
        await engine.close()


async def test_a_model_that_cannot_be_loaded_is_quarantined_with_its_reason(tmp_path: Path, nursery: Nursery) -> None:
    """The reason names the model, the second request is refused at once, and nothing keeps running."""
    engine = LocalEngine(_spec(tmp_path / "missing"), nursery, patience=QUICK)
    with pytest.raises(ModelUnavailable, match="missing"):
        await engine.start()
    assert engine.pid is None
    with pytest.raises(ModelUnavailable, match="next attempt in"):
        await _text(engine, Decoding())
    assert engine.state.phase is Phase.FAILED
    assert engine.state.retry_at is not None


async def test_a_model_that_does_not_fit_is_quarantined_and_its_memory_is_back(
    checkpoint: Path, nursery: Nursery
) -> None:
    """A cache larger than any machine: the process is gone, the reason says memory."""
    engine = LocalEngine(replace(_spec(checkpoint), num_blocks=10**12), nursery, patience=QUICK)
    with pytest.raises(ModelUnavailable, match="memory"):
        await engine.start()
    assert engine.pid is None
    assert engine.state.phase is Phase.FAILED


async def test_a_checkpoint_without_a_chat_template_says_so(
    tmp_path_factory: pytest.TempPathFactory, nursery: Nursery
) -> None:
    """The mend is in the message: give a template or take an instruct model."""
    bare = build(tmp_path_factory.mktemp("bare"), "bare")
    engine = LocalEngine(_spec(bare), nursery, patience=QUICK)
    with pytest.raises(ModelUnavailable, match="no chat template"):
        await engine.start()


async def test_a_worker_inherits_no_key_but_the_hubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint's code, where the operator lets it run, finds nobody's secrets."""
    for name in ("OPENAI_API_KEY", "ARENA_SECRET", "ARENA_ADMIN_TOKEN", "HF_TOKEN"):
        monkeypatch.setenv(name, "value")
    nursery = Nursery(spares=0)
    worker = await nursery.take()
    inherited = _environment_of(worker.pid)
    await asyncio.gather(worker.end(), nursery.close())
    assert b"HF_TOKEN=value" in inherited
    assert not [name for name in (b"OPENAI_API_KEY", b"ARENA_SECRET", b"ARENA_ADMIN_TOKEN") if name in inherited]


async def test_unloading_ends_the_process(engine: LocalEngine) -> None:
    """Memory is given back by the only means that never fails."""
    await engine.start()
    pid = engine.pid
    assert pid is not None
    await engine.unload()
    assert not _exists(pid)
    assert engine.state.phase is Phase.COLD


async def test_a_spare_worker_is_grown_after_a_load_and_used_for_the_next(checkpoint: Path) -> None:
    """The second model starts in a process whose libraries are imported already."""
    nursery = Nursery(spares=1, environment={"OMP_NUM_THREADS": "1"})
    first, second = (LocalEngine(_spec(checkpoint), nursery, patience=QUICK) for _ in range(2))
    try:
        await first.start()
        spare = nursery.spare_pids
        await second.start()
        assert [second.pid] == list(spare)
    finally:
        await asyncio.gather(first.close(), second.close(), nursery.close())


@pytest.mark.parametrize("moment", ["importing", "serving"])
async def test_workers_end_by_themselves_when_their_parent_is_killed(checkpoint: Path, moment: str) -> None:
    """A parent killed without warning leaves no orphan, whatever its worker was doing. How soon is told beside it."""
    script = Path(__file__).with_name("orphan_drill.py")
    parent = await asyncio.create_subprocess_exec(sys.executable, script, checkpoint, moment, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    assert _exists(worker)
    parent.kill()
    await parent.wait()
    died = time.monotonic()
    async with asyncio.timeout(60):
        while _exists(worker):  # noqa: ASYNC110  it is another's child
            await asyncio.sleep(0.02)
    alone = time.monotonic() - died
    tell(f"a worker ends after its parent's death, {moment}", asked="1 s", measured=f"{alone:.2f} s", size="1 kill",
         held=alone <= 1)  # fmt: skip


def _spec(path: Path) -> WorkerSpec:
    return WorkerSpec(str(path), quantization="fp32", device="cpu", max_batch=8, num_blocks=1024)


async def _text(engine: LocalEngine, decoding: Decoding, conversation: Conversation = HELLO) -> str:
    items = [item async for item in engine.stream(conversation, decoding)]
    assert isinstance(items[-1], Finish)
    assert items[-1].reason in (FinishReason.STOP, FinishReason.LENGTH)
    return "".join(item.text for item in items[:-1] if isinstance(item, Chunk))


async def _last(stream: AsyncIterator[Chunk | Finish]) -> Chunk | Finish:
    return [item async for item in stream][-1]


async def _busy(engine: LocalEngine) -> bool:
    return engine.active == 1


async def _idle(engine: LocalEngine) -> bool:
    return engine.active == 0


async def _is(engine: LocalEngine, phase: Phase, besides: int | None = None) -> bool:
    return engine.state.phase is phase and engine.pid != besides


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(240):
        while not await condition():  # noqa: ASYNC110  what is awaited happens in another process
            await asyncio.sleep(0.02)


def _environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def _exists(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return status != "Z"
