"""`arena bench run TASK --model NAME`: answer a benchmark's questions, have them judged, score, keep the score.

Builds engines, shows progress and prints; how answers are drawn, judged and scored is the
benchmarks' business. Killed at any moment, the same command goes on where it was.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import Progress as Bars

from arena.benchmarks.answers import read_texts
from arena.benchmarks.files import stem
from arena.benchmarks.judging import Answers, Bench, check_correctness, grade_turns, judge_pairs
from arena.benchmarks.questions import Question
from arena.benchmarks.runlog import RunLog, read_log
from arena.benchmarks.runner import Plan, Progress, answer_all, open_run, run_folder
from arena.benchmarks.scoreboard import Scoreboard, file_name
from arena.benchmarks.sheets import Difficulty, FinishedRun, sheet_of, texts_of
from arena.benchmarks.task import Benchmark, JudgedBy, ScoreSheet
from arena.cli.bench_judges import JudgeAtWork
from arena.cli.bench_output import bar, bars
from arena.config import Catalog, Contestant, Judge, Settings
from arena.errors import ConfigError
from arena.judge.prompts import JudgingProtocol, OfficialProtocol, OwnProtocol
from arena.service.accounts import Accounted, Accounts
from arena.service.fleet import Fleet, build_fleet
from arena.service.local_models import PooledModels
from arena.service.opening import open_store
from arena.types import Decoding


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asked for, beside the task and the models; None leaves the task's own."""

    seed: int = 42
    temperature: float | None = None
    max_tokens: int | None = None
    concurrency: int | None = None
    limit: int | None = None
    fresh: bool = False
    baseline: str | None = None
    baseline_answers: Path | None = None
    references: Path | None = None
    difficulty: Difficulty | None = None
    protocol: JudgingProtocol = OwnProtocol()

    def plan(self, task: Benchmark, model: str) -> Plan:
        """The terms of one model's run."""
        own = task.decoding
        decoding = Decoding(
            temperature=own.temperature if self.temperature is None else self.temperature,
            top_p=own.top_p,
            max_tokens=self.max_tokens or own.max_tokens,
        )
        return Plan(task.name, model, self.seed, decoding, task.temperatures if self.temperature is None else {})


@dataclass(frozen=True, slots=True)
class RunningTask:
    """Everything a run needs that does not change from model to model."""

    task: Benchmark
    file: Path
    questions: Sequence[Question]
    options: RunOptions
    settings: Settings
    bars: Bars
    scoreboard: Scoreboard

    @property
    def runs(self) -> Path:
        """Where runs are kept."""
        return self.settings.storage / "runs"

    @property
    def asked(self) -> Sequence[Question]:
        """The questions of this run, the first few when only some are wanted."""
        return self.questions[: self.options.limit]

    def baseline(self) -> tuple[str, Answers]:
        """The model to compare with and its answers. Raises `ConfigError` with the way to get them."""
        options = self.options
        if options.baseline_answers is not None:
            name = options.baseline or stem(options.baseline_answers)
            return name, read_texts(options.baseline_answers, self.questions)
        if options.baseline is None:
            raise ConfigError(f"{self.task.name} compares with a baseline", key="--baseline", suggestion="name one")
        answers = texts_of(read_log(run_folder(self.runs, self.task.name, options.baseline) / "answers.jsonl"))
        if not answers:
            raise ConfigError(
                f"{options.baseline} has not answered {self.task.name} yet",
                key="--baseline",
                suggestion=f"run it first with --model {options.baseline}, or give --baseline-answers",
            )
        return options.baseline, answers


def run_task(
    task: Benchmark, entries: Sequence[Contestant], referee: Judge | None, file: Path, catalog: Catalog,
    settings: Settings, options: RunOptions,
) -> tuple[list[ScoreSheet], int]:  # fmt: skip
    """Run a task for each model in turn; the sheets, and how many questions or judgments failed."""
    return asyncio.run(_run(task, entries, referee, file, catalog, settings, options))


async def _run(
    task: Benchmark, entries: Sequence[Contestant], referee: Judge | None, file: Path, catalog: Catalog,
    settings: Settings, options: RunOptions,
) -> tuple[list[ScoreSheet], int]:  # fmt: skip
    fleet = _fleet(entries, referee, catalog, settings, options.protocol)
    sheets, failed = [], 0
    with ExitStack() as stack:
        store = stack.enter_context(open_store(settings))
        shown = stack.enter_context(bars())
        bench = RunningTask(task, file, task.read(file), options, settings, shown, Scoreboard(store))
        judge = None if referee is None else JudgeAtWork(referee, fleet, store, options.protocol)
        paid = [entry.name for entry in entries if entry.name in fleet.meters]
        accounts = Accounts(store, {name: fleet.meters[name] for name in paid})  # a judge has a purse of its own
        accounts.open()
        await fleet.start()
        try:
            for entry in entries:
                sheet, lost = await _run_model(bench, entry, Accounted(fleet.engine(entry.name), accounts), judge)
                sheets.append(sheet)
                failed += lost
        finally:
            await accounts.keep()
            await fleet.close()
    return sheets, failed


