"""How the benchmark commands speak: one JSON object for scripts, or a table; an error as one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from arena.benchmarks.runner import Progress, Shown
from arena.benchmarks.task import Row, ScoreSheet, plain
from arena.cli.terminal import Column, console, fitted


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars on standard error: what, done of all, time spent and left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as shown:
        yield shown


def bar(shown: Bars, what: str) -> Shown:
    """A bar that follows a run."""
    task = shown.add_task(what, total=None, detail="")
    before: int | None = None

    def follow(progress: Progress) -> None:
        nonlocal before
        done = progress.done + progress.failed
        before = done if before is None else before
        detail = f"failed {progress.failed}" if progress.failed else ""
        if done == before < progress.total:  # a model that is loaded from disk takes its time
            detail = "waiting"
        shown.update(task, completed=done, total=progress.total, detail=detail)

    return follow


def write_lines(path: Path, rows: Iterable[Row]) -> None:
    """Rows as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(plain(row), ensure_ascii=False, allow_nan=False) + "\n")


def show(sheet: ScoreSheet, as_json: bool) -> None:
    """One JSON object, or a table per section with the notes beneath."""
    if as_json:
        typer.echo(json.dumps(sheet.as_json(), ensure_ascii=False, allow_nan=False))
        return
    out = console()
    out.print(f"{sheet.task}: {sheet.protocol}", markup=False, highlight=False)
    for title, rows in {"models": sheet.models, **sheet.sections}.items():
        if rows:
            out.print(_grid(out, title, rows))
    out.print(f"unscored: {sheet.unscored}")
    for note in sheet.notes:
        out.print(f"note: {note}", markup=False, highlight=False)


def _grid(out: Console, title: str, rows: Sequence[Row]) -> Table:
    """Who it is stays; of the figures the later ones give way first."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    columns = [Column(name, words=place == 0, lesser=max(0, place - 1)) for place, name in enumerate(names)]
    return fitted(out, columns, [[_cell(row.get(name)) for name in names] for row in flat], title=title)


def _flat(row: Row) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in plain(row).items():
        cells |= value if isinstance(value, dict) else {name: value}
    return cells


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:z.2f}" if isinstance(value, float) else str(value)
