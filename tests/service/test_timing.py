"""How an answer comes tells nothing of who gives it: the short form of perf/timing."""

from __future__ import annotations

from perf import timing
from perf.promises import tell


def test_both_sides_move_alike_whichever_is_the_faster() -> None:
    """At 5 and at 200 tokens a second, bursty, late or thinking: equal texts show alike in every update."""
    unlike = [seen for seen in timing.battles(40, seed=3, equal=True) if (seen.shown[0] != seen.shown[1]).any()]
    assert tell("texts of equal length show alike in every update", asked="0 battles unlike",
                measured=str(len(unlike)), size="40 battles", held=not unlike)  # fmt: skip


def test_whoever_knows_the_models_chunks_learns_little_more_by_the_pace() -> None:
    """A guesser that finds nine in ten where battles are not blind is not far from chance where they are."""
    blind = timing.battles(200, seed=3, equal=True)
    open_ = timing.battles(60, seed=3, equal=True, blind=False)
    (found,) = timing.told(blind, chunks=True, trees=0).values()
    (easy,) = timing.told(open_, chunks=False, trees=0).values()
    assert easy.share > 0.8
    assert found.share < 0.65
