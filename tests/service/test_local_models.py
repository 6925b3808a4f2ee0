"""Local models under a budget: measured before they are loaded, loaded ahead, exchanged when they fail."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from arena.battles.pairing import PATIENCE
from arena.config import Catalog, Contestant, Settings
from arena.config.contestants import Chat
from arena.engines.fake import FakeEngine, saying
from arena.engines.local import ModelState, Phase
from arena.engines.nursery import Nursery
from arena.engines.worker.spec import WorkerSpec
from arena.errors import ModelUnavailable, NotReady
from arena.service import Arena, open_store
from arena.service.fleet import Fleet
from arena.service.inventory import Reservation
from arena.service.local_models import Measured, PlacedEngine, PooledModels
from arena.service.opening import masker_of
from arena.service.views import BattleView
from arena.service.worker_specs import worker_spec
from arena.types import BattleStatus, Decoding, Verdict

ME = "voter-1"


class Shelved(FakeEngine):
    """A scripted engine whose model must be loaded first: when `gate` opens, or not at all when it is broken."""

    def __init__(self, name: str) -> None:
        super().__init__(saying(f"I answer as {name}"))
        self.state = ModelState()
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False
        self.loads = 0

    async def start(self) -> None:
        if self.state.phase is Phase.WARM:
            return
        self.state = ModelState(Phase.LOADING, 0.5)
        await self.gate.wait()
        if self.broken:
            self.state = ModelState(Phase.FAILED, reason="out of memory", retry_at=1e12)
            raise ModelUnavailable("out of memory")
        self.loads += 1
        self.state = ModelState(Phase.WARM, 1.0)

    async def unload(self) -> None:
        self.state = ModelState()


class Machine:
    """A machine with so much memory, its models of the given sizes and an arena over them."""

    def __init__(self, storage: Path, budget: float | None, sizes: Mapping[str, float]) -> None:
        self.settings = Settings(storage=storage, seed=1)
        self.catalog = Catalog(tuple(Contestant(name=name, model=f"org/{name}") for name in sizes))
        self.engines = {name: Shelved(name) for name in sizes}
        kept = {name: Reservation(gib, 64) for name, gib in sizes.items()}

        def measure(entries: Sequence[Contestant], settings: Settings) -> Iterator[Measured]:
            yield Measured(budget, kept)

        self.models = PooledModels(self.catalog.enabled, self.settings, measure)
        for name, engine in self.engines.items():
            self.models._pool._places[name].engine = engine
        fleet = Fleet(self.catalog, {}, self.models)
        self.arena = Arena(
            self.settings, self.catalog, open_store(self.settings), fleet, masker=masker_of(self.catalog)
        )

    @property
    def warm(self) -> set[str]:
        return {name for name, engine in self.engines.items() if engine.state.phase is Phase.WARM}

    async def started(self) -> Arena:
        await self.arena.start()
        await until(lambda: len(self.arena.names()) >= 2)
        return self.arena


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Callable[..., Machine]]:
    made: list[Machine] = []

    def make(budget: float | None = None, /, **sizes: float) -> Machine:
        made.append(Machine(tmp_path, budget, sizes))
        return made[-1]

    yield make
    for one in made:
        for engine in one.engines.values():
            engine.gate.set()
        await one.arena.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # states of engines ring no bell
            await asyncio.sleep(0.005)


async def finished(arena: Arena, battle: str) -> BattleView:
    async for _ in arena.watch(ME, battle):
        pass
    return arena.view(ME, battle)


async def test_the_pool_is_bounded_by_what_was_measured(machine: Callable[..., Machine]) -> None:
    """Sizes and budget come from the planner, the cache's blocks go to the worker."""
    it = machine(20.0, a=8.0, b=8.0, c=8.0)
    await it.started()
    await until(lambda: it.warm == {"a", "b"})
    assert it.models.memory() == (16.0, 20.0)
    await it.models.warm(["c"])
    assert len(it.warm) == 2
    assert it.models._engines["c"].spec.num_blocks == 64
    assert it.models._nursery._environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"  # as the measuring counted them


async def test_nobody_is_offered_before_it_is_measured(machine: Callable[..., Machine]) -> None:
    """Otherwise the first voters could fill the memory twice over."""
    it = machine(20.0, a=8.0, b=8.0)
    assert it.models.ready() == frozenset()
    await it.started()
    assert it.models.ready() == {"a", "b"}


