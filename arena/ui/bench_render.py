"""Benchmarks as HTML: a task's table that can be sorted, and a run's samples. Pure, from views to what is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Self
from urllib.parse import parse_qs, urlencode

from arena.benchmarks.desk import Entry, SamplePage, Source, TaskName, TaskTable
from arena.benchmarks.samples import JudgeWords, Sample
from arena.ui.bench_notes import spoken
from arena.ui.render import sorting_heading
from arena.ui.texts import TEXTS, number, say

PAGE = 20
"""Samples on one page."""
SUMMARY = 140
"""Characters of a prompt that stand in its sample's summary."""
FEW = 40
"""So many rows are shown at once; of longer published tables only the newest, until another is asked for."""
_HIDDEN = frozenset({"ci_low", "ci_high", "answers"})
_WHOLE = frozenset({"battles", "n", "avg_tokens", "avg_length", "answer_length"})
_NONE, _EVERY = "no", "all"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page's address asks for: a task, which quoted tables, the samples of a model."""

    task: str = ""
    quoted: str = ""
    model: str = ""
    begin: int = 0

    @classmethod
    def read(cls, query: str) -> Self:
        """From an address's query; whatever is not of this tab or makes no sense is left out."""
        given = {key: values[0] for key, values in parse_qs((query or "").removeprefix("?")).items()}
        if given.get("tab") != "bench":
            return cls()
        begin = given.get("begin", "")
        number = int(begin) if begin.isascii() and begin.isdigit() and len(begin) < 9 else 0
        return cls(given.get("task", ""), given.get("quoted", ""), given.get("model", ""), number)

    def address(self, **changed: str | int) -> str:
        """The address of this view, or of one that differs in this."""
        view = replace(self, **changed)  # type: ignore[arg-type]
        said = {"task": view.task, "quoted": view.quoted, "model": view.model, "begin": str(view.begin or "")}
        return "?" + urlencode({"tab": "bench", **{key: value for key, value in said.items() if value}})

    def quotes(self, sources: Sequence[Source], rows: int) -> frozenset[Source]:
        """The published tables to show, of all there are (newest first) with so many rows together."""
        if self.quoted == _EVERY or (not self.quoted and rows <= FEW):
            return frozenset(sources)
        place = int(self.quoted) if self.quoted.isascii() and self.quoted.isdigit() and len(self.quoted) < 4 else None
        if place is not None and place < len(sources):
            return frozenset({sources[place]})
        return frozenset() if self.quoted == _NONE else frozenset(sources[:1])


def tasks(names: Sequence[TaskName], wanted: Wanted, language: str) -> str:
    """The tasks as links, ours first."""
    links = "".join(
        _chip(
            escape(name.title) + (f"<small>{number(name.kept, language)}</small>" if name.kept else ""),
            Wanted(name.task).address(),
            here=name.task == wanted.task,
        )
        for name in names
    )
    return f'<nav class="bench-chips" aria-label="{say(language, "bench_tasks")}">{links}</nav>'


def table(view: TaskTable, shown: frozenset[Source], wanted: Wanted, language: str) -> str:
    """Models, rating, every figure; a heading sorts, and beneath stands how each column goes with the rating."""
    there = {column for entry in view.entries for column in entry.figures} - _HIDDEN
    columns = [column for column in view.columns if column in there]
    rated = any(entry.rating is not None for entry in view.entries)
    digits = {column: _digits(column, view.entries) for column in columns}
    headings = [
        _heading("model", say(language, "board_model"), view.main, language),
        *([_heading("rating", say(language, "board_rating"), view.main, language)] if rated else []),
        *(_heading(column, named(column, language), view.main, language) for column in columns),
    ]
    rows = "".join(_row(entry, digits, rated, wanted, language) for entry in view.entries)
    empty = f'<p class="empty">{say(language, "bench_no_rows")}</p>' if not view.entries else ""
    return (
        f"{_sources(view, shown, wanted, language)}{empty}"
        f'<div class="board-scroll"{" hidden" if empty else ""}><table class="board-table bench" data-sortable>'
        f'<caption class="for-ears">{escape(view.name.title)}</caption>'
        f"<thead><tr>{''.join(headings)}</tr></thead><tbody>{rows}</tbody>"
        f"{_correlations(view, columns, rated, language)}</table></div>{_notes(view, language)}"
    )


