"""What votes of one voter share: many voters, few and unlike ones, and a newcomer whom one alone has judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_strengths import limit, newcomers_pairs, simulated, unlike_voters
from slow_clusters import filling

from arena.ratings.bradley_terry import fit, sandwich
from arena.ratings.clusters import clustered_meat, student_quantile
from arena.ratings.comparisons import Comparisons, FloatArray, PairCounts
from arena.ratings.intervals import laplacian, meat, normal_quantile, pseudo_inverse, win_probabilities

THETA = np.linspace(-1, 1, 8)


def reach(rows: Comparisons, *, clustered: bool = True) -> tuple[FloatArray, FloatArray]:
    """Strengths and how far their intervals reach."""
    result = fit(PairCounts.of(rows), voters=rows if clustered else None)
    return result.theta, normal_quantile() * np.sqrt(np.diag(result.covariance))


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("strangers", [0, 200])
def test_the_filling_is_what_its_formulas_say(weighed: bool, strangers: int) -> None:
    """Also with votes of unequal weight and beside votes of nobody known."""
    rows = unlike_voters(THETA, 900, 12, seed=2)
    rng = np.random.default_rng(1)
    assert rows.voter is not None
    rows.voter[rng.choice(900, strangers, replace=False)] = -1
    if weighed:
        rows = replace(rows, weight=rng.uniform(0.2, 1, 900))
    counts, size = PairCounts.of(rows), len(THETA)
    theta = fit(counts).theta
    p = win_probabilities(theta)
    weight = np.ones(900) if rows.weight is None else rows.weight
    table = np.zeros((900, size))
    table[np.arange(900), rows.a], table[np.arange(900), rows.b] = 1, -1
    scores = table * (weight * (rows.outcome - p[rows.a, rows.b]))[:, None]
    plain = meat(counts, p)
    expected = filling(scores, np.abs(table) * weight[:, None], rows.voter, plain, size)
    assert clustered_meat(rows, theta, plain) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    bread = pseudo_inverse(laplacian(counts.total * p * p.T))
    assert sandwich(counts, theta, rows) == pytest.approx(bread @ expected @ bread, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("freedom", "quantile"), [(16, 2.1199053), (20, 2.0859634), (40, 2.0210754), (1e9, 1.9599640)])
def test_few_voters_make_wide_tails(freedom: float, quantile: float) -> None:
    """Student's quantile as tables have it."""
    assert student_quantile(np.array(freedom)) == pytest.approx(quantile, abs=1e-4)


def test_few_and_unlike_voters_are_covered() -> None:
    """Twelve voters, the most eager with a quarter of the votes; the plain sandwich falls far short."""
    truth = limit(THETA, spread=0.4)
    inside = {clustered: [] for clustered in (True, False)}
    for seed in range(300):
        rows = unlike_voters(THETA, 1200, 12, seed)
        for clustered, found in inside.items():
            theta, far = reach(rows, clustered=clustered)
            found.append(np.abs(theta - truth) <= far)
    assert 0.93 <= np.mean(inside[True]) <= 0.97
    assert np.mean(inside[False]) < 0.9


def test_a_newcomer_whom_one_voter_judged_is_not_known_exactly() -> None:
    """That voter's score vector is zero at the maximum: summed by voter alone, its votes would leave no doubt."""
    truth = limit(THETA, spread=0.4, pairs=newcomers_pairs(8))
    inside = []
    for seed in range(400):
        theta, far = reach(unlike_voters(THETA, 1500, 30, seed, owner=seed % 30))
        inside.append(abs(theta[-1] - truth[-1]) <= far[-1])
    assert 0.91 <= np.mean(inside) <= 0.98


def test_one_voter_more_does_not_narrow_what_another_left_open() -> None:
    """The second voter of a newcomer tells something of tastes; the intervals stay of one size."""
    _, alone = reach(unlike_voters(THETA, 1500, 30, seed=4, owner=3))
    rows = unlike_voters(THETA, 1500, 30, seed=4, owner=3)
    assert rows.voter is not None
    rows.voter[:10] = 7
    _, two = reach(rows)
    assert 0.6 < two[-1] / alone[-1] < 1.4
    _, plain = reach(rows, clustered=False)
    assert (alone[-1], two[-1]) > (plain[-1], plain[-1])


def test_votes_alike_in_all_are_one_vote() -> None:
    """Whatever one correlation makes of them: twenty copies of every vote are worth little more than one."""
    once = simulated(np.array([0.0, 0.5, 1.0]), 300, seed=8)
    columns = (np.repeat(column, 20) for column in (once.a, once.b, once.outcome))
    copied = Comparisons(once.names, *columns, voter=np.repeat(np.arange(300), 20))
    _, honest = reach(once, clustered=False)
    _, clustered = reach(copied)
    _, plain = reach(copied, clustered=False)
    assert plain == pytest.approx(honest / np.sqrt(20))
    assert clustered == pytest.approx(honest, rel=0.02)


def test_voters_of_one_vote_are_as_good_as_strangers() -> None:
    """With clusters of one the intervals are the plain ones but for the correction for their number."""
    rows = simulated(np.array([0.0, 0.5, 1.0]), 400, seed=9)
    voter = np.arange(400)
    voter[200:] = -1
    _, plain = reach(rows, clustered=False)
    _, known = reach(replace(rows, voter=voter))
    assert known == pytest.approx(plain, rel=0.01)
