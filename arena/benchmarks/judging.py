"""The judged half of a run: pairs against a baseline, grades of turns, correct or not.

The judge is handed in: a function of two answers, or one that answers a conversation. Every finished
judgment is on disk before it counts, in the format that `score` reads. Knows no engine and no price.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from arena.benchmarks.files import Record, as_text
from arena.benchmarks.grading import (
    Marked,
    ask_for_grade,
    ask_whether_correct,
    read_correctness,
    read_grade,
)
from arena.benchmarks.questions import Question
from arena.benchmarks.runlog import RunLog, kept
from arena.benchmarks.runner import Progress, Shown, work_through
from arena.benchmarks.tasks.grounded_dialogue import grounded_answer
from arena.types import Conversation

Answers = Mapping[str, tuple[str, ...]]
"""The texts of finished items by key, one per turn."""

ABOUT = "answers_digest"
"""In a line: of which answers, and beside which baseline's or reference's, it is the judgment."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What a pairwise judge sees in game 1: the baseline's answers as A, the model's as B."""

    question: Question
    baseline: tuple[str, ...]
    model: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Game:
    """One order: the label as the judge wrote it (an unknown one too; None: there is none) and its words."""

    label: str | None
    words: str


PairJudge = Callable[[Pair], Awaitable[tuple[Game, Game]]]
"""Judges both orders; the second shows the model as A."""

TextJudge = Callable[[Conversation], Awaitable[str]]
"""Answers a conversation in the judge's words."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Who judges whom, and how: the judge's name, the model's, the language, how many calls at once."""

    judge: str
    model: str
    language: str
    concurrency: int = 8
    shown: Shown = lambda progress: None
    clock: Callable[[], float] = time.time


async def judge_pairs(
    questions: Sequence[Question], answers: Answers, baseline: Answers, judge: PairJudge, log: RunLog, bench: Bench
) -> Progress:
    """Both orders of every item that model and baseline have answered; lines as Arena-Hard's `model_judgment`."""

    async def work(question: Question) -> None:
        pair = Pair(question, baseline[question.key], answers[question.key], bench.language)
        games = await judge(pair)
        await kept(
            log,
            {
                "question_id": question.key,
                "model": bench.model,
                "judge": bench.judge,
                "category": question.category,
                "games": [{"score": game.label, "judgment": game.words} for game in games],
                "baseline_answer": list(pair.baseline),
                ABOUT: _digest(pair.model, pair.baseline),
                "tstamp": bench.clock(),
            },
        )

    both = [question for question in questions if question.key in answers and question.key in baseline]
    return await _judged(both, work, log, bench, answers, baseline)


async def grade_turns(
    questions: Sequence[Question],
    answers: Answers,
    judge: TextJudge,
    log: RunLog,
    bench: Bench,
    *,
    references: Answers,
    rng: random.Random,
) -> Progress:
    """A grade for every turn, with the reference answer where there is one; −1 where no grade could be read."""

    async def work(question: Question) -> None:
        given = answers[question.key]
        known = references.get(question.key, ())
        texts, grades = [], []
        for last in range(1, min(len(given), len(question.turns)) + 1):
            reference = known[last - 1] if len(known) >= last else ""
            text, value = await _graded(question.turns[:last], given[:last], reference, judge, bench.language, rng)
            texts.append(text)
            grades.append(value)
        await kept(
            log,
            {
                "question_id": question.key,
                "category": question.category,
                "model": bench.model,
                "who": bench.model,
                "judge": bench.judge,
                "lang": bench.language,
                "proto": "single",
                **{f"score_turn{turn}": value for turn, value in enumerate((*grades, -1.0, -1.0)[:2], start=1)},
                **{f"text{turn}": text for turn, text in enumerate((*texts, "", "")[:2], start=1)},
                ABOUT: _digest(given, known),
                "tstamp": bench.clock(),
            },
        )

    answered = [question for question in questions if question.key in answers]
    return await _judged(answered, work, log, bench, answers, references)


async def _graded(
    turns: Sequence[str], answers: Sequence[str], reference: str, judge: TextJudge, language: str, rng: random.Random
) -> tuple[str, float]:
    """A first try, and a second when there is no grade in the words of the first."""
    text, value = "", None
    for _ in range(2):
        marked = _marked(rng)
        text = await judge(ask_for_grade(turns, answers, language, marked, reference))
        value = read_grade(text, marked)
        if value is not None:
            break
    return text, -1.0 if value is None else value


async def check_correctness(
    questions: Sequence[Question], answers: Answers, judge: TextJudge, log: RunLog, bench: Bench, *, rng: random.Random
) -> Progress:
    """Whether each grounded answer is right; null where the judge did not say."""

    async def work(question: Question) -> None:
        answer = grounded_answer(question, bench.model, answers[question.key])
        text, correct = "", None
        for _ in range(2):
            marked = _marked(rng)
            documents = "\n\n".join(str(document) for document in question.fields["documents"])
            asked = (question.turns[0], documents, answer.answer, answer.reference)
            text = await judge(ask_whether_correct(*asked, bench.language, marked))
            correct = read_correctness(text, marked)
            if correct is not None:
                break
        line: dict[str, Any] = {"question_id": question.key, "model": bench.model, "judge": bench.judge}
        line |= {"correct": correct, "judgment": text, ABOUT: _digest(answers[question.key])}
        await kept(log, {**line, "tstamp": bench.clock()})

    answered = [question for question in questions if question.key in answers]
    return await _judged(answered, work, log, bench, answers)


async def _judged(
    questions: Sequence[Question],
    work: Callable[[Question], Awaitable[None]],
    log: RunLog,
    bench: Bench,
    answers: Answers,
    beside: Answers = MappingProxyType({}),
) -> Progress:
    """Judge what is not judged yet; judgments of other answers are laid aside first, with their words."""
    others = [as_text(line["question_id"]) for line in log if not _is_about(line, answers, beside)]
    if others:
        stamp = f"{datetime.fromtimestamp(bench.clock(), UTC):%Y%m%dT%H%M%S%f}"
        await asyncio.to_thread(log.lay_aside, others, stamp)
    waiting = [question for question in questions if question.key not in log]
    done = await work_through(waiting, work, len(questions), bench.concurrency, bench.shown)
    return replace(done, outdated=len(others))


def _is_about(line: Record, answers: Answers, beside: Answers) -> bool:
    """Whether a judgment is of these answers; a line from before it carried a digest tells the baseline's at most."""
    key, seen = as_text(line["question_id"]), line.get("baseline_answer")
    if ABOUT in line:
        return bool(line[ABOUT] == _digest(answers.get(key, ()), beside.get(key, ())))
    return seen is None or tuple(seen) == beside.get(key, ())


def _digest(answers: Sequence[str], beside: Sequence[str] = ()) -> str:
    return hashlib.sha256(json.dumps([list(answers), list(beside)]).encode()).hexdigest()[:16]


def _marked(rng: random.Random) -> Marked:
    return Marked(f"{rng.getrandbits(48):012x}")


def preference(games: Sequence[Mapping[str, Any]]) -> float | None:
    """AlpacaEval's preference of two games: 1 the baseline wins both, 2 the model; None when either cannot tell.

    A strong verdict is no more than a verdict here, as the annotator's own is a probability.
    """
    shares = {"A>>B": 0.0, "A>B": 0.0, "A=B": 0.5, "B>A": 1.0, "B>>A": 1.0}
    labels = [game.get("score") for game in games]
    if len(labels) != 2 or any(label not in shares for label in labels):
        return None
    return 1 + (shares[str(labels[0])] + 1 - shares[str(labels[1])]) / 2