def samples(page: SamplePage, wanted: Wanted, language: str) -> str:
    """A run's items one under another, with the way back and to the next ones."""
    back = f'<a data-bench href="{escape(wanted.address(model="", begin=0))}">← {say(language, "bench_back")}</a>'
    title = say(language, "bench_samples_of", model=escape(page.model), task=escape(page.task))
    if not page.samples:
        return f'<p>{back}</p><h2>{title}</h2><p class="empty">{say(language, "bench_no_samples")}</p>'
    last = page.begin + len(page.samples)
    ways = [
        (page.begin > 0, max(0, page.begin - PAGE), "bench_earlier"),
        (last < page.total, last, "bench_later"),
    ]
    links = "".join(
        _chip(say(language, key), wanted.address(begin=begin), here=False) for there, begin, key in ways if there
    )
    where = say(language, "bench_place", first=page.begin + 1, last=last, total=page.total)
    items = "".join(_sample(sample, language) for sample in page.samples)
    return (
        f'<div class="bench-samples"><p>{back}</p><h2>{title}</h2><p class="note">{where}</p>{items}'
        f'<nav class="bench-chips" aria-label="{say(language, "bench_pages")}">{links}</nav></div>'
    )


def _chip(label: str, address: str, *, here: bool) -> str:
    current = ' aria-current="true"' if here else ""
    return f'<a class="chip" data-bench href="{escape(address)}"{current}>{label}</a>'


def named(column: str, language: str) -> str:
    """A column's heading; what others measure keeps the name they gave it."""
    key = f"bench_col_{column}"
    return say(language, key) if key in TEXTS else column


def _heading(column: str, label: str, main: str | None, language: str) -> str:
    order = "descending" if column == main else "none"
    return sorting_heading(escape(label), language, order, rising=column == "model")


def _row(entry: Entry, columns: Mapping[str, int], rated: bool, wanted: Wanted, language: str) -> str:
    rating = "" if entry.rating is None else number(entry.rating, language)
    cells = [_cell(rating, entry.rating)] if rated else []
    for column, digits in columns.items():
        value = entry.figures.get(column)
        text = "—" if value is None else number(value, language, digits if entry.quoted else min(digits, 2))
        cells.append(_cell(text + (_interval(entry, language) if column == "score" else ""), value))
    return (
        f'<tr{" class=quoted" if entry.quoted else ""}><th scope="row" data-value="{escape(entry.model)}">'
        f"{_who(entry, wanted, language)}</th>{''.join(cells)}</tr>"
    )


def _who(entry: Entry, wanted: Wanted, language: str) -> str:
    """The model, who published the row or when it was scored, and the way to its samples."""
    name = escape(entry.model)
    said = [escape(label) for label in entry.labels]
    if entry.source is not None:
        mark = f'<span class="mark">{say(language, "bench_quoted")}</span>'
        dated = [] if entry.date in entry.source.name else [escape(entry.date)]
        said = [escape(entry.source.name), *dated, *said, *(escape(spoken(note, language)) for note in entry.notes)]
        return f"{name}{mark}<small>{' · '.join(said)}</small>"
    said = [escape(entry.date[:10]), *said]
    if entry.sampled:
        address = escape(wanted.address(model=entry.model, begin=0))
        label = say(language, "bench_samples_of", model=name, task=escape(wanted.task))
        said.append(f'<a data-bench href="{address}" aria-label="{label}">{say(language, "bench_samples")}</a>')
    return f"{name}<small>{' · '.join(said)}</small>"


def _cell(text: str, value: float | None) -> str:
    return f'<td data-value="{"" if value is None else repr(value)}">{text or "—"}</td>'


def _digits(column: str, entries: Sequence[Entry]) -> int:
    """Places after the point: as many as were published of this column, two where none was."""
    if column in _WHOLE:
        return 0
    published = [entry.figures[column] for entry in entries if entry.quoted and column in entry.figures]
    places = [len(repr(value).partition(".")[2].removesuffix("0")) for value in published]
    return min(3, max(places, default=2))


def _interval(entry: Entry, language: str) -> str:
    low, high = entry.figures.get("ci_low"), entry.figures.get("ci_high")
    if low is None or high is None:
        return ""
    over = f"<small>{say(language, f'bench_over_{entry.interval}')}</small>" if entry.interval else ""
    return f"<small>{number(low, language, 1)} … {number(high, language, 1)}</small>{over}"


