"""What happened is counted, what was spent survives, endpoints are asked, and no text is in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from arena.config import Catalog, Contestant, Settings
from arena.config.contestants import Price
from arena.engines import gpu_meters
from arena.engines.fake import FakeEngine, Script, failing, saying
from arena.engines.gpu_meters import GpuReading, read_gpus
from arena.engines.health import Health
from arena.engines.limits import Meter
from arena.engines.placement import SPANNING, Placement
from arena.errors import EngineTimeout, StoreUnavailable
from arena.service import Arena, open_store
from arena.service.accounts import Accounts, account
from arena.service.fleet import Fleet, build_fleet
from arena.service.opening import masker_of
from arena.service.watching import BOUNDS, Tally, Watching
from arena.types import Answer, AnswerState, Usage, Verdict

ME = "voter-1"


@pytest.fixture
async def opened(tmp_path: Path, shown_at_once: None) -> AsyncIterator[Callable[..., Arena]]:
    arenas: list[Arena] = []

    def make(settings: Settings | None = None, /, **scripts: Script) -> Arena:
        settings = settings or Settings(storage=tmp_path, seed=1)
        catalog = Catalog(tuple(Contestant(name=name, engine="fake") for name in scripts))
        fleet = Fleet(catalog, {name: FakeEngine(script) for name, script in scripts.items()})
        arenas.append(Arena(settings, catalog, open_store(settings), fleet, masker=masker_of(catalog)))
        return arenas[-1]

    yield make
    for arena in arenas:
        await arena.close()


async def answered(arena: Arena, prompt: str = "почему небо голубое?") -> str:
    battle = await arena.ask(ME, prompt)
    async for _ in arena.watch(ME, battle):
        pass
    return battle


async def test_turns_and_votes_are_counted_by_who_and_how(opened: Callable[..., Arena]) -> None:
    """Tokens, waits, failures by kind, verdicts; a repeated vote counts once."""
    arena = opened(one=saying("four words are here"), two=failing(EngineTimeout("silent")))
    await arena.start()
    await answered(arena)
    arena.fleet.engine("two")._script = saying("now it works")  # type: ignore[attr-defined]
    battle = await answered(arena)
    for _ in range(3):
        await arena.vote(ME, battle, Verdict.MODEL_A)
    await arena.undo(ME, battle)
    report = arena.report()
    two = next(one for one in report.models if one.entry.name == "two")
    assert two.tally.failures == {"timeout": 1}
    assert two.tally.answers == {"failed": 1, "complete": 1}
    assert sum(two.tally.waits.counts) >= 1
    assert report.votes == {"model_a": 1, "retracted": 1}
    assert (report.battles, report.streams, report.database_ok) == (0, 0, True)


async def test_battles_and_streams_are_those_of_this_moment(opened: Callable[..., Arena]) -> None:
    """Two sides are being written; after the stop none is."""
    arena = opened(one=saying("word " * 300, tokens_per_second=30), two=saying("word " * 300, tokens_per_second=30))
    await arena.start()
    battle = await arena.ask(ME, "why?")
    assert (arena.report().battles, arena.report().streams) == (1, 2)
    await arena.stop(ME, battle)
    assert (arena.report().battles, arena.report().streams) == (0, 0)


@pytest.mark.parametrize("wanted", [False, True])
async def test_what_people_ask_is_in_the_log_only_where_the_operator_wants_it(
    opened: Callable[..., Arena], tmp_path: Path, caplog: pytest.LogCaptureFixture, wanted: bool
) -> None:
    """Neither in the message nor in its fields; figures are there in any case."""
    arena = opened(Settings(storage=tmp_path, log_prompts=wanted), one=saying("ответ-раз"), two=saying("ответ-два"))
    with caplog.at_level(logging.DEBUG):
        await arena.start()
        await answered(arena, "мой секретный вопрос")
    written = " ".join(f"{record.getMessage()} {getattr(record, 'fields', '')}" for record in caplog.records)
    assert ("мой секретный вопрос" in written) is wanted
    assert "ответ-" not in written
    turn = next(record.fields for record in caplog.records if getattr(record, "fields", {}).get("event") == "turn")
    assert {turn["a"]["contestant"], turn["b"]["contestant"]} == {"one", "two"}
    assert turn["status"] == "votable"


def test_contestants_of_one_address_and_key_stand_before_one_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each within its own limits, together within the widest; another key or address is another endpoint."""
    for name in ("OUR_KEY", "THEIR_KEY"):
        monkeypatch.setenv(name, "k")
    vendor = {"engine": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    large, small, theirs, free = (
        Contestant.model_validate(vendor | {"name": name, "api_key_env": key} | limits)
        for name, key, limits in (
            ("large", "OUR_KEY", {"concurrency": 2, "requests_per_minute": 30}),
            ("small", "OUR_KEY", {"concurrency": 16}),
            ("theirs", "THEIR_KEY", {"concurrency": 4}),
            ("free", None, {}),
        )
    )
    fleet = build_fleet(Catalog((large, small, theirs, free)), Settings(), lambda entries, settings: None)  # type: ignore[arg-type,return-value]
    gates = {name: fleet.engine(name)._gate for name in fleet.entries}  # type: ignore[attr-defined]
    shared = gates["large"].behind
    assert gates["small"].behind is shared
    assert len({id(gates[name].behind) for name in gates}) == 3
    assert (shared.concurrency, shared.requests_per_minute) == (16, 30)
    assert (gates["large"].concurrency, gates["large"].requests_per_minute) == (2, 30)
    assert (gates["small"].concurrency, gates["small"].requests_per_minute) == (16, None)
    assert (gates["theirs"].behind.concurrency, gates["theirs"].behind.requests_per_minute) == (4, None)


async def test_spending_goes_on_where_the_last_run_ended(tmp_path: Path) -> None:
    """Two processes on one account see each other's; what was written is not written twice."""
    settings = Settings(storage=tmp_path)
    store = open_store(settings)
    here, there = Meter(1, 1), Meter(1, 1)
    ours, theirs = Accounts(store, {"cloud": here}), Accounts(store, {"cloud": there})
    ours.open()
    theirs.open()
    here.spent += 0.5
    await ours.write_down()
    await ours.write_down()
    there.spent += 0.25
    await theirs.write_down()
    assert there.spent == pytest.approx(0.75)
    here.spent += 0.125
    await asyncio.gather(ours.write_down(), ours.write_down())
    assert here.spent == pytest.approx(0.875)
    assert store.spending() == {account("cloud"): pytest.approx(0.875)}
    later = Meter(1, 1)
    Accounts(store, {"cloud": later}).open()
    assert later.spent == pytest.approx(0.875)
    store.close()


async def test_spending_that_could_not_be_written_is_written_later() -> None:
    """A full disk forgets no money."""

    class Ledger:
        total, works = 0.0, False

        async def add_spending(self, name: str, amount: float) -> float:
            if not self.works:
                raise StoreUnavailable("the disk is full")
            self.total += amount
            return self.total

        def spending(self) -> dict[str, float]:
            return {}

    ledger, meter = Ledger(), Meter(1, 1)
    accounts = Accounts(ledger, {"cloud": meter})
    accounts.open()
    meter.spent = 2.0
    with pytest.raises(StoreUnavailable):
        await accounts.write_down()
    ledger.works = True
    await accounts.write_down()
    assert (ledger.total, meter.spent) == (2.0, 2.0)


async def test_an_endpoint_out_of_reach_is_known_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The report carries what it said."""
    entry = Contestant(
        name="cloud", engine="openai", base_url="http://127.0.0.1:9/v1", model="m", price=Price(prompt=1, completion=1)
    )
    watching = Watching(Fleet(Catalog((entry,)), {"cloud": FakeEngine(saying("…"))}, meters={"cloud": Meter(1, 1)}))
    asking = asyncio.create_task(watching.keep_asking())
    async with asyncio.timeout(60):
        while "cloud" not in watching.health:  # noqa: ASYNC110  # the answer rings no bell
            await asyncio.sleep(0.01)
    asking.cancel()
    (model,) = watching.report(battles=0, warming=0, streams=0, database="", database_ok=True).models
    assert model.health is not None
    assert model.health.ok is False
    assert model.spent == 0.0
    assert sum("cannot be reached" in record.getMessage() for record in caplog.records) == 1


async def test_an_endpoint_that_is_known_to_be_down_is_drawn_seldom_before_anybody_pays_for_it(
    opened: Callable[..., Arena],
) -> None:
    """Until it answers, which says more than its list of models; then as its answers deserve."""
    watching = opened(one=saying("x"), two=saying("x")).watching
    assert watching.failing("one") == 0
    watching.health["one"] = Health(False, "cannot be reached")
    assert watching.failing("one") == 6
    watching.answered(("one", "two"), (Answer("x", AnswerState.COMPLETE), None))
    assert watching.failing("one") == 0
    watching.answered(("one", "two"), (Answer("", AnswerState.FAILED, error_code="endpoint"), None))
    assert watching.failing("one") == 6
    watching.health["one"] = Health(None, "does not list its models")
    assert watching.failing("one") == 1


def test_a_wait_on_a_bound_belongs_below_it() -> None:
    """As Prometheus counts "less or equal"; the longest have a class of their own."""
    tally = Tally()
    for seconds in (BOUNDS[0], BOUNDS[0] + 1e-9, 1e6):
        tally.add(Answer("", AnswerState.COMPLETE, usage=Usage(1, 2), first_token_after=seconds))
    assert tally.waits.counts[0] == 1
    assert tally.waits.counts[1] == 1
    assert tally.waits.counts[-1] == 1


def test_models_go_to_the_roomiest_gpu_and_span_when_none_alone_has_room() -> None:
    """A 32B over two cards; what leaves gives its room back."""
    placement = Placement((24.0, 24.0))
    assert (placement.take("a", 10), placement.take("b", 10)) == ("cuda:0", "cuda:1")
    assert placement.take("large", 20) == SPANNING
    assert placement.take("a", 10) == "cuda:0"
    placement.leave("large")
    placement.leave("a")
    assert placement.take("c", 20) == "cuda:0"
    assert Placement((80.0,)).take("only", 100) == "auto"


class Nvml(SimpleNamespace):
    """A driver with one card that does not tell its power."""

    NVMLError = type("NVMLError", (Exception,), {})
    closed = False

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def nvmlInit(self) -> None: ...

    def nvmlShutdown(self) -> None:
        self.closed = True

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, device: int) -> SimpleNamespace:
        return SimpleNamespace(used=3 << 30, total=80 << 30)

    def nvmlDeviceGetName(self, device: int) -> bytes:
        return b"Card"

    def nvmlDeviceGetPowerUsage(self, device: int) -> int:
        raise self.NVMLError

    def nvmlDeviceGetUtilizationRates(self, device: int) -> SimpleNamespace:
        return SimpleNamespace(gpu=25)


def test_a_gpu_is_read_as_far_as_it_tells() -> None:
    """A figure it keeps to itself is not known rather than zero; without a driver there is nothing."""
    nvml = Nvml()
    assert read_gpus(nvml) == (GpuReading(0, "Card", 3 << 30, 80 << 30, None, 0.25),)
    assert nvml.closed
    assert read_gpus(None) == ()
    assert isinstance(read_gpus(gpu_meters.pynvml), tuple)


async def test_who_always_fails_is_drawn_ever_more_rarely(opened: Callable[..., Arena]) -> None:
    """Its battles end without a vote, so that the votes alone would ask for it most; one answer brings it back."""
    arena = opened(one=saying("fine"), two=saying("fine"), broken=failing(EngineTimeout("silent")))
    await arena.start()
    for _ in range(16):
        await answered(arena)
    reports = {report.entry.name: report.tally for report in arena.report().models}
    assert reports["broken"].failures["timeout"] < 9
    assert arena.watching.failing("broken") == reports["broken"].failures["timeout"]
    arena.fleet.engine("broken")._script = saying("back")  # type: ignore[attr-defined]
    for _ in range(200):
        if not arena.watching.failing("broken"):
            break
        await answered(arena)
    assert arena.watching.failing("broken") == 0
