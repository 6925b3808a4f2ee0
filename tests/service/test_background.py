"""Work that takes long is done aside: whoever asks has the last result at once."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from arena.service.background import Workbench


def test_who_asks_is_given_the_last_result_while_a_new_one_is_made() -> None:
    """The old one is called stale until the new one is there."""
    now = [0.0]
    bench: Workbench[int] = Workbench("test", every=5, clock=lambda: now[0])
    gate, numbers = threading.Event(), count(1)

    def make() -> int:
        gate.wait(10)
        return next(numbers)

    assert bench.get("x", 1, make, patience=0) is None
    gate.set()
    first = bench.get("x", 1, make, patience=10)
    assert first is not None
    assert (first.value, first.stale) == (1, False)
    now[0] = 4.0
    young = bench.get("x", 2, make, patience=10)
    assert young is not None
    assert (young.value, young.stale, young.age) == (1, True, 4.0), "a young result is not made anew"
    now[0] = 6.0
    fresh = bench.get("x", 2, make, patience=10)
    assert fresh is not None
    assert (fresh.value, fresh.stale, fresh.age) == (2, False, 0.0)
    bench.close()


def test_what_fails_is_told_and_tried_again() -> None:
    """An error is no result."""
    bench: Workbench[int] = Workbench("test", every=0)

    def broken() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        bench.get("x", 1, broken, patience=10)
    made = bench.get("x", 1, lambda: 7, patience=10)
    assert made is not None
    assert made.value == 7
    bench.close()