def _fleet(
    entries: Sequence[Contestant], referee: Judge | None, catalog: Catalog, settings: Settings,
    protocol: JudgingProtocol,
) -> Fleet:  # fmt: skip
    """Engines for these and the judge, one that runs here as their guest: the same weights are loaded once.

    A worker says its contestant's system prompt where a conversation has none, so a judge whose official protocol
    has none keeps a place of its own.
    """
    working = tuple(entry.model_copy(update={"enabled": True}) for entry in entries)
    judges = () if referee is None else (referee.model_copy(update={"enabled": True}),)
    wordless = isinstance(protocol, OfficialProtocol) and not protocol.system_prompt
    if wordless or any(judge.engine != "local" for judge in judges):
        working, judges = (*working, *judges), ()
    return build_fleet(replace(catalog, contestants=working, judges=judges), settings, PooledModels)


async def _run_model(
    bench: RunningTask, entry: Contestant, engine: Accounted, judge: JudgeAtWork | None
) -> tuple[ScoreSheet, int]:
    """Answer, judge, score and keep one model's run."""
    folder = run_folder(bench.runs, bench.task.name, entry.name)
    if bench.options.fresh and folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}"))
    plan = bench.options.plan(bench.task, entry.name)
    with open_run(bench.runs, plan, bench.questions) as log:
        progress = await answer_all(
            bench.asked,
            engine,
            log,
            plan,
            dialogue=bench.task.dialogue(entry.chat.documents_role),
            concurrency=bench.options.concurrency or entry.concurrency,
            shown=bar(bench.bars, f"{entry.name}: answers"),
        )
        keys = {question.key for question in bench.asked}
        answers = [record for record in log if str(record["question_id"]) in keys]
    run = FinishedRun(entry.name, bench.asked, answers, difficulty=bench.options.difficulty)
    judged = Progress(0)
    if judge is not None and bench.task.judged_by is not JudgedBy.PROGRAM:
        run, judged = await _judge_run(bench, run, judge, folder / "judgments")
    sheet = _with_failures(sheet_of(bench.task, run, bench.file), progress, judged)
    by = {"judge": judge.name, "protocol": run.protocol} if judge is not None and run.judgments else {}
    await asyncio.to_thread(bench.scoreboard.keep, sheet, entry.name, **by)
    return sheet, progress.failed + judged.failed


async def _judge_run(
    bench: RunningTask, run: FinishedRun, judge: JudgeAtWork, folder: Path
) -> tuple[FinishedRun, Progress]:
    """Have a run judged; judgments lie in a file of their own for every judge, baseline and wording.

    The answers are all that the run has, since judgments of more questions than are asked this time may lie there.
    """
    terms = Bench(
        judge.name,
        run.model,
        bench.task.language,
        judge.entry.concurrency,
        bar(bench.bars, f"{run.model}: judged by {judge.name}"),
    )
    answers, rng, name = texts_of(read_log(folder.parent / "answers.jsonl")), random.SystemRandom(), judge.name
    baseline, theirs = bench.baseline() if bench.task.judged_by is JudgedBy.PAIRS else ("", {})
    against = [f"vs {baseline}"] if baseline else []
    asked = bench.options.protocol if bench.task.judged_by is JudgedBy.PAIRS else OwnProtocol()
    protocol = " ".join([asked.name, *against])
    words = [] if isinstance(asked, OwnProtocol) else [asked.name]
    path = folder / f"{file_name(' '.join([name, *against, *words]))}.jsonl"
    with RunLog(path) as log:
        match bench.task.judged_by:
            case JudgedBy.PAIRS:
                done = await judge_pairs(run.questions, answers, theirs, judge.of_pairs(), log, terms)
            case JudgedBy.GRADES:
                references = _references(bench)
                done = await grade_turns(
                    run.questions, answers, judge.of_texts(), log, terms, references=references, rng=rng
                )
            case _:
                done = await check_correctness(run.questions, answers, judge.of_texts(), log, terms, rng=rng)
        judgments = list(log)
    judged = replace(run, judgments=judgments, judgments_file=path, baseline=baseline, protocol=protocol)
    return replace(judged, baseline_answers=bench.options.baseline_answers), done


def _references(bench: RunningTask) -> Mapping[str, tuple[str, ...]]:
    path = bench.options.references
    return read_texts(path, bench.questions) if path is not None else {}


def _with_failures(sheet: ScoreSheet, *parts: Progress) -> ScoreSheet:
    notes = [f"{count} failed: {reason}" for part in parts for reason, count in part.reasons.items()]
    notes += [f"{part.outdated} judgments were of other answers: laid aside" for part in parts if part.outdated]
    return replace(sheet, notes=[*sheet.notes, *notes]) if notes else sheet
