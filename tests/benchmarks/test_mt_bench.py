"""MT-Bench: the published means, what counts as a verdict, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_files import write_csv, write_jsonl

from arena.benchmarks.files import read_records
from arena.benchmarks.scorers.judge_texts import choice, grade
from arena.benchmarks.tasks import mt_bench

Find = Callable[[str], Path]


def test_single_pairwise_and_reference_means_are_the_published_ones(shared: Find) -> None:
    """Every figure of expected.json."""
    sheet = mt_bench.score(
        mt_bench.read_single(shared("mt_bench/single.parquet")),
        mt_bench.read_pairwise(shared("mt_bench/pairwise.parquet")),
    )
    expected = json.loads(shared("mt_bench/expected.json").read_text())
    judge = sheet.sections["judges"][0]
    assert round(judge["single_mean"], 2) == expected["table6_mean"]
    assert judge["single_valid"] == expected["valid"]
    assert judge["pairwise_valid"] == expected["table5"]["valid"]
    assert judge["pairwise_inconsistent"] == expected["table5"]["inconsistent"]
    assert round(judge["pairwise_inconsistency"], 2) == expected["table5"]["rate"]
    assert judge["paired"] == expected["table7"]["paired"]
    assert round(judge["standard_mean"], 2) == expected["table7"]["standard"]
    assert round(judge["reference_mean"], 2) == expected["table7"]["reference"]
    plain = {row["model"]: row for row in sheet.models if row["proto"] == "single_grade"}
    for model, mean in expected["figure3_model"].items():
        assert round(plain[model]["score"], 4) == pytest.approx(mean, abs=1.0001e-4)
    for category, mean in expected["figure3_category"].items():
        assert round(judge["categories"][category], 4) == mean
    assert sheet.unscored == 0


@pytest.mark.parametrize("which", ["first", "last"])
def test_every_raw_judge_text_reads_as_its_authors_read_it(shared: Find, which: str) -> None:
    """1,934 texts of three protocols; a turn that was never graded is null."""
    path = shared("mt_bench/raw_verdict_texts.parquet")
    found = mt_bench.read_verdicts(path, which)  # type: ignore[arg-type]
    for ours, theirs in zip(found, read_records(path), strict=True):
        for name in ("out1", "out2"):
            value = ours.as_flags()[name]
            assert ("-1.0" if value is None else str(value)) == theirs[name]
    table = mt_bench.score(verdicts=found).sections["verdicts"]
    assert {row["proto"]: (row["parsed"], row["unparsed"]) for row in table} == {
        "single_grade": (960, 0),
        "single_grade_ref": (174, 0),
        "pairwise": (800, 0),
    }


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("Rating: [[8]]", 8, 8),
        ("[[7.5]] but then [[3]]", 7.5, 3),
        ("[[8.5], [8.2]]", 8.5, 8.2),
        ("[6] only single", 6, 6),
        ("[6] and [[9]]", 9, 9),
        ("[[Rating: 8]]", None, None),
        ("[[11]]", None, None),
        ("[[0]]", None, None),
        ("", None, None),
        ("eight", None, None),
    ],
)
def test_a_grade_is_a_bracketed_number_from_one_to_ten(text: str, first: float | None, last: float | None) -> None:
    """Double brackets before single ones; anything else is no grade."""
    assert (grade(text, "first"), grade(text, "last")) == (first, last)


def test_a_choice_is_a_bracketed_letter_and_c_is_a_tie() -> None:
    """The first or the last of several, by name of the protocol."""
    text = "[[A]] … on reflection [[C]]"
    assert (choice(text, "first"), choice(text, "last")) == ("A", "tie")
    assert choice("[[D]] [A]") is None


def test_grades_out_of_range_are_left_out_and_counted(tmp_path: Path) -> None:
    """−1 is "not graded"; a turn nobody graded in that protocol is not a failure."""
    path = write_csv(
        tmp_path / "s.csv",
        "model,category,question_id,score_turn1,score_turn2,proto",
        "m,math,1,8,-1,single",
        "m,math,2,12,6,single",
        "m,math,1,-1,4,single_ref",
    )
    sheet = mt_bench.score(mt_bench.read_single(path))
    rows = {row["proto"]: row for row in sheet.models}
    assert (rows["single"]["score"], rows["single"]["turn_1"], rows["single"]["turn_2"]) == (7, 8, 6)
    assert (rows["single_ref"]["turn_1"], rows["single_ref"]["score"]) == (None, 4)
    assert sheet.unscored == 2
    assert sheet.sections["judges"][0]["paired"] == 0  # question 1 has no plain second turn


def test_a_judge_that_never_gives_a_grade_is_not_a_perfect_one(tmp_path: Path) -> None:
    """Rows without any grade are counted: somebody was asked for one, or they would not be there."""
    path = write_csv(tmp_path / "s.csv", "model,category,score_turn1,score_turn2", "x,math,-1,-1", "y,math,-1,-1")
    sheet = mt_bench.score(mt_bench.read_single(path))
    assert (sheet.unscored, sheet.notes) == (2, ["2 grades not given or out of 1–10"])
    assert [row["score"] for row in sheet.models] == [None, None]


def test_a_pair_is_consistent_when_both_orders_name_the_same_answer(tmp_path: Path) -> None:
    """Letters are places: A then B is the same answer; a missing order makes the pair invalid."""
    path = write_csv(
        tmp_path / "p.csv",
        "model_a,model_b,winner_ab,winner_ba",
        "x,y,A,B",
        "x,y,tie,tie",
        "x,y,A,A",
        "x,y,A,tie",
        "x,y,A,error",
    )
    sheet = mt_bench.score(pairwise=mt_bench.read_pairwise(path))
    judge = sheet.sections["judges"][0]
    assert (judge["pairwise_valid"], judge["pairwise_inconsistent"]) == (4, 2)
    assert sheet.unscored == 1


def test_unreadable_judge_texts_are_counted_by_protocol(tmp_path: Path) -> None:
    """An empty text among others is a failure; files without lang or judge read too."""
    lines = [
        {"proto": "single", "who": "m", "question_id": 1, "text1": "[[5]]", "text2": "none"},
        {"proto": "single", "who": "m", "question_id": 2, "text1": "", "text2": "[[6]]"},
        {"proto": "pairwise", "who": "m|n", "question_id": 1, "text1": "[[A]]", "text2": "[[B]]"},
    ]
    found = mt_bench.read_verdicts(write_jsonl(tmp_path / "v.jsonl", lines))
    sheet = mt_bench.score(verdicts=found)
    assert [(row["parsed"], row["unparsed"]) for row in sheet.sections["verdicts"]] == [(2, 2), (2, 0)]
    assert found[2].as_flags()["out2"] == "B"
    assert sheet.unscored == 2
