"""Length and Markdown of answers: equal to those published for thousands of answers, and free of code blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from arena.benchmarks.answers import answer_turns
from arena.benchmarks.files import read_jsonl, read_records
from arena.markup import Markup, count_markup


def test_counts_equal_those_published_for_4500_answers(shared: Callable[[str], Path]) -> None:
    """Headers, lists and bold of nine models' Russian answers."""
    published = {
        (row["model"], row["question_id"]): (row["headers"], row["lists"], row["bolds"])
        for row in read_records(shared("arena_hard/ru_arena_general_answer_features.parquet"))
    }
    checked = 0
    for path in shared("ru_arena_general/model_answer").glob("*.jsonl.gz"):
        for _, record in read_jsonl(path):
            found = count_markup(answer_turns(record)[0])
            assert (found.headers, found.lists, found.bold) == published[record["model_id"], record["question_id"]]
            checked += 1
    assert checked == 4500


def test_a_conversation_is_counted_over_all_its_answers() -> None:
    """Code blocks have length and no Markdown; an unclosed one is text."""
    first, second = "# Title\n- one\n**bold**", "```sh\n# no header\n```\n1. first"
    assert count_markup(first, second) == Markup(len(first) + len(second), 1, 2, 1)
    assert count_markup() == Markup()


def test_markdown_inside_code_blocks_is_not_style() -> None:
    """A comment is no header, a flag no list."""
    text = "# Title\n- one\n1. two\n**bold** __too__\n```sh\n# comment\n- flag\n**x**\n```\n#nospace"
    assert count_markup(text) == Markup(len(text), 1, 2, 2)
