"""Hostile answers stay text under every reading, and what an honest answer writes survives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from arena.ui.markdown import GrowingMarkdown, quoted, safe_markdown

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
PIECES = (
    "<img src=x onerror=y>", "<script>", "</div>", "<!-- x", "<?php", "<https://a.example>", "<https://a`b>",
    "![a](/b)", "![a][r]", "`", "``", "```", "~~~", "$", "$$", "\\", "\\(", "\\)", "|", "\n", "\n\n", "\n```\n",
    "\n``` a`b\n", "    ", "\t", "\n- ", "\n  ", "\n1. ", "\n> ", "\n# ", "\n|---|---|\n", "\n[r]: /u\n", "word", " ",
    "*", "&lt;", "!", "[", "](x)", "<", ">", "'", '"',
)  # fmt: skip


def everything(tokens: list[Token]) -> list[Token]:
    """Block tokens and the inline ones within them."""
    return [one for token in tokens for one in (token, *everything(token.children or []))]


def active(markdown: str) -> list[str]:
    """What a parser that lets HTML through would let through."""
    return [token.content for token in everything(PARSER.parse(markdown)) if token.type in _ACTIVE]


_ACTIVE = ("html_block", "html_inline", "image")


def mixtures(pieces: tuple[str, ...], most: int) -> st.SearchStrategy[str]:
    """Up to so many pieces in a row, drawn as bytes: a list drawn piece by piece costs more than reading it."""
    return st.binary(max_size=most).map(lambda drawn: "".join(pieces[byte % len(pieces)] for byte in drawn))


@settings(max_examples=2000, deadline=None)
@given(mixtures(PIECES, 24))
def test_no_mixture_of_markup_leaves_a_tag_or_an_image(text: str) -> None:
    """Code that is not code, fences that end with their list, escaped ticks, cells that cut code in two."""
    assert active(safe_markdown(text)) == []
    assert active(quoted(text)) == []


@settings(max_examples=1000, deadline=None)
@given(st.lists(mixtures((*PIECES, "\r", "\x0b", "a<b", "mermaid", "$5", "$x$ ", "$a_1"), 6), max_size=8))
def test_a_growing_answer_reads_at_every_moment_as_if_it_had_been_read_whole(pieces: list[str]) -> None:
    """What was settled earlier never differs from what the whole text says, wherever the pieces are cut."""
    growing, text = GrowingMarkdown(), ""
    for piece in pieces:
        text += piece
        assert growing.shown(text) == safe_markdown(text)


def test_a_text_that_begins_anew_is_read_anew() -> None:
    """A side that failed loses its text; the next answer owes nothing to it."""
    growing = GrowingMarkdown()
    growing.shown("```\nx\n\n")
    assert growing.shown("<b>\n\n") == safe_markdown("<b>\n\n")


@pytest.mark.parametrize(
    "text",
    [
        "\\`<img src=x>`",
        "``<img src=x>\n\nabc\n\n``",
        "``<img src=x>`",
        "# `a\nb` x `<img src=x>`",
        "``` a`b\n<img src=x>\n\nc",
        "- a\n\n  ```\n<img src=x>\n\nz",
        "| a | b |\n|---|---|\n| `x | <img src=x> ` |",
        "$a`b$ `<img src=x>`",
        "<https://a`b> ` x `<img src=x>`",
    ],
)
def test_what_only_looks_like_code_is_no_hiding_place(text: str) -> None:
    """Each of these shows a picture when code is found by a pattern alone."""
    assert active(text) != []
    assert active(safe_markdown(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Plain *text* with **marks** and a [link](https://example.org).",
        "a < b, 1 <2, x<=y",
        "- `<div>` opens\n- `</div>` closes",
        "Use `Vec<String>` or ``a ` <b>``.",
        "```html\n<div style='x'>$5</div>\n![picture](x.png)\n```",
        "1. see\n\n   ```html\n   <b>\n   ```\n\n2. end",
        "~~~\n<b>\n~~~",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "$$\\frac{a}{b}$$ and \\(x + y\\)",
        "<https://example.org>",
        "Hello! [link](https://example.org)",
    ],
)
def test_an_honest_answer_is_left_as_it_is(text: str) -> None:
    """Code in spans and fences, comparison signs, tables, lists, formulas and addresses."""
    assert safe_markdown(text) == text


def test_a_tag_in_prose_is_shown_as_text() -> None:
    """The reader sees what the model wrote."""
    assert safe_markdown("see <b>this</b>") == "see &lt;b>this&lt;/b>"


def test_a_picture_becomes_a_link() -> None:
    """Nothing is fetched until a person follows it."""
    assert safe_markdown("![cat](https://example.org/cat.png)") == "[cat](https://example.org/cat.png)"


def test_a_less_sign_in_a_formula_stays_one() -> None:
    """In its own notation, since the other would open a tag."""
    assert safe_markdown("$a<b$") == "\\(a\\lt b\\)"


@pytest.mark.parametrize(
    "text",
    [
        "It is $5 now and $6 later.",
        "Стоит $5 и $6.",
        "от $5 до 10$ в месяц, 7$ в неделю",
        "$5–$10, US$3/US$4, $1,000.50 or $2k",
        "$5 today\n\n- a list\n- and $6\n",
        "escaped \\$5 and \\$6",
        "set `$HOME` and `$PATH$`",
        "```sh\necho $A$B\n```",
        "1. run\n\n    ```sh\n    echo $A$B\n    ```",
        "$$x^2$$ is worth $5",
    ],
)
def test_an_amount_of_money_is_no_formula(text: str) -> None:
    """Between two prices stands text, and a shell's variables stay what they are."""
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("area $x^2$ here", "area \\(x^2\\) here"),
        ("$5, then $x$ and $y$", "$5, then \\(x\\) and \\(y\\)"),
        ("$v_{ср} = 5$ м/с, $E_{кин}$", "\\(v_{ср} = 5\\) м/с, \\(E_{кин}\\)"),
        ("$2\\text{ кг}$ and $5$ and $2x+1$", "\\(2\\text{ кг}\\) and \\(5\\) and \\(2x+1\\)"),
        ("it costs $5 or $\\$5$", "it costs $5 or \\(\\$5\\)"),
        ("1. a\n\n    ```\n    $A$\n    ```\n\n2. $x$", "1. a\n\n    ```\n    $A$\n    ```\n\n2. \\(x\\)"),
    ],
)
def test_a_formula_between_dollars_is_still_one(text: str, shown: str) -> None:
    """In the notation that has no second meaning."""
    assert safe_markdown(text) == shown


@pytest.mark.parametrize("opening", ["```mermaid", "~~~ Mermaid", "- ```mermaid"])
def test_a_diagram_is_shown_as_the_code_it_is(opening: str) -> None:
    """A drawing has links, styles and a parser of its own."""
    assert "mermaid" not in safe_markdown(f"{opening}\ngraph TD; A-->B\n```").lower()


def test_a_quoted_question_is_quoted_on_every_line() -> None:
    """A line feed does not leave the quotation."""
    assert quoted("one\ntwo") == "> one\n> two"
