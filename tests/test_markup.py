"""Length and Markdown of answers, counted in one place for benchmarks and votes."""

from __future__ import annotations

from arena.markup import Markup, count_markup


def test_a_conversation_is_counted_over_all_its_answers() -> None:
    """Code blocks have length and no Markdown; an unclosed one is text."""
    first, second = "# Title\n- one\n**bold**", "```sh\n# no header\n```\n1. first"
    assert count_markup(first, second) == Markup(len(first) + len(second), 1, 2, 1)
    assert count_markup() == Markup()
