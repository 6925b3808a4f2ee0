"""The board in memory: every vote moves it to where counting from the beginning would."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_strengths import simulated

from arena.ratings.bradley_terry import fit
from arena.ratings.comparisons import Comparisons, PairCounts
from arena.ratings.elo import EloParameters, fold
from arena.ratings.leaderboard import Anchor, Leaderboard, bradley_terry_board
from arena.ratings.live import LiveBoard, LiveRatings, LiveVote, counts_of_columns, widening_of
from arena.types import Comparison


def assert_same(live: Leaderboard, anew: Leaderboard, rating: float = 1e-3, interval: float = 1e-2) -> None:
    """Same order of magnitude of truth: ratings within 1e-3 points, bounds within 1e-2."""
    for row in anew.rows:
        other = live.row(row.model)
        assert (other.identified, other.piece, other.battles) == (row.identified, row.piece, row.battles)
        assert other.rating == (None if row.rating is None else pytest.approx(row.rating, abs=rating))
        for bound, expected in ((other.ci_low, row.ci_low), (other.ci_high, row.ci_high)):
            assert bound == (None if expected is None else pytest.approx(expected, abs=interval))


def follow(ratings: LiveRatings, rows: Comparisons, *, ask_every: int = 1) -> None:
    for number, (a, b, outcome) in enumerate(zip(rows.a.tolist(), rows.b.tolist(), rows.outcome.tolist(), strict=True)):
        ratings.add(a, b, outcome)
        if number % ask_every == 0:
            ratings.strengths()


@pytest.mark.parametrize("ask_every", [1, 7, 500])
def test_following_votes_equals_a_refit(ask_every: int) -> None:
    """From the very first vote on, whether the board is asked for after each or rarely."""
    rows = simulated(np.linspace(-1.5, 1.5, 12), 3000, seed=4)
    ratings = LiveRatings(PairCounts(rows.names))
    follow(ratings, rows, ask_every=ask_every)
    assert_same(ratings.board(), bradley_terry_board(PairCounts.of(rows)))


def test_twenty_thousand_votes_later_it_is_still_a_refit() -> None:
    """Errors of single steps do not add up: asked for after every vote, on top of a million."""
    old = simulated(np.linspace(-1, 1, 20), 1_000_000, seed=6)
    new = simulated(np.linspace(-1, 1, 20), 20_000, seed=7)
    ratings = LiveRatings(PairCounts.of(old))
    ratings.strengths()
    follow(ratings, new)
    assert_same(ratings.board(), bradley_terry_board(ratings.counts.copy()))


def test_a_newcomer_among_many_votes_is_followed_as_exactly() -> None:
    """Its few votes move it far; the rank-1 steps must notice that."""
    known = simulated(np.linspace(-1, 1, 20), 200_000, seed=5)
    ratings = LiveRatings(PairCounts.of(known))
    ratings.strengths()
    newcomer = ratings.grow("newcomer")
    counts = ratings.counts
    draw = np.random.default_rng(1)
    for _ in range(150):
        ratings.add(newcomer, int(draw.integers(20)), float(draw.choice([0.0, 0.5, 1.0])))
        assert_same(ratings.board(), bradley_terry_board(counts.copy()))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0]), st.booleans()), max_size=60
    )
)
def test_any_votes_and_undos_equal_counting_what_is_left(story: list[tuple[int, int, float, bool]]) -> None:
    """Whatever is added and taken back, in pieces or connected, the board is that of the remaining votes."""
    ratings = LiveRatings(PairCounts(["m0", "m1", "m2", "m3", "m4"]))
    standing: Counter[tuple[int, int, float]] = Counter()
    for a, b, outcome, undo in story:
        if undo and standing[a, b, outcome]:
            standing[a, b, outcome] -= 1
            ratings.remove(a, b, outcome)
        else:
            standing[a, b, outcome] += 1
            ratings.add(a, b, outcome)
        left = [Comparison(f"m{x}", f"m{y}", score) for (x, y, score), n in standing.items() for _ in range(n)]
        anew = bradley_terry_board(PairCounts.of(Comparisons.of(left, names=ratings.counts.names)))
        assert_same(ratings.board(), anew)


def test_an_anchored_live_board_equals_an_anchored_refit() -> None:
    """Distances to the anchor have their own deviations."""
    rows = simulated(np.linspace(-1, 1, 6), 600, seed=3)
    ratings = LiveRatings(PairCounts(rows.names))
    follow(ratings, rows)
    anchor = Anchor("m2", 1200)
    assert_same(ratings.board(anchor=anchor), bradley_terry_board(PairCounts.of(rows), anchor=anchor))


def test_weighted_votes_are_followed() -> None:
    """Weights enter the strengths once and the sandwich squared."""
    draw = np.random.default_rng(2)
    rows = simulated(np.linspace(-1, 1, 5), 500, seed=3)
    weight = draw.choice([0.5, 1.0, 3.0], len(rows))
    weighed = Comparisons(rows.names, rows.a, rows.b, rows.outcome, weight)
    ratings = LiveRatings(PairCounts(rows.names))
    for a, b, outcome, amount in zip(
        rows.a.tolist(), rows.b.tolist(), rows.outcome.tolist(), weight.tolist(), strict=True
    ):
        ratings.add(a, b, outcome, weight=amount)
        ratings.strengths()
    assert_same(ratings.board(), bradley_terry_board(PairCounts.of(weighed)))


def test_widening_carries_clustered_intervals_between_background_fits() -> None:
    """Right after a clustered fit the live intervals are its own."""
    rows = simulated(np.linspace(-1, 1, 5), 4000, seed=3, voters=80, spread=0.7)
    counts = PairCounts.of(rows)
    clustered, plain = fit(counts, voters=rows).strengths(), fit(counts).strengths()
    ratings = LiveRatings(counts)
    ratings.widening = widening_of(clustered, plain)
    assert ratings.strengths().deviation == pytest.approx(clustered.deviation, rel=1e-9)
    assert "clustered" in ratings.strengths().intervals


def vote(a: str, b: str, outcome: float, **more: object) -> LiveVote:
    return LiveVote(a, b, outcome, **more)  # type: ignore[arg-type]


def test_a_vote_reaches_its_track_and_its_slices_only() -> None:
    """Human and judge are apart; a slice counts what carries its name."""
    board = LiveBoard(["x", "y"])
    board.add(vote("x", "y", 1.0, slices=("language:ru", "topic:code")))
    board.add(vote("x", "y", 0.0, track="judge", slices=("language:ru",)))
    assert board.slices() == ("language:ru", "topic:code")
    assert [board.ratings(track, "language:ru").counts.score[0, 1] for track in ("human", "judge")] == [1, 0]
    assert board.ratings("human", "language:en").counts.total.sum() == 0


def test_live_elo_is_the_fold() -> None:
    """Vote by vote it gives what one pass over all votes gives."""
    rows = simulated(np.linspace(-1, 1, 5), 300, seed=3)
    board = LiveBoard(rows.names, EloParameters(k=16))
    for a, b, outcome in zip(rows.a.tolist(), rows.b.tolist(), rows.outcome.tolist(), strict=True):
        board.add(vote(rows.names[a], rows.names[b], outcome))
    expected = dict(zip(rows.names, fold(rows, EloParameters(k=16)).ratings, strict=True))
    assert {row.model: row.rating for row in board.elo_board().rows} == pytest.approx(expected, abs=1e-9)


def test_whoever_fought_no_battle_has_no_rating_by_either_method() -> None:
    """The number Elo begins with is an agreement: it placed the unknown above those who had lost."""
    board = LiveBoard(["idle", "x", "y"])
    for outcome in (1.0, 1.0, 0.0):
        board.add(vote("x", "y", outcome))
    for rated in (board.board(), board.elo_board()):
        idle = rated.rows[-1]
        assert (idle.model, idle.rating, idle.strength, idle.identified) == ("idle", None, None, False)
        assert (idle.rank_low, idle.rank_high) == (1, 3)
    best, worst, _ = board.elo_board().rows
    assert [(row.model, row.rank_low, row.rank_high) for row in (best, worst)] == [("x", 1, 1), ("y", 2, 2)]
    with pytest.raises(ValueError, match="no rating of its own"):
        board.elo_board(anchor=Anchor("idle", 1000))


def test_undo_gives_back_exactly_what_the_vote_took() -> None:
    """Ratings and Elo return to where they were."""
    board = LiveBoard(["x", "y"])
    board.add(vote("x", "y", 1.0))
    board.add(vote("y", "x", 1.0, both_bad=False))
    before = board.board().rows, board.elo_board().rows
    cast = vote("x", "y", 0.5, both_bad=True, slices=("language:ru",))
    change = board.add(cast)
    board.remove(vote("x", "y", 0.5, both_bad=True, slices=("language:ru",), elo_change=change))
    assert_same(board.board(), Leaderboard(before[0], "bt", {}, 2), 1e-9, 1e-9)
    assert [row.rating for row in board.elo_board().rows] == [row.rating for row in before[1]]


def test_undo_without_the_change_it_made_is_refused() -> None:
    """Elo cannot be undone by computing it again: others have voted since."""
    with pytest.raises(ValueError, match="Elo change"):
        LiveBoard().remove(vote("x", "y", 1.0))


def test_a_board_begins_from_stored_counts() -> None:
    """As if it had followed the votes, with everyone listed who has none."""
    rows = simulated(np.linspace(-1, 1, 4), 300, seed=3)
    counts = PairCounts.of(rows)
    board = LiveBoard.from_counts(
        {("human", ""): counts.copy()}, {"human": {"m1": 1010.0}}, names=[*rows.names, "idle"]
    )
    assert_same(
        board.board(), bradley_terry_board(PairCounts.of(Comparisons(tuple(board.names), rows.a, rows.b, rows.outcome)))
    )
    assert board.board().row("idle").rating is None
    assert board.elo_board().row("m1").rating == 1010
    assert board.elo_board().row("m0").rating == 1000


def test_counts_that_number_contestants_differently_are_refused() -> None:
    """A silent mix-up of names would be the worst of errors."""
    with pytest.raises(ValueError, match="differently"):
        LiveBoard.from_counts({("human", ""): PairCounts(["y", "x"])}, names=["x", "y"])


def test_stored_columns_become_tables() -> None:
    """Ties and both-bad both count half; both-bad is remembered."""
    counts = counts_of_columns(["x", "y", "z"], [0, 1], [1, 2], [3, 0], [1, 2], [4, 0], [2, 1])
    assert counts.score.tolist() == [[0, 6, 0], [4, 0, 0.5], [0, 2.5, 0]]
    assert counts.ties[0, 1] == counts.ties[1, 0] == 6
    assert counts.both_bad[0, 1] == 2


def test_every_board_lists_whoever_was_seen() -> None:
    """A contestant seen on one track stands on all boards, without a rating and finite everywhere else."""
    board = LiveBoard(["x", "y"])
    board.add(vote("x", "y", 0.5))
    board.add(vote("new", "x", 1.0, track="judge"))
    row = board.board().row("new")
    assert (row.rating, row.battles, row.identified) == (None, 0, False)
    assert all(math.isfinite(row.rating or 0) for row in board.elo_board("judge").rows)
