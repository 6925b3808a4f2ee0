"""The seam of benchmarks: a task has a name, questions somewhere else, a protocol and a scorer.

Knows neither the command line nor where scores are kept. A task's file under `tasks/` tells
its source, what an item looks like and how its answers are scored; a scorer hands back one
`ScoreSheet`, the same for files that others made and for our own runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Row = Mapping[str, Any]
"""One line of a table of results: text, numbers, None ("could not tell") or nested mappings of these."""


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
