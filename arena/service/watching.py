"""What the operator watches: counts of what happened, states of the models, health of endpoints.

It counts answers and votes as they are told to it and joins them with the fleet's state into one
`Report`. It knows contestants by name, so nothing of it is for voters; and it never sees a text.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from arena.battles.battle import Battle
from arena.config import Contestant
from arena.engines.gpu_meters import GpuReading, read_gpus
from arena.engines.health import Health, ask
from arena.engines.local import Phase
from arena.engines.pool import Snapshot
from arena.errors import ContextOverflow
from arena.service.fleet import Fleet
from arena.service.patrol import Sighting
from arena.service.segments import Window
from arena.types import SIDES, Answer, AnswerState, Verdict

log = logging.getLogger(__name__)

BOUNDS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 60.0)
"""Upper bounds, in seconds, of the classes into which waits for the first token are counted."""

SMOOTHING = 0.2
"""Weight of the latest answer in a contestant's mean speed."""

LONG_OUT_OF_REACH = 6
"""An endpoint that is known to be out of reach is drawn as if so many answers had failed: seldom, so that it is noticed
when it is back, and before voters have paid for finding out."""

READ_EVERY = 5.0
"""Seconds between two readings of the GPUs; a reading may take a tenth of a second, so it is never made in passing."""

ASK_EVERY = 60.0
"""Seconds between two questions to an endpoint whether it is there."""


@dataclass(slots=True)
class Waits:
    """Waits for the first token: how many in each class of `BOUNDS` (and above), and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one wait."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Tally:
    """Everything counted of one contestant since the start."""

    answers: Counter[str] = field(default_factory=Counter)  # by how they ended
    failures: Counter[str] = field(default_factory=Counter)  # by the code of the error
    prompt_tokens: int = 0
    completion_tokens: int = 0
    joules: float = 0.0
    measured: int = 0  # answers whose energy is known
    waits: Waits = field(default_factory=Waits)
    tokens_per_second: float | None = None
    failed_in_a_row: int = 0

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.answers[str(answer.state)] += 1
        if answer.error_code:
            self.failures[answer.error_code] += 1
        if answer.error_code and answer.error_code != ContextOverflow.code:  # too long a question is not its fault
            self.failed_in_a_row += 1
        elif answer.state is AnswerState.COMPLETE:
            self.failed_in_a_row = 0
        self.prompt_tokens += answer.usage.prompt_tokens or 0
        self.completion_tokens += answer.usage.completion_tokens or 0
        if answer.joules is not None:
            self.joules += answer.joules
            self.measured += 1
        if answer.first_token_after is not None:
            self.waits.add(answer.first_token_after)
        if answer.tokens_per_second is not None and answer.state is AnswerState.COMPLETE:
            before = self.tokens_per_second
            new = answer.tokens_per_second
            self.tokens_per_second = new if before is None else before + SMOOTHING * (new - before)


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One contestant as the operator sees it. Money is in the endpoint's `currency`; `health` None is "not asked"."""

    entry: Contestant
    state: Snapshot
    tally: Tally
    local: bool
    health: Health | None = None
    spent: float | None = None
    cap: float | None = None
    currency: str = ""

    @property
    def phase(self) -> str:
        """`cold`, `loading`, `warm`, `failed`, or `disabled` whatever else it is."""
        return str(self.state.phase) if self.state.enabled else "disabled"

    @property
    def resident(self) -> bool:
        """Whether it takes memory here."""
        return self.local and self.state.phase in (Phase.LOADING, Phase.WARM)


@dataclass(frozen=True, slots=True)
class Report:
    """The arena as the operator sees it. Memory in GiB, `budget` None is "not known".

    `window` is what a wipe of the disk would lose, None where votes are pushed nowhere; `wiped` says that the next
    restart will lose them all.
    """

    models: tuple[ModelReport, ...]
    votes: Mapping[str, int]
    battles: int
    warming: int
    streams: int
    tasks: int
    resident: float
    budget: float | None
    gpus: tuple[GpuReading, ...]
    uptime: float
    database: str
    database_ok: bool
    sighting: Sighting | None = None
    held: int = 0
    window: Window | None = None
    wiped: bool = False

    @property
    def phases(self) -> Mapping[str, int]:
        """How many models are in which phase; says nothing of who."""
        return Counter(one.phase for one in self.models)


