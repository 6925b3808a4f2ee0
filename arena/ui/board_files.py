"""A leaderboard as a file to take away: rows as CSV, everything as JSON, plots as one HTML page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping

from arena.ratings.leaderboard import Leaderboard, Row
from arena.ui import charts

File = tuple[str, str]
"""Content and media type."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(board: Leaderboard) -> File:
    """One line per contestant; names that a spreadsheet would compute are disarmed."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(Row.__slots__))
    writer.writeheader()
    for row in board.rows:
        cells = row.to_json()
        name = str(cells["model"])
        writer.writerow({**cells, "model": f"'{name}" if name.startswith(_FORMULA) else name})
    return out.getvalue(), "text/csv; charset=utf-8"


def as_json(board: Leaderboard) -> File:
    """The same object as the command line prints."""
    return json.dumps(board.to_json(), ensure_ascii=False, indent=2), "application/json"


def as_html(board: Leaderboard) -> File:
    """The plots as one page that works without a network."""
    plots = [charts.forest(board, "en"), charts.wins(board, "en"), charts.counts(board, "en")]
    parts = [plot.to_html(full_html=False, include_plotlyjs=index == 0) for index, plot in enumerate(plots)]
    return f"<!doctype html><meta charset=utf-8><title>Arena</title>{''.join(parts)}", "text/html; charset=utf-8"


WRITERS: Mapping[str, Callable[[Leaderboard], File]] = {"csv": as_csv, "json": as_json, "html": as_html}
