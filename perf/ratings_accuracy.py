"""Prints how accurate the rating engine is: the long form of what its tests check briefly.

    perf/.venv/bin/python perf/ratings_accuracy.py [--scale 5]

Every line says what was promised and what was found. `--scale` multiplies the number of
simulations; 1 takes a minute or two.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests" / "ratings"))

import numpy as np
from chosen_pairs import certainty_after
from known_judges import joint, true_strengths
from known_strengths import (
    drawn,
    limit,
    newcomers_among_millions,
    newcomers_pairs,
    simulated,
    styled,
    unlike_voters,
)

from arena.ratings.bradley_terry import fit
from arena.ratings.combined import fit_combined
from arena.ratings.comparisons import FloatArray, PairCounts
from arena.ratings.elo import Scale, fold
from arena.ratings.intervals import normal_quantile
from arena.ratings.live import LiveRatings
from arena.ratings.style import fit_style

PER_NAT = Scale().per_nat
THETA = np.linspace(-1, 1, 10)
Line = tuple[str, str, str]


def coverage(name: str, fitted: Iterator[tuple[FloatArray, FloatArray]], truth: FloatArray, promised: str) -> Line:
    """Share of 95% intervals that hold the truth."""
    inside = [np.abs(theta - truth) <= normal_quantile() * deviation for theta, deviation in fitted]
    pooled = np.concatenate(inside)
    return f"coverage: {name}", f"{pooled.mean():.2%} of {len(pooled):,}", promised


def plain(scale: int) -> Line:
    rng = np.random.default_rng(1)
    results = (fit(drawn(np.full((10, 10), 3000 / 45), THETA, rng)) for _ in range(1000 * scale))
    return coverage("10 models, 3,000 battles, 25% ties", map(_spread, results), limit(THETA), "94–96%")


def rare(scale: int) -> Line:
    theta, battles = newcomers_among_millions(THETA)
    rng = np.random.default_rng(2)
    results = (_spread(fit(drawn(battles, theta, rng))) for _ in range(2000 * scale))
    newcomers = ((theta[10:], deviation[10:]) for theta, deviation in results)
    return coverage("models of 100–300 battles among 10M", newcomers, limit(theta, pairs=battles)[10:], "94–96%")


def voters(scale: int, *, clustered: bool) -> Line:
    rows = (simulated(THETA, 5000, seed, voters=100, spread=0.4) for seed in range(1000 * scale))
    results = (fit(PairCounts.of(each), voters=each if clustered else None) for each in rows)
    name = "100 voters of 50 correlated votes, " + ("clustered" if clustered else "plain sandwich")
    return coverage(name, map(_spread, results), limit(THETA, spread=0.4), "94–96%" if clustered else "falls short")


def unlike(scale: int, *, clustered: bool) -> Line:
    rows = (unlike_voters(THETA, 2000, 40, seed) for seed in range(1000 * scale))
    results = (fit(PairCounts.of(each), voters=each if clustered else None) for each in rows)
    name = "40 voters, some of many times as many votes, " + ("clustered" if clustered else "plain sandwich")
    return coverage(name, map(_spread, results), limit(THETA, spread=0.4), "94–96%" if clustered else "falls short")


def alone(scale: int, *, clustered: bool) -> Line:
    rows = (unlike_voters(THETA, 2000, 40, seed, owner=seed % 40) for seed in range(2000 * scale))
    results = (fit(PairCounts.of(each), voters=each if clustered else None) for each in rows)
    newcomer = ((theta[-1:], deviation[-1:]) for theta, deviation in map(_spread, results))
    truth = limit(THETA, spread=0.4, pairs=newcomers_pairs(len(THETA)))[-1:]
    name = "a newcomer of 50 battles, all one voter's, " + ("clustered" if clustered else "plain sandwich")
    return coverage(name, newcomer, truth, "94% or more" if clustered else "falls short")


def judged(scale: int, bias: float, *, pooled: bool = False) -> Line:
    def fitted() -> Iterator[tuple[FloatArray, FloatArray]]:
        for seed in range(1300 * scale):
            counts = joint(seed, bias=bias)
            if pooled:
                human, judge = counts.human(), counts.judge()
                together = PairCounts(human.names, human.score + judge.score, human.ties + judge.ties)
                yield _spread(fit(together))
            else:
                yield _spread(fit_combined(counts))

    name = f"human and judge (bias {bias:g}), " + ("votes pooled" if pooled else "combined")
    return coverage(name, fitted(), true_strengths(), "far below" if pooled else "94–96%")


def narrowing(scale: int) -> Line:
    ratios = []
    for seed in range(50 * scale):
        counts = joint(seed)
        ratios.append(np.mean(_spread(fit_combined(counts))[1]) / np.mean(_spread(fit(counts.human()))[1]))
    return "width with a good judge over human alone", f"{np.mean(ratios):.3f}", "< 1"


def following(scale: int) -> Line:
    """The live path against a refit: twenty thousand votes on top of a million, two models new."""
    theta = np.append(np.linspace(-1, 1, 50), [0.3, -0.4])
    old = simulated(theta[:50], 1_000_000, seed=6)
    ratings = LiveRatings(PairCounts.of(old))
    for name in ("new-1", "new-2"):
        ratings.grow(name)
    rng, worst = np.random.default_rng(3), [0.0, 0.0]
    for vote in range(20_000 * scale):
        a, b = (int(place) for place in rng.choice(52, 2, replace=False))
        won = float(rng.random() < 1 / (1 + np.exp(theta[b] - theta[a])))
        ratings.add(a, b, 0.5 if rng.random() < 0.25 else won)
        found = ratings.strengths()
        if vote % 200 == 199 or vote < 100:
            anew = fit(ratings.counts).strengths()
            gaps = (found.theta - anew.theta, normal_quantile() * (found.deviation - anew.deviation))
            worst = [max(w, float(np.nanmax(np.abs(gap))) * PER_NAT) for w, gap in zip(worst, gaps, strict=True)]
    return (
        f"live against refit over {20_000 * scale:,} votes: rating, interval",
        f"{worst[0]:.1e}, {worst[1]:.1e}",
        "1e-3, 1e-2",
    )


def order(scale: int) -> Line:
    rows = simulated(np.linspace(-1.5, 1.5, 10), 2000, seed=1)
    rng, moved, invariant = np.random.default_rng(1), 0.0, 0.0
    reference, elo = fit(PairCounts.of(rows)).theta, fold(rows).ratings
    for _ in range(20 * scale):
        other = rows.where(rng.permutation(len(rows))).mirrored()
        invariant = max(invariant, float(np.abs(fit(PairCounts.of(other)).theta - reference).max()) * PER_NAT)
        moved = max(moved, float(np.abs(fold(other).ratings - elo).max()))
    return (
        "shuffled and mirrored: Bradley–Terry moves, Elo (K = 4) moves",
        f"{invariant:.1e}, {moved:.1f} points",
        "≤ 1e-9, labelled",
    )


def statsmodels(scale: int) -> Line:
    import statsmodels.api as api

    rows = simulated(np.linspace(-1.5, 1.5, 12), 4000, seed=1)
    table = np.zeros((len(rows), 12))
    table[np.arange(len(rows)), rows.a], table[np.arange(len(rows)), rows.b] = 1, -1
    model = api.GLM(rows.outcome, table[:, 1:], family=api.families.Binomial())
    theirs = np.append(0, model.fit(tol=1e-15, maxiter=100, tol_criterion="params").params)
    gap = np.abs(fit(PairCounts.of(rows)).theta - (theirs - theirs.mean())).max() * PER_NAT
    return "Bradley–Terry against statsmodels", f"{gap:.1e} points", "≤ 1e-8"


def many_styled(scale: int) -> Line:
    """The short way for millions against the exact one."""
    from arena.ratings import style_likelihood

    rows = styled(2_000_000)
    quick = fit_style(rows)
    style_likelihood.MANY = 10**9
    exact = fit_style(rows)
    gap = float(np.abs(quick.theta - exact.theta).max()) * PER_NAT
    reach = float(np.abs(quick.strengths().deviation - exact.strengths().deviation).max()) * PER_NAT * normal_quantile()
    return "style at 2M, start from a sample, against exact: rating, interval", f"{gap:.1e}, {reach:.1e}", "≤ 1e-3"


def sampling(scale: int) -> Line:
    seeds = range(60 * scale)
    chosen = np.mean([certainty_after(2000, seed, uniform=False) for seed in seeds])
    uniform = np.mean([certainty_after(4000, seed, uniform=True) for seed in seeds])
    return (
        "top-5 certainty: 2,000 chosen votes against 4,000 uniform",
        f"{chosen:.4f}, {uniform:.4f}",
        "at least as high",
    )


def _spread(result: object) -> tuple[FloatArray, FloatArray]:
    theta, covariance = result.theta, result.covariance  # type: ignore[attr-defined]
    return theta, np.sqrt(np.diag(covariance))


LINES: tuple[Callable[[int], Line], ...] = (
    statsmodels,
    order,
    following,
    many_styled,
    plain,
    rare,
    lambda scale: voters(scale, clustered=False),
    lambda scale: voters(scale, clustered=True),
    lambda scale: unlike(scale, clustered=False),
    lambda scale: unlike(scale, clustered=True),
    lambda scale: alone(scale, clustered=False),
    lambda scale: alone(scale, clustered=True),
    lambda scale: judged(scale, 0.0),
    lambda scale: judged(scale, 1.0),
    lambda scale: judged(scale, 1.0, pooled=True),
    narrowing,
    sampling,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, default=5, help="how many times the short number of simulations")
    arguments = parser.parse_args()
    print("| | found | promised |\n|---|---|---|")
    for line in LINES:
        print("| " + " | ".join(line(arguments.scale)) + " |", flush=True)


if __name__ == "__main__":
    main()
