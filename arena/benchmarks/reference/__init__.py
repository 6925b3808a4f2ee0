"""Figures that others published, to be shown beside our own runs and marked as quoted.

Figures only, each with its source and date; the CSV files beside this module hold them. What was
published as "no number" is not here. Knows nothing of our own scores.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class QuotedFigure:
    """One published figure. `variant` parts the tables of one task: a harness benchmark, a domain, length control."""

    task: str
    variant: str
    judge: str
    model: str
    metric: str
    value: float
    source: str
    date: str
    note: str

    quoted = True


@lru_cache(maxsize=1)
def quoted_figures() -> tuple[QuotedFigure, ...]:
    """Every figure, in the order of the published tables."""
    return tuple(figure for path in sorted(Path(__file__).parent.glob("*.csv")) for figure in _read(path))


def quoted_table(task: str, variant: str | None = None) -> dict[tuple[str, str, str], dict[str, QuotedFigure]]:
    """A task's published rows: (source, variant, model) → figures by metric."""
    rows: dict[tuple[str, str, str], dict[str, QuotedFigure]] = {}
    for figure in quoted_figures():
        if figure.task == task and variant in (None, figure.variant):
            rows.setdefault((figure.source, figure.variant, figure.model), {})[figure.metric] = figure
    return rows


def _read(path: Path) -> Iterator[QuotedFigure]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield QuotedFigure(**{**row, "value": float(row["value"])})  # type: ignore[arg-type]
