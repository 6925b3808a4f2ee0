"""Sorting many small numbers."""

from __future__ import annotations

import numpy as np
import pytest

from arena.ratings.sorting import order_of, order_of_voters


@pytest.mark.parametrize("below", [3, 1 << 19, 1 << 20, 1 << 31])
def test_keys_are_sorted_with_equal_ones_in_their_order(below: int) -> None:
    """In four bytes where key and place fit together, in eight where they do not; up to the largest key."""
    keys = np.random.default_rng(below).integers(0, below, 5000).astype(np.int32)
    keys[:2] = below - 1
    assert (order_of(keys, below) == np.argsort(keys, kind="stable")).all()


def test_unknown_voters_come_first() -> None:
    """As they do in the order of their numbers."""
    voter = np.random.default_rng(0).integers(-1, 4, 200).astype(np.int32)
    assert (order_of_voters(voter) == np.argsort(voter, kind="stable")).all()
    assert len(order_of_voters(voter[:0])) == 0
