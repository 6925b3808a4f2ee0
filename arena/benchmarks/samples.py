"""What a score rests on, item by item: the prompt, both answers, the judge's words.

Reads a run's files while it is still going on; knows nothing of pages or scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.benchmarks.files import as_text
from arena.benchmarks.runlog import read_log
from arena.benchmarks.runner import answers_of, run_folder


@dataclass(frozen=True, slots=True)
class JudgeWords:
    """One judge's judgment of an item: what it said in each game or turn, and what was read from it."""

    judge: str
    words: tuple[str, ...]
    verdicts: tuple[str, ...]
    baseline_answer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered item with the judgments it has."""

    question: str
    category: str
    prompt: tuple[str, ...]
    answer: tuple[str, ...]
    judgments: tuple[JudgeWords, ...]


def samples(runs: Path, task: str, model: str) -> Iterator[Sample]:
    """The items of a run in the order in which they were answered; none when there is no such run."""
    folder = run_folder(runs, task, model)
    judged = [
        {as_text(record["question_id"]): record for record in read_log(path)}
        for path in sorted((folder / "judgments").glob("*.jsonl"))
    ]
    for record in read_log(folder / "answers.jsonl"):
        key = as_text(record["question_id"])
        yield Sample(
            key,
            as_text(record.get("category")),
            tuple(record.get("prompt", ())),
            answers_of(record),
            tuple(_words_of(lines[key]) for lines in judged if key in lines),
        )


def _words_of(record: Mapping[str, Any]) -> JudgeWords:
    games = record.get("games", ())
    words = [as_text(game.get("judgment")) for game in games]
    words += [as_text(record[name]) for name in ("text1", "text2", "judgment") if record.get(name)]
    verdicts = [as_text(game.get("score")) for game in games]
    verdicts += [as_text(record[name]) for name in ("score_turn1", "score_turn2", "correct") if name in record]
    return JudgeWords(
        as_text(record.get("judge")), tuple(words), tuple(verdicts), tuple(record.get("baseline_answer", ()))
    )
