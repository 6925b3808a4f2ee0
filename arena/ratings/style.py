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
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from arena.ratings.bradley_terry import Strengths, bound_outside, maximize
from arena.ratings.comparisons import Comparisons, FloatArray, IntArray
from arena.ratings.connectivity import pieces
from arena.ratings.intervals import contrast_deviation, normal_quantile
from arena.ratings.style_likelihood import Design, Solution, precision_for, solve
from arena.ratings.style_rows import Reals, StyleRows

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
    table, spread = _laid_out(rows, features, variant)
    score = table.scores()
    groups = pieces(score)
    penalised = variant is Variant.FASTCHAT
    rated = np.arange(len(rows.names)) if penalised or not groups else np.sort(groups[0].core)
    ridge = np.zeros(len(rated) + int((spread > 0).sum()))
    if penalised:  # ¼·‖(r, β)‖² with θ = ln 10·r
        ridge[:] = 0.5
        ridge[: len(rated)] /= _LN_10**2
    if len(rated) < len(rows.names):
        table = table.within(rated)
    design = Design(rated, table, 1 / spread[spread > 0], ridge)
    start = np.zeros(len(ridge))
    if not penalised and len(rated) > 1:
        start[: len(rated)], _ = maximize(score[np.ix_(rated, rated)])
    return _result(rows, features, variant, spread, solve(design, start), score)


def _laid_out(rows: Comparisons, features: Sequence[str], variant: Variant) -> tuple[StyleRows, FloatArray]:
    """Comparisons with the features that differ as covariates, and every feature's spread (0: it never differed)."""
    for name in features:
        if name not in rows.features:
            known = ", ".join(rows.features) or "none"
            raise ValueError(f"style feature {name!r} is not among the columns of these battles (there: {known})")
    precision = precision_for(len(rows))
    sums: dict[tuple[int, int], tuple[float, float]] = {}

    def covariate(line: int, part: slice) -> Reals:
        found = _excess(rows, features[line], variant, part, precision)
        sums[line, part.start] = 0.0 if variant is Variant.OURS else float(found.sum()), float(found @ found)
        return found

    table = StyleRows.of(rows, covariate, len(features), precision)
    centre, spread = np.zeros(len(features)), np.zeros(len(features))
    for line in range(len(features)):
        total, squares = np.sum([(0.0, 0.0), *(sums[key] for key in sorted(sums) if key[0] == line)], axis=0).tolist()
        centre[line], spread[line] = _centre_and_spread(variant, len(rows), total, squares)
    if centre.any():
        table.x[:] -= centre[:, None].astype(precision)
    if not spread.all():
        table = replace(table, x=table.x[spread > 0])
    return table, spread


def _centre_and_spread(variant: Variant, n: int, total: float, squares: float) -> tuple[float, float]:
    """What is taken off a covariate and what it is divided by; a spread of 0 means that it never differed."""
    if variant is Variant.OURS:
        mean, variance = 0.0, squares / max(n, 1)
    else:
        mean = total / max(n, 1)
        variance = (squares - n * mean**2) / max(n - (variant is Variant.ARENA_HARD_V2), 1)
    return mean, float(np.sqrt(variance)) if variance > 1e-13 * squares / max(n, 1) else 0.0


def _excess(rows: Comparisons, name: str, variant: Variant, part: slice, precision: np.dtype[np.floating]) -> Reals:
    """By how much side a's amount exceeds side b's, as a share of both."""
    a, b = (side[part] for side in rows.features[name])
    if variant is Variant.ARENA_HARD_V2 and name != "tokens":
        tokens_a, tokens_b = (side[part] for side in rows.features["tokens"])
        a, b = a / (tokens_a + 1), b / (tokens_b + 1)
        return np.asarray((a - b) / (a + b + 1))
    if variant is Variant.OURS:
        a, b = a.astype(precision), b.astype(precision)
    whole = a + b
    if variant is Variant.FASTCHAT:
        whole += 1
    else:
        whole[whole == 0] = 1
    excess = np.subtract(a, b, out=a if variant is Variant.OURS else None)
    return np.divide(excess, whole, out=excess)


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
