"""What every entry of the catalogue needs and whether it can be had: memory, company, ids, endpoints.

It joins the catalogue to the planner and the hub, and loads nothing. Printing belongs to the command.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

from arena.config import Catalog, Contestant, Settings
from arena.engines.gpus import Gpu, available_ram, visible_gpus
from arena.engines.health import Health, ask
from arena.engines.hub import Finding, Hub
from arena.engines.memory import GIB, Device, Footprint, companions, company, estimated_weights, plan, weight_bytes
from arena.engines.selftest import check_contestant, check_endpoint
from arena.engines.worker.spec import PACKED, PACKED_NEEDS
from arena.errors import AccessDenied, ArenaError, EndpointError
from arena.service.fleet import endpoint
from arena.service.worker_specs import worker_spec

SHARE_OF_FREE = 0.9
"""How much of the free memory models may take when the operator does not say."""
UNREAD_MARGIN = 1.5
"""A model whose checkpoint cannot be read is taken for so many times its estimated weights, and one GiB."""
LOOKUPS = 6
"""Questions to the hub at once."""

UNTRAINED = "not trained yet: the first start does it"

Progress = Callable[[int, int], None]
"""Told how many entries are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that models may take together; None where it is not known. `device` is what they run on."""

    device: Device
    bytes: int | None
    said: str

    @property
    def gib(self) -> float | None:
        """The same in GiB."""
        return None if self.bytes is None else self.bytes / GIB


@dataclass(frozen=True, slots=True)
class Item:
    """An entry with what is known of it.

    `memory` is read from its checkpoint; `estimated_gib` is a guess of its weights where that could
    not be read. `fits` None is "could not tell". `beside` are the others that fit beside it one at a
    time, `company` as many as fit at once with it among them. `reason` says what is missing. `health` is what an
    enabled endpoint says of itself.
    """

    entry: Contestant
    memory: Footprint | None = None
    estimated_gib: float | None = None
    fits: bool | None = None
    beside: tuple[str, ...] = ()
    company: tuple[str, ...] = ()
    reason: str = ""
    health: Health | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON-ready data; secrets are not among it."""
        entry = self.entry
        keys = ("name", "engine", "model", "revision", "quantization", "licence", "organisation", "parameters")
        return {key: getattr(entry, key) for key in keys} | {
            "enabled": entry.enabled,
            "toy": entry.toy,
            "gated": entry.gated,
            "confirmed": entry.confirmed,
            "fingerprint": entry.fingerprint,
            "memory": self.memory.as_dict() if self.memory else None,
            "estimated_weights_gib": self.estimated_gib,
            "fits": self.fits,
            "beside": list(self.beside),
            "company": list(self.company),
            "health": {"ok": self.health.ok, "said": self.health.message} if self.health else None,
            "price": entry.price.model_dump() if entry.price else None,
            "reason": self.reason,
            "note": entry.note,
        }


@dataclass(frozen=True, slots=True)
class Inventory:
    """All entries of one profile under one budget."""

    catalog: Catalog
    budget: Budget
    items: tuple[Item, ...]

    def as_dict(self) -> dict[str, Any]:
        """What `models --json` prints."""
        budget = self.budget
        gib = None if budget.gib is None else round(budget.gib, 2)
        return {
            "profile": self.catalog.profile,
            "file": str(self.catalog.file),
            "budget": {"device": budget.device, "gib": gib, "said": budget.said},
            "models": [item.as_dict() for item in self.items],
        }


@dataclass(frozen=True, slots=True)
class Tick:
    """One line of a check: `ok` None is "could not tell", `mend` what to do about a cross."""

    what: str
    ok: bool | None
    detail: str
    mend: str = ""


SelfTest = Callable[[Contestant], Iterator[Tick]]
"""A further check of a contestant, such as of its chat template."""


