"""Style control: strengths with the pull of length and Markdown taken out.

A comparison's logit is θ_a − θ_b + x·β, where x says by how much more of each style feature side a
used. θ is then what is left at equal style. This module sees columns of comparisons; how style is
counted in a text is not its business.

Sources: LMSYS, "Does style matter?", 2024 (FastChat's variant); Arena-Hard v2's length and Markdown
control, 2025. Ours differs on purpose: amounts are scaled but not centred, since a constant taken
off x would favour a side, and nothing is penalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from arena.ratings.bradley_terry import Strengths, bound_outside, maximize
from arena.ratings.comparisons import Comparisons, FloatArray, IntArray
from arena.ratings.connectivity import pieces
from arena.ratings.intervals import contrast_deviation, normal_quantile
from arena.ratings.style_likelihood import SAMPLE_ONE_IN, Design, Solution, precision_for, solve
from arena.ratings.style_rows import Reals, StyleRows
from arena.ratings.style_stream import StyleStream

STYLE_FEATURES = ("tokens", "headers", "lists", "bold")
"""What style means unless other columns are named: length, and how much Markdown there is of each kind."""

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
    for name in features:
        if name not in rows.features:
            known = ", ".join(rows.features) or "none"
            raise ValueError(f"style feature {name!r} is not among the columns of these battles (there: {known})")
    covariates = _Covariates(rows, features, variant, precision_for(len(rows)))
    streamed = _streamed(covariates) if variant is Variant.OURS and covariates.many else None
    return streamed or _kept(covariates)


def _streamed(covariates: _Covariates) -> StyleResult | None:
    """The fit of many comparisons, none kept laid out; None where some may be unrated or features rarely differ."""
    rows = covariates.rows
    stream = StyleStream(rows, covariates, len(covariates.features), covariates.precision)
    score = stream.scores_of_half()
    groups = pieces(score)
    if not groups or len(groups[0].core) < len(rows.names):  # who hangs together in half does in the whole
        return None
    sample = stream.thinned(SAMPLE_ONE_IN)
    typical = np.sqrt(np.mean(np.square(sample.x, dtype=float), axis=1))
    if not typical.all():
        return None
    start = np.zeros(len(rows.names) + len(typical))
    start[: len(rows.names)], _ = maximize(score)
    design = Design(np.arange(len(rows.names)), stream, 1 / typical, np.zeros(len(start)), sample)
    solution = solve(design, start)
    _, spread = covariates.centre_and_spread()
    return _result(covariates, spread, solution.rescaled(spread / typical), score)


def _kept(covariates: _Covariates) -> StyleResult:
    rows = covariates.rows
    table, spread = _laid_out(covariates)
    score = table.scores()
    groups = pieces(score)
    penalised = covariates.variant is Variant.FASTCHAT
    rated = np.arange(len(rows.names)) if penalised or not groups else np.sort(groups[0].core)
    ridge = np.zeros(len(rated) + int((spread > 0).sum()))
    if penalised:  # ¼·‖(r, β)‖² with θ = ln 10·r
        ridge[:] = 0.5
        ridge[: len(rated)] /= _LN_10**2
    if len(rated) < len(rows.names):
        table = table.within(rated)
    sample = table.thinned(SAMPLE_ONE_IN) if covariates.many else None
    design = Design(rated, table, 1 / spread[spread > 0], ridge, sample)
    start = np.zeros(len(ridge))
    if not penalised and len(rated) > 1:
        start[: len(rated)], _ = maximize(score[np.ix_(rated, rated)])
    return _result(covariates, spread, solve(design, start), score)


def _laid_out(covariates: _Covariates) -> tuple[StyleRows, FloatArray]:
    """Comparisons with the features that differ as covariates, and every feature's spread (0: it never differed)."""
    precision = covariates.precision
    table = StyleRows.of(covariates.rows, covariates, len(covariates.features), precision)
    centre, spread = covariates.centre_and_spread()
    if centre.any():
        table.x[:] -= centre[:, None].astype(precision)
    if not spread.all():
        table = replace(table, x=table.x[spread > 0])
    return table, spread


