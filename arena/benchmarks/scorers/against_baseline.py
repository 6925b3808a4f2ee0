"""Win rates against one baseline with bootstrap intervals over rows, as Arena-Hard reports them.

Arena-Hard (Li et al. 2024, "From Crowdsourced Data to High-Quality Benchmarks") fits an
unpenalised Bradley–Terry model with ties as half. Where every pair holds the baseline the
likelihood splits by model and its maximum is known in closed form: the win probability is the
weighted mean outcome. That makes a bootstrap round two histograms instead of a fit. Pairs
without the baseline are legal too; then the model is fitted by Newton's method.

Rounds draw single rows, as the published tables did, though rows of one question hang together:
this is for reproducing those tables. Our own runs draw questions (`by_question`).

Knows rows as integer codes; names, files and labels belong to the task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SeedScheme = Literal["sequential", "per-round"]

_LARGEST_LOGIT = 30.0  # a model that never wins has strength minus infinity; e^-30 is zero for any table


@dataclass(frozen=True, slots=True)
class Rows:
    """Battle rows: who met whom (codes into `models`), the score of `first` in {0, ½, 1}, a weight."""

    models: tuple[str, ...]
    baseline: int
    first: Ints
    second: Ints
    outcome: Floats
    weight: Floats | None = None

    def __len__(self) -> int:
        return len(self.outcome)


@dataclass(frozen=True, slots=True)
class WinRates:
    """Win rates against the baseline in [0, 1] (NaN: no row tells), in the order of `models`.

    `rounds` holds one line per bootstrap round; `low` and `high` are their interval.
    """

    models: tuple[str, ...]
    rate: Floats
    low: Floats
    high: Floats
    rounds: Floats
    rows: Ints


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How rows are drawn again. `sequential` draws every round from one generator seeded once;
    `per-round` seeds round i with i, so its rounds do not depend on their number."""

    rounds: int = 100
    seed: int = 42
    scheme: SeedScheme = "sequential"
    confidence: float = 0.95

    def draws(self, size: int) -> Iterator[Ints]:
        """Row numbers of each round: NumPy's legacy generator, for that is what the published tables drew with."""
        generator = np.random.RandomState(self.seed)
        for number in range(self.rounds):
            if self.scheme == "per-round":
                generator = np.random.RandomState(number)
            yield generator.randint(0, size, size=size)


def win_rates(rows: Rows, bootstrap: Bootstrap) -> WinRates:
    """Point estimates on all rows and percentile intervals on the Elo scale over the rounds."""
    estimate = _Star(rows) if every_pair_holds_baseline(rows) else _General(rows)
    rate = estimate.of_all()
    rounds = np.array([estimate.of_draw(draw) for draw in bootstrap.draws(len(rows))] if len(rows) else [])
    rounds = rounds.reshape(-1, len(rows.models))
    tail = (1 - bootstrap.confidence) / 2
    return WinRates(
        rows.models,
        rate,
        np.array([elo_percentile(rounds[:, model], tail) for model in range(len(rows.models))]),
        np.array([elo_percentile(rounds[:, model], 1 - tail) for model in range(len(rows.models))]),
        rounds,
        rows_of_each(rows),
    )


def elo_percentile(rates: Floats, quantile: float) -> float:
    """The quantile, interpolated on the Elo scale 400·log10(p/(1−p)), turned back into a win rate.

    Rounds in which the model did not occur (NaN) are left out; a rate of 0 or 1 is an infinite
    Elo and stays what it is.
    """
    known = np.sort(rates[~np.isnan(rates)])
    if not len(known):
        return float("nan")
    place = quantile * (len(known) - 1)
    below, share = int(place), place - int(place)
    low, high = float(known[below]), float(known[min(below + 1, len(known) - 1)])
    if share == 0 or low == high:
        return low
    if low == 0 or high == 1:
        return low if low == 0 else high
    logit = (1 - share) * np.log(low / (1 - low)) + share * np.log(high / (1 - high))
    return float(1 / (1 + np.exp(-logit)))


def against(rows: Rows) -> tuple[Ints, Floats]:
    """Of rows that all hold the baseline: which model met it, and the model's score."""
    first = rows.first == rows.baseline
    return np.where(first, rows.second, rows.first), np.where(first, 1 - rows.outcome, rows.outcome)


