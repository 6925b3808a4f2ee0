"""Comparisons that are laid out for one pass and forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from known_strengths import styled

from arena.ratings.comparisons import Comparisons, IntArray, PairCounts
from arena.ratings.style_rows import Reals
from arena.ratings.style_stream import StyleStream

pytestmark = pytest.mark.usefixtures("small_blocks")


def streamed(rows: Comparisons) -> StyleStream:
    """With the number of each comparison as its only covariate."""

    def number(part: slice | IntArray, out: Reals, spare: Reals) -> None:
        out[0] = np.arange(len(rows))[part]

    return StyleStream(rows, number, 1, np.dtype(np.float64))


def test_every_comparison_passes_once_with_what_belongs_to_it() -> None:
    """Whichever share it is in; the last block is shorter than the others."""
    rows = styled(3000, voters=50)
    assert rows.voter is not None
    passed = []
    for share in streamed(rows).shares(4):
        for table in share:
            for run in table.runs:
                number = table.x[0, run.rows].astype(int)
                assert table.voter is not None
                assert (table.key[run.rows] == rows.a[number] * 6 + rows.b[number]).all()
                assert (np.repeat(run.pair, run.lengths) == table.key[run.rows]).all()
                assert (table.margin[run.rows] == 2 * rows.outcome[number] - 1).all()
                assert (table.voter[run.rows] == rows.voter[number]).all()
                passed.extend(number.tolist())
    assert sorted(passed) == list(range(3000))


def test_a_sample_is_drawn_from_all_times_and_none_twice() -> None:
    """One in two, in stretches of neighbours; what is left at the end of 3,000 is too short for one."""
    rows = styled(3000)
    sample = streamed(rows).thinned(2)
    number = sample.x[0].astype(int)
    assert len(set(number.tolist())) == len(number) == 1280
    assert (sample.key == rows.a[number] * 6 + rows.b[number]).all()
    assert np.histogram(number, 5, (0, 2560))[0].tolist() == [256] * 5
    for run in sample.runs:
        assert (np.repeat(run.pair, run.lengths) == sample.key[run.rows]).all()


def test_scores_of_half_are_those_of_every_other_block() -> None:
    """Weights included."""
    rows = styled(3000)
    weighed = Comparisons(rows.names, rows.a, rows.b, rows.outcome, np.random.default_rng(0).uniform(0.5, 2, 3000))
    half = np.arange(3000) // 700 % 2 == 0
    for given in (rows, weighed):
        assert streamed(given).scores_of_half() == pytest.approx(PairCounts.of(given.where(half)).score)
