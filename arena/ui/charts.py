"""Plots of a leaderboard, in the page's colours on either background; pure functions to figures."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape

import numpy as np
import plotly.graph_objects as go

from arena.benchmarks.desk import Entry, TaskTable
from arena.ratings.elo import Scale
from arena.ratings.leaderboard import Leaderboard, Matrix, Row, Style, counts_matrix, win_matrix
from arena.service.boards import HistoryPoint
from arena.ui.names import plot_name, plot_text, row_name, short_name
from arena.ui.texts import TEXTS, number, percent, say

INK, SOFT, GRID = "#7a7a86", "#8a8a96", "rgba(128,128,140,.22)"
SIDE_A, SIDE_B = "#0b7285", "#b4560c"
MARKS = {"human": (SIDE_A, "circle"), "judge": (SIDE_B, "circle-open"), "combined": ("#6741d9", "diamond")}
LEGEND = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}
READABLE = 40
"""The most contestants whose matrix can still be read on a screen."""

A_MOMENT = 60.0
"""Seconds: votes that all came within them say nothing by their times."""

DIVERGING = [[0.0, SIDE_B], [0.5, "#f4f1ea"], [1.0, SIDE_A]]
PALETTE = ("#0b7285", "#a84f0a", "#702a52", "#908995", "#ba54ee", "#284482", "#678e45", "#4b4a18", "#7622c8", "#b72164")
"""Found by search: any two differ by 0.13 in OKLab (ten chosen by eye: 0.03), neighbours by 0.18, and by 0.13 to those
who see no red or no green; each stands out 3:1 on the light page and, brightened, on the dark one."""

DASHES = ("solid", "dash", "dot", "longdashdot")
"""Neighbouring lines differ in this too: it is told apart without any colour."""


def forest(board: Leaderboard, language: str) -> go.Figure:
    """Ratings with their 95% intervals, best at the top; an open end runs to the edge."""
    rows = [row for row in board.rows if row.ci_low is not None or row.ci_high is not None or row.rating]
    figure = _figure(_height(len(rows)), language)
    low, high = _ends(rows)
    _intervals(figure, rows, (low, high), 0.0, "", MARKS["human"], language, drawn=board.method != "elo")
    _by_model(figure, [row.model for row in rows], (low, high), language)
    return figure


def tracks(boards: Sequence[tuple[str, Leaderboard]], language: str) -> go.Figure:
    """Every model's interval by people, by the judge and by both, one under the other, in people's order."""
    names = [row.model for row in boards[0][1].rows] if boards else []
    place = {name: at for at, name in enumerate(names)}
    everyone = [row for _, board in boards for row in board.rows if row.model in place]
    figure = _figure(_height(len(names), 20 + 13 * len(boards)), language)
    ends = _ends(everyone)
    for line, (track, board) in enumerate(boards):
        rows = sorted((row for row in board.rows if row.model in place), key=lambda row: place[row.model])
        shift = 0.24 * (line - (len(boards) - 1) / 2)
        _intervals(figure, rows, ends, shift, say(language, f"track_{track}"), MARKS[track], language, place=place)
    _by_model(figure, names, ends, language)
    figure.update_layout(showlegend=True, legend=LEGEND)
    return figure


def style(found: Style, scale: Scale, language: str) -> go.Figure:
    """What twice as much of each kind of style adds to a rating, in points, with 95% intervals."""
    rows = [one for one in style_points(found, scale) if one.points is not None]
    if not rows:
        return nothing(say(language, "style_few"), language)
    figure = _figure(320, language)
    names = [say(language, f"style_{one.feature}") for one in rows]
    lines_x = [value for one in rows for value in (one.low, one.high, None)]
    lines_y = [value for name in names for value in (name, name, None)]
    figure.add_vline(x=0, line={"color": SOFT, "width": 1, "dash": "dot"})
    figure.add_scatter(x=lines_x, y=lines_y, mode="lines", line={"color": SOFT, "width": 2.5}, hoverinfo="skip")
    told = [say(language, "style_wins", percent=percent(one.chance or 0.5, language)) for one in rows]
    figure.add_scatter(
        x=[one.points for one in rows], y=names, mode="markers+text", marker={"size": 13, "color": SIDE_A},
        text=[number(one.points or 0.0, language, signed=True) for one in rows], textposition="top center",
        customdata=told, hovertemplate="%{y}: %{customdata}<extra></extra>", cliponaxis=False,
    )  # fmt: skip
    ends = [0.0, *(end for one in rows for end in (one.low, one.high) if end is not None)]
    margin = max(4.0, (max(ends) - min(ends)) * 0.06)
    figure.update_xaxes(
        title=say(language, "style_axis"), range=[min(ends) - margin, max(ends) + margin], nticks=6, tickangle=0
    )
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])
    return figure


@dataclass(frozen=True, slots=True)
class Bought:
    """What twice as much of a feature adds: points of rating with their interval, and the chance against an equal."""

    feature: str
    points: float | None
    low: float | None
    high: float | None
    chance: float | None


def style_points(found: Style, scale: Scale) -> list[Bought]:
    """Coefficients in words of the board: side a has twice as much, so (a − b)/(a + b) is a third."""

    def points(value: float | None, spread: float) -> float | None:
        return None if value is None or not spread else value / spread / 3 * scale.per_nat

    rows = []
    for one in found.coefficients:
        middle, low, high = (points(value, one.spread) for value in (one.value, one.low, one.high))
        chance = None if middle is None else 1 / (1 + math.exp(-middle / scale.per_nat))
        rows.append(Bought(one.feature, middle, low, high, chance))
    return rows


def wins(board: Leaderboard, language: str) -> go.Figure:
    """Predicted probability that the row beats the column."""
    matrix = _met(win_matrix(board), board)
    figure = _heat(_first(matrix), colorscale=DIVERGING, zmin=0, zmax=1, format=".0%", language=language)
    said = "compare_unknown" if np.isnan(matrix.values).all() else "plot_probability"
    _titled(figure, say(language, said), len(matrix.names), language)
    return figure


def counts(board: Leaderboard, language: str) -> go.Figure:
    """How many battles each two fought."""
    matrix = _met(counts_matrix(board), board)
    figure = _heat(
        _first(matrix), colorscale=[[0, "#f4f1ea"], [1, SIDE_A]], zmin=0, zmax=None, format=".0f", language=language
    )
    _titled(figure, say(language, "plot_counted"), len(matrix.names), language)
    return figure


NARROW = 4
"""A matrix of more models is as wide as its figures need, whatever the window: a phone slides it sideways."""

_LINE = 24
"""Pixels of one more line over a plot."""

PHONE = 42
"""Characters of a line that a phone shows whole."""

_LETTER = 7.2
"""Pixels of a letter of the tick labels' 13, on the average and rather too many."""

