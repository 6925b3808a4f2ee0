"""Reasoning and answer are told apart wherever the network cuts the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.engines.thinking import ThinkSplitter


def split(*pieces: str, starts_inside: bool = False) -> tuple[str, str]:
    """Text and reasoning of a stream of pieces."""
    splitter = ThinkSplitter(starts_inside=starts_inside)
    chunks = [*(splitter.feed(piece) for piece in pieces), splitter.finish()]
    return "".join(chunk.text for chunk in chunks), "".join(chunk.reasoning for chunk in chunks)


@pytest.mark.parametrize(
    ("stream", "text", "reasoning"),
    [
        ("plain answer", "plain answer", ""),
        ("<think>why</think>because", "because", "why"),
        ("\n<think>why</think>\n\nbecause", "because", "why"),
        ("<think></think>at once", "at once", ""),
        ("<think>never closed", "", "never closed"),
        ("<think>one</think> <think>two</think>end", "end", "onetwo"),
        ("The tag <think> opens, </think> closes.", "The tag <think> opens, </think> closes.", ""),
        ("<think>a</think>The tag <think> again", "The tag <think> again", "a"),
        ("<thin", "<thin", ""),
        ("<think>a</thi", "", "a</thi"),
        ("  leading", "  leading", ""),
        ("", "", ""),
    ],
)
def test_a_stream_is_split_the_same_whole_or_by_characters(stream: str, text: str, reasoning: str) -> None:
    """The result depends on the text alone, also when a tag comes in eight pieces or never ends."""
    assert split(stream) == (text, reasoning)
    assert split(*stream) == (text, reasoning)


@pytest.mark.parametrize(
    ("stream", "text", "reasoning"),
    [
        ("why</think>because", "because", "why"),
        ("<think>why</think>because", "because", "why"),
        ("never closed", "", "never closed"),
        ("", "", ""),
    ],
)
def test_a_stream_may_start_inside_the_reasoning(stream: str, text: str, reasoning: str) -> None:
    """Templates that put the opening tag into the prompt leave only the closing one to the stream."""
    assert split(stream, starts_inside=True) == (text, reasoning)
    assert split(*stream, starts_inside=True) == (text, reasoning)


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "</th", "ink>", "a", " ", "\n", "я"]), max_size=12), st.data()
)
def test_where_the_stream_is_cut_never_matters(parts: list[str], data: st.DataObject) -> None:
    """Any cut gives the same split as no cut, and no character but tags and white space gets lost."""
    stream = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    for inside in (False, True):
        text, reasoning = split(*pieces, starts_inside=inside)
        assert (text, reasoning) == split(stream, starts_inside=inside)
        assert len(text) + len(reasoning) <= len(stream)


def test_text_before_a_possible_tag_is_not_held_back() -> None:
    """Only what may still become a tag waits; a reader sees the rest at once."""
    splitter = ThinkSplitter()
    assert splitter.feed("Hi").text == "Hi"
    thinking = ThinkSplitter()
    assert thinking.feed("<think>long thought <").reasoning == "long thought "
    assert thinking.feed("b>").reasoning == "<b>"
