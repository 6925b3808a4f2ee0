"""Two guessers and their honest score: logistic regression, and trees grown by gradient boosting.

Small on purpose: they are handed features of battles and asked which side was the faster model, so all that
matters is that they find what there is to find. They know neither battles nor models.

Source: J. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 2001.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Guess = Callable[[Floats], Floats]
"""From rows of features to the log-odds of a yes."""

BINS = 32
"""So many cuts per feature are tried."""


@dataclass(frozen=True, slots=True)
class Score:
    """Share of right guesses with its 95% interval (Wilson), out of `cases`."""

    share: float
    low: float
    high: float
    cases: int

    @classmethod
    def of(cls, right: int, cases: int) -> Score:
        z, p = 1.959964, right / cases
        middle = (p + z * z / (2 * cases)) / (1 + z * z / cases)
        reach = z * np.sqrt(p * (1 - p) / cases + z * z / (4 * cases**2)) / (1 + z * z / cases)
        return cls(p, float(middle - reach), float(middle + reach), cases)

    def __str__(self) -> str:
        return f"{self.share:.1%} [{self.low:.1%}, {self.high:.1%}] of {self.cases:,}"


def score(grow: Callable[[Floats, Floats], Guess], rows: Floats, yes: Floats) -> Score:
    """Learn from the first half, guess the second."""
    half = len(rows) // 2
    mean, spread = rows[:half].mean(axis=0), rows[:half].std(axis=0) + 1e-9
    scaled = np.clip((rows - mean) / spread, -8, 8)
    guess = grow(scaled[:half], yes[:half])
    right = (guess(scaled[half:]) > 0) == (yes[half:] > 0.5)
    return Score.of(int(right.sum()), len(right))


def logistic(rows: Floats, yes: Floats, ridge: float = 1.0) -> Guess:
    """Newton's method with a penalty on the weights."""
    design = np.column_stack((rows, np.ones(len(rows))))
    weights = np.zeros(design.shape[1])
    for _ in range(15):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (yes - p) - ridge * weights
        curve = (design * (p * (1 - p))[:, None]).T @ design + ridge * np.eye(len(weights))
        weights += np.linalg.solve(curve, slope)
    return lambda other: np.column_stack((other, np.ones(len(other)))) @ weights


@dataclass(frozen=True, slots=True)
class _Leaf:
    value: float


@dataclass(frozen=True, slots=True)
class _Fork:
    feature: int
    cut: float
    below: _Fork | _Leaf
    above: _Fork | _Leaf


def boosted(rows: Floats, yes: Floats, *, trees: int = 150, depth: int = 3, pace: float = 0.1) -> Guess:
    """Small trees, each grown on what those before it left unexplained."""
    cuts = np.quantile(rows, np.linspace(0, 1, BINS + 1)[1:-1], axis=0)
    bins = np.stack([np.searchsorted(cuts[:, i], rows[:, i]) for i in range(rows.shape[1])], axis=1)
    raw = np.zeros(len(rows))
    grown: list[_Fork | _Leaf] = []
    for _ in range(trees):
        p = 1 / (1 + np.exp(-raw))
        tree = _grown(rows, bins, cuts, yes - p, p * (1 - p), np.arange(len(rows)), depth)
        grown.append(tree)
        raw += pace * _said(tree, rows)
    return lambda other: pace * np.sum([_said(tree, other) for tree in grown], axis=0)


def _grown(
    rows: Floats, bins: NDArray[np.intp], cuts: Floats, slope: Floats, curve: Floats, at: NDArray[np.intp], depth: int
) -> _Fork | _Leaf:
    leaf = _Leaf(float(slope[at].sum() / (curve[at].sum() + 5.0)))
    if depth == 0 or len(at) < 60:
        return leaf
    best, gain = None, 1e-3
    whole = slope[at].sum() ** 2 / (curve[at].sum() + 5.0)
    for feature in range(bins.shape[1]):
        g = np.cumsum(np.bincount(bins[at, feature], slope[at], BINS))[:-1]
        h = np.cumsum(np.bincount(bins[at, feature], curve[at], BINS))[:-1]
        gains = g**2 / (h + 5.0) + (slope[at].sum() - g) ** 2 / (curve[at].sum() - h + 5.0) - whole
        place = int(gains.argmax())
        if gains[place] > gain:
            best, gain = (feature, place), float(gains[place])
    if best is None:
        return leaf
    feature, place = best
    below = bins[at, feature] <= place
    parts = (_grown(rows, bins, cuts, slope, curve, at[side], depth - 1) for side in (below, ~below))
    return _Fork(feature, float(cuts[place, feature]), *parts)


def _said(tree: _Fork | _Leaf, rows: Floats) -> Floats:
    if isinstance(tree, _Leaf):
        return np.full(len(rows), tree.value)
    below = rows[:, tree.feature] <= tree.cut
    said = np.empty(len(rows))
    said[below], said[~below] = _said(tree.below, rows[below]), _said(tree.above, rows[~below])
    return said
