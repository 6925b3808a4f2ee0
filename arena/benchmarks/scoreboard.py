"""Score sheets that are kept: the latest of every task, model, judge and protocol, in the arena's database.

What `run` scored and `import` read is found again by the page and the command line. Sheets that lie
as JSON files in `storage/scores` are shown too, until a newer one of their task and model is kept.
Knows nothing of how a score came about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from arena.benchmarks.task import ScoreSheet
from arena.errors import FileFormatError


class Written(Protocol):
    """A write that is under way."""

    def result(self) -> Any:
        """Wait until it is on disk."""


class Kept(Protocol):
    """A sheet as the database has it: JSON, and when it was kept (Unix seconds)."""

    @property
    def task(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def kept_at(self) -> float: ...
    @property
    def sheet(self) -> str: ...
    @property
    def judge(self) -> str: ...
    @property
    def protocol(self) -> str: ...


class ScoreShelf(Protocol):
    """The part of the database that a scoreboard needs."""

    def keep_score(self, task: str, model: str, sheet: str, *, judge: str = "", protocol: str = "") -> Written:
        """Keep a sheet, replacing the former one of that task, model, judge and protocol."""

    def scores(self, task: str | None = None) -> Sequence[Kept]:
        """Every sheet, or those of one task."""


@dataclass(frozen=True, slots=True)
class KeptSheet:
    """A sheet as it was kept: whose it is, when it was made (ISO 8601), the object itself, and who judged how."""

    task: str
    model: str
    date: str
    sheet: Mapping[str, Any]
    judge: str = ""
    protocol: str = ""


def file_name(model: str) -> str:
    """A model's name as a file name: anything unusual becomes `_`, never empty, never a path."""
    return re.sub(r"[^\w.@+-]+", "_", model).strip(".") or "_"


class Scoreboard:
    """The kept sheets of a database, and those of a folder `<files>/<task>/<model>.json` where there is one."""

    def __init__(self, shelf: ScoreShelf, files: Path | None = None) -> None:
        self._shelf, self._files = shelf, files

    def keep(self, sheet: ScoreSheet, model: str, *, judge: str = "", protocol: str = "") -> None:
        """Keep a model's sheet; a former one of the same task, judge and protocol is replaced.

        `judge` is empty where nobody judged. Returns once it is on disk.
        """
        text = json.dumps(sheet.as_json(), ensure_ascii=False, allow_nan=False)
        self._shelf.keep_score(sheet.task, model, text, judge=judge, protocol=protocol).result()

    def of(self, task: str, model: str) -> KeptSheet | None:
        """The sheet of a task and model, None when none is kept."""
        return next((sheet for sheet in self.kept(task) if sheet.model == model), None)

    def kept(self, task: str | None = None) -> Iterator[KeptSheet]:
        """Every kept sheet, or those of one task, in order of name. Raises `FileFormatError` for a damaged file."""
        kept = [_kept(record) for record in self._shelf.scores(task)]
        newer = {(sheet.task, sheet.model) for sheet in kept}
        older = [sheet for sheet in self._from_files(task) if (sheet.task, sheet.model) not in newer]
        yield from sorted((*kept, *older), key=lambda sheet: (sheet.task, sheet.model, sheet.judge, sheet.protocol))

    def _from_files(self, task: str | None) -> Iterator[KeptSheet]:
        if self._files is None:
            return
        for path in sorted(self._files.glob(f"{file_name(task) if task else '*'}/*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                yield KeptSheet(record["task"], record["model"], record["date"], record)
            except (ValueError, KeyError, TypeError) as error:
                raise FileFormatError("not a kept score sheet; remove it or score again", path=path) from error


def _kept(record: Kept) -> KeptSheet:
    date = datetime.fromtimestamp(record.kept_at, UTC).isoformat("T", "seconds")
    sheet = json.loads(record.sheet)
    return KeptSheet(record.task, record.model, date, sheet, record.judge, record.protocol)