def _correlations(view: TaskTable, columns: Sequence[str], rated: bool, language: str) -> str:
    """Spearman's ρ of each of our columns with the rating, and over how many models."""
    if not rated:
        return ""
    cells = []
    for column in columns:
        found = view.correlations.get(column)
        if found is None or found.rho is None:
            cells.append("<td>—</td>")
        else:
            count = f"<small>n = {len(found.models)}</small>"
            cells.append(f"<td>{number(found.rho, language, 2)}{count}</td>")
    label = say(language, "bench_correlation")
    return f'<tfoot><tr><th scope="row">{label}</th><td></td>{"".join(cells)}</tr></tfoot>'


def _sources(view: TaskTable, shown: frozenset[Source], wanted: Wanted, language: str) -> str:
    """The switch of quoted rows: none, one published table, all."""
    if not view.sources:
        return ""
    whole = len(shown) == len(view.sources)
    choices: list[tuple[str, str, bool]] = [(say(language, "bench_own_only"), _NONE, not shown)]
    if len(view.sources) > 1:
        for place, source in enumerate(view.sources):
            label = escape(" · ".join(part for part in (source.name, source.variant) if part))
            choices.append((label, str(place), not whole and source in shown))
    choices.append((say(language, "bench_all_quoted"), _EVERY, whole))
    links = "".join(_chip(label, wanted.address(quoted=code), here=here) for label, code, here in choices)
    name = say(language, "bench_quotes")
    return f'<nav class="bench-chips quotes" aria-label="{name}"><span>{name}</span>{links}</nav>'


def _notes(view: TaskTable, language: str) -> str:
    lines = [say(language, "bench_note")] if any(entry.quoted for entry in view.entries) else []
    if any(entry.interval for entry in view.entries):
        lines.append(say(language, "bench_interval"))
    if view.unscored:
        lines.append(say(language, "bench_unscored", count=number(view.unscored, language)))
    lines += [escape(spoken(note, language)) for note in view.notes]
    return "".join(f'<p class="note">{line}</p>' for line in lines)


def _sample(sample: Sample, language: str) -> str:
    verdicts = " ".join(f'<span class="mark">{escape(one)}</span>' for one in _verdicts(sample))
    category = f"<small>{escape(sample.category)}</small>" if sample.category else ""
    first = escape(_beginning(sample.prompt[0]) if sample.prompt else sample.question)
    turns = "".join(
        _said(say(language, "bench_prompt"), prompt) + _answers(sample, turn, language)
        for turn, prompt in enumerate(sample.prompt or ("",))
    )
    words = "".join(_words(one, language) for one in sample.judgments)
    return (
        f'<details class="sample"><summary><b>{escape(sample.question)}</b> {first} {category}{verdicts}</summary>'
        f"{turns}{words}</details>"
    )


def _beginning(text: str) -> str:
    return text if len(text) <= SUMMARY else text[:SUMMARY].rstrip() + "…"


def _verdicts(sample: Sample) -> Sequence[str]:
    return [verdict for judgment in sample.judgments for verdict in judgment.verdicts if verdict]


def _answers(sample: Sample, turn: int, language: str) -> str:
    """The model's answer to this turn and, side by side, the baseline's that its judges saw."""
    own = _said(say(language, "bench_answer"), sample.answer[turn]) if turn < len(sample.answer) else ""
    others: Mapping[str, None] = dict.fromkeys(
        judgment.baseline_answer[turn] for judgment in sample.judgments if turn < len(judgment.baseline_answer)
    )
    theirs = "".join(_said(say(language, "bench_baseline"), text) for text in others)
    return f'<div class="sample-pair">{own}{theirs}</div>'


def _words(judgment: JudgeWords, language: str) -> str:
    """What a judge said, game by game, and what was read from it."""
    verdicts = judgment.verdicts if len(judgment.verdicts) == len(judgment.words) else [""] * len(judgment.words)
    title = say(language, "bench_judge", judge=escape(judgment.judge))
    games = [""] * len(judgment.words)
    if judgment.baseline_answer and len(games) == 2:  # both orders, the baseline first
        games = [say(language, "bench_baseline_is_a"), say(language, "bench_model_is_a")]
    return "".join(
        _said(f"{title} <b>{escape(verdict)}</b> {game}", text)
        for text, verdict, game in zip(judgment.words, verdicts, games, strict=True)
    )


def _said(title: str, text: str) -> str:
    return f"<section><h3>{title}</h3><pre>{escape(text)}</pre></section>"
