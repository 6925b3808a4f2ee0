"""`arena bench`: list the benchmarks, run them, score files that others made, import the harness's results.

Translates options into calls of `arena.benchmarks` and prints what they return. Knows no formula.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from arena.benchmarks.scoreboard import Scoreboard
from arena.benchmarks.sheets import Difficulty
from arena.benchmarks.task import Benchmark, Row, ScoreSheet, plain
from arena.benchmarks.tasks import ALL, benchmark, lm_eval
from arena.benchmarks.tasks.alpaca_eval import read_difficulty, read_gamed
from arena.cli.bench_output import show
from arena.cli.bench_run import RunOptions, run_task
from arena.cli.bench_score import AsJson
from arena.cli.bench_score import app as score
from arena.cli.terminal import told
from arena.config import Settings, load_catalog, resolve_profile
from arena.errors import FileFormatError
from arena.judge.prompts import OwnProtocol, read_judge_config
from arena.service.opening import open_store

app = typer.Typer(help="Benchmarks: list, run, score, import.", no_args_is_help=True)
imports = typer.Typer(help="Read results that another program made and keep them.", no_args_is_help=True)
app.add_typer(score, name="score")
app.add_typer(imports, name="import")


@app.command("list")
def list_tasks(as_json: AsJson = False) -> None:
    """The tasks, where their questions come from and who judges."""
    rows: list[dict[str, str | None]] = [
        {
            "task": task.name,
            "title": task.title,
            "language": task.language,
            "judged_by": task.judged_by.value,
            "questions": f"{task.questions.repository}: {task.questions.name}" if task.questions else None,
            "source": task.source,
        }
        for task in ALL
    ]
    harness: dict[str, str | None] = {
        "task": lm_eval.NAME,
        "title": "lm-evaluation-harness",
        "source": "bench import lm-eval RESULTS.json",
    }
    if as_json:
        typer.echo(json.dumps({"tasks": plain([*rows, harness])}, ensure_ascii=False))
        return
    for row in [*rows, harness]:
        typer.echo("  ".join((f"{row['task']:<18}", f"{row.get('judged_by', ''):<12}", str(row["source"]))))


@app.command("run")
def run(
    task: Annotated[str, typer.Argument(help="A task of `bench list`.")],
    models: Annotated[list[str], typer.Option("--model", help="A contestant of models.yaml; may be repeated.")],
    questions: Annotated[Path | None, typer.Option(exists=True, help="Else the task's hub file.")] = None,
    judge: Annotated[str | None, typer.Option(help="A judge of models.yaml.")] = None,
    judge_config: Annotated[Path | None, typer.Option(exists=True, help="Arena-Hard's judge_config.yaml.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The model to compare with.")] = None,
    baseline_answers: Annotated[Path | None, typer.Option(exists=True, help="Its answers, made by others.")] = None,
    references: Annotated[Path | None, typer.Option(exists=True, help="Reference answers for the judge.")] = None,
    difficulty: Annotated[Path | None, typer.Option(exists=True, help="AlpacaEval's instruction difficulty.")] = None,
    gamed: Annotated[Path | None, typer.Option(exists=True, help="AlpacaEval's gamed baselines.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many questions, from the first.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Answers at once.")] = None,
    seed: Annotated[int, typer.Option(help="Every answer's seed derives from it and is stored.")] = 42,
    temperature: Annotated[float | None, typer.Option(min=0, help="Instead of the task's own.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Instead of the task's own.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Lay a former run aside and begin anew.")] = False,
    profile: Annotated[str | None, typer.Option(help="gpu, cpu, demo or auto.")] = None,
    catalog_file: Annotated[Path | None, typer.Option("--models", help="The file of contestants and judges.")] = None,
    database: Annotated[str | None, typer.Option(help="Where scores and spending are kept.")] = None,
    storage: Annotated[Path | None, typer.Option(help="The arena's storage folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer, judge and score. Killed at any moment, the same command goes on with nothing done twice."""
    with told():
        chosen = benchmark(task)
        options = RunOptions(
            seed=seed,
            temperature=temperature,
            max_tokens=max_tokens,
            concurrency=concurrency,
            limit=limit,
            fresh=fresh,
            baseline=baseline,
            baseline_answers=baseline_answers,
            references=references,
            difficulty=_difficulty(difficulty, gamed),
            protocol=read_judge_config(judge_config) if judge_config is not None else OwnProtocol(),
        )
        settings = Settings.from_environment(profile=profile, models=catalog_file, database=database, storage=storage)
        catalog = load_catalog(settings.models, resolve_profile(settings), storage=settings.storage)
        entries = [catalog.contestant(name) for name in models]
        referee = catalog.judge(judge) if judge is not None else None
        file = questions if questions is not None else _from_hub(chosen)
        sheets, failed = run_task(chosen, entries, referee, file, catalog, settings, options)
        show(_together(sheets), as_json)
    if failed:
        raise typer.Exit(1)


def _from_hub(task: Benchmark) -> Path:
    if task.questions is None:
        raise FileFormatError(f"{task.name} needs --questions: {task.source}")
    return task.questions.fetch()


def _difficulty(difficulty: Path | None, gamed: Path | None) -> Difficulty | None:
    if difficulty is None:
        return None
    return Difficulty(read_difficulty(difficulty), read_gamed(gamed) if gamed else None)


def _together(sheets: list[ScoreSheet]) -> ScoreSheet:
    """The models' sheets as one; a baseline that stands in each stands once, with the battles of all."""
    names = {name for sheet in sheets for name in sheet.sections}
    return ScoreSheet(
        sheets[0].task,
        sheets[0].protocol,
        _each_once(row for sheet in sheets for row in sheet.models),
        sum(sheet.unscored for sheet in sheets),
        list(dict.fromkeys(note for sheet in sheets for note in sheet.notes)),
        {name: [row for sheet in sheets for row in sheet.sections.get(name, ())] for name in sorted(names)},
    )


def _each_once(rows: Iterable[Row]) -> list[Row]:
    """Rows that agree in all their words (model, judge, language, domain …) as one, their battles added up."""
    once: dict[tuple[str, ...], Row] = {}
    for row in rows:
        words = tuple(value for value in row.values() if isinstance(value, str))
        battles = once.get(words, {}).get("battles", 0) + row.get("battles", 0)
        once[words] = {**once.get(words, row), **({"battles": battles} if "battles" in row else {})}
    return list(once.values())


@imports.callback()
def _import_what() -> None:
    """Read results that another program made and keep them."""


@imports.command("lm-eval")
def import_lm_eval(
    results: Annotated[Path, typer.Argument(exists=True, help="The results file of lm-evaluation-harness 0.4.")],
    model: Annotated[str, typer.Option(help="The contestant whose results these are.")],
    database: Annotated[str | None, typer.Option(help="Where scores are kept.")] = None,
    storage: Annotated[Path | None, typer.Option(help="The arena's storage folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the harness's results as columns beside the rating (ruMMLU, MERA, ruGSM8K …)."""
    with told():
        sheet = lm_eval.import_results(results, model)
        settings = Settings.from_environment(database=database, storage=storage)
        with open_store(settings) as store:
            board = Scoreboard(store, settings.storage / "scores")
            former = board.of(lm_eval.NAME, model)
            board.keep(lm_eval.joined(former.sheet, sheet) if former else sheet, model)
        show(sheet, as_json)
