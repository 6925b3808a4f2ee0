"""Bradley–Terry: the likelihood's maximum, its intervals, and what it leaves open."""

from __future__ import annotations

import math

import numpy as np
import pytest
from known_strengths import simulated

from arena.ratings.bradley_terry import fit, maximize
from arena.ratings.comparisons import Comparisons, PairCounts
from arena.ratings.intervals import normal_quantile, perfect_record_bound, win_probabilities
from arena.ratings.leaderboard import Anchor, Leaderboard, bradley_terry_board, counts_matrix, win_matrix
from arena.types import Comparison


def board(*battles: tuple[str, str, float], anchor: Anchor | None = None) -> Leaderboard:
    return bradley_terry_board(PairCounts.of(Comparisons.of(Comparison(*battle) for battle in battles)), anchor=anchor)


def both_ways(a: str, b: str, won: int, lost: int) -> list[tuple[str, str, float]]:
    return [(a, b, 1.0)] * won + [(a, b, 0.0)] * lost


def test_wikipedias_worked_example() -> None:
    """The article's four players: strengths 0.640, 1.043, 0.660, 2.270 after its iteration, to three digits."""
    score = np.array([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]], dtype=float)
    theta, _ = maximize(score)
    strength = np.exp(theta)
    assert strength.prod() == pytest.approx(1)
    assert strength == pytest.approx([0.640, 1.043, 0.660, 2.270], abs=6e-4)


def test_two_contestants_have_a_closed_form() -> None:
    """The log-odds are ln(wins/losses) and their variance 1/wins + 1/losses."""
    (first, second) = board(*both_ways("x", "y", 60, 40)).rows
    assert first.rating is not None
    assert second.rating is not None
    per_nat = 400 / math.log(10)
    assert first.rating - second.rating == pytest.approx(per_nat * math.log(1.5), abs=1e-9)
    half = normal_quantile() * per_nat * math.sqrt(1 / 60 + 1 / 40) / 2
    assert first.ci_high == pytest.approx(first.rating + half, abs=1e-9)


def test_expected_scores_equal_scores_at_the_maximum() -> None:
    """The likelihood equations hold: everyone's score is what the strengths predict."""
    counts = PairCounts.of(simulated(np.linspace(-1, 1, 12), 3000, seed=5))
    theta, _ = maximize(counts.score)
    expected = (counts.total * win_probabilities(theta)).sum(axis=1)
    assert expected == pytest.approx(counts.score.sum(axis=1), abs=1e-8)


def test_extreme_but_connected_counts_converge() -> None:
    """A million wins against one loss is far from the start and still has its maximum."""
    theta, _ = maximize(np.array([[0.0, 1e6], [1.0, 0.0]]))
    assert theta[0] - theta[1] == pytest.approx(math.log(1e6), abs=1e-6)


def test_the_order_of_votes_and_the_sides_do_not_matter() -> None:
    """Shuffled or mirrored, the same votes give the same ratings and intervals."""
    rows = simulated(np.linspace(-1, 1, 8), 2000, seed=6)
    shuffled = rows.where(np.random.default_rng(0).permutation(len(rows)))
    expected = bradley_terry_board(PairCounts.of(rows))
    for other in (shuffled, rows.mirrored()):
        for row in bradley_terry_board(PairCounts.of(other)).rows:
            same = expected.row(row.model)
            assert row.rating == pytest.approx(same.rating, abs=1e-9)
            assert row.ci_low == pytest.approx(same.ci_low, abs=1e-9)


def test_an_undefeated_contestant_is_bounded_and_drags_nobody() -> None:
    """It gets a lower bound instead of a rating, and the others' ratings stay as without it."""
    alone = board(*both_ways("x", "y", 6, 4))
    joined = board(*both_ways("x", "y", 6, 4), *[("hero", "x", 1.0)] * 5)
    hero = joined.row("hero")
    assert (hero.rating, hero.ci_high, hero.strength, hero.identified) == (None, None, None, False)
    assert hero.ci_low is not None
    assert hero.preliminary
    assert joined.row("x").rating == pytest.approx(alone.row("x").rating, abs=1e-9)
    assert any("hero" in note for note in joined.notes)


