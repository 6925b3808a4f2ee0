"""How a worker's reports become a model's state: progress, hanging, backoff, quarantine. No real process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from arena.engines.local import LocalEngine, ModelState, Patience, Phase
from arena.engines.nursery import Nursery
from arena.engines.pool import Pool
from arena.engines.worker.spec import OUT_OF_MEMORY, WorkerSpec
from arena.errors import ConfigError, ModelUnavailable

READY = {"ready": True, "revision": "abc"}
Report = dict[str, Any] | float | None
"""What a scripted worker reports; a number lets so many seconds pass, None ends the process."""


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class ScriptedWorker:
    """A worker that reports what a script says and then waits."""

    pid = 4242
    log = ("loading shards", "Killed")

    def __init__(self, script: Sequence[Report], clock: Clock, seen: Callable[[], None]) -> None:
        self._script, self._clock, self._seen = list(script), clock, seen
        self.ended = False

    def assign(self, **assignment: Any) -> None:
        self.assigned = assignment

    async def report(self, within: float) -> dict[str, Any] | None:
        await asyncio.sleep(0)
        self._seen()
        while self._script:
            match self._script.pop(0):
                case float(seconds):
                    self._clock.now += seconds
                    if seconds > within:
                        raise TimeoutError
                case item:
                    return item
        await asyncio.Event().wait()
        return None

    async def end(self) -> int:
        self.ended = True
        return -9


class ScriptedNursery:
    """Gives out scripted workers, one script each."""

    def __init__(self, clock: Clock, *scripts: Sequence[Report]) -> None:
        self._clock, self._scripts = clock, list(scripts)
        self.workers: list[ScriptedWorker] = []
        self.seen: Callable[[], None] = lambda: None
        self.refusal: Exception | None = None

    async def take(self) -> ScriptedWorker:
        self.workers.append(ScriptedWorker(self._scripts.pop(0), self._clock, lambda: self.seen()))
        return self.workers[-1]

    async def restock(self) -> None:
        """Nothing to grow, or nothing to grow it from."""
        if self.refusal:
            raise self.refusal


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _engine(clock: Clock, *scripts: Sequence[Report], **patience: float) -> tuple[LocalEngine, ScriptedNursery]:
    nursery = ScriptedNursery(clock, *scripts)
    engine = LocalEngine(WorkerSpec("some/model"), cast(Nursery, nursery), patience=Patience(**patience), clock=clock)
    return engine, nursery


async def test_progress_is_the_workers_own(clock: Clock) -> None:
    """The page shows a share that grows while the model loads."""
    engine, nursery = _engine(clock, [{"loading": 0.25}, {"loading": 0.75}, READY])
    states: list[ModelState] = []
    nursery.seen = lambda: states.append(engine.state)
    await engine.start()
    assert [state.progress for state in states[:3]] == [0.0, 0.25, 0.75]
    assert {state.phase for state in states[:3]} == {Phase.LOADING}
    assert (engine.state.phase, engine.revision) == (Phase.WARM, "abc")
    await engine.close()
    assert nursery.workers[0].ended


@pytest.mark.parametrize("refusal", [OSError(11, "no process left"), RuntimeError("can't start new thread")])
async def test_a_model_is_warm_although_no_spare_worker_can_be_started(
    clock: Clock, caplog: pytest.LogCaptureFixture, refusal: Exception
) -> None:
    """Who asked first gets the model; the log says why the next one will load more slowly."""
    engine, nursery = _engine(clock, [READY])
    nursery.refusal = refusal
    await engine.start()
    assert engine.state.phase is Phase.WARM
    assert str(refusal) in caplog.text
    await engine.close()


async def test_a_model_that_makes_no_step_is_hung_although_its_heart_beats(clock: Clock) -> None:
    """A kernel that never returns leaves the worker's loop alive; the count of passes tells."""
    beats: list[Report] = [{"beat": 7, "active": 1}, 100.0, {"beat": 7, "active": 1}, 100.0, {"beat": 7, "active": 1}]
    engine, nursery = _engine(clock, [READY, *beats], silence=150.0, step=180.0, restart=1000.0)
    await engine.start()
    await _until(lambda: engine.state.phase is Phase.FAILED)
    assert "no step" in engine.state.reason
    assert engine.failed == {"hang": 1}
    assert nursery.workers[0].ended
    await engine.close()


async def test_an_idle_model_is_never_hung(clock: Clock) -> None:
    """It makes no step because nobody asks."""
    beats: list[Report] = [{"beat": 7, "active": 0}, 100.0] * 5
    engine, nursery = _engine(clock, [READY, *beats, {"beat": 7, "active": 0}], silence=150.0, step=180.0)
    await engine.start()
    for _ in range(50):
        await asyncio.sleep(0)
    assert engine.state.phase is Phase.WARM
    assert not nursery.workers[0].ended
    await engine.close()


async def test_silence_is_hanging(clock: Clock) -> None:
    """No heartbeat at all."""
    engine, nursery = _engine(clock, [READY, {"beat": 1, "active": 0}, 31.0], silence=30.0, restart=1000.0)
    await engine.start()
    await _until(lambda: engine.state.phase is Phase.FAILED)
    assert "no heartbeat" in engine.state.reason
    assert nursery.workers[0].ended
    await engine.close()


