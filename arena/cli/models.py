"""`python -m arena models`: what the entries need, what fits together, and whether they can be had.

It translates options and prints; planning and asking are the service's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from arena.cli.terminal import Column, ModelsOption, ProfileOption, console, fitted, progress, told
from arena.config import Catalog, Contestant, Settings, load_catalog, resolve_profile
from arena.service.inventory import Inventory, Item, Tick, budget, check, loading_test, take_inventory, the_hub

app = typer.Typer(add_completion=False, no_args_is_help=False, help="Memory, company and health of the contestants.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    as_json: JsonOption = False,
    vram: Annotated[float | None, typer.Option("--vram", min=0.1, help="GiB that models may take together.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Show disabled entries in the table too.")] = False,
    profile: ProfileOption = None,
    file: ModelsOption = None,
) -> None:
    """Say what memory every contestant takes, whether it fits and beside whom, and whether endpoints answer."""
    if context.invoked_subcommand:
        return
    with told():
        settings, catalog = _catalog(profile, file, vram)
        with progress("reading checkpoints") as tell:
            found = take_inventory(catalog, the_hub(), budget(settings.vram, catalog), tell)
    if as_json:
        _dump(found.as_dict())
    else:
        _print_inventory(found, everyone)


@app.command("list")
def list_models(
    context: typer.Context,
    as_json: JsonOption = False,
    vram: Annotated[float | None, typer.Option("--vram", min=0.1, help="GiB that models may take together.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Show disabled entries in the table too.")] = False,
    profile: ProfileOption = None,
    file: ModelsOption = None,
) -> None:
    """The same as `models` without a command."""
    context.invoked_subcommand = None
    show(context, as_json, vram, everyone, profile, file)


@app.command("check")
def check_models(
    name: Annotated[str | None, typer.Argument(help="One contestant or judge; all enabled ones without it.")] = None,
    load: Annotated[
        bool | None,
        typer.Option(
            "--load/--no-load", help="Load or ask it, as battles would (the default with a name); may download or cost."
        ),
    ] = None,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
    file: ModelsOption = None,
) -> None:
    """Check ids, revisions, gates, keys and endpoints, and try what answers; exit 1 on a cross."""
    with told():
        settings, catalog = _catalog(profile, file, None)
        entries = _chosen(catalog, name)
        hub = the_hub()
        tests = [loading_test(settings)] if (load if load is not None else name is not None) else []
        ticks: dict[str, list[Tick]] = {}
        with progress("checking") as tell:
            for number, entry in enumerate(entries, 1):
                ticks[entry.name] = list(check(entry, hub, tests))
                tell(number, len(entries))
    if as_json:
        rows = {who: [vars_of(tick) for tick in found] for who, found in ticks.items()}
        _dump({"profile": catalog.profile, "checks": rows})
    else:
        _print_ticks(ticks)
    if any(tick.ok is False for found in ticks.values() for tick in found):
        raise typer.Exit(1)


def vars_of(tick: Tick) -> dict[str, object]:
    """A tick as JSON-ready data; `ok` null is "could not tell"."""
    return {"what": tick.what, "ok": tick.ok, "detail": tick.detail, "mend": tick.mend}


def _catalog(profile: str | None, file: Path | None, vram: float | None) -> tuple[Settings, Catalog]:
    settings = Settings.from_environment(profile=profile, models=file, vram=vram)
    return settings, load_catalog(settings.models, resolve_profile(settings), storage=settings.storage)


def _chosen(catalog: Catalog, name: str | None) -> Sequence[Contestant]:
    if name is None:
        return (*catalog.enabled, *catalog.enabled_judges)
    judges = {judge.name for judge in catalog.judges}
    return (catalog.judge(name) if name in judges else catalog.contestant(name),)


COLUMNS = (
    Column("Model", words=True), Column("B", lesser=2), Column("Quantization", words=True, lesser=4),
    Column("Weights", lesser=3), Column("KV cache", lesser=5), Column("Overhead", lesser=6), Column("Total GiB"),
    Column("Fits", words=True), Column("Beside", lesser=1),
)  # fmt: skip


def _print_inventory(found: Inventory, everyone: bool) -> None:
    items = [item for item in found.items if everyone or item.entry.enabled]
    out = console()
    title = f"Profile {found.catalog.profile}: {_limit(found)}"
    out.print(fitted(out, COLUMNS, [_cells(item) for item in items], title=title, title_justify="left", box=None))
    for heading, names in _together(items).items():
        out.print(f"[bold]{escape(heading)}[/bold]: {escape(names)}", highlight=False)
    for reason, who in _by_reason(items).items():
        out.print(f"[bold]{escape(', '.join(who))}[/bold]: {escape(reason)}", highlight=False)
    for item in items:
        if item.entry.note and not item.entry.enabled:
            out.print(f"[bold]{escape(item.entry.name)}[/bold] (disabled): {escape(item.entry.note)}", highlight=False)
    if left_out := len(found.items) - len(items):
        out.print(f"{left_out} disabled entries are not shown: --all", highlight=False)


def _together(items: Sequence[Item]) -> dict[str, str]:
    """Who fits beside whom by name, under those for whom it is the same; said of nobody where only one is planned."""
    planned = [item for item in items if item.memory is not None]
    if len(planned) < 2:
        return {}
    names = [item.entry.name for item in planned if item.entry.enabled]
    lines: dict[str, str] = {}
    for item in planned:
        if not item.fits:
            continue
        others = set(names) - {item.entry.name}
        beside = "each of the others" if others <= set(item.beside) else ", ".join(item.beside) or "none of the others"
        at_once = "all" if set(names) <= set(item.company) else ", ".join(item.company)
        lines[f"beside {item.entry.name}"] = beside + (f"; at once {at_once}" if len(item.company) > 2 else "")
    return lines


def _by_reason(items: Sequence[Item]) -> dict[str, list[str]]:
    """Names under what is missing or where they run, so that one absent network is told once."""
    reasons: dict[str, list[str]] = {}
    for item in items:
        if item.reason:
            said = f"{item.reason}: {item.health.message}" if item.health else item.reason
            reasons.setdefault(said, []).append(item.entry.name)
    return reasons


def _limit(found: Inventory) -> str:
    limit = found.budget
    return limit.said if limit.gib is None else f"{limit.gib:.1f} GiB ({limit.said})"


def _cells(item: Item) -> tuple[str, ...]:
    entry, memory = item.entry, item.memory
    size = "" if entry.parameters is None else f"{entry.parameters:g}"
    head = (entry.name, size, entry.precision or "")
    fits = {True: "yes", False: "no", None: "?"}[item.fits]
    if item.health is not None:
        return (*head, "", "", "", "", {True: "answers", False: "down", None: "?"}[item.health.ok], "")
    if memory is None:
        guess = "" if item.estimated_gib is None else f"≈ {item.estimated_gib:.1f}"
        return (*head, guess, "", "", "", fits if entry.engine in ("local", "zerogpu") else "—", "")
    figures = memory.as_dict()
    sizes = (f"{figures[key]:.2f}" for key in ("weights_gib", "kv_cache_gib", "overhead_gib", "total_gib"))
    beside = f"{len(item.beside)}, {len(item.company)} at once" if item.fits else ""
    return (*head, *sizes, fits, beside)


def _print_ticks(ticks: dict[str, list[Tick]]) -> None:
    marks = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[yellow]?[/yellow]"}
    table = Table(box=None, show_header=False)
    for whole in (True, True, True, False):  # only the detail may go on in a further line
        table.add_column(no_wrap=whole, overflow="fold")
    for name, found in ticks.items():
        for number, tick in enumerate(found):
            mend = f"\n→ {tick.mend}" if tick.mend else ""
            who = escape(name) if number == 0 else ""
            table.add_row(marks[tick.ok], who, tick.what, escape(tick.detail + mend))
    console().print(table)


def _dump(value: object) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write("\n")
