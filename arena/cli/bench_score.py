"""`arena bench score TASK`: score files that others made, a command per task.

Translates options into calls of `arena.benchmarks` and prints what they return. Knows no formula.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.benchmarks.answers import AnswerLengths
from arena.benchmarks.files import Table
from arena.benchmarks.scorers.against_baseline import Bootstrap
from arena.benchmarks.tasks import alpaca_eval, arena_hard, grounded_rag, ifeval, mt_bench
from arena.cli.bench_output import show, write_lines
from arena.cli.terminal import told
from arena.errors import FileFormatError

app = typer.Typer(help="Score files that others made.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


class SeedScheme(StrEnum):
    """How bootstrap rounds are seeded."""

    SEQUENTIAL = "sequential"
    PER_ROUND = "per-round"


class Which(StrEnum):
    """Which of several verdicts in one text counts."""

    FIRST = "first"
    LAST = "last"


class ArenaHardVersion(StrEnum):
    """Whose rules count games and report a score."""

    V0_1 = "v0.1"
    V2_0 = "v2.0"


@app.command("arena-hard")
@app.command("ru-arena-general", hidden=True)
@app.command("arena-hard-ru", hidden=True)
def score_arena_hard(
    battles: Annotated[Path | None, typer.Option(exists=True, help="CSV, JSONL or Parquet of weighted rows.")] = None,
    judgments: Annotated[Path | None, typer.Option(exists=True, help="Folder of model_judgment JSONL.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The model that every other was compared with.")] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Rounds of resampling.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sequential scheme.")] = 42,
    ci: Annotated[int | None, typer.Option(min=1, max=99, help="Interval in percent: 95, or 90 for v2.0.")] = None,
    seed_scheme: Annotated[SeedScheme, typer.Option(help="Seed once, or round i with i.")] = SeedScheme.SEQUENTIAL,
    length_control: Annotated[
        Path | None, typer.Option(exists=True, help="Answer features, answers, or rows with answer_len_delta.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(exists=True, help="Answers or their features, for average tokens.")
    ] = None,
    version: Annotated[ArenaHardVersion, typer.Option(help="Rules of Arena-Hard.")] = ArenaHardVersion.V0_1,
    category: Annotated[str | None, typer.Option(help="Only judgments of this category (v2.0).")] = None,
    judge: Annotated[str | None, typer.Option(help="Only judgments of this judge.")] = None,
    as_json: AsJson = False,
) -> None:
    """Win rates against a baseline with bootstrap intervals (Arena-Hard, Ru-Arena-General)."""
    if (battles is None) == (judgments is None):
        raise typer.BadParameter("give exactly one of --battles and --judgments")
    with told():
        if judgments is not None:
            rows = arena_hard.read_judgments(
                judgments, baseline, protocol=version.value, category=category, judge=judge
            )
            baseline = rows.models[0]
        else:
            assert battles is not None
            rows = arena_hard.read_battles(battles)
        confidence = (ci if ci is not None else (90 if version is ArenaHardVersion.V2_0 else 95)) / 100
        sheet = arena_hard.score(
            rows,
            baseline=baseline,
            bootstrap=Bootstrap(bootstrap, seed, seed_scheme.value, confidence),
            protocol=version.value,
            length_control=_length_control(length_control, battles, rows),
            lengths=AnswerLengths.read(answers) if answers else None,
        )
        show(sheet, as_json)


def _length_control(path: Path | None, battles: Path | None, rows: arena_hard.BattleFile) -> Any:
    if path is None:
        return None
    if battles is not None and path.samefile(battles):
        return "rows"
    if path.is_file() and "answer_len_delta" in Table.read(path):
        return arena_hard.row_marks(path, rows)
    return AnswerLengths.read(path)


@app.command("mt-bench")
@app.command("mt-bench-ru", hidden=True)
def score_mt_bench(
    single: Annotated[Path | None, typer.Option(exists=True, help="Single grades.")] = None,
    pairwise: Annotated[Path | None, typer.Option(exists=True, help="Pairwise verdicts in both orders.")] = None,
    verdicts: Annotated[Path | None, typer.Option(exists=True, help="Raw judge texts.")] = None,
    verdict: Annotated[Which, typer.Option(help="Which verdict of a text counts.")] = Which.FIRST,
    flags: Annotated[Path | None, typer.Option(help="Write the parsed value of each text here, as JSONL.")] = None,
    as_json: AsJson = False,
) -> None:
    """Means per model and category, judges' consistency, parse failures (MT-Bench, MT-Bench-Ru)."""
    if single is None and pairwise is None and verdicts is None:
        raise typer.BadParameter("give at least one of --single, --pairwise and --verdicts")
    with told():
        texts = mt_bench.read_verdicts(verdicts, verdict.value) if verdicts else []
        sheet = mt_bench.score(
            mt_bench.read_single(single) if single else [],
            mt_bench.read_pairwise(pairwise) if pairwise else [],
            texts,
            which=verdict.value,
        )
        if flags is not None:
            write_lines(flags, (row.as_flags() for row in texts))
        show(sheet, as_json)