@dataclass(frozen=True, slots=True, eq=False)
class _Covariates:
    """By how much side a's features exceed side b's, neither centred nor scaled, and their sums as far as asked for."""

    rows: Comparisons
    features: Sequence[str]
    variant: Variant
    precision: np.dtype[np.floating]
    sums: dict[int, tuple[Reals, Reals]] = field(default_factory=dict)

    @property
    def many(self) -> bool:
        """Whether they are in single precision."""
        return self.precision == np.float32

    def __call__(self, part: slice | IntArray, out: Reals, spare: Reals) -> None:
        """Write the features of some comparisons; slices count in the sums."""
        if self.variant is Variant.OURS:
            _relative_excess([self.rows.features[name] for name in self.features], part, out, spare)
        else:
            for line, name in enumerate(self.features):
                out[line] = _excess_of_others(self.rows, name, self.variant, part)
        if isinstance(part, slice):
            total = np.zeros(len(out)) if self.variant is Variant.OURS else out.sum(axis=1)
            self.sums[part.start] = total, np.vecdot(out, out)

    def centre_and_spread(self) -> tuple[FloatArray, FloatArray]:
        """What is taken off each feature and what it is divided by, once every slice was asked for."""
        totals = np.sum([self.sums[start] for start in sorted(self.sums)], axis=0, dtype=float)
        pairs = [_centre_and_spread(self.variant, len(self.rows), *each) for each in totals.T.tolist()]
        centre, spread = np.array(pairs, dtype=float).reshape(-1, 2).T
        return centre, spread


def _centre_and_spread(variant: Variant, n: int, total: float, squares: float) -> tuple[float, float]:
    """What is taken off a covariate and what it is divided by; a spread of 0 means that it never differed."""
    if variant is Variant.OURS:
        mean, variance = 0.0, squares / max(n, 1)
    else:
        mean = total / max(n, 1)
        variance = (squares - n * mean**2) / max(n - (variant is Variant.ARENA_HARD_V2), 1)
    return mean, float(np.sqrt(variance)) if variance > 1e-13 * squares / max(n, 1) else 0.0


def _relative_excess(
    amounts: Sequence[tuple[FloatArray, FloatArray]], part: slice | IntArray, out: Reals, spare: Reals
) -> None:
    """By how much side a's amounts exceed side b's, as a share of both; all features in each operation.

    Few operations: a thread that computes beside another waits at each for its turn at the interpreter.
    """
    other, whole = spare
    for line, (a, b) in enumerate(amounts):
        out[line], other[line] = a[part], b[part]
    np.add(out, other, out=whole)
    np.copyto(whole, 1, where=whole == 0)
    np.subtract(out, other, out=out)
    np.divide(out, whole, out=out)


def _excess_of_others(rows: Comparisons, name: str, variant: Variant, part: slice | IntArray) -> Reals:
    """The same as FastChat and Arena-Hard define it."""
    a, b = (side[part] for side in rows.features[name])
    if variant is Variant.FASTCHAT:
        return np.asarray((a - b) / (a + b + 1))
    if name == "tokens":
        whole = a + b
        whole[whole == 0] = 1
        return np.asarray((a - b) / whole)
    tokens_a, tokens_b = (side[part] for side in rows.features["tokens"])
    a, b = a / (tokens_a + 1), b / (tokens_b + 1)
    return np.asarray((a - b) / (a + b + 1))


def _result(covariates: _Covariates, spread: FloatArray, solution: Solution, score: FloatArray) -> StyleResult:
    names, variant, rated = covariates.rows.names, covariates.variant, solution.rated
    size = len(names)
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
    found = coefficients_of(covariates.features, spread, solution.parameters[len(rated) :], deviation)
    return StyleResult(
        names,
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