def test_a_contestant_that_never_wins_is_bounded_from_above() -> None:
    """The mirror image of the undefeated."""
    won = board(*both_ways("x", "y", 5, 5), *[("hero", "x", 1.0)] * 5).row("hero")
    lost = board(*both_ways("x", "y", 5, 5), *[("zero", "x", 0.0)] * 5).row("zero")
    assert (lost.rating, lost.ci_low) == (None, None)
    assert lost.ci_high is not None
    assert won.ci_low is not None
    assert lost.ci_high - 1000 == pytest.approx(1000 - won.ci_low)


def test_more_wins_without_a_loss_raise_the_bound() -> None:
    """Fifty straight wins say more than five."""
    few = board(*both_ways("x", "y", 5, 5), *[("hero", "x", 1.0)] * 5).row("hero").ci_low
    many = board(*both_ways("x", "y", 5, 5), *[("hero", "x", 1.0)] * 50).row("hero").ci_low
    assert few is not None
    assert many is not None
    assert many > few


def test_the_bound_is_the_exact_binomial_one() -> None:
    """Against equal opponents it is the strength at which n wins of n have probability 2.5%."""
    bound = perfect_record_bound(np.array([7.0]), np.array([0.3]))
    assert (1 / (1 + math.exp(0.3 - bound))) ** 7 == pytest.approx(0.025)


def test_only_wins_in_one_direction_leave_both_open() -> None:
    """Two contestants, five wins and no loss: one bound each, on opposite sides."""
    result = board(*[("x", "y", 1.0)] * 5)
    winner, loser = result.row("x"), result.row("y")
    assert (winner.identified, loser.identified) == (False, False)
    assert winner.ci_low is not None
    assert winner.ci_high is None
    assert loser.ci_high is not None
    assert loser.ci_low is None


@pytest.mark.parametrize("first", ["x", "y"])
def test_the_bounds_of_two_imply_no_more_than_their_battles(first: str) -> None:
    """Ten wins of ten: the gap between the two bounds is the one at which that has probability 2.5%."""
    second = "y" if first == "x" else "x"
    result = board(*[(first, second, float(first == "x"))] * 10)
    gap = (result.row("x").ci_low or 0) - (result.row("y").ci_high or 0)
    assert (1 / (1 + 10 ** (-gap / 400))) ** 10 == pytest.approx(0.025)


@pytest.mark.parametrize("won", [1.0, 0.0])
def test_a_record_against_several_is_counted_once(won: float) -> None:
    """Each loser is as far from the one who always won as their own battles say; the mirror image likewise."""
    result = board(*[("x", "y", won)] * 20, *[("x", "z", won)] * 4)
    for other, battles in (("y", 20), ("z", 4)):
        ends = ("ci_low", "ci_high") if won else ("ci_high", "ci_low")
        gap = (getattr(result.row("x"), ends[0]) - getattr(result.row(other), ends[1])) * (1 if won else -1)
        assert (1 / (1 + 10 ** (-gap / 400))) ** battles == pytest.approx(0.025)


def test_a_chain_of_wins_bounds_whoever_stands_beyond_the_bounded() -> None:
    """Who beat only the undefeated is bounded through them; who lost only to the hopeless likewise."""
    result = board(
        *both_ways("x", "y", 5, 5),
        *[("b", "x", 1.0)] * 9,
        *[("a", "b", 1.0)] * 9,
        *[("y", "p", 1.0)] * 9,
        ("p", "q", 1.0),
    )
    assert result.row("a").ci_low is not None
    assert result.row("b").ci_low is not None
    assert result.row("p").ci_high is not None
    assert result.row("q").ci_high is not None
    assert result.row("q").ci_low is None


@pytest.mark.parametrize("ties", [1, 3, 30])
def test_nothing_but_ties_is_not_certainty(ties: int) -> None:
    """Equal votes have no spread of their own; the interval is then what three votes more could change."""
    row = board(*[("x", "y", 0.5)] * ties).row("x")
    assert row.rating == pytest.approx(1000)
    assert row.ci_high is not None
    assert row.ci_high - 1000 > 300 / ties


