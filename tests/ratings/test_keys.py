"""Votes as keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_strengths import simulated

from arena.ratings.comparisons import PairCounts
from arena.ratings.keys import PairKeys


def test_counting_keys_is_counting_columns() -> None:
    """All of them, and any slice of them."""
    rows = simulated(np.linspace(-1, 1, 9), 300_000, seed=1)
    bad = (rows.outcome == 0.5) & (np.arange(len(rows)) % 3 == 0)
    rows = replace(rows, both_bad=bad)
    slice = np.arange(len(rows)) % 5 == 0
    keys = PairKeys.of(rows)
    for counted, expected in (
        (keys.counts(), PairCounts.of(rows)),
        (keys.counts(slice), PairCounts.of(rows.where(slice))),
    ):
        np.testing.assert_array_equal(counted.score, expected.score)
        np.testing.assert_array_equal(counted.ties, expected.ties)
        np.testing.assert_array_equal(counted.both_bad, expected.both_bad)


def test_threads_count_as_one_does() -> None:
    """From so many keys on they share them; every vote is counted once."""
    rows = simulated(np.linspace(-1, 1, 4), 1_200_003, seed=2)
    keys = PairKeys.of(rows)
    counted, expected = keys.counts(), PairCounts.of(rows)
    np.testing.assert_array_equal(counted.score, expected.score)
    assert counted.total.sum() == 2 * len(rows)


def test_what_a_key_cannot_hold_is_refused() -> None:
    """Weights and fractional outcomes."""
    rows = simulated(np.linspace(-1, 1, 3), 10, seed=1)
    with pytest.raises(ValueError, match="no weights"):
        PairKeys.of(replace(rows, weight=np.full(10, 2.0)))
    with pytest.raises(ValueError, match="0, ½ and 1"):
        PairKeys.of(replace(rows, outcome=np.full(10, 0.7)))
