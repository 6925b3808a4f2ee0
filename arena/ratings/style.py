"""Style control: strengths with the pull of length and Markdown taken out.

A comparison's logit is θ_a − θ_b + x·β, where x says by how much more of each style feature side a
used. θ is then what is left at equal style. This module sees columns of comparisons; how style is
counted in a text is not its business.

Sources: LMSYS, "Does style matter?", 2024 (FastChat's variant); Arena-Hard v2's length and Markdown
control, 2025. Ours differs on purpose: amounts are scaled but not centred, since a constant taken
off x would favour a side, and nothing is penalised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from arena.ratings.bradley_terry import FEWEST_VOTERS, Strengths, bound_outside, known_voters
from arena.ratings.comparisons import Comparisons, FloatArray, IntArray, PairCounts
from arena.ratings.connectivity import pieces
from arena.ratings.intervals import contrast_deviation, laplacian, normal_quantile

STYLE_FEATURES = ("tokens", "headers", "lists", "bold")
"""What style means unless other columns are named: length, and how much Markdown there is of each kind."""

_CHUNK = 1 << 17
_SMALL = 1_000_000
_SAMPLE_ONE_IN = 16
"""From `_SMALL` comparisons on, a start is found on every sixteenth of them."""

_LAST_STEP = 1e-9
_LAST_STEP_OF_MANY = 5e-4
"""Newton's error is about half the square of its last step: 1e-7 in log-strength, 2e-5 of an Elo point."""

_LARGEST_STEP = 4.0
_MOST_STEPS = 60

_LN_10 = float(np.log(10))


class Variant(StrEnum):
    """Whose style control: ours, or another's exactly, to compare with."""

    OURS = "ours"
    FASTCHAT = "fastchat"
    ARENA_HARD_V2 = "arena-hard-v2"


@dataclass(frozen=True, slots=True)
class Coefficient:
    """What one feature is worth: `value` is added to a side's logit per spread of its relative excess.

    None where the feature never differed between sides.
    """

    feature: str
    value: float | None
    low: float | None
    high: float | None
    spread: float


@dataclass(frozen=True, slots=True, eq=False)
class StyleResult:
    """Strengths at equal style, and what style was worth. `theta` is NaN where not determined."""

    names: tuple[str, ...]
    variant: Variant
    theta: FloatArray
    covariance: FloatArray
    low: FloatArray
    high: FloatArray
    piece: IntArray
    coefficients: tuple[Coefficient, ...]
    clustered: bool
    iterations: int
    solution: Solution

    def strengths(self, relative_to: int | None = None) -> Strengths:
        """The result for a board; `relative_to` is the contestant that an anchor fixes."""
        deviation = contrast_deviation(self.covariance)
        relative = deviation if relative_to is None else contrast_deviation(self.covariance, relative_to)
        words = "sandwich, clustered by voter" if self.clustered else "sandwich"
        return Strengths(
            self.names, self.theta, deviation, self.low, self.high, self.piece, words, relative_to, relative
        )


def fit_style(
    rows: Comparisons, features: Sequence[str] = STYLE_FEATURES, variant: Variant = Variant.OURS
) -> StyleResult:
    """Rate at equal style. Intervals are clustered by voter where enough voters are known.

    Raises ValueError when a feature is not among the columns, or when features cannot be told
    apart (one is a combination of others).
    """
    excess, spread = _covariates(rows, features, variant)
    score = PairCounts.of(rows).score
    groups = pieces(score)
    penalised = variant is Variant.FASTCHAT
    rated = np.arange(len(rows.names)) if penalised or not groups else np.sort(groups[0].core)
    design = _designed(rows, excess[:, spread > 0], rated, penalised)
    solution = _solve(design)
    return _result(rows, features, variant, spread, solution, score)