def budget(
    vram: float | None, catalog: Catalog, gpus: Sequence[Gpu] | None = None, ram: Callable[[], int] = available_ram
) -> Budget:
    """What models may take: `vram` GiB where said, else nine tenths of the free memory of the GPUs.

    Without a GPU the profile gpu has no budget, and the others have nine tenths of the main memory.
    """
    if vram is not None:
        return Budget("cuda", round(vram * GIB), f"{vram:g} GiB as asked")
    found = visible_gpus() if gpus is None else gpus
    if found:
        names = ", ".join(gpu.name for gpu in found)
        return Budget("cuda", round(SHARE_OF_FREE * sum(gpu.free for gpu in found)), f"nine tenths of the free {names}")
    if catalog.profile == "gpu":
        return Budget("cuda", None, "no GPU here: say --vram GIB")
    return Budget("cpu", round(SHARE_OF_FREE * ram()), "nine tenths of the free main memory")


def the_hub() -> Hub:
    """The hub of this environment: HF_ENDPOINT, HF_TOKEN and the cache as its client reads them."""
    return Hub()


def take_inventory(
    catalog: Catalog, hub: Hub, limit: Budget, progress: Progress = lambda done, total: None
) -> Inventory:
    """Plan every local entry (disabled ones too), say what fits alone and together, ask endpoints whether they answer.

    Only enabled entries keep company. Entries whose checkpoint cannot be read say why and carry an
    estimate; once the hub was out of reach it is not asked again.
    """
    looked = _Looker(hub, limit.device)
    with ThreadPoolExecutor(LOOKUPS, thread_name_prefix="inventory") as threads:
        items = []
        for item in threads.map(looked.item, catalog.contestants):
            items.append(item)
            progress(len(items), len(catalog.contestants))
    return Inventory(catalog, limit, tuple(_with_company(items, limit)))


@dataclass(frozen=True, slots=True)
class Reservation:
    """Memory to keep for a model in the pool; `kv_blocks` None leaves the cache to the worker."""

    gib: float
    kv_blocks: int | None = None


def reservations(entries: Sequence[Contestant], hub: Hub, device: Device) -> dict[str, Reservation]:
    """What the pool should keep for each local entry before it is loaded.

    A checkpoint that cannot be read yet gets an estimate from its stated size, a generous one; an
    entry without a stated size gets none.
    """
    looked = _Looker(hub, device)
    local = [entry for entry in entries if entry.engine in ("local", "zerogpu")]
    with ThreadPoolExecutor(LOOKUPS, thread_name_prefix="inventory") as threads:
        return {item.entry.name: _reservation(item) for item in threads.map(looked.item, local)}


def footprint(entry: Contestant, hub: Hub, device: Device) -> Footprint:
    """The memory of a local contestant, its draft model included.

    Raises `FileFormatError`, `AccessDenied` or `EndpointError` when a checkpoint cannot be read.
    """
    quantization = entry.precision or "nf4"
    checkpoint = hub.checkpoint(entry.model or "", entry.revision)
    draft = weight_bytes(hub.checkpoint(entry.draft), quantization, device=device) if entry.draft else 0
    planned = plan(checkpoint, quantization, context=entry.context, batch=entry.concurrency, device=device)
    return planned.with_draft(draft)


def check(
    entry: Contestant, hub: Hub, tests: Sequence[SelfTest] = (), environ: Mapping[str, str] = os.environ
) -> Iterator[Tick]:
    """Whether an entry can take part: its id or files, its endpoint, then the further tests."""
    found = True
    for tick in _reachable(entry, hub, environ):
        found = found and tick.ok is not False
        yield tick
    if found:
        for test in tests:
            yield from test(entry)


def loading_test(settings: Settings) -> SelfTest:
    """A test that tries a contestant as battles would: in a worker, or through its endpoint; recordings pass by."""

    def test(entry: Contestant) -> Iterator[Tick]:
        if entry.engine in ("local", "zerogpu"):
            ticks = asyncio.run(check_contestant(worker_spec(entry, settings)))
        elif entry.engine == "openai":
            ticks = asyncio.run(check_endpoint(endpoint(entry, settings)))
        else:
            return
        for tick in ticks:
            yield Tick(tick.name, tick.passed, tick.detail)

    return test


