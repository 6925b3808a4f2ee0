"""The contestants' engines: built from the catalogue, prepared in the background, handed out by name.

It joins configuration to engines and knows who can answer now. It does not know battles or votes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from arena.config import Catalog, Contestant, Judge, Settings
from arena.engines.base import Engine
from arena.engines.fake import FakeEngine, Script, Step, failing, saying
from arena.engines.limits import Gate, Meter
from arena.engines.local import Phase
from arena.engines.pool import Snapshot
from arena.engines.recorded import RecordedEngine
from arena.engines.worker.spec import NEUTRAL_SYSTEM_PROMPT
from arena.errors import (
    AccessDenied,
    ConfigError,
    ContextOverflow,
    EndpointError,
    EngineError,
    EngineTimeout,
    ModelUnavailable,
    RateLimited,
    SpendingCapReached,
)
from arena.service.views import Preparation
from arena.types import Conversation, Decoding, Role

if TYPE_CHECKING:
    from arena.engines.openai import OpenAIEngine

FAILURES: Mapping[str, type[EngineError]] = {
    failure.code: failure
    for failure in (
        ModelUnavailable, EndpointError, AccessDenied, RateLimited, EngineTimeout, ContextOverflow, SpendingCapReached,
    )
}  # fmt: skip


class LocalModels(Protocol):
    """Models that this machine runs itself."""

    async def start(self) -> None:
        """Begin to prepare them; returns at once."""
        ...

    def engine(self, name: str) -> Engine:
        """The engine of a local contestant."""
        ...

    def guest(self, name: str) -> Engine:
        """The same for a judge: it gives way to whoever waits for room."""
        ...

    def ready(self) -> frozenset[str]:
        """Who can answer without a wait worth mentioning."""
        ...

    def cold(self) -> frozenset[str]:
        """Those that would have to be loaded before they answer."""
        ...

    def together(self, names: Iterable[str]) -> bool:
        """Whether the memory holds these at once; names that are not local take none."""
        ...

    async def warm(self, names: Iterable[str]) -> None:
        """Load these together. Raises `ModelUnavailable`."""
        ...

    def seconds(self, names: Iterable[str]) -> float:
        """About how long until all of these can answer; 0 when they can."""
        ...

    def preparation(self) -> Preparation:
        """How far the preparing is."""
        ...

    def states(self) -> tuple[Snapshot, ...]:
        """Every model as the operator sees it."""
        ...

    def memory(self) -> tuple[float, float | None]:
        """GiB kept for what is resident, and GiB that models may take together (None: not known)."""
        ...

    def pardon(self, name: str) -> None:
        """End a model's quarantine."""
        ...

    async def evict(self, name: str) -> bool:
        """Put a model away; False when it is answering and stays."""
        ...

    async def enable(self, name: str, enabled: bool) -> None:
        """Let a model take part or not."""
        ...

    async def close(self) -> None:
        """End every worker."""
        ...


