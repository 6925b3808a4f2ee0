"""What pages show of the benchmarks: a table per task, our rows beside quoted ones, and a run's samples.

Read anew whenever it is asked, in a thread: sheets are few, and a run's answers are read again only
when their file grew. Knows no page and no language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from statistics import fmean

from arena.benchmarks.correlation import RankCorrelation, rank_correlation
from arena.benchmarks.reference import QuotedFigure, quoted_figures, quoted_table
from arena.benchmarks.runlog import read_log
from arena.benchmarks.runner import answers_of, run_folder
from arena.benchmarks.samples import Sample, samples
from arena.benchmarks.scoreboard import KeptSheet, Scoreboard, ScoreShelf
from arena.benchmarks.task import Row
from arena.benchmarks.tasks import ALL, lm_eval
from arena.benchmarks.tasks.arena_hard import INTERVAL, ROWS

MAIN = (
    "score", "length_controlled_winrate", "win_rate", "prompt_strict", "judge_correct_percent", "weighted_score",
)  # fmt: skip
"""Which figure of a table is its score: the first of these that it has."""
LENGTHS = ("avg_tokens", "avg_length", "answer_length")
_TURNS = ("score", "total", "turn_1", "turn_2")
_TOP = 100.0
"""Percent in a share: figures up to 1 are shown by this scale."""
_NO_CORRELATION = frozenset({"battles", "n", "answers", "standard_error"})
_TITLES = {lm_eval.NAME: "lm-evaluation-harness", "alpaca-eval-1": "AlpacaEval 1"}
_NO_SCORE = _NO_CORRELATION | {"ci_low", "ci_high", *LENGTHS}


@dataclass(frozen=True, slots=True)
class TaskName:
    """A task with something to show: how many sheets of ours, how many published figures."""

    task: str
    title: str
    kept: int
    quoted: int


@dataclass(frozen=True, slots=True)
class Source:
    """Who published a table, and which of their tables of that task it is."""

    name: str
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a task's table; `source` says who published it and is None for our own.

    `interval` says what the interval of an own score was drawn over, `questions` or (in sheets from before) `rows`.
    """

    model: str
    figures: Mapping[str, float]
    date: str
    labels: tuple[str, ...] = ()
    source: Source | None = None
    notes: tuple[str, ...] = ()
    rating: float | None = None
    sampled: bool = False
    interval: str = ""

    @property
    def quoted(self) -> bool:
        """Whether others published it."""
        return self.source is not None


@dataclass(frozen=True, slots=True)
class TaskTable:
    """A task's rows, best first, and how each of our columns goes with the rating."""

    name: TaskName
    columns: tuple[str, ...]
    main: str | None
    length: str | None
    categories: tuple[str, ...]
    sources: tuple[Source, ...]
    entries: tuple[Entry, ...]
    correlations: Mapping[str, RankCorrelation]
    unscored: int = 0
    notes: tuple[str, ...] = ()

    def scores_of(self, entries: Sequence[Entry]) -> tuple[str, ...]:
        """Columns that these rows can be compared by: the table's main score first, lengths and counts left out."""
        there = {column for entry in entries for column in entry.figures} - _NO_SCORE
        return tuple(sorted((column for column in self.columns if column in there), key=lambda name: name != self.main))


@dataclass(frozen=True, slots=True)
class SamplePage:
    """Some items of a run, from number `begin` of `total`."""

    task: str
    model: str
    begin: int
    total: int
    samples: tuple[Sample, ...]