def _covariates(rows: Comparisons, features: Sequence[str], variant: Variant) -> tuple[FloatArray, FloatArray]:
    """Excess of side a per feature (n × k), scaled, and the spread that scaled it (0: it never differed)."""
    for name in features:
        if name not in rows.features:
            known = ", ".join(rows.features) or "none"
            raise ValueError(f"style feature {name!r} is not among the columns of these battles (there: {known})")
    excess = np.empty((len(rows), len(features)))
    for column, name in enumerate(features):
        excess[:, column] = _excess(rows, name, variant)
    if variant is Variant.OURS:
        spread = np.sqrt(np.einsum("ij,ij->j", excess, excess) / max(len(excess), 1))
    else:
        excess -= excess.mean(axis=0)
        spread = excess.std(axis=0, ddof=1 if variant is Variant.ARENA_HARD_V2 else 0)
    spread[spread < 1e-12] = 0
    excess[:, spread > 0] /= spread[spread > 0]
    return excess, spread


def _excess(rows: Comparisons, name: str, variant: Variant) -> FloatArray:
    """By how much side a's amount exceeds side b's, as a share of both."""
    a, b = rows.features[name]
    if variant is Variant.ARENA_HARD_V2 and name != "tokens":
        tokens_a, tokens_b = rows.features["tokens"]
        a, b = a / (tokens_a + 1), b / (tokens_b + 1)
        return np.asarray((a - b) / (a + b + 1))
    whole = a + b + 1 if variant is Variant.FASTCHAT else a + b
    return np.divide(a - b, whole, out=np.zeros(len(a)), where=whole != 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """Rows of the likelihood: contestants numbered among the rated, scaled excess, and the penalty if any.

    `ridge` is the penalty's second derivative per parameter.
    """

    rows: Comparisons
    excess: FloatArray
    ridge: FloatArray
    rated: IntArray

    @property
    def size(self) -> int:
        return len(self.rows.names)

    def among(self, chosen: IntArray) -> _Design:
        """Some of the comparisons."""
        return replace(self, rows=self.rows.where(chosen), excess=self.excess[chosen])

    def thinned(self, one_in: int) -> _Design:
        """Every so-many-th row, the penalty thinned alike."""
        chosen = np.arange(0, len(self.rows), one_in)
        bare = replace(self.rows, features={}, tags={}, both_bad=None, voter=None)
        return _Design(bare.where(chosen), self.excess[chosen], self.ridge / one_in, self.rated)


def _designed(rows: Comparisons, excess: FloatArray, rated: IntArray, penalised: bool) -> _Design:
    if len(rated) < len(rows.names):
        place = np.full(len(rows.names), -1)
        place[rated] = np.arange(len(rated))
        inside = (place[rows.a] >= 0) & (place[rows.b] >= 0)
        rows, excess = rows.where(inside), excess[inside]
        names = tuple(rows.names[i] for i in rated)
        rows = replace(rows, names=names, a=place[rows.a], b=place[rows.b])
    ridge = np.zeros(len(rated) + excess.shape[1])
    if penalised:  # ¼·‖(r, β)‖² with θ = ln 10·r
        ridge[:] = 0.5
        ridge[: len(rated)] /= _LN_10**2
    return _Design(rows, excess, ridge, rated)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Everything Newton's method ends with; parameters are θ of the `rated`, then β of the features that differ.

    `bread` is the inverse curvature and `filling` the sum of outer products of score vectors.
    """

    rated: IntArray
    parameters: FloatArray
    bread: FloatArray
    filling: FloatArray
    clustered: bool
    iterations: int

    @property
    def covariance(self) -> FloatArray:
        """The sandwich."""
        return np.asarray(self.bread @ self.filling @ self.bread)


def _solve(design: _Design) -> Solution:
    """Newton's method; with many comparisons from a start that every sixteenth of them gives."""
    many = len(design.rows) > _SMALL
    parameters = np.zeros(len(design.ridge))
    if many:
        parameters = _solve(design.thinned(_SAMPLE_ONE_IN)).parameters
    iterations, largest = 0, np.inf
    while largest >= (_LAST_STEP_OF_MANY if many else _LAST_STEP):
        iterations += 1
        if iterations > _MOST_STEPS:
            raise ValueError("style control did not settle: some feature decides every battle it differs in")
        sums = _sums(design, parameters)
        bread = _bread(design, sums.curvature)
        delta = bread @ (sums.gradient - design.ridge * parameters)
        largest = float(np.abs(delta).max(initial=0))
        parameters = parameters + min(1.0, _LARGEST_STEP / max(largest, 1e-300)) * delta
    clustered = known_voters(design.rows) >= FEWEST_VOTERS
    filling = _clustered_filling(design, parameters) if clustered else sums.filling
    return Solution(design.rated, parameters, bread, filling, clustered, iterations)


def _bread(design: _Design, curvature: FloatArray) -> FloatArray:
    """Inverse curvature, strengths held to sum to zero where no penalty does."""
    size = design.size
    table = curvature + np.diag(design.ridge)
    if not design.ridge.any():
        lift = max(float(np.trace(curvature[:size, :size])) / size, 1e-300)
        table[:size, :size] += lift / size
    try:
        inverse = np.linalg.inv(table)
    except np.linalg.LinAlgError:
        inverse = np.full_like(table, np.inf)
    if not np.isfinite(inverse).all() or np.abs(inverse).max() * np.abs(table).max() > 1e13:
        raise ValueError("style features cannot be told apart in these battles: leave one out")
    if not design.ridge.any():
        inverse[:size, :size] -= 1 / (lift * size)
    return np.asarray(inverse)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Over all comparisons: score vectors, curvature, and outer products of score vectors."""

    gradient: FloatArray
    curvature: FloatArray
    filling: FloatArray


def _sums(design: _Design, parameters: FloatArray) -> _Sums:
    """One pass over the comparisons, a chunk at a time.

    Everything about strengths is first summed per ordered pair: m² cells take one addition per
    comparison where contestants would take two.
    """
    size, k = design.size, design.excess.shape[1]
    pairs = np.zeros((3 + 2 * k, size * size))
    styles = np.zeros((3, k, k))
    pull = np.zeros(k)
    for part in _chunks(len(design.rows)):
        key, x, residual, weight = _evaluated(design, parameters, part)
        squared = residual**2
        for line, amount in enumerate((residual, weight, squared)):
            pairs[line] += np.bincount(key, amount, minlength=size * size)
        pull += residual @ x
        for line, amount in ((3, weight), (3 + k, squared)):
            weighed = x * amount[:, None]
            styles[1 if line == 3 else 2] += x.T @ weighed
            for column in range(k):
                pairs[line + column] += np.bincount(key, weighed[:, column], minlength=size * size)
    tables = pairs.reshape(-1, size, size)
    net = tables.sum(axis=2) - tables.sum(axis=1)
    curvature = _bordered(tables[1], net[3 : 3 + k], styles[1])
    filling = _bordered(tables[2], net[3 + k :], styles[2])
    return _Sums(np.concatenate((net[0], pull)), curvature, filling)


def _chunks(length: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, length, _CHUNK))


def _evaluated(
    design: _Design, parameters: FloatArray, part: slice
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Pair, excess, residual and curvature of each comparison of a chunk."""
    rows, size = design.rows, design.size
    theta, beta = parameters[:size], parameters[size:]
    a, b, x = rows.a[part], rows.b[part], design.excess[part]
    p = 1 / (1 + np.exp(theta[b] - theta[a] - x @ beta))
    residual, weight = rows.outcome[part] - p, p * (1 - p)
    if rows.weight is not None:
        residual, weight = residual * rows.weight[part], weight * rows.weight[part]
    return a.astype(np.intp) * size + b, x, residual, weight


def _bordered(per_pair: FloatArray, across: FloatArray, corner: FloatArray) -> FloatArray:
    """A Laplacian in θ, `across` (k × m) between β and θ, `corner` in β."""
    size, k = len(per_pair), len(corner)
    table = np.empty((size + k, size + k))
    table[:size, :size] = laplacian(per_pair + per_pair.T)
    table[size:, :size], table[:size, size:] = across, across.T
    table[size:, size:] = corner
    return table


def _clustered_filling(design: _Design, parameters: FloatArray) -> FloatArray:
    """Outer products of one score vector per voter; comparisons of unknown voters stand alone."""
    rows, size = design.rows, design.size
    assert rows.voter is not None
    order = np.argsort(rows.voter, kind="stable")
    voters = rows.voter[order]
    alone = int(np.searchsorted(voters, 0))
    lone = design.among(order[:alone])
    total = _sums(lone, parameters).filling
    clusters = alone
    breaks = np.flatnonzero(np.diff(voters[alone:], prepend=-1))
    for first in range(0, len(breaks), 2048):
        starts = breaks[first : first + 2048] + alone
        stop = alone + int(breaks[first + 2048]) if first + 2048 < len(breaks) else len(order)
        total += _outer_of_voters(design, parameters, order[starts[0] : stop], starts - starts[0], size)
        clusters += len(starts)
    return total * (clusters / max(clusters - 1, 1))


def _outer_of_voters(
    design: _Design, parameters: FloatArray, chosen: IntArray, starts: IntArray, size: int
) -> FloatArray:
    """Σ uuᵀ over voters whose comparisons are `chosen`, each voter's beginning at one of `starts`."""
    part = design.among(chosen)
    _, x, residual, _ = _evaluated(part, parameters, slice(None))
    voter = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(chosen))))
    cells = len(starts) * size
    won = np.bincount(voter * size + part.rows.a, residual, minlength=cells)
    lost = np.bincount(voter * size + part.rows.b, residual, minlength=cells)
    scores = np.concatenate(
        ((won - lost).reshape(-1, size), np.add.reduceat(x * residual[:, None], starts, axis=0)), axis=1
    )
    return np.asarray(scores.T @ scores)