async def test_each_failed_load_waits_twice_as_long_up_to_a_limit(clock: Clock) -> None:
    """30, 60, 100, 100 seconds; before its time a model is refused without being tried."""
    failing = [{"failed": "no such repository", "kind": "model_unavailable"}]
    engine, nursery = _engine(clock, *[failing] * 4, quarantine=30.0, longest=100.0)
    for attempt, wait in enumerate((30.0, 60.0, 100.0, 100.0), start=1):
        with pytest.raises(ModelUnavailable, match="no such repository"):
            await engine.start()
        assert engine.state.retry_at == clock.now + wait
        with pytest.raises(ModelUnavailable, match=f"next attempt in {wait:.0f} s"):
            await engine.start()
        assert len(nursery.workers) == attempt
        assert nursery.workers[-1].ended
        clock.now += wait
    assert engine.failed == {"load": 4}


async def test_running_out_of_memory_while_serving_is_quarantine_and_not_a_restart(clock: Clock) -> None:
    """The same model on the same card would run out again."""
    lost = {"failed": "not enough memory for some/model", "kind": OUT_OF_MEMORY}
    engine, _ = _engine(clock, [READY, lost], quarantine=300.0, restart=1.0)
    await engine.start()
    await _until(lambda: engine.state.phase is Phase.FAILED)
    assert engine.state.retry_at == clock.now + 300.0
    assert engine.failed == {"out_of_memory": 1}
    await engine.close()


async def test_a_quarantine_outlives_being_put_away_but_not_the_operators_word(clock: Clock) -> None:
    """Room for others is made of what failed first; its reason and its time stay, else it would be drawn at once."""
    lost = {"failed": "not enough memory for some/model", "kind": OUT_OF_MEMORY}
    engine, nursery = _engine(clock, [READY, lost], [READY], quarantine=300.0)
    await engine.start()
    await _until(lambda: engine.state.phase is Phase.FAILED)
    await engine.unload()
    assert (engine.state.phase, engine.state.retry_at) == (Phase.FAILED, clock.now + 300.0)
    with pytest.raises(ModelUnavailable, match="not enough memory"):
        await engine.start()
    engine.pardon()
    await engine.start()
    assert (engine.state.phase, len(nursery.workers)) == (Phase.WARM, 2)
    await engine.close()


async def test_a_dead_worker_is_replaced_by_one_although_two_would_bring_it_back(clock: Clock) -> None:
    """A question that comes when the wait is over starts it; the supervisor, awake a moment later, starts none."""
    engine, nursery = _engine(clock, [READY, None], [READY], [READY], restart=0.05)
    await engine.start()
    await _until(lambda: engine.state.phase is Phase.FAILED)
    clock.now += 0.05
    await engine.start()
    await asyncio.sleep(0.1)
    assert [worker.ended for worker in nursery.workers] == [True, False]
    await engine.close()
    assert nursery.workers[1].ended


async def test_a_dead_worker_keeps_its_room_while_it_is_on_its_way_back(clock: Clock) -> None:
    """Who asks for it meanwhile is refused; others that took its room would find it taken when it is back."""
    engine, _ = _engine(clock, [READY, None], restart=1000.0)
    pool = Pool(15.0, clock=clock)
    pool.add("model", engine, gib=10.0)
    await pool.warm(["model"])
    await _until(lambda: engine.state.phase is Phase.FAILED)
    with pytest.raises(ModelUnavailable):
        await pool.warm(["model"])
    assert pool.resident_gib == 10.0
    assert await pool.evict("model"), "nobody uses it: it may be put away for good"
    with pytest.raises(ModelUnavailable):
        await pool.warm(["model"])
    assert pool.resident_gib == 0.0


async def test_a_worker_that_dies_while_loading_leaves_its_last_words_in_the_reason(clock: Clock) -> None:
    """The operator reads the log's end without looking for it."""
    engine, _ = _engine(clock, [{"loading": 0.5}, None])
    with pytest.raises(ModelUnavailable, match="Killed"):
        await engine.start()
    assert engine.failed == {"crash": 1}


async def test_a_load_that_takes_too_long_is_given_up(clock: Clock) -> None:
    """The wait has an end, and the sentence says which."""
    engine, nursery = _engine(clock, [{"loading": 0.1}, 901.0], load=900.0)
    with pytest.raises(ModelUnavailable, match="900 s"):
        await engine.start()
    assert nursery.workers[0].ended


async def test_putting_a_model_away_while_it_loads_is_told_in_words(clock: Clock) -> None:
    """Whoever waited for it is refused, not cancelled."""
    engine, _ = _engine(clock, [{"loading": 0.1}])
    waiting = asyncio.create_task(engine.start())
    await _until(lambda: engine.state.progress > 0)
    await engine.unload()
    with pytest.raises(ModelUnavailable, match="put away"):
        await waiting
    assert engine.state.phase is Phase.COLD


def test_a_spec_survives_the_pipe_and_refuses_what_it_does_not_know() -> None:
    """JSON there and back is the same value; a misspelt key is named."""
    spec = WorkerSpec("m", quantization="int8", stop=("<|eot_id|>",), think=True, num_blocks=7)
    assert WorkerSpec.from_json(spec.to_json()) == spec
    with pytest.raises(ConfigError, match="quantisation"):
        WorkerSpec.from_json('{"model": "m", "quantisation": "nf4"}')
    with pytest.raises(ConfigError, match="int3"):
        WorkerSpec("m", quantization=cast(Any, "int3"))


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