_RUSSIAN_TIMES = (([None, 86_399_999], "%H:%M\n%d.%m.%Y"), ([86_400_000, None], "%d.%m\n%Y"))
"""How times on an axis are written: distances of its ticks in milliseconds (months count as more)."""


def history(points: Sequence[HistoryPoint], board: Leaderboard, language: str, chosen: Sequence[str] = ()) -> go.Figure:
    """Online Elo after each of the latest votes, of the first ten and the `chosen`; time runs to the right.

    Votes of a file that tells no times came all at once: then their order does.
    """
    timed = bool(points) and points[-1].at - points[0].at >= A_MOMENT
    best = [row.model for row in board.rows if row.rating is not None][: len(PALETTE)]
    shown = list(dict.fromkeys([*best, *chosen]))
    figure = _figure(360 + 20 * len(shown), language)  # a phone lists the names one under the other
    for index, model in enumerate(shown):
        own = _thinned([point for point in points if point.model == model])
        if own:
            times = [datetime.fromtimestamp(point.at, UTC) if timed else point.sequence for point in own]
            line = {"shape": "hv", "width": 2, "color": PALETTE[index % len(PALETTE)], "dash": DASHES[index % 4]}
            name, heights = plot_name(model, language), [point.rating for point in own]
            figure.add_scatter(x=times, y=heights, mode="lines", line=line, name=name)
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": -0.14, "yanchor": "top", "itemwidth": 40},
        hoverlabel={"namelength": -1},
    )  # fmt: skip
    _headline(figure, say(language, "plot_elo"))
    if not timed:
        figure.update_xaxes(title=say(language, "plot_order"))
    elif language == "ru":  # the library knows the names of months in English alone
        hours, days = ({"dtickrange": reach, "value": value} for reach, value in _RUSSIAN_TIMES)
        figure.update_xaxes(tickformatstops=[hours, days], hoverformat="%d.%m.%Y %H:%M")
    return figure