class Watching:
    """Counts and asks for one arena."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._since = time.monotonic()
        self.tallies: dict[str, Tally] = {name: Tally() for name in fleet.entries}
        self.votes: Counter[str] = Counter()
        self.health: dict[str, Health] = {}
        self.gpus: tuple[GpuReading, ...] = ()

    def answered(self, names: Sequence[str], answers: Iterable[Answer | None]) -> None:
        """A turn has ended: whose sides they were, and their answers."""
        for name, answer in zip(names, answers, strict=False):
            if answer is not None:
                self.tallies.setdefault(name, Tally()).add(answer)

    def failing(self, name: str) -> int:
        """How many of a contestant's answers failed in a row until now; an endpoint that does not answer the question
        for its models, and whose latest answer was none, counts as failing long."""
        tally, health = self.tallies.get(name), self.health.get(name)
        in_a_row = tally.failed_in_a_row if tally else 0
        if health is None or health.ok is not False:
            return in_a_row
        proven = tally is not None and not in_a_row and tally.answers[str(AnswerState.COMPLETE)]
        return 0 if proven else max(LONG_OUT_OF_REACH, in_a_row)

    def voted(self, verdict: Verdict) -> None:
        """A vote was committed."""
        self.votes[str(verdict)] += 1

    def undone(self) -> None:
        """A vote was taken back."""
        self.votes["retracted"] += 1

    async def keep_asking(self) -> None:
        """Ask every endpoint now and then whether it is there, until cancelled."""
        endpoints = [entry for entry in self._fleet.entries.values() if entry.engine == "openai"]
        while endpoints:
            for entry in endpoints:
                found = await asyncio.to_thread(_asked, entry)
                before = self.health.get(entry.name)
                if found.ok is False and (before is None or before.ok is not False):
                    log.warning("endpoint of %s %s", entry.name, found.message)
                self.health[entry.name] = found
            await asyncio.sleep(ASK_EVERY)

    async def keep_reading(self) -> None:
        """Read the GPUs now and then, until cancelled; where there is none, once."""
        found = self.gpus = await asyncio.to_thread(read_gpus)
        while found:
            await asyncio.sleep(READ_EVERY)
            self.gpus = await asyncio.to_thread(read_gpus)

    def report(self, *, battles: int, warming: int, streams: int, database: str, database_ok: bool) -> Report:
        """Everything as of now, with what the arena says of its battles and its database."""
        states = self._fleet.states()
        resident, budget = self._fleet.memory()
        return Report(
            tuple(self._model(name, states[name]) for name in self._fleet.entries),
            dict(self.votes),
            battles,
            warming,
            streams,
            len(asyncio.all_tasks()),
            resident,
            budget,
            self.gpus,
            time.monotonic() - self._since,
            database,
            database_ok,
        )

    def _model(self, name: str, state: Snapshot) -> ModelReport:
        entry, meter = self._fleet.entries[name], self._fleet.meters.get(name)
        return ModelReport(
            entry,
            state,
            deepcopy(self.tallies[name]),  # a report is read in another thread, while answers go on being counted
            entry.engine in ("local", "zerogpu"),
            self.health.get(name),
            meter.spent if meter is not None and entry.paid else None,
            meter.cap if meter is not None else None,
            entry.price.currency if entry.price else "",
        )


def _asked(entry: Contestant) -> Health:
    key = os.environ.get(entry.api_key_env) if entry.api_key_env else None
    return ask(entry.base_url or "", entry.model or "", key)


def log_turn(battle: Battle, names: Sequence[str], answers: Sequence[Answer | None], *, prompts: bool) -> None:
    """One line about a turn that ended: figures, and the question only where the operator wants it written."""
    sides = {
        side: {
            "contestant": name,
            "state": str(answer.state),
            "error": answer.error_code,
            "completion_tokens": answer.usage.completion_tokens,
            "first_token_after": answer.first_token_after,
            "tokens_per_second": answer.tokens_per_second,
        }
        for side, name, answer in zip(SIDES, names, answers, strict=False)
        if answer is not None
    }
    fields = {"event": "turn", "battle": battle.id, "turn": len(battle.turns), "status": str(battle.status)} | sides
    if prompts:
        fields["prompt"] = battle.turns[-1].prompt
    log.info("turn %d of battle %s: %s", len(battle.turns), battle.id, battle.status, extra={"fields": fields})
