"""Style counts: equal to those published for thousands of answers, and free of code blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arena.benchmarks.answers import answer_turns
from arena.benchmarks.files import read_jsonl, read_records
from arena.benchmarks.scorers.style import PAIR_FEATURES, Style, count_style


def test_counts_equal_those_published_for_4500_answers(shared: Callable[[str], Path]) -> None:
    """Headers, lists and bold of nine models' Russian answers."""
    published = {
        (row["model"], row["question_id"]): (row["headers"], row["lists"], row["bolds"])
        for row in read_records(shared("arena_hard/ru_arena_general_answer_features.parquet"))
    }
    checked = 0
    for path in shared("ru_arena_general/model_answer").glob("*.jsonl.gz"):
        for _, record in read_jsonl(path):
            style = count_style(answer_turns(record)[0], 0)
            expected = published[record["model_id"], record["question_id"]]
            assert (style.headers, style.lists, style.bold) == expected
            checked += 1
    assert checked == 4500


def test_markdown_inside_code_blocks_is_not_style() -> None:
    """A comment is no header, a flag no list."""
    text = "# Title\n- one\n1. two\n**bold** __too__\n```sh\n# comment\n- flag\n**x**\n```\n#nospace"
    assert count_style(text, 9) == Style(9, 1, 2, 2)


@pytest.mark.parametrize("name", ["fastchat", "arena-hard-v2"])
def test_features_change_sign_with_the_sides(name: str) -> None:
    """And two equal answers, or two empty ones, have none."""
    a, b = Style(100, 3, 5, 0), Style(50, 0, 5, 2)
    make = PAIR_FEATURES[name]
    assert make(a, b) == {feature: -value for feature, value in make(b, a).items()}
    assert set(make(Style(0, 0, 0, 0), Style(0, 0, 0, 0)).values()) == {0}


def test_the_two_conventions_differ_as_their_formulas_do() -> None:
    """Counts against densities."""
    a, b = Style(99, 3, 0, 0), Style(49, 1, 0, 0)
    assert PAIR_FEATURES["fastchat"](a, b) == pytest.approx(
        {"tokens": 50 / 149, "headers": 2 / 5, "lists": 0, "bold": 0}
    )
    assert PAIR_FEATURES["arena-hard-v2"](a, b) == pytest.approx(
        {"tokens": 50 / 148, "headers": (0.03 - 0.02) / 1.05, "lists": 0, "bold": 0}
    )
