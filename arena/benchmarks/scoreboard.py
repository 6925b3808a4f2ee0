"""Score sheets that are kept: one JSON file per task and model, written whole or not at all.

What `run` scored and `import` read is found again by the page and the command line. Knows nothing
of how a score came about.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.benchmarks.task import ScoreSheet
from arena.errors import FileFormatError


@dataclass(frozen=True, slots=True)
class KeptSheet:
    """A sheet as it was kept: whose it is, when it was made (ISO 8601), and the object itself."""

    task: str
    model: str
    date: str
    sheet: Mapping[str, Any]


def file_name(model: str) -> str:
    """A model's name as a file name: anything unusual becomes `_`, never empty, never a path."""
    return re.sub(r"[^\w.@+-]+", "_", model).strip(".") or "_"


class Scoreboard:
    """The folder of kept sheets: `<root>/<task>/<model>.json`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, sheet: ScoreSheet, model: str, date: str) -> Path:
        """Keep a model's sheet; a former one of the same task is replaced."""
        path = self._root / file_name(sheet.task) / f"{file_name(model)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        record = {"model": model, "date": date, **sheet.as_json()}
        with draft.open("w", encoding="utf-8") as file:
            json.dump(record, file, ensure_ascii=False, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        return path

    def kept(self, task: str | None = None) -> Iterator[KeptSheet]:
        """Every kept sheet, or those of one task, in order of name."""
        for path in sorted(self._root.glob(f"{file_name(task) if task else '*'}/*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                yield KeptSheet(record["task"], record["model"], record["date"], record)
            except (ValueError, KeyError) as error:
                raise FileFormatError("not a kept score sheet; remove it or score again", path=path) from error
