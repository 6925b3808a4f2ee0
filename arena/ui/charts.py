"""Plots of a leaderboard, in the page's colours on either background; pure functions to figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import plotly.graph_objects as go

from arena.benchmarks.desk import Entry, TaskTable
from arena.ratings.leaderboard import Leaderboard, Matrix, counts_matrix, win_matrix
from arena.service.boards import HistoryPoint
from arena.ui.texts import TEXTS, number, say

INK, SOFT, GRID = "#7a7a86", "#8a8a96", "rgba(128,128,140,.22)"
SIDE_A, SIDE_B = "#0b7285", "#b4560c"
DIVERGING = [[0.0, SIDE_B], [0.5, "#f4f1ea"], [1.0, SIDE_A]]
PALETTE = ("#0b7285", "#b4560c", "#364fc7", "#a61e4d", "#5c940d", "#6741d9", "#e67700", "#087f5b", "#495057", "#c2255c")


def forest(board: Leaderboard, language: str) -> go.Figure:
    """Ratings with their 95% intervals, best at the top; an open end runs to the edge."""
    rows = [row for row in reversed(board.rows) if row.ci_low is not None or row.ci_high is not None or row.rating]
    figure = _figure(max(220, 90 + 34 * len(rows)))
    ends = [value for row in rows for value in (row.rating, row.ci_low, row.ci_high) if value is not None]
    low, high = (min(ends) - 40, max(ends) + 40) if ends else (900.0, 1100.0)
    for row in rows:
        span = [low if row.ci_low is None else row.ci_low, high if row.ci_high is None else row.ci_high]
        if board.method != "elo":
            figure.add_scatter(
                x=span, y=[row.model] * 2, mode="lines", line={"color": SOFT, "width": 2}, hoverinfo="skip"
            )
    rated = [row for row in rows if row.rating is not None]
    figure.add_scatter(
        x=[row.rating for row in rated], y=[row.model for row in rated], mode="markers",
        marker={"size": 11, "color": SIDE_A}, hovertemplate="%{y}: %{x:.0f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=say(language, "board_rating"), range=[low, high])
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=[row.model for row in rows])
    return figure


def wins(board: Leaderboard, language: str) -> go.Figure:
    """Predicted probability that the row beats the column."""
    matrix = win_matrix(board)
    figure = _heat(matrix, colorscale=DIVERGING, zmin=0, zmax=1, format=".0%")
    said = "compare_unknown" if np.isnan(matrix.values).all() else "plot_probability"
    figure.add_annotation(text=say(language, said), xref="paper", yref="paper", x=0, y=0, yshift=-24, showarrow=False)
    return figure


def counts(board: Leaderboard, language: str) -> go.Figure:
    """How many battles each two fought."""
    return _heat(counts_matrix(board), colorscale=[[0, "#f4f1ea"], [1, SIDE_A]], zmin=0, zmax=None, format=".0f")


def history(points: Sequence[HistoryPoint], board: Leaderboard, language: str) -> go.Figure:
    """Online Elo after each of the latest votes; time runs to the right."""
    figure = _figure(380)
    for index, row in enumerate(board.rows):
        own = [point for point in points if point.model == row.model]
        if own:
            times = [datetime.fromtimestamp(point.at, UTC) for point in own]
            figure.add_scatter(
                x=times, y=[point.rating for point in own], mode="lines", line={"shape": "hv", "width": 2,
                "color": PALETTE[index % len(PALETTE)]}, name=row.model,
            )  # fmt: skip
    figure.update_layout(showlegend=True, legend={"orientation": "h"})
    figure.update_yaxes(title=say(language, "board_rating"))
    return figure


def score_and_rating(view: TaskTable, language: str) -> go.Figure:
    """The score of every model that people rated, against its rating, with the rank correlation above."""
    figure = _figure(420)
    _cloud(figure, view, [entry for entry in view.entries if entry.rating is not None], _rating, language)
    found = view.correlations.get(view.main or "")
    told = say(language, "bench_no_rho")
    if found is not None and found.rho is not None:
        told = f"ρ = {number(found.rho, language, 2)}, n = {len(found.models)}"
    figure.update_layout(title={"text": told, "font": {"size": 15}})
    figure.update_xaxes(title=say(language, "board_rating"))
    return figure


def score_and_length(view: TaskTable, language: str) -> go.Figure:
    """The score against the average length of answers: whoever only talks more lies on a line."""
    length = view.length or ""
    figure = _figure(420)
    _cloud(figure, view, view.entries, lambda entry: entry.figures.get(length), language)
    figure.update_xaxes(title=say(language, f"bench_col_{length}"), rangemode="tozero")
    return figure


def radar(view: TaskTable, language: str) -> go.Figure:
    """Every model's grades by category, out of ten; published ones are dotted."""
    figure = _figure(480)
    names = [say(language, key) if (key := f"bench_col_{one}") in TEXTS else one for one in view.categories]
    rows = [entry for entry in view.entries if sum(one in entry.figures for one in view.categories) > 1]
    for index, entry in enumerate(rows[: len(PALETTE)]):
        values = [entry.figures.get(one) for one in view.categories]
        figure.add_scatterpolar(
            r=[*values, values[0]], theta=[*names, names[0]], name=entry.model, mode="lines+markers",
            line={"color": PALETTE[index], "dash": "dot" if entry.quoted else "solid"},
        )  # fmt: skip
    axis = {"gridcolor": GRID, "linecolor": GRID}
    figure.update_layout(
        polar={"bgcolor": "rgba(0,0,0,0)", "radialaxis": {"range": [0, 10], **axis}, "angularaxis": axis},
        showlegend=True, legend={"orientation": "h", "y": -0.15}, margin={"l": 60, "r": 60},
    )  # fmt: skip
    return figure


