"""Choosing the next pair."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from chosen_pairs import certainty_after
from known_strengths import simulated

from arena.ratings.comparisons import PairCounts
from arena.ratings.sampling import Chances, SamplingRules, chances, draw


def counted(size: int = 6, battles: int = 600) -> PairCounts:
    return PairCounts.of(simulated(np.linspace(-1, 1, size), battles, seed=2))


def test_chances_are_symmetric_and_sum_to_one() -> None:
    """And no pair is impossible."""
    table = chances(counted()).table
    np.testing.assert_allclose(table, table.T)
    assert np.triu(table, 1).sum() == pytest.approx(1)
    assert table[np.triu_indices(6, 1)].min() >= 0.05 / 15


def test_a_draws_propensity_is_its_frequency() -> None:
    """Over many draws each pair and side comes as often as was said."""
    given, rng = chances(counted()), Random(1)
    drawn, said = Counter[tuple[str, str]](), {}
    for _ in range(60_000):
        pair = draw(given, rng)
        drawn[pair.a, pair.b] += 1
        said[pair.a, pair.b] = pair.propensity
    for pair, propensity in said.items():
        assert drawn[pair] / 60_000 == pytest.approx(propensity, abs=4 * (propensity / 60_000) ** 0.5)
    assert sum(said.values()) == pytest.approx(1)


def test_a_newcomer_is_asked_about_until_it_is_known() -> None:
    """It takes part at least as often as in an even draw, and still does after losing its first battles."""
    counts = counted()
    newcomer = counts.grow("newcomer")
    for lost in range(25):
        assert chances(counts).table.sum(axis=1)[newcomer] >= 2 / 7
        counts.add(newcomer, lost % 6, 0.0)


def test_nobody_is_starved() -> None:
    """However settled its place, everyone keeps a part of the uniform share."""
    per_contestant = chances(counted(20, 20_000)).table.sum(axis=1)
    assert per_contestant.min() >= 0.05 * 2 / 20
    assert per_contestant.sum() == pytest.approx(2)


def test_close_leaders_are_asked_about_more_than_settled_pairs() -> None:
    """First against second of a close race, rather than first against last."""
    counts = PairCounts.of(simulated(np.array([1.0, 0.95, 0.0, -1.0, -2.0]), 5000, seed=2))
    table = chances(counts, SamplingRules(top=1)).table
    assert table[0, 1] == table.max()
    assert table[0, 1] > 10 * table[0, 4]


def test_before_the_first_vote_all_pairs_are_alike() -> None:
    """Nothing is known of anyone."""
    table = chances(PairCounts(["x", "y", "z"])).table
    assert table[np.triu_indices(3, 1)] == pytest.approx([1 / 3] * 3)


def test_an_unknown_name_is_wanted_as_much_as_the_most_wanted() -> None:
    """A contestant that was enabled a moment ago is not overlooked."""
    given = chances(counted())
    assert given.weight("m0", "nobody") == given.table.max()
    assert Chances((), np.zeros((0, 0))).weight("x", "y") == 1.0


def test_half_the_votes_give_the_certainty_of_uniform_sampling() -> None:
    """Twenty contestants, 25% ties, the five at the top: 2,000 chosen votes against 4,000 at random."""
    chosen = np.mean([certainty_after(2000, seed, uniform=False) for seed in range(12)])
    uniform = np.mean([certainty_after(4000, seed, uniform=True) for seed in range(12)])
    assert chosen >= uniform