async def test_a_trained_toy_drives_nobody_out(machine: Callable[..., Machine]) -> None:
    """Two fit: the third is ready all the same, and is loaded when it is drawn."""
    it = machine(20.0, a=8.0, b=8.0, c=8.0)
    for name in ("a", "b", "c"):
        it.models._entries[name] = it.models._entries[name].model_copy(update={"toy": True})
    it.models._keep(next(it.models._measure((), it.settings)))
    it.models._sized.set()
    for name in ("a", "b", "c"):
        assert name not in it.models.ready()
        it.models._heard({"toy": name, "state": "ready"}, {name: name})
        await until(lambda name=name: name in it.models.ready())  # type: ignore[misc]
    assert it.warm == {"a", "b"}
    assert [engine.loads for engine in it.engines.values()] == [1, 1, 0]


async def test_a_pair_that_never_fits_together_is_never_drawn(machine: Callable[..., Machine]) -> None:
    """The two large ones meet the small one, not each other."""
    it = machine(20.0, large=14.0, vast=16.0, small=4.0)
    arena = await it.started()
    drawn = [arena._matchmaker.pair() for _ in range(40)]
    assert all("small" in (pair.a, pair.b) for pair in drawn)


async def test_warm_pairs_are_preferred_and_the_propensity_is_that_of_the_whole_draw(
    machine: Callable[..., Machine],
) -> None:
    """One warm pair among three, two of which wait for one model: 1 : ¼ : ¼, and each side toss halves it."""
    it = machine(20.0, a=8.0, b=8.0, c=8.0)
    arena = await it.started()
    await until(lambda: it.warm == {"a", "b"})
    arena._rng.seed(0)
    drawn = [arena._matchmaker.pair() for _ in range(600)]
    total = 1 + 2 * PATIENCE
    for pair in drawn:
        expected = (1 if {pair.a, pair.b} == {"a", "b"} else PATIENCE) / total / 2
        assert pair.propensity == pytest.approx(expected)
    frequency = Counter(frozenset((pair.a, pair.b)) for pair in drawn)[frozenset("ab")] / 600
    assert frequency == pytest.approx(1 / total, abs=0.08)


async def test_while_a_pair_loads_both_sides_say_so_alike_and_nobody_is_named(machine: Callable[..., Machine]) -> None:
    """One side is warm, the other is not: the view does not tell which, and gives a rounded estimate."""
    it = machine(None, a=8.0, b=8.0)
    for engine in it.engines.values():
        engine.gate.clear()
    it.engines["a"].gate.set()
    arena = await it.started()
    await until(lambda: it.warm == {"a"})
    battle = await arena.ask(ME, "why?")
    await until(lambda: arena.view(ME, battle).warming is not None)
    view = arena.view(ME, battle)
    assert view.warming is not None
    assert view.warming % 5 == 0
    assert (view.turns[-1].a, view.turns[-1].b, view.reveal) == ("", "", None)
    it.engines["b"].gate.set()
    done = await finished(arena, battle)
    assert (done.warming, done.can_vote) == (None, True)


async def test_the_next_pair_is_loaded_while_the_voter_reads(machine: Callable[..., Machine]) -> None:
    """After the answers the next draw is made and loaded; the next battle is that draw."""
    it = machine(20.0, a=8.0, b=8.0, c=8.0, d=8.0)
    arena = await it.started()
    await until(lambda: it.warm == {"a", "b"})
    arena._matchmaker.ahead = None
    battle = await arena.ask(ME, "why?")
    await finished(arena, battle)
    await until(lambda: arena._matchmaker.ahead is not None)
    ahead = arena._matchmaker.ahead
    assert ahead is not None
    await until(lambda: it.warm == {ahead.a, ahead.b})
    second = await arena.ask(ME, "and now?")
    record = arena.store.load_battle(second)
    assert record.contestant_b is not None
    assert (record.contestant_a.name, record.contestant_b.name) == (ahead.a, ahead.b)
    assert record.propensity == ahead.propensity


