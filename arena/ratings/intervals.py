"""Uncertainty of log-strengths: what the sandwich covariance is made of, bounds and rank ranges.

All of it works on natural log-strengths in the gauge where they sum to zero. It does not know how
the strengths were found; it trusts that they solve the likelihood equations.

Source: H. White, "Maximum likelihood estimation of misspecified models", Econometrica 1982.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from arena.ratings.comparisons import BoolArray, FloatArray, PairCounts

CONFIDENCE = 0.95
"""Coverage that every interval of this package promises."""

_LEAST_MEAT = 0.75
"""Three votes' worth of variance between equals: what may be missed when no vote ever differed."""

_INVERTED_WHOLE = 64
"""Tables up to this size go to LAPACK in one piece."""


def normal_quantile(confidence: float = CONFIDENCE) -> float:
    """Half-width of a two-sided interval in standard deviations: 1.96 for 95%."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def win_probabilities(theta: FloatArray) -> FloatArray:
    """p[i, j] = 1 / (1 + exp(θⱼ − θᵢ)) for every pair; ½ on the diagonal."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(theta[None, :] - theta[:, None])))


def laplacian(weights: FloatArray) -> FloatArray:
    """Σ w[i, j]·(eᵢ − eⱼ)(eᵢ − eⱼ)ᵀ over unordered pairs, for a symmetric table of weights."""
    table = -weights
    np.fill_diagonal(table, 0)
    np.fill_diagonal(table, -table.sum(axis=1))
    return table


def pair_weights(table: FloatArray) -> FloatArray:
    """The weights that `laplacian` made a table of."""
    weights = -table
    np.fill_diagonal(weights, 0)
    return np.asarray(weights)


def pseudo_inverse(table: FloatArray) -> FloatArray:
    """Inverse of a connected Laplacian on the vectors that sum to zero."""
    size = len(table)
    lift = max(float(np.trace(table)) / size, 1e-300)
    return np.asarray(positive_inverse(table + lift / size) - 1 / (lift * size))


def along(table: FloatArray, slopes: FloatArray) -> FloatArray:
    """`pseudo_inverse(table) @ slopes` for slopes that sum to zero, in half the time: nothing is inverted."""
    lift = max(float(np.trace(table)) / len(table), 1e-300)
    return np.asarray(np.linalg.solve(table + lift / len(table), slopes))


def positive_inverse(table: FloatArray) -> FloatArray:
    """Inverse of a symmetric positive definite table, by halves (Schur complements).

    Nearly all of it is matrix products, which run several times faster than LAPACK's general
    inverse at the sizes of boards: 200 × 200 in 0.5 ms instead of 1.4 on one thread.
    """
    size = len(table)
    if size <= _INVERTED_WHOLE:
        return np.asarray(np.linalg.inv(table))
    half = size // 2
    first = positive_inverse(table[:half, :half])
    across = first @ table[:half, half:]
    second = positive_inverse(table[half:, half:] - table[half:, :half] @ across)
    corner = across @ second
    result = np.empty_like(table)
    result[:half, :half] = first + corner @ across.T
    result[:half, half:] = -corner
    result[half:, :half] = -corner.T
    result[half:, half:] = second
    return result


def meat(counts: PairCounts, probabilities: FloatArray) -> FloatArray:
    """Sum of outer products of the comparisons' score vectors, from pair counts alone, filled up where few differ."""
    whole, score, square = counts.moments()
    residual = square - 2 * probabilities * score + probabilities**2 * whole
    unit = float(whole.sum()) / max(float(counts.total.sum()), 1e-300)
    return laplacian(filled_up(residual, whole * probabilities * probabilities.T, unit))


def filled_up(residual: FloatArray, model: FloatArray, unit: float) -> FloatArray:
    """Squared residuals per pair, those of contestants that have too little moved towards the model's variance.

    Where a contestant's comparisons hardly vary (a few votes, all of them ties) the sum says that
    its strength is known exactly. Votes that never differed can still be wrong about a share of
    3/n (the rule of three), so less than `_LEAST_MEAT` is filled up from what the model expects of the
    same pairs, as far as needed. `unit` is the weight of a vote: the sum of squared weights by the sum of weights.
    """
    own, least = residual.sum(axis=1), _LEAST_MEAT * unit
    if own.min(initial=np.inf) >= least:
        return residual
    expected = model.sum(axis=1) - np.diag(model)
    wanted = np.minimum(least, expected) - own
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(wanted > 0, wanted / (expected - own), 0.0)
    each = np.maximum(share[:, None], share[None, :])
    return np.asarray(residual + np.clip(each, 0, 1) * np.maximum(model - residual, 0))


def contrast_deviation(covariance: FloatArray, against: int | None = None) -> FloatArray:
    """Standard deviations of θᵢ, or of θᵢ − θ_against when a contestant is the fixed point."""
    variance = np.diag(covariance)
    if against is not None:
        variance = variance + variance[against] - 2 * covariance[:, against]
        variance[against] = 0
    return np.asarray(np.sqrt(np.maximum(variance, 0)))


def perfect_record_bound(scores: FloatArray, theta: FloatArray, confidence: float = CONFIDENCE) -> float:
    """Lowest log-strength at which winning every one of these comparisons is still believable.

    `scores[j]` comparisons were won against opponents of log-strength `theta[j]`; the bound b
    solves Σ scores[j]·ln σ(b − θⱼ) = ln((1 − confidence)/2), the exact binomial bound when
    all opponents are alike. A record of losses is the mirror: negate θ and the answer.
    """
    target = float(np.log((1 - confidence) / 2))
    low, high = float(theta.min()) - 1, float(theta.max()) + 1

    def excess(bound: float) -> float:
        return float(-(scores * np.logaddexp(0, theta - bound)).sum()) - target

    while excess(low) > 0:
        low -= 2 * (high - low)
    while excess(high) < 0:
        high += 2 * (high - low)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return (low + high) / 2


def rank_ranges(low: FloatArray, high: FloatArray, comparable: BoolArray) -> tuple[list[int], list[int]]:
    """Best and worst rank that intervals leave open.

    `comparable[i, j]` is false where nothing connects i and j: either may stand before the other.
    """
    above = (low[None, :] > high[:, None]) & comparable
    below = (high[None, :] < low[:, None]) & comparable
    best = 1 + above.sum(axis=1)
    worst = len(low) - below.sum(axis=1)
    return best.tolist(), worst.tolist()
