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
from arena.ratings.live import LiveRatings, widening_of

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
    expected, least = filling(scores, np.abs(table) * weight[:, None], rows.voter, plain, size)
    mixed, inflated = clustered_meat(rows, theta, plain)
    assert mixed == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert inflated == pytest.approx(least, rel=1e-9, abs=1e-9)
    bread = pseudo_inverse(laplacian(counts.total * p * p.T))
    variance = np.maximum(np.diag(bread @ expected @ bread), np.diag(bread @ least @ bread))
    assert np.diag(sandwich(counts, theta, rows)) == pytest.approx(variance, rel=1e-9)


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


def test_groups_joined_by_one_voter_are_apart_as_far_as_that_voter_may_err() -> None:
    """Each contestant has many voters; how the groups stand to each other is one voter's word."""
    inside, wider = [], []
    truth = limit(THETA, spread=0.4, pairs=bridged())
    for seed in range(200):
        rows = two_groups(seed)
        theta, far = reach(rows)
        inside.append(np.abs(theta - truth) <= far)
        wider.append((far / reach(rows, clustered=False)[1]).min())
    assert np.mean(inside) >= 0.82  # not what is promised, and twice what the sum alone would cover
    assert np.mean(wider) >= 0.9


def bridged() -> FloatArray:
    """Weights of pairs in two groups of four that hang together by the fourth contestant."""
    pairs = np.zeros((8, 8))
    pairs[:4, :4] = pairs[4:, 4:] = 1
    pairs[3, 4:] = pairs[4:, 3] = 1e-6
    np.fill_diagonal(pairs, 0)
    return pairs


def two_groups(seed: int) -> Comparisons:
    """800 votes of 50 voters in each group, and 50 between them, all by one."""
    rng = np.random.default_rng(seed)
    group, first = np.repeat([0, 4], 800), rng.integers(0, 4, 1600)
    a = np.append(first + group, np.full(50, 3))
    b = np.append((first + rng.integers(1, 4, 1600)) % 4 + group, rng.integers(4, 8, 50))
    voter = np.append(rng.integers(0, 50, 1600), np.zeros(50, dtype=int))
    taste = rng.normal(0, 0.4, (50, 8))
    gap = THETA[a] - THETA[b] + taste[voter, a] - taste[voter, b]
    won = (rng.random(len(a)) < 1 / (1 + np.exp(-gap))).astype(float)
    outcome = np.where(rng.random(len(a)) < 0.25, 0.5, won)
    return Comparisons(tuple(f"m{i}" for i in range(8)), a, b, outcome, voter=voter)


@pytest.mark.parametrize("first", [0, 5])
def test_a_distance_is_as_wide_from_either_end(first: int) -> None:
    """Also where the live board carries by how much each end has widened: a newcomer of one voter is one of them."""
    rows = unlike_voters(THETA, 1500, 30, seed=4, owner=3)
    counts = PairCounts.of(rows)
    exact, plain = fit(counts, voters=rows), fit(counts)
    live = LiveRatings(counts)
    live.widening = widening_of(exact.strengths(), plain.strengths())
    here = live.strengths(7).relative_deviation[first]
    assert here == pytest.approx(live.strengths(first).relative_deviation[7], rel=1e-9)
    whole = exact.covariance
    apart = np.sqrt(whole[first, first] + whole[7, 7] - 2 * whole[first, 7])
    assert here == pytest.approx(apart, rel=0.15)


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