def test_a_tie_connects() -> None:
    """Half a win each way is enough for a rating."""
    assert all(row.identified for row in board(("x", "y", 1.0), ("x", "y", 0.5)).rows)


def test_pieces_that_never_met_are_rated_apart() -> None:
    """Ratings compare within a piece; the smaller piece is not on the main scale, and the board says so."""
    result = board(*both_ways("x", "y", 6, 4), *both_ways("y", "z", 6, 4), *both_ways("p", "q", 8, 2))
    assert [row.identified for row in result.rows] == [True, True, True, False, False]
    assert result.row("p").piece == 1
    assert result.row("p").rating == pytest.approx(1000 + 200 * math.log10(4), abs=1e-9)
    assert (result.row("p").rank_low, result.row("p").rank_high) == (1, 5)
    assert "never met" in result.notes[0]


def test_an_anchor_moves_everyone_and_changes_no_difference() -> None:
    """The anchor stands at its rating, its interval is a point, and ranks stay as they were."""
    battles = [*both_ways("x", "y", 60, 40), *both_ways("y", "z", 55, 45)]
    free, fixed = board(*battles), board(*battles, anchor=Anchor("y", 1200))
    assert fixed.row("y").rating == fixed.row("y").ci_low == fixed.row("y").ci_high == pytest.approx(1200)
    for name in "xyz":
        difference = (fixed.row(name).rating or 0) - (fixed.row("y").rating or 0)
        assert difference == pytest.approx((free.row(name).rating or 0) - (free.row("y").rating or 0), abs=1e-9)
        assert fixed.row(name).rank_high == free.row(name).rank_high


@pytest.mark.parametrize("name", ["nobody", "hero"])
def test_an_anchor_without_a_rating_is_refused(name: str) -> None:
    """Neither an unknown name nor an undefeated contestant can hold the scale."""
    with pytest.raises(ValueError, match="anchor"):
        board(*both_ways("x", "y", 5, 5), ("hero", "x", 1.0), anchor=Anchor(name, 1000))


def test_a_single_judge_does_not_make_certainty() -> None:
    """With one voter clustering would give intervals of zero width; the plain sandwich stands in."""
    rows = simulated(np.array([0.0, 0.5, 1.0]), 400, seed=9)
    judged = Comparisons(rows.names, rows.a, rows.b, rows.outcome, voter=np.zeros(400, dtype=int))
    result = fit(PairCounts.of(rows), voters=judged)
    assert not result.clustered
    np.testing.assert_array_equal(result.covariance, fit(PairCounts.of(rows)).covariance)


def test_acceptability_stands_apart_from_skill() -> None:
    """Both-bad counts as a half for the rating and against acceptability."""
    rows = [Comparison("x", "y", 1.0), Comparison("x", "y", 0.0), Comparison("x", "z", 0.5, both_bad=True)]
    result = bradley_terry_board(PairCounts.of(Comparisons.of(rows)))
    assert result.row("x").acceptability == pytest.approx(2 / 3)
    assert result.row("y").acceptability == 1
    assert result.row("z").acceptability == 0


def test_matrices_follow_the_order_of_the_board() -> None:
    """Predicted wins mirror each other; counts are symmetric; nothing is said of oneself or another piece."""
    result = board(*both_ways("x", "y", 6, 4), *both_ways("y", "z", 6, 4), *both_ways("p", "q", 8, 2))
    wins, counts = win_matrix(result), counts_matrix(result)
    assert wins.names[:3] == ("x", "y", "z")
    assert wins.values[0, 1] == pytest.approx(0.6)
    assert wins.values[1, 0] == pytest.approx(0.4)
    assert np.isnan(wins.values[0, 0])
    assert np.isnan(wins.values[0, 3])
    assert counts.values[0, 1] == counts.values[1, 0] == 10


def test_no_votes_make_an_empty_board() -> None:
    """Nothing to rate is not an error of the mathematics."""
    assert bradley_terry_board(PairCounts([])).rows == ()
    lonely = bradley_terry_board(PairCounts(["x"])).rows[0]
    assert (lonely.rating, lonely.identified, lonely.battles) == (None, False, 0)
