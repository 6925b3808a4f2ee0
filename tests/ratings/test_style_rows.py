"""Comparisons sorted by pair for style control."""

from __future__ import annotations

import numpy as np
import pytest
from known_strengths import styled

from arena.ratings.comparisons import Comparisons, IntArray, PairCounts
from arena.ratings.style_rows import Reals, StyleRows

pytestmark = pytest.mark.usefixtures("small_blocks")


def laid_out(rows: Comparisons) -> StyleRows:
    """With the number of each comparison as its only covariate."""

    def number(part: slice | IntArray, out: Reals, spare: Reals) -> None:
        out[0] = np.arange(len(rows))[part]

    return StyleRows.of(rows, number, 1, np.float64)


def test_every_comparison_is_there_once_with_what_belongs_to_it() -> None:
    """Its pair, its outcome and its voter travel with its covariates."""
    rows = styled(3000, voters=50)
    table = laid_out(rows)
    number = table.x[0].astype(int)
    assert sorted(number) == list(range(3000))
    assert (table.key == rows.a[number] * 6 + rows.b[number]).all()
    assert (table.margin == 2 * rows.outcome[number] - 1).all()
    assert rows.voter is not None
    assert table.voter is not None
    assert (table.voter == rows.voter[number]).all()


def test_a_run_holds_each_of_its_pairs_once() -> None:
    """So that sums over neighbours can be added at their pairs without losing one."""
    for table in (laid_out(styled(3000)), laid_out(styled(3000)).within(np.array([0, 2, 5]))):
        assert len(table.runs) > 3
        assert sum(int(run.lengths.sum()) for run in table.runs) == len(table.key)
        for run in table.runs:
            assert (np.diff(run.pair) > 0).all()
            assert (np.repeat(run.pair, run.lengths) == table.key[run.rows]).all()


def test_scores_are_those_of_the_pair_counts() -> None:
    """Weights included."""
    rows = styled(3000)
    assert laid_out(rows).scores() == pytest.approx(PairCounts.of(rows).score)
    weight = np.random.default_rng(0).uniform(0.5, 2, 3000)
    weighed = Comparisons(rows.names, rows.a, rows.b, rows.outcome, weight)
    assert laid_out(weighed).scores() == pytest.approx(PairCounts.of(weighed).score)


def test_a_thinned_table_has_its_share_of_every_pair() -> None:
    """One in ten, whichever block a comparison stood in."""
    rows = styled(30_000)
    thin = laid_out(rows).thinned(10)
    assert len(thin.key) == 3000
    assert (np.diff(thin.key) >= 0).all()
    met = np.bincount(rows.a * 6 + rows.b, minlength=36)
    assert np.bincount(thin.key, minlength=36) == pytest.approx(met / 10, abs=45)  # one per block
