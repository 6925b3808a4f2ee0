"""The harness's results file: which figure stands for a task, and what is kept beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arena.benchmarks.correlation import rank_correlation
from arena.benchmarks.scoreboard import Scoreboard
from arena.benchmarks.task import ScoreSheet
from arena.benchmarks.tasks.lm_eval import import_results, joined
from arena.config import Settings
from arena.errors import FileFormatError
from arena.service.opening import open_store
from arena.store.store import Store

RESULTS: dict[str, Any] = {
    "results": {
        "rummlu": {"alias": "rummlu", "acc,none": 0.5, "acc_stderr,none": 0.01, "acc_norm,none": 0.6},
        "rugsm8k": {
            "exact_match,flexible-extract": 0.8,
            "exact_match_stderr,flexible-extract": "N/A",
            "exact_match,strict-match": 0.7,
        },
        "wiki": {"word_perplexity,none": 12.5, "sample_len": 10},
        "empty_group": {" ": " ", "alias": "group"},
    },
    "groups": {"mera": {"acc,none": 0.25}},
    "n-samples": {"rummlu": {"original": 100, "effective": 40}},
    "n-shot": {"rummlu": 5},
}


def test_a_task_shows_its_main_metric_and_keeps_all(tmp_path: Path) -> None:
    """Fractions become percent; perplexity stays; groups count as tasks."""
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    sheet = import_results(tmp_path / "results.json", "m")
    assert sheet.models == [{"model": "m", "rummlu": 60, "rugsm8k": 70, "wiki": 12.5, "mera": 25}]
    metrics = {(row["task"], row["metric"], row["filter"]): row for row in sheet.sections["metrics"]}
    accuracy = metrics["rummlu", "acc", "none"]
    assert (accuracy["value"], accuracy["stderr"], accuracy["samples"], accuracy["shots"]) == (50, 1, 40, 5)
    assert metrics["rugsm8k", "exact_match", "flexible-extract"]["stderr"] is None
    assert len(metrics) == 6


@pytest.mark.parametrize("text", ["[]", "{}", '{"results": {"t": {"alias": "t"}}}', "no json"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    """With a message that names it."""
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(FileFormatError, match="other"):
        import_results(tmp_path / "other.json", "m")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(Settings.from_environment({}, storage=tmp_path)) as opened:
        yield opened


def test_kept_sheets_are_found_again_and_replaced(tmp_path: Path, store: Store) -> None:
    """One per task and model, whatever the model is called."""
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    board, sheet = Scoreboard(store), import_results(tmp_path / "results.json", "../org/m")
    board.keep(replace(sheet, models=[]), "../org/m")
    board.keep(sheet, "../org/m")
    (kept,) = board.kept("lm-eval")
    assert kept.model == "../org/m"
    assert kept.sheet["models"][0]["rummlu"] == 60
    assert list(board.kept("arena-hard")) == []


def test_results_of_several_files_become_one_row(tmp_path: Path) -> None:
    """The harness is run task by task; what is run again replaces what was."""
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text(json.dumps(RESULTS))
    second.write_text(json.dumps({"results": {"rummlu": {"acc,none": 0.7}, "rumath": {"exact_match,none": 0.25}}}))
    sheet = joined(import_results(first, "m").as_json(), import_results(second, "m"))
    assert sheet.models == [
        {"model": "m", "rummlu": 70, "rugsm8k": 70, "wiki": 12.5, "mera": 25, "rumath": pytest.approx(25)}
    ]
    of_rummlu = [row["value"] for row in sheet.sections["metrics"] if row["task"] == "rummlu"]
    assert of_rummlu == [70]


def test_sheets_that_lie_as_files_are_shown_until_newer_ones_are_kept(tmp_path: Path, store: Store) -> None:
    """An older arena wrote them; nothing of it is lost, and a damaged one is named."""
    folder = tmp_path / "scores" / "ifeval"
    folder.mkdir(parents=True)
    for model in ("a", "b"):
        old = {"model": model, "date": "2026-01-01", "task": "ifeval", "models": [{"model": model, "score": 1}]}
        (folder / f"{model}.json").write_text(json.dumps(old))
    board = Scoreboard(store, tmp_path / "scores")
    board.keep(ScoreSheet("ifeval", "", [{"model": "b", "score": 2}]), "b")
    assert [(kept.model, kept.sheet["models"][0]["score"]) for kept in board.kept()] == [("a", 1), ("b", 2)]
    (folder / "c.json").write_text("[]")
    with pytest.raises(FileFormatError, match=r"c\.json"):
        list(board.kept("ifeval"))


def test_rank_correlation_shares_ranks_among_ties() -> None:
    """Spearman's ρ over the models in both; too few say nothing."""
    ratings = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    assert rank_correlation({"a": 10, "b": 20, "c": 30, "e": 5}, ratings).rho == pytest.approx(1)
    assert rank_correlation({"a": 4, "b": 3, "c": 2, "d": 1}, ratings).rho == pytest.approx(-1)
    assert rank_correlation({"a": 1, "b": 1, "c": 2, "d": 2}, ratings).rho == pytest.approx(0.894427191)
    assert rank_correlation({"a": 1, "b": 2}, ratings).rho is None
    assert rank_correlation({"a": 1, "b": 1, "c": 1}, ratings).rho is None