def _thinned(points: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """As many points as a screen can show, the last one among them."""
    step = 1 + len(points) // 400
    return list(points[::-step])[::-1]


def score_and_rating(view: TaskTable, column: str, language: str) -> go.Figure:
    """A column's figure of every model that people rated, against its rating, with the rank correlation above."""
    figure = _figure(420, language)
    _cloud(figure, column, view.entries, _rating, language)
    found = view.correlations.get(column)
    told = say(language, "bench_no_rho")
    if found is not None and found.rho is not None:
        told = f"ρ = {number(found.rho, language, 2)}, n = {len(found.models)}"
    figure.update_layout(title={"text": told, "font": {"size": 15}})
    figure.update_xaxes(title=say(language, "board_rating"))
    return figure


def score_and_length(view: TaskTable, column: str, language: str) -> go.Figure:
    """A column's figure against the average length of answers: whoever only talks more lies on a line."""
    length = view.length or ""
    figure = _figure(420, language)
    _cloud(figure, column, view.entries, lambda entry: entry.figures.get(length), language)
    figure.update_xaxes(title=say(language, f"bench_col_{length}"), rangemode="tozero")
    return figure


def radar(view: TaskTable, language: str) -> go.Figure:
    """Every model's grades by category, out of ten; published ones are dotted."""
    figure = _figure(480, language)
    names = [_column(one, language) for one in view.categories]
    rows = [entry for entry in view.entries if sum(one in entry.figures for one in view.categories) > 1]
    for index, entry in enumerate(rows[: len(PALETTE)]):
        values = [entry.figures.get(one) for one in view.categories]
        figure.add_scatterpolar(
            r=[*values, values[0]], theta=[*names, names[0]], mode="lines+markers",
            name=plot_name(entry.model, language),
            line={"color": PALETTE[index], "dash": "dot" if entry.quoted else "solid"},
        )  # fmt: skip
    axis = {"gridcolor": GRID, "linecolor": GRID}
    round_it = {"tickfont": {"size": 12}, **axis}
    figure.update_layout(
        polar={"bgcolor": "rgba(0,0,0,0)", "radialaxis": {"range": [0, 10], **axis}, "angularaxis": round_it},
        showlegend=True, legend={"orientation": "h", "y": -0.15}, margin={"l": 92, "r": 92},
    )  # fmt: skip
    return figure


def _rating(entry: Entry) -> float | None:
    return entry.rating


def _inwards(places: Sequence[float]) -> list[str]:
    """Where each point's name stands over it: at the edges it runs inwards, since beyond them it would be cut."""
    low, high = min(places), max(places)
    thirds = [(place - low) / (high - low) if high > low else 0.5 for place in places]
    return ["top right" if third < 1 / 3 else "top left" if third > 2 / 3 else "top center" for third in thirds]


def _cloud(
    figure: go.Figure, column: str, entries: Sequence[Entry], across: Callable[[Entry], float | None], language: str
) -> None:
    """Our models as filled points with their names, published ones as rings."""
    for quoted, symbol, color in ((False, "circle", SIDE_A), (True, "circle-open", SIDE_B)):
        chosen = [entry for entry in entries if entry.quoted is quoted and column in entry.figures]
        points = [
            (across(entry), entry.figures[column], plot_name(entry.model, language))
            for entry in chosen
            if across(entry) is not None
        ]
        if points:
            figure.add_scatter(
                x=[point[0] for point in points], y=[point[1] for point in points], text=[point[2] for point in points],
                mode="markers+text" if len(points) <= 12 else "markers", cliponaxis=False,
                textposition=_inwards([float(point[0] or 0.0) for point in points]),
                marker={"size": 11, "symbol": symbol, "color": color},
                name=say(language, "bench_quoted" if quoted else "bench_ours"),
                hovertemplate="%{text}: %{y:.2f} (%{x:.0f})<extra></extra>",
            )  # fmt: skip
    figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"})
    figure.update_yaxes(title=_column(column, language))


def _column(name: str, language: str) -> str:
    """A benchmark's column in the reader's words; one that we have no words for is written as it is."""
    key = f"bench_col_{name}"
    return say(language, key) if key in TEXTS else plot_text(name)


def _met(matrix: Matrix, board: Leaderboard) -> Matrix:
    """A matrix of those who met anybody: the others' rows and columns are empty."""
    fought = {row.model for row in board.rows if row.battles}
    kept = [place for place, name in enumerate(matrix.names) if name in fought]
    return Matrix(tuple(matrix.names[place] for place in kept), matrix.values[np.ix_(kept, kept)])


def _first(matrix: Matrix) -> Matrix:
    """The part of a matrix that can still be read."""
    return Matrix(matrix.names[:READABLE], matrix.values[:READABLE, :READABLE])


def _titled(figure: go.Figure, text: str, models: int, language: str) -> None:
    """The line over a matrix, which also says when only its beginning is shown."""
    if models > READABLE:
        shown = number(models, language)
        text += "<br>" + say(language, "plot_first", shown=READABLE, all=shown)
        figure.update_layout(margin={"t": figure.layout.margin.t + _LINE}, height=figure.layout.height + _LINE)
    _headline(figure, text)


def _headline(figure: go.Figure, text: str) -> None:
    """A line at a plot's upper left: what is as wide as it needs begins on the screen, and so does this."""
    figure.update_layout(
        title={"text": text, "font": {"size": 13}, "x": 0, "xref": "container", "xanchor": "left", "y": 1,
               "yref": "container", "yanchor": "top", "pad": {"l": 2, "t": 22 if "<br>" in text else 8}},
    )  # fmt: skip


def nothing(text: str, language: str) -> go.Figure:
    """In place of a plot why there is none: one sentence, as tall as its lines and narrow enough for a phone."""
    lines = textwrap.wrap(text, PHONE)
    figure = _figure(40 + _LINE * len(lines), language)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text="<br>".join(lines), xref="paper", yref="paper", x=0, y=0.5, align="left", xanchor="left", yanchor="middle",
        showarrow=False, font={"size": 14},
    )  # fmt: skip
    return figure