def every_pair_holds_baseline(rows: Rows) -> bool:
    """Whether the closed form holds."""
    return bool(np.all((rows.first == rows.baseline) | (rows.second == rows.baseline)))


def rows_of_each(rows: Rows) -> Ints:
    """How many rows each model stands in."""
    size = len(rows.models)
    return np.bincount(rows.first, minlength=size) + np.bincount(rows.second, minlength=size)


class _Star:
    """Every pair holds the baseline: the maximum likelihood is each model's weighted mean outcome."""

    def __init__(self, rows: Rows) -> None:
        self._size, self._baseline = len(rows.models), rows.baseline
        self._model, self._won = against(rows)
        self._weight = rows.weight
        # Without weights a row is one of 3·models cells, and a small cell number is quick to gather and count.
        cell = self._model * 3 + np.rint(2 * self._won).astype(np.int64)
        self._cell = cell.astype(np.uint16 if 3 * self._size < 65536 else np.uint32)
        self._weighted = None if rows.weight is None else rows.weight * self._won

    def of_all(self) -> Floats:
        return self.of_draw(slice(None))

    def of_draw(self, draw: Ints | slice) -> Floats:
        if self._weight is None or self._weighted is None:
            counts = np.bincount(self._cell[draw], minlength=3 * self._size).reshape(-1, 3)
            total, won = counts.sum(axis=1, dtype=np.float64), counts @ np.array([0, 0.5, 1])
        else:
            model = self._model[draw]
            total = np.bincount(model, self._weight[draw], self._size)
            won = np.bincount(model, self._weighted[draw], self._size)
        with np.errstate(invalid="ignore"):
            rate: Floats = won / total
        rate[self._baseline] = 0.5
        return rate


class _General:
    """Some pairs lack the baseline: fit the strengths, then ask how each would fare against it."""

    def __init__(self, rows: Rows) -> None:
        size = len(rows.models)
        self._size, self._baseline = size, rows.baseline
        self._won, self._lost = rows.first * size + rows.second, rows.second * size + rows.first
        weight = np.ones(len(rows)) if rows.weight is None else rows.weight
        self._win, self._loss = weight * rows.outcome, weight * (1 - rows.outcome)

    def of_all(self) -> Floats:
        return self.of_draw(slice(None))

    def of_draw(self, draw: Ints | slice) -> Floats:
        cells = self._size * self._size
        won = np.bincount(self._won[draw], self._win[draw], cells)
        lost = np.bincount(self._lost[draw], self._loss[draw], cells)
        wins = np.asarray(won + lost, dtype=np.float64)
        strength = fit_strengths(wins.reshape(self._size, self._size), self._baseline)
        return 1 / (1 + np.exp(-strength))


def fit_strengths(wins: Floats, baseline: int, *, tolerance: float = 1e-10, steps: int = 100) -> Floats:
    """Log-strengths of an unpenalised Bradley–Terry model, the baseline's being 0.

    `wins[i, j]` is how often i beat j, ties being half for both. A strength that runs to infinity
    stops at ±30; a model that no chain of battles joins to the baseline is NaN.
    """
    met = wins + wins.T
    joined = _joined(met > 0, baseline)
    free = np.flatnonzero(joined & (np.arange(len(wins)) != baseline))
    strength = np.zeros(len(wins))
    for _ in range(steps):
        expected = 1 / (1 + np.exp(strength[None, :] - strength[:, None]))
        gradient = (wins - met * expected).sum(axis=1)[free]
        curvature = met * expected * expected.T
        hessian = np.diag(curvature.sum(axis=1)) - curvature
        step = np.linalg.lstsq(hessian[np.ix_(free, free)], gradient, rcond=None)[0]
        moved = np.clip(strength[free] + np.clip(step, -2, 2), -_LARGEST_LOGIT, _LARGEST_LOGIT)
        change = np.abs(moved - strength[free]).max(initial=0.0)
        strength[free] = moved
        if change < tolerance:
            break
    strength[~joined] = np.nan
    return strength


def _joined(met: npt.NDArray[np.bool_], start: int) -> npt.NDArray[np.bool_]:
    """Which models a chain of battles joins to `start`."""
    reached = np.zeros(len(met), dtype=bool)
    frontier = {start}
    while frontier:
        reached[list(frontier)] = True
        frontier = set(np.flatnonzero(met[list(frontier)].any(axis=0) & ~reached).tolist())
    return reached
