"""What commands share: common options, errors as one line, a bar for what takes long, and tables that fit."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

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


def counted(number: int, thing: str, things: str = "") -> str:
    """So many of a thing: "1 vote", "2 votes"."""
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


NO_EDGE = 240
"""Columns of what is no terminal: a pipe has no edge, so tables stay whole there."""

_NARROWEST = 8
_STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_UNBOUNDED = 10_000


def console() -> Console:
    """As wide as the terminal (or COLUMNS), and without an edge where there is none."""
    return Console() if sys.stdout.isatty() or "COLUMNS" in os.environ else Console(width=NO_EDGE)


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: words stand left, figures right; the higher `lesser`, the sooner it gives way."""

    heading: str
    words: bool = False
    lesser: int = 0


def fitted(on: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], **look: Any) -> Table:
    """A table of plain texts that fits the terminal and breaks no word.

    Where it is too wide, lesser columns are left out, and a line under it names them; where that is not
    enough, the widest words are folded, after their hyphens if they can be. `look` is rich's own.
    """
    rows = [[visible(cell) for cell in row] for row in rows]
    shown = list(range(len(columns)))
    table = _table(columns, rows, shown, look)
    while (excess := _excess(on, table)) > 0:
        least = max(shown, key=lambda place: columns[place].lesser)
        if not columns[least].lesser:
            return _table(columns, _folded(columns, rows, shown, excess), shown, look)
        shown.remove(least)
        table = _table(columns, rows, shown, look)
    return table


def visible(text: str) -> str:
    """A stranger's text without power over the terminal: its control characters are spelled out."""
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def _excess(on: Console, table: Table) -> int:
    """By how much the table is wider than the terminal."""
    return on.measure(table, options=on.options.update(width=_UNBOUNDED)).maximum - on.width


def _table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], shown: Sequence[int], look: dict[str, Any]
) -> Table:
    left_out = ", ".join(column.heading.lower() for place, column in enumerate(columns) if place not in shown)
    caption = f"the window is too narrow for: {left_out}" if left_out else None
    table = Table(caption=caption, caption_justify="left", **look)
    for place in shown:
        words = columns[place].words
        table.add_column(escape(columns[place].heading), justify="left" if words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(row[place]) for place in shown))
    return table


def _folded(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], shown: Sequence[int], excess: int
) -> list[list[str]]:
    """The rows with the widest column of words narrower by so much."""

    def width(place: int) -> int:
        return max((cell_len(row[place]) for row in rows), default=0)

    widest = max((place for place in shown if columns[place].words), key=width)
    room = max(_NARROWEST, cell_len(columns[widest].heading), width(widest) - excess)
    return [[fold(cell, room) if place == widest else cell for place, cell in enumerate(row)] for row in rows]


def fold(name: str, room: int) -> str:
    """The name in lines of at most so many cells, broken after hyphens, slashes and spaces where there are any."""
    lines = [""]
    for piece in re.findall(r"[^-/_ ]*[-/_ ]|[^-/_ ]+", name):
        if cell_len(lines[-1] + piece.rstrip()) > room and lines[-1]:
            lines.append("")
        lines[-1] += piece
        while cell_len(lines[-1].rstrip()) > room:
            lines[-1:] = [lines[-1][:room], lines[-1][room:]]
    return "\n".join(line.rstrip() for line in lines)