def _rating(entry: Entry) -> float | None:
    return entry.rating


def _cloud(
    figure: go.Figure, view: TaskTable, entries: Sequence[Entry], across: Callable[[Entry], float | None], language: str
) -> None:
    """Our models as filled points with their names, published ones as rings."""
    main = view.main or ""
    for quoted, symbol, color in ((False, "circle", SIDE_A), (True, "circle-open", SIDE_B)):
        chosen = [entry for entry in entries if entry.quoted is quoted and main in entry.figures]
        points = [(across(entry), entry.figures[main], entry.model) for entry in chosen if across(entry) is not None]
        if points:
            figure.add_scatter(
                x=[point[0] for point in points], y=[point[1] for point in points], text=[point[2] for point in points],
                mode="markers+text" if len(points) <= 12 else "markers", textposition="top center", cliponaxis=False,
                marker={"size": 11, "symbol": symbol, "color": color},
                name=say(language, "bench_quoted" if quoted else "bench_ours"),
                hovertemplate="%{text}: %{y:.2f} (%{x:.0f})<extra></extra>",
            )  # fmt: skip
    figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"})
    title = f"bench_col_{main}"
    figure.update_yaxes(title=say(language, title) if title in TEXTS else main)


def _heat(matrix: Matrix, *, colorscale: list[list[object]], zmin: float, zmax: float | None, format: str) -> go.Figure:
    names = list(matrix.names)
    figure = _figure(max(260, 120 + 34 * len(names)))
    text = [["" if np.isnan(value) else f"{value:{format}}" for value in row] for row in matrix.values]
    figure.add_heatmap(
        x=names, y=names, z=matrix.values, text=text, texttemplate="%{text}" if len(names) <= 24 else None,
        colorscale=colorscale, zmin=zmin, zmax=zmax, showscale=False, xgap=2, ygap=2, hoverongaps=False,
        hovertemplate="%{y} – %{x}: %{text}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(side="top", tickangle=-30, showgrid=False)
    figure.update_layout(margin={"t": 90})
    return figure


def _figure(height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=height, margin={"l": 10, "r": 20, "t": 40, "b": 40}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", font={"color": INK, "size": 13}, showlegend=False,
    )  # fmt: skip
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
