"""The models of a ZeroGPU Space, which lends its GPU by the call: they live in this process and are always at hand.

It has the shape of `local_models` and nothing of its pool: there is no memory to plan and nothing to put
away. Elsewhere the same code runs on what the machine has.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from arena.config import Contestant, Settings
from arena.engines.base import Engine
from arena.engines.local import Phase
from arena.engines.pool import Snapshot
from arena.errors import ModelUnavailable
from arena.service.views import Preparation
from arena.service.worker_specs import worker_spec

log = logging.getLogger(__name__)


class BorrowedModels:
    """Loaded when it is made: before the app is launched, as such a Space wants it."""

    def __init__(self, entries: Sequence[Contestant], settings: Settings) -> None:
        from arena.engines.zerogpu import ZeroGpu  # imports the model libraries: nobody else's process should

        specs = {entry.name: worker_spec(entry, settings) for entry in entries}
        self._problems: dict[str, str] = {}
        for name, spec in specs.items():
            try:
                ZeroGpu({name: spec}).load()
            except ModelUnavailable as error:
                self._problems[name] = str(error)
                log.error("%s takes no part: %s", name, error)
        self._names = tuple(specs)
        self._disabled: set[str] = set()
        self._stage = ZeroGpu({name: spec for name, spec in specs.items() if name not in self._problems})

    async def start(self) -> None:
        """Everything is done already."""

    def engine(self, name: str) -> Engine:
        """The engine of one of the models."""
        return self._stage.engine(name)

    guest = engine

    def ready(self) -> frozenset[str]:
        """Those that could be loaded."""
        return frozenset(self._names) - self._problems.keys() - self._disabled

    def cold(self) -> frozenset[str]:
        """None: a loan is part of the answer."""
        return frozenset()

    def together(self, names: Iterable[str]) -> bool:
        """Both sides share a loan."""
        return True

    async def warm(self, names: Iterable[str]) -> None:
        """Raises `ModelUnavailable` for one that could not be loaded."""
        for name in names:
            if name in self._problems:
                raise ModelUnavailable(self._problems[name])

    def seconds(self, names: Iterable[str]) -> float:
        """No wait."""
        return 0.0

    def preparation(self) -> Preparation:
        """Nothing stands between the voter and what is loaded."""
        problem = next(iter(self._problems.values()), None)
        return Preparation(len(self.ready()), len(self._names), problem=problem)

    def states(self) -> tuple[Snapshot, ...]:
        """Every model as the operator sees it."""
        return tuple(self._seen(name) for name in self._names)

    def memory(self) -> tuple[float, float | None]:
        """The Space's affair."""
        return 0.0, None

    def pardon(self, name: str) -> None:
        """What could not be loaded at the start is not loaded later."""

    async def evict(self, name: str) -> bool:
        """Nothing is put away."""
        return False

    async def enable(self, name: str, enabled: bool) -> None:
        """Let a model take part or not."""
        (self._disabled.discard if enabled else self._disabled.add)(name)

    async def close(self) -> None:
        """Let the calls under way end."""
        await self._stage.close()

    def _seen(self, name: str) -> Snapshot:
        problem = self._problems.get(name, "")
        phase = Phase.FAILED if problem else Phase.WARM
        return Snapshot(name, phase, 0.0 if problem else 1.0, 0.0, 0, name not in self._disabled, problem)
