"""Answers from documents: the published table, and the three columns of our own runs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from made_files import write_csv

from arena.benchmarks.scorers.rouge import rouge_l
from arena.benchmarks.tasks.grounded_rag import (
    GroundedAnswer,
    cited_ids,
    index_difference,
    read_runs,
    score_answers,
    score_runs,
)

Find = Callable[[str], Path]


def test_four_russian_runs_give_their_published_rows(shared: Find) -> None:
    """Weighted score, language consistency, means and counts."""
    sheet = score_runs(read_runs(shared("rag/ragaliq_ru_open.parquet")))
    ours = {row["model"]: row for row in sheet.models}
    with shared("rag/published.csv").open() as file:
        for published in csv.DictReader(file):
            row = ours[published["model"]]
            for name in ("weighted_score", "language_consistency"):
                assert row[name] == pytest.approx(float(published[name]), abs=1e-6)
            for name in ("mean_grade", "median_grade", "percentage", "percentage_with_zero"):
                assert row[name] == pytest.approx(float(published[name]), abs=5.1e-5)
            assert [row[f"n{grade}"] for grade in range(6)] == [int(published[f"n{grade}"]) for grade in range(6)]
            assert row["gen_time"] is None
            assert row["embedder"] == published["embedder"]


def test_rows_without_a_readable_grade_are_counted(tmp_path: Path) -> None:
    """A file with nothing but models and grades is enough; zeros weigh 0.4 and leave the mean."""
    sheet = score_runs(read_runs(write_csv(tmp_path / "r.csv", "model,score", "m,5", "m,0", "m,9", "m,")))
    row = sheet.models[0]
    assert row["weighted_score"] == pytest.approx(0.7**2)
    assert (row["mean_grade"], row["percentage_with_zero"], row["lang"]) == (5, 50, None)
    assert sheet.unscored == 2


def test_rouge_reads_russian() -> None:
    """Four of five and of four words in order: F = 2·(3/5·3/4)/(3/5+3/4)."""
    assert rouge_l("Музей открыт в десять утра", "музей откроется в десять") == pytest.approx(2 / 3)
    assert rouge_l("ёлка", "елка") == 1


def test_cited_ids_are_read_from_the_last_object_that_names_them() -> None:
    """Text around it does not matter; none is None, an empty list is an answer."""
    assert cited_ids('first {"relevant_doc_ids": [1]} then {"relevant_doc_ids": [2, 0]} end') == (2, 0)
    assert cited_ids('{"relevant_doc_ids": []}') == ()
    assert cited_ids("documents 1 and 2") is None


@pytest.mark.parametrize(
    ("cited", "expected", "difference"),
    [((0, 2), (2, 0), 0), ((), (), 0), ((3,), (1,), 2), ((0, 5), (0,), 0.5), ((), (4,), 1)],
)
def test_cited_indexes_differ_by_their_distance(
    cited: tuple[int, ...], expected: tuple[int, ...], difference: float
) -> None:
    """Ids are paired in order of size; one without a partner counts 1."""
    assert index_difference(cited, expected) == difference


def test_domains_stand_apart_and_what_was_not_told_is_null() -> None:
    """A model that cites nothing readable has no index difference; an unjudged answer no percent."""
    answers = [
        GroundedAnswer("m", "in_domain", "в десять", "в десять", (0,), (0,), True),
        GroundedAnswer("m", "in_domain", "не знаю", "в десять", (1,), (0,), False),
        GroundedAnswer("m", "out_of_domain", "нет в документах", "нет данных", None, ()),
    ]
    sheet = score_answers(answers)
    inside, outside = sheet.models
    assert (inside["judge_correct_percent"], inside["avg_abs_indexes_diff"]) == (50, 0.5)
    assert inside["avg_answer_match_rougeL"] == 0.5
    assert (outside["judge_correct_percent"], outside["avg_abs_indexes_diff"]) == (None, None)
    assert sheet.unscored == 1
