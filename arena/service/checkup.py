"""What the operator's machine has and lacks for an arena: store, libraries, disk, GPU, models, secrets, clock.

It looks and changes nothing, asks no network and imports no model library; the command prints.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from arena.config import Catalog, Contestant, Settings, load_catalog, on_disk, resolve_profile
from arena.engines.gpus import Gpu, available_ram, visible_gpus
from arena.engines.memory import GIB
from arena.errors import ArenaError
from arena.service.forgetting import forget_code
from arena.service.inventory import check, the_hub
from arena.store.records import KeyReport
from arena.store.store import Store

REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"
TOLD = ("torch", "transformers", "bitsandbytes", "gradio", "sqlalchemy")
"""Libraries whose versions the report names; of the others only what is wrong."""
LEAST_FREE_BYTES = GIB
EARLIEST_SANE_CLOCK = 1_760_000_000.0
"""Autumn 2025: a clock before that is wrong, and would date votes wrongly."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `mend` says what to do where `ok` is false."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


def examine(settings: Settings, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Every check of the machine; the database's own are `examine_store`'s."""
    yield versions()
    yield _disk(settings)
    try:
        profile = resolve_profile(settings, environ)
        catalog = load_catalog(settings.models, profile, environ, storage=settings.storage)
    except ArenaError as error:
        yield gpu(visible_gpus(environ), "auto")
        yield Finding("models", False, str(error), f"mend that place of {settings.models}")
        catalog = Catalog(())
    else:
        yield gpu(visible_gpus(environ), catalog.profile)
        yield models(catalog, environ)
    yield secrets(settings, catalog, environ)
    yield _clock()


def examine_store(store: Store, key: bytes) -> Iterator[Finding]:
    """Whether what is stored is whole, agrees with its counts and can be read; `key` makes the codes of forgetting."""
    found = store.check()
    detail = f"{found.backend} {found.version}, schema {found.schema}, {found.votes} votes"
    mend = "python -m arena doctor --rebuild; if that does not help, restore a backup"
    yield Finding("database", not found.problems, detail, mend)
    yield from (Finding("database", False, problem, mend) for problem in found.problems)
    yield from (Finding(name, True, note) for name, note in found.notes.items())
    yield _texts(store.keys(), [forget_code(key, voter) for voter in store.unfinished()])


def versions(file: Path = REQUIREMENTS) -> Finding:
    """Whether every library is there in a version that the arena was made for."""
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    wanted = [Requirement(line) for line in lines if re.match(r"[A-Za-z]", line)]
    wrong = [f"{_named(one.name)}, but {one.specifier} is needed" for one in wanted if _misses(one)]
    told = ", ".join([f"Python {platform.python_version()}", *map(_named, TOLD)])
    return Finding("versions", not wrong, "; ".join([told, *wrong]), f"pip install -r {file.name}")


def gpu(gpus: Sequence[Gpu], profile: str) -> Finding:
    """Which GPUs the driver shows, and whether torch can use them."""
    torch = _installed("torch")
    if not gpus and profile == "gpu":
        return Finding(
            "gpu",
            False,
            "none is visible, and the profile is gpu",
            "see whether nvidia-smi lists one; else --profile cpu",
        )
    if not gpus:
        return Finding("gpu", True, f"none: models run on the processor, {available_ram() / GIB:.1f} GiB free for them")
    named = ", ".join(f"{one.name}, {one.free / GIB:.1f} of {one.total / GIB:.1f} GiB free" for one in gpus)
    if torch is None or torch.endswith("+cpu"):
        detail = f"{named}; torch {torch or '(missing)'} cannot use it"
        return Finding("gpu", False, detail, "pip install torch from an index with CUDA builds, see pytorch.org")
    return Finding("gpu", True, named)


def models(catalog: Catalog, environ: Mapping[str, str] = os.environ) -> Finding:
    """Whether two contestants can fight: what is on the disk, what the start will fetch, what is not to be had."""
    hub = the_hub().offline()
    here = [entry for entry in (*catalog.enabled, *catalog.enabled_judges) if entry.engine != "openai"]
    wrong = [f"{entry.name}: {tick.detail}" for entry in here for tick in check(entry, hub) if tick.ok is False]
    if len(catalog.enabled) < 2:
        wrong.append(f"{len(catalog.enabled)} enabled: a battle takes two")
    fetched = [entry.name for entry in catalog.enabled if _to_fetch(entry, environ)]
    told = [f"profile {catalog.profile}, {len(catalog.enabled)} contestants, {len(catalog.enabled_judges)} judges"]
    if fetched:
        told.append(f"{len(fetched)} not on this disk yet, their first start fetches or trains them")
    mend = f"mend {catalog.file}; `python -m arena models check` tells more"
    return Finding("models", not wrong, "; ".join([*told, *wrong]), mend)


def secrets(settings: Settings, catalog: Catalog, environ: Mapping[str, str] = os.environ) -> Finding:
    """Which secrets are there (never what they are), and which of the catalogue's are missing."""
    own = "ARENA_SECRET set" if settings.secret else f"signing key in {settings.storage / 'secret'}"
    pages = "set" if settings.admin_token else "not set: the operator's pages are closed"
    entries = (*catalog.enabled, *catalog.enabled_judges)
    needed = dict.fromkeys(entry.api_key_env for entry in entries if entry.api_key_env)
    gated = any(entry.gated and _to_fetch(entry, environ) for entry in entries)
    if gated or settings.segments_repo:
        needed["HF_TOKEN"] = None
    told = [own, f"ARENA_ADMIN_TOKEN {pages}"]
    told += [f"{name} {'set' if environ.get(name) else 'missing'}" for name in needed]
    missing = [name for name in needed if not environ.get(name)]
    return Finding("secrets", not missing, "; ".join(told), " ".join(f"export {name}=…" for name in missing))


def _to_fetch(entry: Contestant, environ: Mapping[str, str]) -> bool:
    return entry.engine in ("local", "zerogpu") and not on_disk(entry.model or "", environ)


def _misses(wanted: Requirement) -> bool:
    there = _installed(wanted.name)
    return there is None or not wanted.specifier.contains(there, prereleases=True)


def _named(name: str) -> str:
    return f"{name} {_installed(name) or 'is missing'}"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _texts(keys: KeyReport, codes: Sequence[str]) -> Finding:
    """Whether people's texts can be read, and whoever was to be forgotten is."""
    if codes:
        detail = f"the forgetting of {len(codes)} people is not finished: backups or exports may hold something of them"
        return Finding("texts", False, detail, "; ".join(f"python -m arena forget {code}" for code in codes))
    if keys.lost:
        detail = (
            f"those of {keys.lost} people are sealed under another secret than this ARENA_SECRET (or storage/secret)"
        )
        return Finding("texts", False, detail, "write the former secret into storage/secret and start once more")
    absent = (
        f"; those of {keys.absent} people came with a backup without keys and stay unreadable" if keys.absent else ""
    )
    return Finding("texts", True, f"sealed, and opened by this secret{absent}")


def _disk(settings: Settings) -> Finding:
    settings.storage.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.storage).free
    detail = f"{free / GIB:.1f} GiB free for {settings.storage}"
    return Finding("disk", free >= LEAST_FREE_BYTES, detail, "free at least 1 GiB, or move --storage")


def _clock() -> Finding:
    now = time.time()
    detail = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    return Finding("clock", now > EARLIEST_SANE_CLOCK, detail, "set the machine's clock: votes carry its time")
