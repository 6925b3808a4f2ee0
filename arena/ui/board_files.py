"""What the leaderboard shows, as files to take away: rows as CSV or JSON, a plot as one HTML page.

Pictures (PNG, SVG) are made by the page itself of the plot that is on it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from typing import Any

import plotly.graph_objects as go

from arena.ratings.leaderboard import Leaderboard, Matrix, counts_matrix, win_matrix
from arena.service import BoardView
from arena.service.boards import HistoryPoint
from arena.service.head_to_head import PairView
from arena.ui import charts

File = tuple[str, str]
"""Content and media type."""

Rows = Sequence[Mapping[str, Any]]
"""A table whose rows name their cells alike."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(rows: Rows) -> File:
    """A header and one line per row; text that a spreadsheet would compute is disarmed."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writerow({name: _disarmed(name) for name in rows[0]})
        writer.writerows({name: _disarmed(value) for name, value in row.items()} for row in rows)
    return out.getvalue(), "text/csv; charset=utf-8"


def as_json(content: object) -> File:
    """Plain values; what is not known is null."""
    return json.dumps(content, ensure_ascii=False, indent=2), "application/json"


def as_html(figures: Iterable[go.Figure], title: str) -> File:
    """Plots as one page that works without a network."""
    parts = [plot.to_html(full_html=False, include_plotlyjs=index == 0) for index, plot in enumerate(figures)]
    return f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title>{''.join(parts)}", _HTML


def board_rows(board: Leaderboard) -> Rows:
    """One row per contestant."""
    return [row.to_json() for row in board.rows]


def interval_rows(boards: Sequence[tuple[str, BoardView]]) -> Rows:
    """One row per contestant and track."""
    return [
        {"track": track, **{name: getattr(row, name) for name in _INTERVAL}}
        for track, view in boards
        for row in view.board.rows
    ]


def matrix_rows(board: Leaderboard, plot: str) -> Rows:
    """A square table: the row's name, then one cell per column's name, empty where there is nothing to say."""
    matrix: Matrix = win_matrix(board) if plot == "wins" else counts_matrix(board)
    label = next(label for label in ("model", "row", "") if label not in matrix.names)
    return [
        {
            label: name,
            **{other: None if value != value else value for other, value in zip(matrix.names, line, strict=True)},
        }
        for name, line in zip(matrix.names, matrix.values.tolist(), strict=True)
    ]


def history_rows(points: Sequence[HistoryPoint]) -> Rows:
    """One row per contestant and vote."""
    return [
        {"vote": one.sequence, "time": datetime.fromtimestamp(one.at, UTC).isoformat(), "model": one.model}
        | {"elo": one.rating}
        for one in points
    ]


def style_rows(board: Leaderboard | None) -> Rows:
    """One row per feature: the coefficient as fitted, and in points for twice as much."""
    if board is None or board.style is None:
        return []
    points = charts.style_points(board.style, board.scale)
    return [
        asdict(found) | {"points_for_twice": one.points, "points_low": one.low, "points_high": one.high}
        for found, one in zip(board.style.coefficients, points, strict=True)
    ]


def pair_rows(pair: PairView) -> Rows:
    """Battles between two contestants: all, then by topic."""
    return [
        {"topic": one.topic or "all", "a": pair.a, "b": pair.b, "wins_a": one.wins_a, "wins_b": one.wins_b}
        | {"ties": one.ties, "both_bad": one.both_bad}
        for one in (pair.met, *pair.topics)
    ]


def _disarmed(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


_HTML = "text/html; charset=utf-8"
_INTERVAL = ("model", "rating", "ci_low", "ci_high", "rank_low", "rank_high", "battles")