class Fleet:
    """Every enabled contestant with its engine.

    `guests` are judges whose models live among the contestants', by whose place they take: their own, or that
    of a contestant with the same weights, which are then loaded once.
    """

    def __init__(
        self,
        catalog: Catalog,
        engines: Mapping[str, Engine],
        local: LocalModels | None = None,
        meters: Mapping[str, Meter] | None = None,
        guests: Mapping[str, str] | None = None,
    ) -> None:
        self.entries: Mapping[str, Contestant] = {entry.name: entry for entry in catalog.enabled}
        self.meters: Mapping[str, Meter] = meters or {}
        self._engines = engines
        self._disabled: set[str] = set()
        self._local = local
        self._guests = guests or {}
        self._recorded = [frozenset(one.prompts()) for one in engines.values() if isinstance(one, RecordedEngine)]

    async def start(self) -> None:
        """Begin to prepare local models."""
        if self._local is not None:
            await self._local.start()

    @property
    def only_recorded(self) -> bool:
        """Whether everybody only plays back answers, so that no question but those of the recordings can be asked."""
        return bool(self.entries) and len(self._recorded) == len(self.entries)

    def answerable(self, prompt: str) -> bool:
        """Whether everyone who only plays back answers has one to this prompt."""
        return all(prompt in known for known in self._recorded)

    def engine(self, name: str) -> Engine:
        """The engine of a contestant. Raises `ModelUnavailable` for a name that takes no part."""
        if name in self._engines:
            return self._engines[name]
        if self._local is None or name not in self.entries:
            raise ModelUnavailable(f"{name} takes no part in this arena")
        return self._local.engine(name)

    def guest(self, name: str) -> Engine | None:
        """The engine of a judge whose model lives here; None for one that has to be brought along."""
        if self._local is None or name not in self._guests:
            return None
        return self._local.guest(self._guests[name])

    def judging(self, name: str) -> Engine:
        """The engine of a judge, a guest or not. Raises `ModelUnavailable` for a name that is not here."""
        return self.guest(name) or self.engine(name)

    def ready(self) -> tuple[str, ...]:
        """Contestants that can answer now, in the catalogue's order."""
        local = self._local.ready() if self._local is not None else frozenset()
        elsewhere = self._engines.keys() - self._disabled
        return tuple(name for name in self.entries if name in elsewhere or name in local)

    def preparation(self) -> Preparation:
        """How many can answer, and how far the others are.

        The operator's disabled ones are not awaited; nor are those in quarantine, once a battle is possible without.
        """
        ready = len(self.ready())
        states = [one for one in self.states().values() if one.enabled]
        total = sum(one.phase is not Phase.FAILED for one in states) if ready >= 2 else len(states)
        if self._local is None:
            return Preparation(ready, total)
        local = self._local.preparation()
        return Preparation(ready, total, local.done, local.seconds, local.problem)

    def cold(self, names: Iterable[str]) -> frozenset[str]:
        """Those of these contestants that would have to be loaded first."""
        return frozenset(names) & self._local.cold() if self._local is not None else frozenset()

    def together(self, *names: str) -> bool:
        """Whether these can answer at the same time."""
        return self._local is None or self._local.together(names)

    async def warm(self, names: Iterable[str]) -> None:
        """Have these loaded. Raises `ModelUnavailable` when one cannot be."""
        if self._local is not None:
            await self._local.warm(names)

    async def load(self, name: str) -> None:
        """Load it for the operator, also out of quarantine. Raises `ModelUnavailable` when it cannot be."""
        if self._local is not None and name not in self._engines:
            self._local.pardon(name)
        await self.warm([name])

    async def evict(self, name: str) -> bool:
        """Put a local model away; False when it is answering and stays, or has nothing to put away."""
        return self._local is not None and name not in self._engines and await self._local.evict(name)

    async def enable(self, name: str, enabled: bool) -> None:
        """Let a contestant take part in new battles or not; what it is saying it finishes."""
        if name in self._engines:
            (self._disabled.discard if enabled else self._disabled.add)(name)
        elif self._local is not None:
            await self._local.enable(name, enabled)

    def states(self) -> Mapping[str, Snapshot]:
        """Every contestant's state; those that run elsewhere are always warm and take no memory here."""
        local = {one.name: one for one in (self._local.states() if self._local is not None else ())}
        return {
            name: local.get(name) or Snapshot(name, Phase.WARM, 1.0, 0.0, 0, name not in self._disabled)
            for name in self.entries
        }

    def memory(self) -> tuple[float, float | None]:
        """GiB kept for what is resident, and GiB that models may take together (None: not known)."""
        return (0.0, None) if self._local is None else self._local.memory()

    def seconds(self, names: Iterable[str]) -> float:
        """About how long until all of these can answer; 0 when they can."""
        return 0.0 if self._local is None else self._local.seconds(names)

    async def close(self) -> None:
        """Close every engine."""
        for engine in self._engines.values():
            await engine.close()
        if self._local is not None:
            await self._local.close()


LocalBuilder = Callable[[tuple[Contestant, ...], Settings], LocalModels]


def build_fleet(catalog: Catalog, settings: Settings, local: LocalBuilder) -> Fleet:
    """Engines for every enabled contestant. Raises `ConfigError` for what cannot be built."""
    here = tuple(entry for entry in catalog.enabled if entry.engine in ("local", "zerogpu"))
    meters = {entry.name: _meter(entry) for entry in catalog.enabled if entry.engine == "openai"}
    gates = _gates(catalog.enabled)
    elsewhere = {
        entry.name: _engine(entry, settings, catalog, meters, gates) for entry in catalog.enabled if entry not in here
    }
    guests = _guests(catalog.enabled_judges, here)
    newcomers = tuple(judge for judge in catalog.enabled_judges if guests.get(judge.name) == judge.name)
    models = local((*here, *newcomers), settings) if here or newcomers else None
    return Fleet(catalog, elsewhere, models, meters, guests)


def _guests(judges: Iterable[Judge], here: Iterable[Contestant]) -> Mapping[str, str]:
    """Local judges by the place they take; none beside models that only borrow a GPU."""
    hosts = list(here)
    if any(entry.engine == "zerogpu" for entry in hosts):
        return {}
    wanted = [judge for judge in judges if judge.engine == "local"]
    return {judge.name: next((one.name for one in hosts if _hosts(one, judge)), judge.name) for judge in wanted}


