"""What commands share: their common options, errors as one line, and a bar for what takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arena.errors import ArenaError

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="Where votes are kept: a SQLite or PostgreSQL address.")
]
StorageOption = Annotated[Path | None, typer.Option("--storage", help="Directory of everything written at run time.")]

ProfileOption = Annotated[str | None, typer.Option("--profile", help="gpu, cpu, demo or auto.")]
ModelsOption = Annotated[Path | None, typer.Option("--models", help="The file of contestants and judges.")]


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
