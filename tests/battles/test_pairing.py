"""Pairs are drawn as their weights say, and the recorded propensity is the true one."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from arena.battles.pairing import draw_pair
from arena.errors import BattleError


def test_the_recorded_propensity_is_the_frequency_of_the_draw() -> None:
    """Ratings divide by it, so it must be right, sides included."""
    rng = Random(1)
    weights = {("x", "y"): 1.0, ("x", "z"): 2.0, ("y", "z"): 5.0}
    draws = [draw_pair("xyz", rng, lambda a, b: weights[a, b]) for _ in range(20_000)]
    for pairing, count in Counter(draws).items():
        assert count / 20_000 == pytest.approx(pairing.propensity, abs=0.012)
    assert len(set(draws)) == 6


def test_fewer_than_two_contestants_make_no_battle() -> None:
    """The error names the mend."""
    with pytest.raises(BattleError, match=r"models\.yaml"):
        draw_pair(["alone"], Random(1))
