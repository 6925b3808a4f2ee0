"""Quoted figures: all have a source and a date, and the published tables are whole."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from arena.benchmarks.reference import quoted_figures, quoted_table


def test_every_quoted_figure_names_its_source_and_date() -> None:
    """Otherwise it could not be shown as quoted."""
    figures = quoted_figures()
    assert len(figures) > 1200
    assert all(figure.source and figure.date[:4].isdigit() and figure.quoted for figure in figures)
    assert all(figure.value == figure.value for figure in figures)


def test_the_plain_table_and_the_one_with_length_control_stand_apart() -> None:
    """The same model has another score in each."""
    for variant, score in (("", 79.8), ("length control", None)):
        rows = quoted_table("ru-arena-general", variant)
        row = next(row for (_, _, model), row in rows.items() if model == "vikhr-nemo-12b-instruct-r-21-09-24")
        assert {"score", "ci_low_delta", "ci_high_delta", "avg_tokens"} <= set(row)
        assert (row["score"].value == 79.8) == (score is not None)


def test_quoted_figures_are_those_of_the_published_tables(shared: Callable[[str], Path]) -> None:
    """Every figure of the sources that is a number, and no other."""
    with shared("published/quoted_tables.csv").open() as file:
        theirs = sorted((row["model"], row["metric"], float(row["value"])) for row in csv.DictReader(file)
                        if row["value"] != "NaN")  # fmt: skip
    ours = sorted(
        (figure.model, figure.metric, figure.value)
        for figure in quoted_figures()
        if not figure.source.startswith("VikhrModels/ru_llm_arena, README")
    )
    assert ours == theirs
