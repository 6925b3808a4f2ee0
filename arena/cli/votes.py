"""`votes export` and `votes import`: the database's votes as files, beside a running server or without one.

Translates options and shows progress; what a file holds is the store's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.storage import opened
from arena.cli.terminal import DatabaseOption, StorageOption, counted, progress, told, visible
from arena.errors import ConfigError
from arena.store.files import SUFFIXES
from arena.store.records import ALL, ImportReport, VoteFilter

INTERRUPTED = 130
"""The status of a command that Ctrl-C ended: 128 and the signal's number."""

app = typer.Typer(no_args_is_help=True, help="Take votes out to a file or in from one.")


@app.command("export")
def export_votes(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file: .csv, .csv.gz, .jsonl or .parquet.")],
    language: Annotated[str | None, typer.Option("--language", help="Only battles in this language.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only votes from this date on (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only votes before this date (UTC).")] = None,
    withdrawn: Annotated[
        bool, typer.Option("--withdrawn", help="Undone and quarantined votes too; nothing in a row marks them.")
    ] = False,
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Write every vote that counts, with both conversations, in the columns of public battle sets."""
    with told(), opened(database, storage) as store, progress("Exporting") as shown:
        which = VoteFilter(
            since=_moment(since, "--since"),
            until=_moment(until, "--until"),
            slice=f"language={language}" if language else ALL,
            counting_only=not withdrawn,
        )
        rows = store.export_votes(target, which=which, progress=shown)
    typer.echo(f"{counted(rows, 'vote')} written to {target}")


@app.command("import")
def import_votes(
    source: Annotated[Path, typer.Argument(metavar="FILE", help=f"A battle file: {', '.join(SUFFIXES)}.")],
    same_models: Annotated[
        bool,
        typer.Option("--same-models", help="I know that its models are those that take part under the same names."),
    ] = False,
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Take in every battle of a file, or nothing when a row is wrong; battles already here are passed over."""
    with told(), opened(database, storage, new=True) as store, progress("Importing") as shown:
        if same_models and all(one.retired_at is not None for one in store.contestants()):
            message = "nobody takes part in this arena yet"
            raise ConfigError(message, key="--same-models", suggestion="start it once, then import")
        try:
            report = store.import_votes(source, join=same_models, progress=shown)
        except KeyboardInterrupt:
            typer.echo("arena: stopped, and nothing was imported", err=True)
            raise typer.Exit(INTERRUPTED) from None
    notes = [f"{report.already_here} {_were(report.already_here)} here already"] if report.already_here else []
    notes += [f"{report.named} with known names passed over"] if report.named else []
    notes += [counted(report.new_contestants, "new contestant")] if report.new_contestants else []
    said = f"{report.added} of {counted(report.read, 'vote')} imported"
    typer.echo(said + (f": {', '.join(notes)}" if notes else ""))
    for line in _namesakes(report, same_models):
        typer.echo(visible(line))


def _namesakes(report: ImportReport, same_models: bool) -> Iterator[str]:
    """Whose votes went to, or past, a contestant that takes part under the same name, and why."""
    if report.joined:
        yield f"counted for the models that take part: {', '.join(report.joined)}"
    if report.nameless:
        yield (
            f"apart from the models that take part under the same names: {', '.join(report.nameless)}\n"
            "  the file names no revision or quantization, so other weights may have answered; to count such votes for "
            "the\n  models that take part, import with --same-models (into a database that has not taken them in yet)"
        )
    if report.others:
        yield (
            f"apart from the models that take part under the same names: {', '.join(report.others)}\n"
            "  the file names another revision or quantization"
        )
    if same_models and report.already_here:
        yield "votes that were here already stay with whom they were counted for"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _moment(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not a date", key=option, suggestion="write 2026-11-30") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