def _heat(
    matrix: Matrix, *, colorscale: list[list[object]], zmin: float, zmax: float | None, format: str, language: str
) -> go.Figure:
    names = [plot_name(name, language) for name in matrix.names]  # shown where a cell is pointed at
    few = len(names) <= 24
    size, wide, high = (13, 46, 34) if few else (10, 26, 22)
    letter = _LETTER * size / 13
    columns = [short_name(name, language) for name in matrix.names]
    aslant = letter * max(map(_width, columns), default=0)  # the length of the longest name over a column
    above = 60 + 0.64 * aslant
    figure = _figure(round(max(200, above + 30 + high * len(names))), language)
    text = [["" if np.isnan(value) else f"{value:{format}}" for value in row] for row in matrix.values]
    figure.add_heatmap(
        x=names, y=names, z=matrix.values, text=text, texttemplate="%{text}" if len(names) <= READABLE else None,
        textfont={"size": 12 if few else 9}, colorscale=colorscale, zmin=zmin, zmax=zmax, showscale=False,
        xgap=2, ygap=2, hoverongaps=False, hovertemplate="%{y} – %{x}: %{text}<extra></extra>",
    )  # fmt: skip
    rows = [row_name(name, language) if few else short_name(name, language) for name in matrix.names]
    figure.update_yaxes(
        autorange="reversed", showgrid=False, tickfont={"size": size}, tickmode="array", tickvals=names, ticktext=rows
    )
    figure.update_xaxes(
        side="top", tickangle=-40, showgrid=False, tickfont={"size": size}, tickmode="array", tickvals=names,
        ticktext=columns,
    )  # fmt: skip
    figure.update_xaxes(automargin="left+right")  # at the top it would know of the names, and of no line over them
    figure.update_layout(margin={"t": round(above) - 22, "b": 10})
    if len(names) > NARROW:
        left = letter * max(_width(line) for name in rows for line in name.split("<br>"))
        figure.update_layout(width=round(30 + left + wide * len(names) + 0.77 * letter * _width(columns[-1])))
    return figure


