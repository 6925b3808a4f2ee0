"""`backup`, `restore` and `doctor`: keeping what the arena stores.

Opens the store that the settings name, prints, and decides nothing that the store decides.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.terminal import DatabaseOption, ModelsOption, ProfileOption, StorageOption, counted, progress, told
from arena.config import Settings
from arena.errors import ArenaError
from arena.service.checkup import Finding, examine, examine_store
from arena.service.opening import open_store
from arena.store.backups import restore_backup
from arena.store.store import Store


@contextmanager
def opened(database: str | None, storage: Path | None, *, new: bool = False) -> Iterator[Store]:
    """The store that the options and the environment name; a running server may have it open too."""
    store = open_store(Settings.from_environment(database=database, storage=storage), new=new)
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
        people = counted(done.forgotten, "person was", "people were")
        typer.echo(f"{people} forgotten since it was made, and in it too now")
    if done.without_key:
        people = counted(done.without_key, "person", "people")
        typer.echo(f"The texts of {people} cannot be read: it was made without keys, elsewhere")


def doctor(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="First recount every rating from the votes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    profile: ProfileOption = None,
    models: ModelsOption = None,
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Check database, versions, disk, GPU, models, secrets and clock; say the mend for everything that is wrong."""
    with told():
        settings = Settings.from_environment(database=database, storage=storage, profile=profile, models=models)
        report([*_stored(settings, rebuild), *examine(settings)], as_json=as_json)


def report(findings: Sequence[Finding], *, as_json: bool) -> None:
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


def _stored(settings: Settings, rebuild: bool) -> Iterator[Finding]:
    try:
        with open_store(settings) as store:
            if rebuild:
                with progress("Recounting votes") as shown:
                    store.rebuild(shown)
            yield from examine_store(store, settings.signing_key())
    except ArenaError as error:
        yield Finding("database", False, str(error), "see --database and --storage; `restore` puts a backup back")