class _Looker:
    """Reads checkpoints of many entries; stops asking a hub that is out of reach."""

    def __init__(self, hub: Hub, device: Device) -> None:
        self._hub, self._device = hub, device
        self._offline = Event()

    def item(self, entry: Contestant) -> Item:
        if entry.base_url:
            return Item(entry, reason=f"runs elsewhere ({entry.base_url})", health=_health(entry))
        if entry.engine not in ("local", "zerogpu"):
            return Item(entry, reason=f"engine {entry.engine}")
        try:
            return Item(entry, footprint(entry, self._source(), self._device))
        except AccessDenied as error:
            return _unread(entry, str(error))
        except EndpointError as error:
            self._offline.set()
            return _unread(entry, str(error))
        except ArenaError as error:
            return _unread(entry, UNTRAINED if entry.toy else str(error))

    def _source(self) -> Hub:
        return self._hub.offline() if self._offline.is_set() else self._hub


def _health(entry: Contestant) -> Health | None:
    """Whether an endpoint answers; a disabled one is not asked."""
    if not entry.enabled:
        return None
    key = os.environ.get(entry.api_key_env) if entry.api_key_env else None
    if entry.api_key_env and not key:
        return Health(False, "its key is not in the environment")
    return ask(entry.base_url or "", entry.model or "", key)


def _reservation(item: Item) -> Reservation:
    if item.memory is not None:
        return Reservation(item.memory.total_gib, item.memory.kv_blocks)
    return Reservation(0.0 if item.estimated_gib is None else UNREAD_MARGIN * item.estimated_gib + 1.0)


def _unread(entry: Contestant, reason: str) -> Item:
    if entry.parameters is None:
        return Item(entry, reason=reason)
    guess = estimated_weights(entry.parameters, entry.precision or "nf4")
    return Item(entry, estimated_gib=round(guess / GIB, 2), reason=reason)


def _with_company(items: Sequence[Item], limit: Budget) -> Iterator[Item]:
    most = limit.bytes
    sizes = {item.entry.name: item.memory.total for item in items if item.memory and item.entry.enabled}
    for item in items:
        if item.memory is None or most is None:
            yield item
            continue
        name, size = item.entry.name, item.memory.total
        among = sizes | {name: size}
        pairs = companions(among, most).get(name, ())
        yield Item(item.entry, item.memory, None, size <= most, pairs, company(name, among, most), item.reason)


def _reachable(entry: Contestant, hub: Hub, environ: Mapping[str, str]) -> Iterator[Tick]:
    match entry.engine:
        case "local" | "zerogpu" if entry.toy and not Path(entry.model or "").is_dir():
            yield Tick("checkpoint", None, UNTRAINED)
        case "local" | "zerogpu":
            finding = hub.look(entry.model or "", entry.revision, trust_remote_code=entry.trust_remote_code)
            yield _tick("checkpoint", finding)
            if entry.draft:
                yield _tick("draft", hub.look(entry.draft))
            if entry.quantization in PACKED and find_spec("gptqmodel") is None:
                yield Tick("package", False, f"{entry.quantization} needs gptqmodel", PACKED_NEEDS)
        case "openai":
            yield from _endpoint(entry, environ)
        case "recorded":
            there = entry.answers is not None and entry.answers.is_file()
            said = str(entry.answers) if there else f"there is no file {entry.answers}"
            yield Tick("answers", there, said, "" if there else "mend the path in the models file")
        case _:
            yield Tick("script", True, "says what its script tells it")


def _tick(what: str, finding: Finding) -> Tick:
    return Tick(what, finding.ok, f"{finding.model}: {finding.message}", finding.mend)


def _endpoint(entry: Contestant, environ: Mapping[str, str]) -> Iterator[Tick]:
    key = environ.get(entry.api_key_env) if entry.api_key_env else None
    if entry.api_key_env:
        yield Tick("key", bool(key), entry.api_key_env, "" if key else f"export {entry.api_key_env}=…")
    health = ask(entry.base_url or "", entry.model or "", key)
    offered = ", ".join(health.models[:5])
    mend = f"it offers {offered}" if health.ok is not True and offered else ""
    yield Tick("endpoint", health.ok, f"{entry.base_url} {health.message}", mend)
