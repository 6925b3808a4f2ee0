"""An arena behind its routes for the tests of the operator's pages: scripted contestants, one paid, one local."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from arena.config import Catalog, Contestant, Settings
from arena.config.contestants import Price
from arena.engines.fake import FakeEngine, failing, saying
from arena.engines.limits import Meter
from arena.engines.local import Phase
from arena.engines.pool import Snapshot
from arena.errors import EngineTimeout
from arena.service import Arena, open_store
from arena.service.fleet import Fleet
from arena.service.opening import masker_of
from arena.service.views import Preparation
from arena.types import Answer, AnswerState, Usage
from arena.ui.metrics import WatchRoutes
from arena.ui.models_tab import OperatorRoutes
from arena.ui.operator import Doorkeeper

TOKEN = "a-long-enough-token"
SIGNED = {"Authorization": f"Bearer {TOKEN}"}


class OneLocalModel:
    """A machine with one model of its own, whose state the test sets."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.phase, self.reason, self.answering, self.enabled = Phase.WARM, "", 0, True
        self.warmed: list[str] = []
        self.pardoned: list[str] = []

    async def start(self) -> None:
        """Nothing to begin."""

    def engine(self, name: str) -> FakeEngine:
        return FakeEngine(saying("here"))

    def ready(self) -> frozenset[str]:
        return frozenset({self.name})

    def cold(self) -> frozenset[str]:
        return frozenset() if self.phase is Phase.WARM else frozenset({self.name})

    def together(self, names: object) -> bool:
        return True

    async def warm(self, names: Any) -> None:
        self.warmed += names
        self.phase = Phase.WARM

    def seconds(self, names: object) -> float:
        return 0.0

    def preparation(self) -> Preparation:
        return Preparation(1, 1)

    def states(self) -> tuple[Snapshot, ...]:
        failed = {"out_of_memory": 2}
        return (Snapshot(self.name, self.phase, 0.4, 6.0, self.answering, self.enabled, self.reason, failed=failed),)

    def memory(self) -> tuple[float, float | None]:
        return (6.0 if self.phase is Phase.WARM else 0.0), 24.0

    def pardon(self, name: str) -> None:
        self.pardoned.append(name)

    async def evict(self, name: str) -> bool:
        if self.answering:
            return False
        self.phase = Phase.COLD
        return True

    async def enable(self, name: str, enabled: bool) -> None:
        self.enabled = enabled

    async def close(self) -> None:
        """Nothing to end."""


@dataclass
class Operated:
    """The arena, its local machine, and a client of its routes."""

    arena: Arena
    machine: OneLocalModel
    client: TestClient


def operated(storage: Path, token: str | None = TOKEN) -> Operated:
    """Three contestants: `cloud` is paid, `lazy` always fails, `home` runs here."""
    settings = Settings(storage=storage, seed=1)
    cloud = Contestant(
        name="cloud", engine="openai", base_url="http://127.0.0.1:9/v1", model="m", spending_cap=5.0,
        price=Price(prompt=1, completion=2),
    )  # fmt: skip
    catalog = Catalog((cloud, Contestant(name="lazy", engine="fake"), Contestant(name="home", model="org/home")))
    engines = {"cloud": FakeEngine(saying("from afar")), "lazy": FakeEngine(failing(EngineTimeout("silent")))}
    machine = OneLocalModel("home")
    meters = {"cloud": Meter(1.0, 2.0, cap=5.0, spent=1.25)}
    arena = Arena(
        settings, catalog, open_store(settings), Fleet(catalog, engines, machine, meters), masker=masker_of(catalog)
    )
    door = Doorkeeper(token)
    app = Starlette(routes=[*WatchRoutes(arena, door).all(), *OperatorRoutes(arena, door).all()])
    return Operated(arena, machine, TestClient(app))


def some_answers(arena: Arena) -> None:
    """Two turns: one answered by both, one in which a side failed."""
    fine = Answer("text", AnswerState.COMPLETE, usage=Usage(10, 40), first_token_after=0.3, tokens_per_second=20.0)
    failed = Answer("", AnswerState.FAILED, error_code="timeout")
    arena.watching.answered(("cloud", "home"), (fine, fine))
    arena.watching.answered(("cloud", "lazy"), (fine, failed))
