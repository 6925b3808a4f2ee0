"""AlpacaEval: the published win rates, their length-controlled refit, and rows that are not there."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_files import write_csv

from arena.benchmarks.scorers.logistic import fit, sigmoid
from arena.benchmarks.tasks import alpaca_eval

Find = Callable[[str], Path]


def published(shared: Find) -> dict[str, dict[str, str]]:
    """The leaderboard's rows by model."""
    with shared("alpaca_eval/published_v2.csv").open() as file:
        return {row[""]: row for row in csv.DictReader(file)}


def sheet_of(shared: Find, **options: Any) -> dict[str, Any]:
    """Our rows by model."""
    sheet = alpaca_eval.score(
        alpaca_eval.read_annotations(shared("alpaca_eval/annotations_v2.parquet")),
        alpaca_eval.read_difficulty(shared("alpaca_eval/instruction_difficulty_recovered.csv")),
        **options,
    )
    return {row["model"]: row for row in sheet.models}


def test_win_rates_and_errors_agree_with_the_leaderboard(shared: Find) -> None:
    """Win rate, standard error, number of rows and average length of ten models."""
    gamed = alpaca_eval.read_gamed(shared("alpaca_eval/gamed_baselines_surrogate.csv.gz"))
    rows = sheet_of(shared, gamed=gamed)
    for model, expected in published(shared).items():
        assert rows[model]["win_rate"] == pytest.approx(float(expected["win_rate"]), abs=1e-9)
        assert rows[model]["standard_error"] == pytest.approx(float(expected["standard_error"]), abs=1e-9)
        assert rows[model]["n"] == int(expected["n_total"])
        assert rows[model]["avg_length"] == int(expected["avg_length"])
        controlled = float(expected["length_controlled_winrate"])
        assert rows[model]["length_controlled_winrate"] == pytest.approx(controlled, abs=0.2)


def test_published_weights_give_the_published_controlled_win_rates(shared: Find) -> None:
    """Without a refit, to 1e-6."""
    rows = sheet_of(shared, weights=alpaca_eval.read_weights(shared("alpaca_eval/published_glm_weights.csv")))
    for model, expected in published(shared).items():
        controlled = float(expected["length_controlled_winrate"])
        assert rows[model]["length_controlled_winrate"] == pytest.approx(controlled, abs=1e-6)


@pytest.mark.parametrize(
    "header",
    ["note,c_gamed,model,np.tanh(d),difficulty", "note,c_gamed,,np.tanh(d),difficulty", "x,c_gamed,y,tanh,difficulty"],
)
def test_weights_are_read_by_the_names_of_their_columns(tmp_path: Path, header: str) -> None:
    """Whose they are stands under `model`, or under no name as pandas writes it, else first."""
    path = write_csv(tmp_path / "w.csv", header, "m,3,m,1,2")
    assert alpaca_eval.read_weights(path) == {"m": alpaca_eval.Weights(1, 2, 3)}


def files(folder: Path, *rows: str) -> tuple[Path, Path]:
    """Annotations with these rows and a difficulty for instructions 0…3."""
    return (
        write_csv(folder / "a.csv", "model,index,preference,len_1,len_2", *rows),
        write_csv(folder / "d.csv", "index,instruction_difficulty", "0,-1", "1,0", "2,1", "3,0.5"),
    )


def score(folder: Path, *rows: str) -> Any:
    """The sheet of invented rows."""
    annotations, difficulty = files(folder, *rows)
    return alpaca_eval.score(alpaca_eval.read_annotations(annotations), alpaca_eval.read_difficulty(difficulty))


def test_zero_is_a_tie_and_empty_or_impossible_preferences_are_unscored(tmp_path: Path) -> None:
    """0 stands for 1.5; an empty cell, a word and 7 are no verdicts."""
    sheet = score(tmp_path, "m,0,0,10,20", "m,1,2,10,20", "m,2,,10,20", "m,3,7,10,30")
    row = sheet.models[0]
    assert (row["n"], row["win_rate"]) == (2, 75)
    assert sheet.unscored == 2
    assert "2 rows without a verdict" in sheet.notes[0]


def test_a_model_that_never_wins_has_a_controlled_win_rate_of_zero(tmp_path: Path) -> None:
    """The maximum lies at infinity; the table still has a number."""
    row = score(tmp_path, "m,0,1,10,20", "m,1,1,15,20", "m,2,1,30,20", "m,3,1,30,10").models[0]
    assert row["win_rate"] == 0
    assert row["length_controlled_winrate"] == pytest.approx(0, abs=0.01)


def test_one_single_row_is_a_mean_without_an_error(tmp_path: Path) -> None:
    """What one row cannot tell is null."""
    row = score(tmp_path, "m,0,1.5,10,20").as_json()["models"][0]
    assert row["win_rate"] == 50
    assert row["standard_error"] is None


def test_preferences_that_are_all_alike_tell_no_error(tmp_path: Path) -> None:
    """Twenty of twenty won is no certainty, so the error is unknown and not 0."""
    sheet = score(tmp_path, *[f"m,{index},2,10,20" for index in range(4)])
    assert (sheet.models[0]["win_rate"], sheet.models[0]["standard_error"]) == (100, None)
    assert "all 4 preferences are alike" in sheet.notes[0]


def test_the_fit_finds_the_maximum_of_the_weighted_likelihood() -> None:
    """At the maximum the weighted residuals are orthogonal to every column."""
    random = np.random.default_rng(7)
    design = np.column_stack([random.normal(size=200), random.normal(size=200), np.ones(200)])
    label, weight = random.uniform(size=200), random.uniform(0.1, 1, size=200)
    found = fit(design, label, weight)
    residual = weight * (label - sigmoid(design @ found))
    assert np.abs(design.T @ residual).max() < 1e-8
    assert not math.isclose(found[0], 0)


def test_answers_of_one_length_still_have_a_controlled_win_rate(tmp_path: Path) -> None:
    """The length column is then empty, and the fit ignores it."""
    row = score(tmp_path, "m,0,1.2,10,20", "m,1,1.6,10,20", "m,2,1.7,10,20", "m,3,1.3,10,20").models[0]
    assert row["length_controlled_winrate"] == pytest.approx(45, abs=0.5)
