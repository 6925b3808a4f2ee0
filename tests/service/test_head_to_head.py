"""Two contestants against each other: what their few meetings may say of how many more are needed."""

from __future__ import annotations

from arena.ratings.bradley_terry import fit
from arena.ratings.comparisons import PairCounts
from arena.ratings.elo import Scale
from arena.ratings.separation import votes_to_separate
from arena.service.head_to_head import pair_view


def test_one_tied_meeting_does_not_say_that_a_few_more_decide() -> None:
    """A vote is as noisy as those of all others: as if every next one were a tie, a handful would be told."""
    counts = PairCounts(["x", "y", "z"])
    for won, lost, model in ((18, 12, 0), (12, 18, 1)):
        for outcome in [1.0] * won + [0.0] * lost + [0.5] * 10:
            counts.add(model, 2, outcome)
    counts.add(0, 1, 0.5)
    view = pair_view(fit(counts).strengths(1), counts, (), Scale(), (0, 1))
    assert view.difference is not None
    assert view.high is not None
    assert view.met.battles == view.met.ties == 1
    nat = Scale().per_nat
    difference, deviation = view.difference / nat, (view.high - view.difference) / nat / 1.959964
    handful = votes_to_separate(difference, deviation, tie_share=1)
    assert view.votes_needed is not None
    assert handful is not None
    assert view.votes_needed > 5 * handful
