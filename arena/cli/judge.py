"""`judge`: let the judges of models.yaml work through finished battles, beside a running arena or without one.

Builds engines, shows progress and money; what is judged and how is `arena.judge`'s business.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from arena.cli.bench_output import bars as bars_on_stderr
from arena.cli.terminal import DatabaseOption, StorageOption, told
from arena.config import Catalog, Judge, Settings, load_catalog, resolve_profile
from arena.errors import ConfigError
from arena.judge.crew import battle_judge, judges_fleet
from arena.judge.judge import Shown, Tally
from arena.judge.prompts import JudgingProtocol, OwnProtocol, read_judge_config
from arena.service.opening import open_store


def judge(
    names: Annotated[
        list[str] | None, typer.Option("--judge", help="A judge of models.yaml, also a disabled one; may be repeated.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--judge-config", help="Arena-Hard's judge_config.yaml, asked word for word.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Calls at once; the judge's concurrency without it.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Queue anew what failed before, then judge.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with new battles until stopped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
    profile: Annotated[str | None, typer.Option(help="gpu, cpu, demo or auto.")] = None,
    models: Annotated[Path | None, typer.Option(help="The file of contestants and judges.")] = None,
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Judge every voted battle that a judge has not seen, both orders each. Stop and start again at any moment."""
    with told():
        settings = Settings.from_environment(profile=profile, models=models, database=database, storage=storage)
        catalog = load_catalog(settings.models, resolve_profile(settings))
        chosen = choose(catalog, names or [])
        protocol = read_judge_config(config) if config is not None else OwnProtocol()
        tallies = asyncio.run(_judge_with(chosen, catalog, settings, protocol, workers, watch, retry_failed))
        _report(tallies, as_json=as_json)


def choose(catalog: Catalog, names: list[str]) -> tuple[Judge, ...]:
    """The judges that were named, else those enabled. Raises `ConfigError` when there is none."""
    chosen = tuple(catalog.judge(name) for name in names) if names else catalog.enabled_judges
    if not chosen:
        raise ConfigError(
            "no judge is enabled",
            file=catalog.file,
            key="judges",
            suggestion="name one with --judge, or set enabled: true",
        )
    return chosen


async def _judge_with(
    judges: tuple[Judge, ...],
    catalog: Catalog,
    settings: Settings,
    protocol: JudgingProtocol,
    workers: int | None,
    watch: bool,
    retry_failed: bool,
) -> dict[str, Tally]:
    """Every judge in turn (side by side when watching), each with an engine, a purse and a bar of its own."""
    fleet = judges_fleet(judges, catalog, settings)
    with open_store(settings) as store, bars_on_stderr() as bars:
        await fleet.start()
        try:
            made = {
                entry.name: battle_judge(entry, fleet.engine(entry.name), store, protocol=protocol, workers=workers)
                for entry in judges
            }
            for one in made.values() if retry_failed else ():
                _tell_failed(one.name, *(known.errors for known in store.judge_standings() if known.judge == one.name))
                await one.retry_failed()
            if watch:
                await asyncio.gather(*(one.watch(shown=_bar(bars, name)) for name, one in made.items()))
            for name, one in made.items():
                await one.enqueue()
                await one.run(_bar(bars, name))
        finally:
            await fleet.close()
    return {name: one.tally for name, one in made.items()}


def _tell_failed(judge: str, *errors: Iterable[tuple[str, int]]) -> None:
    """On standard error: why a judge's jobs failed before, the commonest reason first."""
    for reason, count in chain(*errors):
        typer.echo(f"{judge}: failed before: {reason} ({count})", err=True)


def _bar(bars: Progress, name: str) -> Shown:
    task = bars.add_task(name, total=None, detail="")

    def shown(tally: Tally) -> None:
        bars.update(task, completed=tally.done + tally.failed, total=tally.total, detail=_detail(tally))

    return shown


def _detail(tally: Tally) -> str:
    parts = [f"cost {tally.cost:.4f}", f"unscored {tally.unscored}", f"flips {tally.flipped}"]
    return ", ".join([*parts, f"failed {tally.failed}"] if tally.failed else parts)


def _report(tallies: dict[str, Tally], *, as_json: bool) -> None:
    """What every judge did; exit status 1 when one had to stop before the work was done."""
    if as_json:
        judges = [{"judge": name, **asdict(tally)} for name, tally in tallies.items()]
        typer.echo(json.dumps({"judges": judges}, ensure_ascii=False))
    else:
        for name, tally in tallies.items():
            typer.echo(f"{name}: {tally.done} of {tally.total} battles judged, {_detail(tally)}")
            if tally.failed:
                typer.echo("  judge --retry-failed tries the failed ones again")
            for reason, count in sorted(tally.reasons.items(), key=lambda item: -item[1]):
                typer.echo(f"  unscored in one order: {reason} ({count})")
    stopped = [f"{name}: {tally.stopped}" for name, tally in tallies.items() if tally.stopped]
    for line in stopped:
        typer.echo(f"arena: stopped: {line}", err=True)
    if stopped:
        raise typer.Exit(1)