def _width(escaped: str) -> int:
    """Characters of a text as a plot shows it."""
    return len(unescape(escaped))


def _height(rows: int, each: int = 34) -> int:
    """Rows of a plot by model are lower where there are many."""
    return max(220, 90 + (each if rows <= 40 else max(18, each - 12)) * rows)


def _ends(rows: Sequence[Row]) -> tuple[float, float]:
    """The range of points that intervals share."""
    ends = [value for row in rows for value in (row.rating, row.ci_low, row.ci_high) if value is not None]
    return (min(ends) - 40, max(ends) + 40) if ends else (900.0, 1100.0)


def _intervals(
    figure: go.Figure,
    rows: Sequence[Row],
    ends: tuple[float, float],
    shift: float,
    name: str,
    mark: tuple[str, str],
    language: str,
    *,
    place: Mapping[str, int] | None = None,
    drawn: bool = True,
) -> None:
    """One series: a line from end to end and a mark at the rating, at each model's place and `shift` below it."""
    at = [(own if place is None else place[row.model]) + shift for own, row in enumerate(rows)]
    color, symbol = mark
    if drawn:
        x: list[float | None] = []
        y: list[float | None] = []
        for row, height in zip(rows, at, strict=True):
            if row.rating is None and row.ci_low is None and row.ci_high is None:
                continue
            x += [ends[0] if row.ci_low is None else row.ci_low, ends[1] if row.ci_high is None else row.ci_high, None]
            y += [height, height, None]
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": color if name else SOFT, "width": 2}, hoverinfo="skip",
            opacity=0.65 if name else 1, showlegend=False,
        )  # fmt: skip
    rated = [(row, height) for row, height in zip(rows, at, strict=True) if row.rating is not None]
    figure.add_scatter(
        x=[row.rating for row, _ in rated], y=[height for _, height in rated], mode="markers", name=name,
        marker={"size": 9 if name else 11, "color": color, "symbol": symbol, "line": {"width": 2, "color": color}},
        text=[plot_name(row.model, language) for row, _ in rated],
        hovertemplate="%{text}: %{x:.0f}<extra>" + name + "</extra>",
    )  # fmt: skip


def _by_model(figure: go.Figure, names: Sequence[str], ends: tuple[float, float], language: str) -> None:
    """Points to the right, models from best to worst downwards."""
    figure.update_xaxes(title=say(language, "board_rating"), range=list(ends), nticks=6, tickangle=0)
    labels = [(row_name if len(names) <= READABLE else short_name)(name, language) for name in names]
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(names))), ticktext=labels, range=[len(names) - 0.4, -0.6],
        tickfont={"size": 13 if len(names) <= 40 else 11},
    )  # fmt: skip


def _figure(height: int, language: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        separators=",\u202f" if language == "ru" else ".,",  # the decimal mark, then the thousands'
        height=height, margin={"l": 10, "r": 20, "t": 40, "b": 40}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", font={"color": INK, "size": 13}, showlegend=False,
    )  # fmt: skip
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