def _hosts(entry: Contestant, judge: Judge) -> bool:
    """Whether a contestant's worker can speak for the judge too: the same weights, read alike, and room enough."""
    alike = ("model", "revision", "quantization", "chat", "draft", "trust_remote_code")
    roomy = entry.context is None or (judge.context is not None and judge.context <= entry.context)
    return roomy and all(getattr(entry, name) == getattr(judge, name) for name in alike)


def _meter(entry: Contestant) -> Meter:
    price = (entry.price.prompt, entry.price.completion) if entry.price else (0.0, 0.0)
    return Meter(*price, cap=entry.spending_cap)


def _gates(entries: Iterable[Contestant]) -> Mapping[str, Gate]:
    """A gate for each contestant elsewhere. Those at one address with one key stand before one endpoint: each keeps
    its own limits, and all together keep the widest of them."""
    endpoints: dict[tuple[str | None, str | None], list[Contestant]] = {}
    for entry in entries:
        if entry.engine == "openai":
            endpoints.setdefault((entry.base_url, entry.api_key_env), []).append(entry)
    gates: dict[str, Gate] = {}
    for sharers in endpoints.values():
        rates = [rate for rate in map(_per_minute, sharers) if rate is not None]
        shared = Gate(max(entry.concurrency for entry in sharers), max(rates, default=None))
        gates |= {entry.name: Gate(entry.concurrency, _per_minute(entry), behind=shared) for entry in sharers}
    return gates


def _per_minute(entry: Contestant) -> int | None:
    return None if entry.requests_per_minute is None else max(1, round(entry.requests_per_minute))


def _engine(
    entry: Contestant, settings: Settings, catalog: Catalog, meters: Mapping[str, Meter], gates: Mapping[str, Gate]
) -> Engine:
    match entry.engine:
        case "openai":
            return endpoint(entry, settings, meters[entry.name], gates[entry.name])
        case "recorded":
            return _recorded(entry, settings.prompts or catalog.prompts.dataset)
        case _:
            return FakeEngine(_script(entry))


def endpoint(
    entry: Contestant, settings: Settings, meter: Meter | None = None, gate: Gate | None = None
) -> OpenAIEngine:
    """The engine of a contestant that runs elsewhere. Raises `ConfigError` where its key is missing."""
    from arena.engines.openai import OpenAIEngine  # half a second that whoever has no endpoint need not wait

    key = os.environ.get(entry.api_key_env) if entry.api_key_env else None
    if entry.api_key_env and not key:
        raise ConfigError(
            f"{entry.name} needs the environment variable {entry.api_key_env}",
            key="api_key_env",
            suggestion=f"export {entry.api_key_env}=…, or set enabled: false",
        )
    return OpenAIEngine(
        entry.model or "",
        entry.base_url or "",
        api_key=key,
        system_prompt=system_prompt(entry, settings),
        system_role=entry.chat.system_role,
        think_tags=entry.chat.think or ("<think>", "</think>"),
        starts_in_think=entry.chat.opens_thinking,
        first_token_timeout=entry.timeout,
        stall_timeout=entry.timeout,
        gate=gate,
        meter=meter,
    )


def system_prompt(entry: Contestant, settings: Settings) -> str:
    """What the contestant is told before the conversation; a judge is told what its protocol says, word for word."""
    if isinstance(entry, Judge):
        return entry.system_prompt or ""
    return entry.system_prompt or settings.system_prompt or NEUTRAL_SYSTEM_PROMPT


def _recorded(entry: Contestant, questions: Path | None) -> RecordedEngine:
    if questions is None or entry.answers is None:
        raise ConfigError(
            f"{entry.name} plays back answers and needs the questions they belong to",
            key="prompts",
            suggestion="add prompts: {dataset: …/question.jsonl} to the profile",
        )
    return RecordedEngine.from_files(entry.answers, questions)


def _script(entry: Contestant) -> Script:
    script = entry.script
    if script is None:
        return saying("…")
    whole = saying(
        script.text,
        tokens_per_second=script.tokens_per_second,
        first_token_after=script.first_token_after,
        reasoning=script.reasoning,
    )
    if script.fail_after is None:
        return whole
    words = " ".join(script.text.split(" ")[: script.fail_after])
    error = FAILURES[script.failure](f"{entry.name} fails as its script says")
    broken = failing(error, after=words, first_token_after=script.first_token_after)

    def turn_by_turn(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
        asked = sum(message.role is Role.USER for message in conversation)
        return (whole if asked <= script.fail_from else broken)(conversation, decoding)

    return turn_by_turn