@app.command("alpaca-eval")
@app.command("alpaca-eval-ru", hidden=True)
def score_alpaca_eval(
    annotations: Annotated[Path, typer.Option(exists=True, help="model, index, preference, len_1, len_2.")],
    difficulty: Annotated[Path, typer.Option(exists=True, help="index, instruction_difficulty.")],
    gamed: Annotated[Path | None, typer.Option(exists=True, help="The gamed baselines' rows of the fit.")] = None,
    weights: Annotated[Path | None, typer.Option(exists=True, help="Published weights instead of a refit.")] = None,
    as_json: AsJson = False,
) -> None:
    """Win rate, standard error and length-controlled win rate (AlpacaEval 2, AlpacaEval-Ru)."""
    with told():
        sheet = alpaca_eval.score(
            alpaca_eval.read_annotations(annotations),
            alpaca_eval.read_difficulty(difficulty),
            gamed=alpaca_eval.read_gamed(gamed) if gamed else None,
            weights=alpaca_eval.read_weights(weights) if weights else None,
        )
        show(sheet, as_json)


Prompts = Annotated[Path, typer.Option(exists=True, help="key, prompt, instruction_id_list, kwargs.")]
Responses = Annotated[Path, typer.Option(exists=True, help="prompt, response or model, key, response.")]
Flags = Annotated[Path | None, typer.Option(help="Write every answer's flags here, as JSONL.")]


@app.command("ifeval")
def score_ifeval(prompts: Prompts, responses: Responses, flags: Flags = None, as_json: AsJson = False) -> None:
    """Accuracy at prompt and instruction level, strict and loose (IFEval)."""
    _score_instructions(prompts, responses, flags, as_json, "en")


@app.command("ru-ifeval")
@app.command("ifeval-ru", hidden=True)
def score_ru_ifeval(prompts: Prompts, responses: Responses, flags: Flags = None, as_json: AsJson = False) -> None:
    """The same on Russian prompts and answers (ruIFEval)."""
    _score_instructions(prompts, responses, flags, as_json, "ru")


def _score_instructions(
    prompts: Path, responses: Path, flags: Path | None, as_json: bool, language: ifeval.Language
) -> None:
    with told():
        asked = ifeval.read_prompts(prompts)
        answered = ifeval.read_responses(responses)
        checked = ifeval.check(asked, answered, language)
        if not checked:
            raise FileFormatError("no response belongs to a prompt, by key or by wording", path=responses)
        if flags is not None:
            write_lines(flags, (item.as_flags() for item in checked))
        show(ifeval.score(asked, checked, language, strangers=answered.strangers(asked)), as_json)


@app.command("grounded-rag")
def score_grounded_rag(
    runs: Annotated[Path, typer.Option(exists=True, help="Graded answers: model, score, and what the file has.")],
    as_json: AsJson = False,
) -> None:
    """Weighted score, language consistency and counts of grades (Ragaliq)."""
    with told():
        show(grounded_rag.score_runs(grounded_rag.read_runs(runs)), as_json)