def _result(
    rows: Comparisons,
    features: Sequence[str],
    variant: Variant,
    spread: FloatArray,
    solution: Solution,
    score: FloatArray,
) -> StyleResult:
    size, rated = len(rows.names), solution.rated
    theta, covariance = np.full(size, np.nan), np.full((size, size), np.nan)
    theta[rated] = solution.parameters[: len(rated)]
    whole = solution.covariance
    covariance[np.ix_(rated, rated)] = whole[: len(rated), : len(rated)]
    low, high, piece_of = np.full(size, -np.inf), np.full(size, np.inf), np.zeros(size, dtype=int)
    for number, piece in enumerate(pieces(score)):
        piece_of[piece.members] = number
        if variant is not Variant.FASTCHAT and number == 0:
            bound_outside(score, piece, theta, low, high)
    deviation = np.sqrt(np.diag(whole)[len(rated) :])
    found = coefficients_of(features, spread, solution.parameters[len(rated) :], deviation)
    return StyleResult(
        rows.names,
        variant,
        theta,
        covariance,
        low,
        high,
        piece_of,
        found,
        solution.clustered,
        solution.iterations,
        solution,
    )


def coefficients_of(
    features: Sequence[str], spread: FloatArray, beta: FloatArray, deviation: FloatArray
) -> tuple[Coefficient, ...]:
    """One coefficient per feature; `beta` and `deviation` hold those of features that differ, in their order."""
    values = iter(zip(beta.tolist(), deviation.tolist(), strict=True))
    found = []
    for feature, width in zip(features, spread.tolist(), strict=True):
        if width == 0:
            found.append(Coefficient(feature, None, None, None, 0.0))
            continue
        value, uncertain = next(values)
        reach = normal_quantile() * uncertain
        found.append(Coefficient(feature, value, value - reach, value + reach, width))
    return tuple(found)