async def test_a_model_that_cannot_be_loaded_is_exchanged_and_the_battle_goes_on(
    machine: Callable[..., Machine],
) -> None:
    """The voter gets two answers of others; the vote counts for those who answered."""
    it = machine(None, a=8.0, b=8.0, broken=8.0)
    it.engines["broken"].broken = True
    arena = await it.started()
    await until(lambda: it.warm == {"a", "b"})
    arena._rng.seed(0)
    while True:
        battle = await arena.ask(ME, "why?")
        view = await finished(arena, battle)
        assert view.status is BattleStatus.VOTABLE
        if it.engines["broken"].state.phase is Phase.FAILED:
            break
    record = arena.store.load_battle(battle)
    assert record.contestant_b is not None
    assert {record.contestant_a.name, record.contestant_b.name} == {"a", "b"}
    assert record.propensity == pytest.approx(0.5)
    voted = await arena.vote(ME, battle, Verdict.TIE)
    assert voted.reveal is not None
    assert "broken" not in arena.names()


async def test_without_another_pair_the_turn_fails_for_both_alike(machine: Callable[..., Machine]) -> None:
    """Nothing to vote on, and the question can be asked again."""
    it = machine(None, a=8.0, broken=8.0)
    it.engines["broken"].broken = True
    await it.arena.start()
    await until(lambda: it.engines["broken"].state.phase is Phase.FAILED)
    with pytest.raises(NotReady):
        await it.arena.ask(ME, "why?")
    it.engines["broken"].state = ModelState()
    battle = await it.arena.ask(ME, "why?")
    view = await finished(it.arena, battle)
    assert (view.status, view.turns[-1].a, view.turns[-1].b) == (BattleStatus.FAILED, "", "")


async def test_a_voter_can_stop_while_models_load(machine: Callable[..., Machine]) -> None:
    """The wait ends at once; the load goes on for the next one."""
    it = machine(None, a=8.0, b=8.0)
    for engine in it.engines.values():
        engine.gate.clear()
    arena = await it.started()
    battle = await arena.ask(ME, "why?")
    await until(lambda: arena.view(ME, battle).warming is not None)
    await arena.stop(ME, battle)
    assert not arena.view(ME, battle).writing


async def test_nobody_is_kept_waiting_for_what_is_out_of_the_game(machine: Callable[..., Machine]) -> None:
    """The line about preparing goes away although one is in quarantine and another is disabled."""
    it = machine(None, a=8.0, b=8.0, broken=8.0, off=8.0)
    it.engines["broken"].broken = True
    arena = await it.started()
    await arena.operator.load("broken")
    await arena.operator.disable("off")
    await until(lambda: it.engines["broken"].state.phase is Phase.FAILED)
    assert (arena.preparation().ready, arena.preparation().total) == (2, 2)


async def test_a_model_whose_worker_is_on_its_way_back_keeps_its_gpu() -> None:
    """Who is refused meanwhile gives nothing away: the worker comes back to the same GPU."""
    engine, left = PlacedEngine(WorkerSpec("some/model"), Nursery()), []
    engine.leave = lambda: left.append(engine.state.phase)  # type: ignore[method-assign]
    engine.state = ModelState(Phase.FAILED, reason="it died", retry_at=engine._clock() + 1000)
    engine._watching = asyncio.create_task(asyncio.sleep(1000))
    with pytest.raises(ModelUnavailable, match="it died"):
        await engine.start()
    assert left == []
    await engine.unload()
    assert left == [Phase.FAILED]


def test_a_worker_is_told_what_is_peculiar_about_a_model(tmp_path: Path) -> None:
    """The catalogue's tags of reasoning cross the pipe as they are written there."""
    entry = Contestant(
        name="a", model="org/a", revision="abc", chat=Chat(think=("<thought>", "</thought>"), system_role=False),
        context=512, concurrency=3, decoding=Decoding(max_tokens=5), draft="org/small",
    )  # fmt: skip
    spec = worker_spec(entry, Settings(storage=tmp_path))
    assert (spec.think, spec.think_tags, spec.system_role) == (True, ("<thought>", "</thought>"), False)
    assert (spec.model, spec.revision, spec.context, spec.max_batch, spec.draft) == (
        "org/a",
        "abc",
        512,
        3,
        "org/small",
    )
    assert WorkerSpec.from_json(spec.to_json()) == spec


async def test_a_start_sweeps_what_a_killed_arena_left_in_the_temporary_directory(
    machine: Callable[..., Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders of workers' sockets: whoever was killed could not remove them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "arena-worker-orphaned").mkdir()
    await machine(a=1.0, b=1.0).models.start()
    assert not (tmp_path / "arena-worker-orphaned").exists()
