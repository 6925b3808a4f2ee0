"""What is shown of two answers before the end tells nothing of who is faster."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.battles.stream import Frame, Phase, SharedClock


def play(
    a: tuple[str, float, float], b: tuple[str, float, float], *, until: float = 60.0, swap: bool = False
) -> list[Frame]:
    """Frames at 12 Hz of two sides given as (text, start in s, characters per second)."""
    clock = SharedClock(rng=Random(5))
    speeches = {"b": a, "a": b} if swap else {"a": a, "b": b}  # the order of arrival stays
    said = {"a": 0, "b": 0}
    frames = []
    for tick in range(int(until * 12)):
        now = tick / 12
        for side, (text, start, rate) in speeches.items():
            due = min(len(text), max(0, int((now - start) * rate)))
            if due > said[side]:
                clock.hear(side, text[said[side] : due], now)  # type: ignore[arg-type]
                said[side] = due
                if due == len(text):
                    clock.end(side, now)  # type: ignore[arg-type]
        frames.append(clock.frame(now))
    return frames


def test_nothing_shows_until_both_have_begun() -> None:
    """A side that answers at once waits for the one that thinks for five seconds."""
    frames = play(("x" * 100, 0, 500), ("y" * 100, 5, 500))
    assert all(frame == Frame(Phase.WAITING) for frame in frames[: 5 * 12])


def test_both_sides_show_the_same_number_of_characters() -> None:
    """At 5 and at 200 tokens a second alike."""
    frames = play(("x" * 400, 0, 20), ("y" * 400, 0, 800))
    assert all(len(frame.a) == len(frame.b) for frame in frames)
    assert frames[-1] == Frame(Phase.ENDED, "x" * 400, "y" * 400)


def test_both_end_in_the_same_frame() -> None:
    """The shorter answer does not announce its end."""
    frames = play(("x" * 50, 0, 200), ("y" * 500, 0, 50))
    assert [frame.phase for frame in frames if len(frame.b) < 450].count(Phase.ENDED) == 0
    assert frames[-1].phase is Phase.ENDED


def test_the_pace_does_not_rise_when_the_shorter_answer_is_through() -> None:
    """A rise would tell that the shorter answer was the slower model's."""
    frames = play(("x" * 200, 0, 40), ("y" * 1000, 0, 2000))
    lengths = [len(frame.b) for frame in frames]
    steps = [later - earlier for earlier, later in pairwise(lengths)]
    through = next(index for index, length in enumerate(lengths) if length >= 200)
    assert max(steps[through + 1 :]) <= max(steps[:through]) + 1


def test_a_first_word_shows_at_once_but_not_where_it_ends() -> None:
    """Its end would tell whose it was: the slower side's, which began last."""
    clock = SharedClock()
    clock.hear("a", "Whatever was said before", 0.0)
    clock.hear("b", "Certainly ", 1.0)
    assert clock.frame(1.0) == Frame(Phase.WRITING, "Wh", "Ce")


def test_two_answers_that_are_there_at_once_show_almost_at_once() -> None:
    """Nobody waits for a pace that there is no need of."""
    frames = play(("x" * 400, 0, 1e6), ("y" * 300, 0, 1e6), until=1)
    assert frames[6].phase is Phase.ENDED


@pytest.mark.parametrize("rate", [20, 60, 240, 800])
def test_the_shown_text_stays_within_reach_of_the_slower_side(rate: float) -> None:
    """Seconds behind: the waves and the first look at the pace, no more; and it flows without long halts."""
    frames = play(("x" * 3000, 0, rate), ("y" * 3000, 0, 5000), until=3000 / rate)
    arrived = [min(3000, int(tick / 12 * rate)) for tick in range(len(frames))]
    behind = [said - len(frame.a) for said, frame in zip(arrived, frames, strict=True)]
    assert max(behind) < 120 + 0.6 * rate
    steps = [len(later.a) - len(earlier.a) for earlier, later in pairwise(frames[12:])]
    assert max(steps) <= 2 + rate / 12 * 2.5


def test_a_failure_takes_both_texts_away() -> None:
    """Which side failed is not told."""
    clock = SharedClock()
    clock.hear("a", "half an ans", 0.0)
    clock.hear("b", "another", 0.0)
    clock.frame(0.0)
    clock.fail()
    assert clock.frame(1.0) == Frame(Phase.FAILED)


def test_a_stop_freezes_what_was_shown() -> None:
    """The judged text is the shown text, whatever had already arrived; it ends where the grid does, not the chunk."""
    clock = SharedClock()
    clock.hear("a", "x" * 1000, 0.0)
    clock.hear("b", "y" * 30, 0.0)
    clock.frame(0.0)
    clock.frame(2.0)
    shown = clock.stop(2.0)
    assert [len(text) for text in shown] == [24, 24]
    clock.hear("b", "more", 0.0)
    assert clock.frame(9.0) == Frame(Phase.STOPPED, *shown)


def test_without_blindness_each_side_shows_what_it_has() -> None:
    """The operator may switch the shared pace off."""
    clock = SharedClock(blind=False)
    clock.hear("a", "x" * 100, 0.0)
    assert clock.frame(0.0) == Frame(Phase.WRITING, "x" * 100, "")


SPEECH = st.tuples(st.integers(0, 300).map(lambda n: "x" * n), st.floats(0, 3), st.floats(20, 3000))


@settings(max_examples=60, deadline=None)
@given(SPEECH, SPEECH)
def test_exchanging_the_sides_exchanges_the_frames(a: tuple[str, float, float], b: tuple[str, float, float]) -> None:
    """The clock has no favourite."""
    straight = play(a, b, until=8)
    swapped = play(a, b, until=8, swap=True)
    assert [(f.phase, f.a, f.b) for f in straight] == [(f.phase, f.b, f.a) for f in swapped]
