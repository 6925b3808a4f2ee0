"""`backup`, `restore` and `doctor`: keeping what the arena stores.

Opens the store that the settings name, prints, and decides nothing that the store decides.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arena.config import Settings
from arena.errors import ArenaError
from arena.service.opening import open_store
from arena.store.backups import restore_backup
from arena.store.records import KeyReport
from arena.store.store import Store

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="Where votes are kept: a SQLite or PostgreSQL address.")
]
StorageOption = Annotated[Path | None, typer.Option("--storage", help="Directory of everything written at run time.")]

LEAST_FREE_BYTES = 1 << 30
EARLIEST_SANE_CLOCK = 1_760_000_000.0
"""Autumn 2025: a clock before that is wrong, and would date votes wrongly."""


@contextmanager
def progress(phrase: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error that follows (done, total) and leaves nothing behind."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(phrase, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def told() -> Iterator[None]:
    """Turn our own errors into one line on standard error and exit status 2."""
    try:
        yield
    except ArenaError as error:
        typer.echo(f"arena: {error}", err=True)
        raise typer.Exit(2) from None


@contextmanager
def opened(database: str | None, storage: Path | None) -> Iterator[Store]:
    """The store that the options and the environment name; a running server may have it open too."""
    store = open_store(Settings.from_environment(database=database, storage=storage))
    try:
        yield store
    finally:
        store.close()


def backup(
    target: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The backup; a dated file in storage/backups without one.")
    ] = None,
    keep: Annotated[int | None, typer.Option("--keep", min=1, help="Keep only so many dated backups.")] = None,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="The keys of the texts too, to move the arena to another machine.")
    ] = False,
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Copy the database while it is in use, without the keys that open people's texts, and check the copy."""
    with told(), opened(database, storage) as store:
        made = store.backup(target, keep=keep, keys=with_keys)
        typer.echo(f"{made} written and checked")
    if with_keys:
        typer.echo(
            "It holds the keys of people's texts: with ARENA_SECRET (or storage/secret) it reads them all, and "
            "forgetting somebody later does not reach it. Delete it once it has served."
        )


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A backup made by `backup`.")],
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Put a backup in the place of the database (the arena must be stopped); what it replaces is kept."""
    with told():
        settings = Settings.from_environment(database=database, storage=storage)
        done = restore_backup(source, settings.database, settings.storage, time.time(), settings.signing_keys())
    typer.echo(f"{source} restored" + (f"; the database before it is {done.kept}" if done.kept else ""))
    if done.forgotten:
        typer.echo(f"{done.forgotten} people who were forgotten since it was made are forgotten in it too")
    if done.without_key:
        typer.echo(f"The texts of {done.without_key} people cannot be read: it was made without keys, elsewhere")


def doctor(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="First recount every rating from the votes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Check the database, the disk and the clock; say the mend for everything that is wrong."""
    with told():
        settings = Settings.from_environment(database=database, storage=storage)
        report(examine(settings, rebuild=rebuild), as_json=as_json)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; `mend` says what to do where `ok` is false."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


def examine(settings: Settings, *, rebuild: bool = False) -> list[Finding]:
    """The checks of the database, the disk and the clock."""
    return [*_database(settings, rebuild), _disk(settings), _clock()]


def report(findings: list[Finding], *, as_json: bool) -> None:
    """Print a tick or a cross per finding; exits with status 1 when there is a cross."""
    if as_json:
        json.dump([asdict(finding) for finding in findings], sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        for finding in findings:
            mend = f"\n    mend: {finding.mend}" if finding.mend and not finding.ok else ""
            typer.echo(f"{'✓' if finding.ok else '✗'} {finding.name}: {finding.detail}{mend}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _database(settings: Settings, rebuild: bool) -> list[Finding]:
    try:
        with open_store(settings) as store:
            if rebuild:
                with progress("Recounting votes") as shown:
                    store.rebuild(shown)
            found, keys = store.check(), store.keys()
    except ArenaError as error:
        return [Finding("database", False, str(error), "see README, “When something is wrong”")]
    detail = f"{found.backend} {found.version}, schema {found.schema}, {found.votes} votes"
    mend = "python -m arena doctor --rebuild; if that does not help, restore a backup"
    problems = [Finding("database", False, problem, mend) for problem in found.problems]
    notes = [Finding(name, True, note) for name, note in found.notes.items()]
    return [Finding("database", not problems, detail, mend), *problems, *notes, _texts(keys)]


def _texts(keys: KeyReport) -> Finding:
    """Whether people's texts can be read, and whoever was to be forgotten is."""
    if keys.unfinished:
        detail = f"{keys.unfinished} people's forgetting was cut short: backups or exports may hold something of them"
        return Finding("texts", False, detail, "python -m arena forget CODE once more, with the same code")
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
    detail = f"{free / (1 << 30):.1f} GiB free for {settings.storage}"
    return Finding("disk", free >= LEAST_FREE_BYTES, detail, "free at least 1 GiB, or move --storage")


def _clock() -> Finding:
    now = time.time()
    detail = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    return Finding("clock", now > EARLIEST_SANE_CLOCK, detail, "set the machine's clock: votes carry its time")
