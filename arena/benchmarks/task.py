"""The seam of benchmarks: a task has a name, questions somewhere else, a protocol and a scorer.

Knows neither the command line nor where scores are kept. A task's file under `tasks/` tells
its source, what an item looks like and how its answers are scored; a scorer hands back one
`ScoreSheet`, the same for files that others made and for our own runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from arena.benchmarks.questions import Dialogue, HubFile, Question, chat, read_questions
from arena.types import Decoding

Row = Mapping[str, Any]
"""One line of a table of results: text, numbers, None ("could not tell") or nested mappings of these."""


class JudgedBy(StrEnum):
    """Who says how good an answer is: a program, or a judge that compares, grades or checks."""

    PROGRAM = "program"
    PAIRS = "pairs"
    GRADES = "grades"
    CORRECTNESS = "correctness"


def _chat(documents_role: bool) -> Dialogue:
    return chat


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What a task's file declares: its name, whose questions it asks and how answers are drawn and judged.

    `source` says in words where the questions are and under which licence; `questions` names their
    file on the hub where it is known. `dialogue` makes the conversation, given whether the model
    knows the role `documents`. `temperatures` are those of single categories.
    """

    name: str
    title: str
    language: str
    judged_by: JudgedBy
    source: str
    questions: HubFile | None = None
    read: Callable[[Path], list[Question]] = read_questions
    dialogue: Callable[[bool], Dialogue] = _chat
    decoding: Decoding = Decoding(temperature=0.0, top_p=1.0, max_tokens=4096)
    temperatures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """What a scorer says: the rows per model, what it could not score, and what a reader must know.

    `unscored` counts verdicts, rows or grades that were left out of every average; `notes` says
    which and why. `sections` are further tables of a task (MT-Bench: `judges`, `verdicts`).
    """

    task: str
    protocol: str
    models: Sequence[Row]
    unscored: int = 0
    notes: Sequence[str] = ()
    sections: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """One object for scripts; NaN and infinity become null, numpy's numbers become plain."""
        return {
            "task": self.task,
            "protocol": self.protocol,
            "models": [plain(row) for row in self.models],
            **{name: [plain(row) for row in rows] for name, rows in self.sections.items()},
            "unscored": int(self.unscored),
            "notes": list(self.notes),
        }


def plain(value: Any) -> Any:
    """The value in JSON's own types; a number that is none becomes None."""
    match value:
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case str() | bool() | None:
            return value
        case np.generic():
            return plain(value.item())
        case float():
            return value if math.isfinite(value) else None
        case Sequence() | np.ndarray():
            return [plain(item) for item in value]
        case _:
            return value
