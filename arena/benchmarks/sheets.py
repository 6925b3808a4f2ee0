"""The score sheet of a finished run: answers and judgments of ours through the scorers of others' files.

Knows which scorer belongs to which way of judging; no formula of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from arena.benchmarks.answers import AnswerLengths, read_texts
from arena.benchmarks.files import Record
from arena.benchmarks.judging import Answers, preference
from arena.benchmarks.questions import Question
from arena.benchmarks.runlog import read_log
from arena.benchmarks.runner import answers_of
from arena.benchmarks.scoreboard import file_name
from arena.benchmarks.scorers.by_question import QuestionBootstrap
from arena.benchmarks.task import Benchmark, JudgedBy, ScoreSheet
from arena.benchmarks.tasks import alpaca_eval, arena_hard, ifeval, mt_bench
from arena.benchmarks.tasks.grounded_dialogue import grounded_answer
from arena.benchmarks.tasks.grounded_rag import score_answers
from arena.errors import FileFormatError


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What AlpacaEval's length control needs beside the judgments."""

    instructions: Mapping[int, float]
    gamed: alpaca_eval.Gamed | None = None


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """One model's run: its questions, its answers, and the judgments' file and lines (none without a judge)."""

    model: str
    questions: Sequence[Question]
    answers: Sequence[Record]
    judgments: Sequence[Record] = ()
    judgments_file: Path | None = None
    baseline: str = ""
    baseline_answers: Path | None = None  # a file that others made
    protocol: str = ""  # how the judge was asked, and against whom
    difficulty: Difficulty | None = None
    bootstrap: QuestionBootstrap = QuestionBootstrap()


def texts_of(records: Sequence[Record]) -> Answers:
    """The answers by key."""
    return {str(record["question_id"]): answers_of(record) for record in records}


def sheet_of(task: Benchmark, run: FinishedRun, questions_file: Path) -> ScoreSheet:
    """Score a run; without judgments a judged task has lengths to show and no score."""
    if task.judged_by is JudgedBy.PROGRAM:
        sheet = _instructions(task, run, questions_file)
    elif task.judged_by is JudgedBy.CORRECTNESS:
        sheet = _grounded(run)
    elif run.judgments_file is None or not run.judgments:
        sheet = _unjudged(run)
    elif task.judged_by is JudgedBy.GRADES:
        sheet = mt_bench.score(mt_bench.read_single(run.judgments_file))
    elif task.name.startswith(alpaca_eval.NAME):
        sheet = _preferences(run)
    else:
        sheet = _battles(run, run.judgments_file)
    missing = len(run.questions) - len(run.answers)
    notes = [f"{run.model}: {missing} of {len(run.questions)} questions without an answer"] if missing > 0 else []
    return replace(sheet, task=task.name, notes=[*sheet.notes, *notes])


def _instructions(task: Benchmark, run: FinishedRun, questions_file: Path) -> ScoreSheet:
    asked = {question.key for question in run.questions}
    prompts = [prompt for prompt in ifeval.read_prompts(questions_file) if prompt.key in asked]
    last = {key: turns[-1] for key, turns in texts_of(run.answers).items()}
    language: ifeval.Language = "ru" if task.language == "ru" else "en"
    return ifeval.score(prompts, ifeval.check(prompts, ifeval.Responses({run.model: last}, {}), language), language)


def _grounded(run: FinishedRun) -> ScoreSheet:
    correct = {str(record["question_id"]): record.get("correct") for record in run.judgments}
    texts = texts_of(run.answers)
    return score_answers(
        grounded_answer(question, run.model, texts[question.key], correct.get(question.key))
        for question in run.questions
        if question.key in texts
    )


def _unjudged(run: FinishedRun) -> ScoreSheet:
    row = {"model": run.model, "score": None, "avg_tokens": _tokens(run), "answers": len(run.answers)}
    return ScoreSheet("", "answers only", [row], 0, ["no judge, so no score: name one with --judge"])


def _tokens(run: FinishedRun) -> int | None:
    lengths = [record["choices"][0]["turns"][0]["token_len"] for record in run.answers]
    known = [length for length in lengths if length is not None]
    return int(sum(known) / len(known)) if known else None


def _battles(run: FinishedRun, file: Path) -> ScoreSheet:
    battles = arena_hard.read_judgments(file, run.baseline)
    lengths = _lengths(run, file.parent.parent)
    return arena_hard.score(battles, baseline=run.baseline, bootstrap=run.bootstrap, lengths=lengths)


def _lengths(run: FinishedRun, folder: Path) -> AnswerLengths:
    """Tokens of the model's answers and, where they are those that the judge saw, of the baseline's."""
    own = AnswerLengths.read(folder / "answers.jsonl")
    theirs = run.baseline_answers or folder.parent / file_name(run.baseline) / "answers.jsonl"
    known = read_texts(theirs, run.questions) if run.baseline_answers else texts_of(read_log(theirs))
    seen = {str(line["question_id"]): tuple(line.get("baseline_answer", ())) for line in run.judgments}
    same = bool(seen) and all(known.get(key) == texts for key, texts in seen.items())
    if not same or not own.questions.keys() <= known.keys():
        return own
    try:
        lengths = AnswerLengths.read(theirs)
    except FileFormatError:  # answers by their wording, without tokens
        return own
    alone = lengths.models[0] if run.baseline_answers and len(lengths.models) == 1 else run.baseline
    tokens = lengths.of(alone)  # a file of one model is the baseline's, whatever it is called there
    if tokens is None:
        return own
    places = [lengths.questions[key] for key in own.questions]
    return replace(own, by_model={**own.by_model, run.baseline: tokens[places]})


def _preferences(run: FinishedRun) -> ScoreSheet:
    """Both orders make a preference; an instruction's number is its place in the file."""
    place = {question.key: number for number, question in enumerate(run.questions)}
    texts = texts_of(run.answers)
    rows = [record for record in run.judgments if str(record["question_id"]) in place]
    keys = [str(record["question_id"]) for record in rows]
    found = [preference(record["games"]) for record in rows]
    annotations = alpaca_eval.Annotations(
        np.array([place[key] for key in keys], dtype=np.int64),
        np.array([math.nan if value is None else value - 1 for value in found], dtype=np.float64),
        np.array([len(record["baseline_answer"][0]) for record in rows], dtype=np.float64),
        np.array([len(texts[key][0]) for key in keys], dtype=np.float64),
    )
    known = run.difficulty or Difficulty({})
    return alpaca_eval.score({run.model: annotations}, known.instructions, gamed=known.gamed)
