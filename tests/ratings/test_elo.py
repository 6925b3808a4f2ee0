"""Online Elo."""

from __future__ import annotations

import random

import pytest

from arena.ratings.comparisons import Comparisons
from arena.ratings.elo import EloParameters, Scale, expected_score, fold, step
from arena.types import Comparison


def rows(*outcomes: tuple[str, str, float]) -> list[Comparison]:
    return [Comparison(a, b, outcome) for a, b, outcome in outcomes]


def test_textbook_expected_scores() -> None:
    """Equal ratings expect a half; 400 points of lead are odds of ten to one."""
    assert expected_score(1500, 1500) == 0.5
    assert expected_score(1400, 1000) == pytest.approx(10 / 11)
    assert expected_score(1000, 1400) == pytest.approx(1 / 11)


def test_a_hopeless_distance_is_still_a_number() -> None:
    """An expected score stays within 0 and 1 where the exponential would overflow."""
    assert expected_score(0, 1e7) == 0.0
    assert expected_score(1e7, 0) == 1.0
    behind, ahead = fold(Comparisons.of(rows(("behind", "ahead", 1.0))), ratings=[0.0, 1e7]).ratings
    assert (behind, ahead) == (4.0, 1e7 - 4.0)


def test_wikipedias_worked_example() -> None:
    """A player of 1613 who scores 2.5 of 5 in the well-known tournament loses about 12 points at K = 32."""
    parameters = EloParameters(k=32, scale=Scale())
    games = [(1609, 0.0), (1477, 0.5), (1388, 1.0), (1586, 1.0), (1720, 0.0)]
    change = sum(step(1613, opponent, outcome, parameters) for opponent, outcome in games)
    assert round(1613 + change) == 1601


def test_folding_is_the_single_step_again_and_again() -> None:
    """The loop over columns gives what `step` gives one comparison at a time."""
    draw = random.Random(1)
    names = ["x", "y", "z"]
    battles = [
        Comparison(*draw.sample(names, 2), draw.choice((0.0, 0.5, 1.0)), draw.choice((1.0, 3.0))) for _ in range(200)
    ]
    ratings = dict.fromkeys(names, 1000.0)
    for battle in battles:
        change = step(ratings[battle.model_a], ratings[battle.model_b], battle.outcome, weight=battle.weight)
        ratings[battle.model_a] += change
        ratings[battle.model_b] -= change
    result = fold(Comparisons.of(battles))
    assert dict(zip(result.names, result.ratings, strict=True)) == pytest.approx(ratings, abs=1e-9)


def test_points_are_neither_made_nor_lost() -> None:
    """What one gains the other loses."""
    result = fold(Comparisons.of(rows(("x", "y", 1.0), ("y", "z", 0.5), ("z", "x", 0.0))))
    assert result.ratings.sum() == pytest.approx(3000)


def test_continuing_equals_doing_it_at_once() -> None:
    """Folding in two parts from the ratings reached gives the same as one fold."""
    battles = Comparisons.of(rows(("x", "y", 1.0), ("y", "x", 0.5), ("x", "y", 0.0), ("x", "y", 1.0)))
    first = fold(battles.where([0, 1]))
    both = fold(battles.where([2, 3]), ratings=first.ratings.tolist())
    assert both.ratings == pytest.approx(fold(battles).ratings, abs=1e-12)


def test_the_order_of_votes_matters() -> None:
    """The same votes reversed end elsewhere: why every Elo board says so."""
    battles = rows(*[("x", "y", 1.0)] * 20, *[("x", "y", 0.0)] * 20)
    forward, backward = fold(Comparisons.of(battles)), fold(Comparisons.of(battles[::-1]))
    assert abs(forward.ratings[0] - backward.ratings[0]) > 1


@pytest.mark.parametrize("k", [0.0, -1.0, float("nan"), float("inf")])
def test_a_step_size_that_makes_no_sense_is_refused(k: float) -> None:
    """K must be a positive number."""
    with pytest.raises(ValueError, match="k must be"):
        EloParameters(k=k)