@dataclass(slots=True)
class BenchDesk:
    """Tables and samples from the database of scores and the folder of runs."""

    shelf: ScoreShelf
    storage: Path
    _lengths: dict[Path, tuple[int, float | None]] = field(default_factory=dict)

    def tasks(self) -> tuple[TaskName, ...]:
        """Every task that has a row, ours first."""
        return tuple(sorted(_names(list(self._board().kept())), key=lambda name: not name.kept))

    def table(
        self, task: str, ratings: Mapping[str, float], quote: Callable[[Source], bool] = lambda source: True
    ) -> TaskTable | None:
        """A task's table with the published tables that are asked for; None when there is no such task.

        `ratings` are the board's points by model. `sources` of the result are all there are, newest first.
        """
        name = next((one for one in self.tasks() if one.task == task), None)
        if name is None:
            return None
        sheets = list(self._board().kept(task))
        own = [replace(entry, rating=ratings.get(entry.model)) for entry in self._own(sheets)]
        published = list(_quoted(task, _spelling(own)))
        entries = [*own, *(entry for entry in published if entry.source and quote(entry.source))]
        columns = tuple(dict.fromkeys(column for entry in entries for column in entry.figures))
        main = next((column for column in MAIN if column in columns), None)
        return TaskTable(
            name,
            columns,
            main,
            next((column for column in LENGTHS if column in columns), None),
            _categories(sheets, entries) if task.startswith("mt-bench") else (),
            _newest_first(published),
            tuple(sorted(entries, key=lambda entry: _best_first(entry, main))),
            {
                column: rank_correlation(_column(own, column), ratings)
                for column in columns
                if column not in _NO_CORRELATION
            },
            sum(int(sheet.sheet.get("unscored") or 0) for sheet in sheets),
            tuple(dict.fromkeys(note for sheet in sheets for note in _said(sheet))),
        )

    def page(self, task: str, model: str, begin: int = 0, count: int = 20) -> SamplePage:
        """Items of a run in the order of their answers; empty when there is no such run."""
        total = len(read_log(self._answers(task, model)))
        begin = max(0, min(begin, (total - 1) // count * count))
        found = islice(samples(self._runs, task, model), begin, begin + count)
        return SamplePage(task, model, begin, total, tuple(found))

    @property
    def _runs(self) -> Path:
        return self.storage / "runs"

    def _answers(self, task: str, model: str) -> Path:
        return run_folder(self._runs, task, model) / "answers.jsonl"

    def _board(self) -> Scoreboard:
        return Scoreboard(self.shelf, self.storage / "scores")

    def _own(self, sheets: Sequence[KeptSheet]) -> Iterator[Entry]:
        """The rows of kept sheets; a baseline that stands in several and has no sheet of its own stands once."""
        named, shown = {sheet.model for sheet in sheets}, set()
        for sheet in sheets:
            for row in sheet.sheet.get("models", ()):
                model = str(row.get("model", sheet.model))
                if model != sheet.model and (model in named or model in shown):
                    continue
                shown.add(model)
                yield self._entry(sheet, model, row)

    def _entry(self, sheet: KeptSheet, model: str, row: Row) -> Entry:
        figures = dict(_figures(row))
        folder = self._answers(sheet.task, model)
        if not any(length in figures for length in LENGTHS):
            length = self._length(folder)
            figures |= {} if length is None else {"answer_length": length}
        labels = dict.fromkeys((*_labels(row), *filter(None, (sheet.judge, sheet.protocol))))
        drawn = str(row.get(INTERVAL) or ROWS) if "ci_low" in figures else ""
        return Entry(model, figures, sheet.date, tuple(labels), sampled=folder.exists(), interval=drawn)

    def _length(self, answers: Path) -> float | None:
        """Mean characters of a run's answers, None without a run."""
        size = answers.stat().st_size if answers.exists() else 0
        if self._lengths.get(answers, (-1, None))[0] != size:
            texts = [len(text) for record in read_log(answers) for text in answers_of(record)]
            self._lengths[answers] = size, fmean(texts) if texts else None
        return self._lengths[answers][1]


def _names(sheets: Sequence[KeptSheet]) -> Iterator[TaskName]:
    titles = {task.name: task.title for task in ALL} | _TITLES
    quoted = [figure.task for figure in quoted_figures()]
    for task in dict.fromkeys([*titles, *(sheet.task for sheet in sheets), *quoted]):
        name = TaskName(task, titles.get(task, task), sum(sheet.task == task for sheet in sheets), quoted.count(task))
        if name.kept or name.quoted:
            yield name


def _said(sheet: KeptSheet) -> Iterator[str]:
    """How a sheet was scored, and its own notes."""
    yield from (str(text) for text in (sheet.sheet.get("protocol"), *sheet.sheet.get("notes", ())) if text)


def _figures(row: Row) -> Iterator[tuple[str, float]]:
    """The numbers of a row, those of a nested table (categories) among them; "could not tell" is left out."""
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _figures(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key, float(value)


def _labels(row: Row) -> Iterator[str]:
    """What tells rows of one model apart: judge, protocol, language, domain."""
    known = ("model", INTERVAL)
    return (str(value) for key, value in row.items() if key not in known and isinstance(value, str) and value)


def _quoted(task: str, spelling: Mapping[str, str]) -> Iterator[Entry]:
    """Published rows in the columns of ours; the harness's benchmarks are columns of one row."""
    rows: dict[tuple[str, str, str], list[QuotedFigure]] = {}
    for (source, variant, model), of_model in quoted_table(task).items():
        of_row = source, "" if task == lm_eval.NAME else variant, model
        rows.setdefault(of_row, []).extend(of_model.values())
    for (source, variant, model), found in rows.items():
        figures = dict(_published(figure, spelling) for figure in found)
        for end in ("ci_low", "ci_high"):
            if (delta := figures.pop(f"{end}_delta", None)) is not None and "score" in figures:
                figures[end] = round(figures["score"] + delta, 6)
        labels = tuple(label for label in (variant, found[0].judge) if label)
        notes = dict.fromkeys(figure.note for figure in found if figure.note)
        yield Entry(
            model,
            figures,
            found[0].date,
            labels,
            Source(source, variant),
            tuple(notes),
        )


def _published(figure: QuotedFigure, spelling: Mapping[str, str]) -> tuple[str, float]:
    """A figure under its column's name; the harness's, of which some are published as fractions, become 0–100."""
    if figure.task != lm_eval.NAME:
        return ("score" if figure.metric == "total" else figure.metric), figure.value
    name = figure.variant if figure.metric == "score" else f"{figure.variant} {figure.metric}"
    return spelling.get(_plain(name), name), round((_TOP if figure.value <= 1 else 1.0) * figure.value, 6)


def _spelling(own: Sequence[Entry]) -> Mapping[str, str]:
    """Columns as our sheets write them: the harness says `rummlu` where its authors say ruMMLU."""
    return {_plain(column): column for entry in own for column in entry.figures}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _categories(sheets: Sequence[KeptSheet], entries: Sequence[Entry]) -> tuple[str, ...]:
    own = (category for sheet in sheets for row in sheet.sheet.get("models", ()) for category in row["categories"])
    published = (key for entry in entries if entry.quoted for key in entry.figures if key not in (*_TURNS, *LENGTHS))
    return tuple(sorted({*own, *published}))


def _newest_first(published: Sequence[Entry]) -> tuple[Source, ...]:
    newest: dict[Source, str] = {}
    for entry in published:
        if entry.source is not None:
            newest[entry.source] = max(entry.date, newest.get(entry.source, ""))
    return tuple(sorted(newest, key=lambda source: newest[source], reverse=True))


def _column(entries: Sequence[Entry], column: str) -> Mapping[str, float]:
    """One figure per model: its first row's."""
    return {entry.model: entry.figures[column] for entry in reversed(entries) if column in entry.figures}


def _best_first(entry: Entry, main: str | None) -> tuple[bool, float, str]:
    value = entry.figures.get(main) if main else entry.rating
    return value is None, -(value or 0.0), entry.model
