"""Text out of tokens: whole characters only, and nothing from a stop string on."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from arena.engines.worker.answering import Ask, Ticket
from arena.engines.worker.wording import Wording


def bytes_to_text(ids: Sequence[int]) -> str:
    """A byte-level vocabulary: token n is byte n."""
    return bytes(ids).decode(errors="replace")


@given(st.text(min_size=1), st.integers(1, 5))
def test_text_arrives_whole_however_its_bytes_are_cut(text: str, step: int) -> None:
    """Nothing is lost and no half character is ever said."""
    ids = text.encode()
    wording = Wording(bytes_to_text)
    said = [wording.feed(ids[i : i + step]) for i in range(0, len(ids), step)]
    assert "".join([*said, wording.finish()]) == text
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in said)


def test_an_answer_cut_inside_a_character_ends_before_it() -> None:
    """max_tokens may fall between two bytes of a letter."""
    wording = Wording(bytes_to_text)
    said = wording.feed("да".encode()[:3])
    assert said + wording.finish() == "д"


def test_bytes_that_are_no_text_do_not_hold_the_answer_for_ever() -> None:
    """No character has so many bytes, so the answer goes on with replacement characters."""
    wording = Wording(bytes_to_text)
    held = [len(wording.feed([0x80])) for _ in range(20)]
    assert max(held) <= 4
    assert sum(held) >= 17
    assert wording.feed(b"ok").endswith("ok")


@given(st.text("abXY", max_size=30), st.integers(1, 4))
def test_a_stop_string_ends_the_answer_before_it_wherever_it_is_cut(text: str, step: int) -> None:
    """The same as looking for it in the whole text."""
    wording = Wording(bytes_to_text, ["XYa"])
    pieces = [wording.feed(text[i : i + step].encode()) for i in range(0, len(text), step)]
    assert "".join([*pieces, wording.finish()]) == text.partition("XYa")[0]
    assert wording.stopped == ("XYa" in text)


def test_a_ticket_counts_tokens_stops_at_its_limit_and_says_why() -> None:
    """The terminator itself is no token of the answer."""
    stopped = Ticket(Ask((1,), seed=0, max_tokens=9), bytes_to_text, frozenset({0}))
    for token in b"hi\0":
        stopped.take(token)
    delta = stopped.say()
    assert delta is not None
    assert (delta.text, delta.finish, delta.completion_tokens) == ("hi", "stop", 2)
    cut = Ticket(Ask((1,), seed=0, max_tokens=2), bytes_to_text, frozenset({0}))
    for token in b"hi":
        cut.take(token)
    delta = cut.say()
    assert delta is not None
    assert delta.finish == "length"


def test_reasoning_is_told_from_the_answer_also_when_it_never_closes() -> None:
    """A template opened <think>; the answer begins after the closing tag, or not at all."""
    assert _told(b"so it is</think>Paris") == ("so it is", "Paris")
    assert _told(b"so it is and is") == ("so it is and is", "")


def _told(text: bytes) -> tuple[str, str]:
    ticket = Ticket(Ask((1,), seed=0, think=True, starts_in_think=True), bytes_to_text, frozenset({0}))
    deltas = []
    for token in [*text, 0]:
        ticket.take(token)
        deltas.append(ticket.say())
    return "".join(d.reasoning for d in deltas if d), "".join(d.text for d in deltas if d)
