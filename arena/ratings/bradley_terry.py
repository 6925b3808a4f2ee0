"""Bradley–Terry strengths by Newton's method on pair counts.

P(i beats j) = 1 / (1 + exp(θⱼ − θᵢ)), a tie counting half a win each way. Pair counts are the
sufficient statistics, so time and memory depend on the number of contestants and never on the
number of votes. Nothing pulls strengths together (no ridge): where the data do not determine a
strength, it is left open and bounded on the side that they do determine.

Sources: R. Bradley and M. Terry, Biometrika 1952; L. R. Ford, 1957; D. Hunter, "MM algorithms for
generalized Bradley–Terry models", Annals of Statistics 2004 (likelihood and its uniqueness).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from arena.ratings.clusters import FEWEST_VOTERS, clustered_meat, known_voters, not_below
from arena.ratings.comparisons import BoolArray, Comparisons, FloatArray, IntArray, PairCounts
from arena.ratings.connectivity import Piece, Place, pieces
from arena.ratings.intervals import (
    along,
    contrast_deviation,
    laplacian,
    meat,
    perfect_record_bound,
    pseudo_inverse,
    win_probabilities,
)
from arena.ratings.tie_models import TieFit, fit_davidson, fit_rao_kupper

_LAST_STEP = 1e-7
"""Newton's error is squared by each step: one that moves nothing further than this was the last needed."""

_SAFE_STEP = 0.25
"""A step that moves nothing further than this needs no look at the likelihood: the curve is that smooth."""

_LARGEST_STEP = 4.0
"""A single Newton step may not move a log-strength further: far from the top the curve misleads."""


class Ties(StrEnum):
    """What a tie (and a both-bad) says."""

    HALF = "half"  # half a win each way
    DAVIDSON = "davidson"  # an outcome of its own whose strength is estimated, see `ties`
    RAO_KUPPER = "rao-kupper"  # a difference too small to be seen, its threshold estimated


@dataclass(frozen=True, slots=True, eq=False)
class Strengths:
    """Log-strengths with their standard deviations: what a board is made of, however it was found.

    `theta` sums to zero within each piece and is NaN where it is not determined; `low` and `high`
    are the one-sided bounds of the undetermined, infinite where open. `deviation` belongs to the
    distance to the piece's average, `relative_deviation` to the distance to contestant
    `relative_to`. `intervals` says in words how they were computed.
    """

    names: tuple[str, ...]
    theta: FloatArray
    deviation: FloatArray
    low: FloatArray
    high: FloatArray
    piece: IntArray
    intervals: str = "sandwich"
    relative_to: int | None = None
    relative_deviation: FloatArray = field(default_factory=lambda: np.empty(0))
    ties: Ties = Ties.HALF
    tie_strength: float | None = None

    @property
    def identified(self) -> BoolArray:
        """Who has a finite strength on the main scale."""
        return np.asarray(np.isfinite(self.theta) & (self.piece == 0))

    def widened(self, by: Mapping[str, float], intervals: str) -> Strengths:
        """The same with each contestant's deviation so many times as large (1 where nothing is said), which
        `intervals` names. Correlations stay, so that a distance widens by both of its ends."""
        factor = np.array([by.get(name, 1.0) for name in self.names])
        relative = self.relative_deviation
        if self.relative_to is not None:
            own, other = self.deviation**2, self.deviation[self.relative_to] ** 2
            shared = factor * factor[self.relative_to] * (own + other - relative**2)  # twice the covariance
            apart = factor**2 * own + factor[self.relative_to] ** 2 * other - shared
            relative = np.sqrt(np.maximum(apart, 0))
        return replace(self, deviation=self.deviation * factor, relative_deviation=relative, intervals=intervals)


@dataclass(frozen=True, slots=True, eq=False)
class BradleyTerryResult:
    """Log-strengths of m contestants with everything that tells how far to trust them.

    `theta`, `low`, `high` and `piece` are those of `Strengths`; piece 0 is the main one.
    `covariance` is NaN outside a piece's core. `tie_strength` is ν of Davidson's model or the
    threshold (≥ 1) of Rao and Kupper's, None where ties count half.
    """

    names: tuple[str, ...]
    theta: FloatArray
    covariance: FloatArray
    low: FloatArray
    high: FloatArray
    piece: IntArray
    clustered: bool
    iterations: int
    ties: Ties = Ties.HALF
    tie_strength: float | None = None

    @property
    def identified(self) -> BoolArray:
        """Who has a finite strength on the main scale."""
        return np.asarray(np.isfinite(self.theta) & (self.piece == 0))

    def strengths(self, relative_to: int | None = None) -> Strengths:
        """The result for a board; `relative_to` is the contestant that an anchor fixes."""
        deviation = contrast_deviation(self.covariance)
        relative = deviation
        if relative_to is not None:
            apart = np.isnan(self.covariance[relative_to])
            relative = np.where(apart, deviation, contrast_deviation(self.covariance, relative_to))
        return Strengths(
            self.names,
            self.theta,
            deviation,
            self.low,
            self.high,
            self.piece,
            _intervals(self),
            relative_to,
            relative,
            self.ties,
            self.tie_strength,
        )


def _intervals(result: BradleyTerryResult) -> str:
    """How they were computed."""
    if result.clustered:
        return "sandwich, clustered by voter"
    return "sandwich" if result.ties is Ties.HALF else "sandwich, each vote on its own"


def fit(counts: PairCounts, *, voters: Comparisons | None = None, ties: Ties = Ties.HALF) -> BradleyTerryResult:
    """Rate everyone whom the counts determine and bound the others.

    `voters`: the same comparisons as columns that know their voters; the covariance is then
    clustered by voter, unless there are fewer than `FEWEST_VOTERS` or ties have a strength of
    their own. Who can be rated never depends on `ties`; a tie strength is that of piece 0.
    """
    if ties is not Ties.HALF or (voters is not None and known_voters(voters.voter) < FEWEST_VOTERS):
        voters = None
    size = len(counts)
    theta, low, high = np.full(size, np.nan), np.full(size, -np.inf), np.full(size, np.inf)
    covariance = np.full((size, size), np.nan)
    piece_of = np.zeros(size, dtype=int)
    iterations, tie_strength = 0, None
    for number, piece in enumerate(pieces(counts.score)):
        piece_of[piece.members] = number
        if len(piece.core) > 1:
            among = counts if len(piece.core) == size else counts.select(piece.core)
            core = _fit_core(among, _within(voters, piece.core), ties)
            theta[piece.core], covariance[np.ix_(piece.core, piece.core)] = core.theta, core.covariance
            iterations = max(iterations, core.iterations)
            tie_strength = core.tie_strength if number == 0 else tie_strength
        bound_outside(counts.score, piece, theta, low, high)
    known = voters is not None
    return BradleyTerryResult(
        tuple(counts.names), theta, covariance, low, high, piece_of, known, iterations, ties, tie_strength
    )


def _fit_core(counts: PairCounts, voters: Comparisons | None, ties: Ties) -> TieFit:
    """Strengths, covariance and tie strength of a strongly connected group."""
    if ties is Ties.DAVIDSON:
        return fit_davidson(counts)
    if ties is Ties.RAO_KUPPER:
        return fit_rao_kupper(counts)
    theta, iterations = maximize(counts.score)
    return TieFit(theta, sandwich(counts, theta, voters), None, iterations)


def maximize(score: FloatArray, start: FloatArray | None = None) -> tuple[FloatArray, int]:
    """Log-strengths of a strongly connected score table, summing to zero, and the steps it took."""
    total = score + score.T
    theta = _first_guess(score, total) if start is None else start - start.mean()
    for iteration in range(1, 200):
        p = win_probabilities(theta)
        expected = total * p
        gradient = (score - expected).sum(axis=1)
        delta = along(laplacian(expected * p.T), gradient)
        largest = float(np.abs(delta).max())
        if largest < _LAST_STEP:
            return theta + delta, iteration
        if largest < _SAFE_STEP:
            theta = theta + delta
        else:
            theta, moved = _ascend(score, theta, delta * min(1.0, _LARGEST_STEP / largest))
            if not moved:
                return theta, iteration
    raise ArithmeticError("Newton's method did not settle: the score table is not strongly connected")


def _first_guess(score: FloatArray, total: FloatArray) -> FloatArray:
    """Log-odds of each contestant's whole score, a bit drawn in: right when all opponents are average."""
    won, played = score.sum(axis=1), total.sum(axis=1)
    share = (won + 0.5) / (played + 1)
    guess = np.log(share / (1 - share))
    return np.asarray(guess - guess.mean())


def _ascend(score: FloatArray, theta: FloatArray, delta: FloatArray) -> tuple[FloatArray, bool]:
    """Take the step, halved until the likelihood does not fall; rounding alone is not a fall."""
    value = _log_likelihood(score, theta)
    for halving in range(40):
        trial = theta + delta / 2**halving
        trial -= trial.mean()
        if _log_likelihood(score, trial) >= value - 1e-13 * abs(value):
            return trial, True
    return theta, False


def _log_likelihood(score: FloatArray, theta: FloatArray) -> float:
    """Σ score[i, j]·ln σ(θᵢ − θⱼ)."""
    return float(-(score * np.logaddexp(0, theta[None, :] - theta[:, None])).sum())


def sandwich(counts: PairCounts, theta: FloatArray, voters: Comparisons | None = None) -> FloatArray:
    """Covariance of log-strengths that sum to zero: H⁻¹·M·H⁻¹, right even where the model is not.

    H is the curvature of the likelihood; M sums outer products of score vectors, one per
    comparison or, with `voters`, what `arena.ratings.clusters` makes of one per voter.
    """
    p = win_probabilities(theta)
    bread = pseudo_inverse(laplacian(counts.total * p * p.T))
    filling = meat(counts, p)
    if voters is None:
        return np.asarray(bread @ filling @ bread)
    clustered, inflated = clustered_meat(voters, theta, filling)
    return not_below(bread @ clustered @ bread, bread @ inflated @ bread)


def _within(rows: Comparisons | None, core: IntArray) -> Comparisons | None:
    """Comparisons among the core only, numbered as the core is; None where voters are not known."""
    if rows is None or rows.voter is None:
        return None
    place = np.full(len(rows.names), -1)
    place[core] = np.arange(len(core))
    inside = rows.where((place[rows.a] >= 0) & (place[rows.b] >= 0))
    names = tuple(rows.names[i] for i in core)
    return replace(inside, names=names, a=place[inside.a], b=place[inside.b])


def bound_outside(score: FloatArray, piece: Piece, theta: FloatArray, low: FloatArray, high: FloatArray) -> None:
    """Bound those of a piece who never lost to its core or never scored against it.

    A core of one has no rating to lean on: it stands at the middle of the scale as an opponent. Where all its own
    comparisons went one way it takes half of its bound, and the others lean on it there: the gap between two one-sided
    bounds is then what the comparisons between the two make believable, and no bound is counted on both sides.
    """
    at = theta.copy()
    if len(piece.core) == 1:
        core = int(piece.core[0])
        at[core] = 0
        middle = np.zeros(len(score))
        if not score[:, core].any() and score[core].any():
            low[core] = at[core] = perfect_record_bound(score[core], middle) / 2
        elif not score[core].any() and score[:, core].any():
            high[core] = at[core] = -perfect_record_bound(score[:, core], middle) / 2
    if len(piece.core) == len(piece.members):
        return
    above = [int(i) for i in piece.members if piece.place(i) is Place.ABOVE]
    below = [int(i) for i in piece.members if piece.place(i) is Place.BELOW]
    low[above] = _bounds_outwards(score, above, at)
    high[below] = -_bounds_outwards(score.T, below, -at)


def _bounds_outwards(score: FloatArray, waiting: list[int], at: FloatArray) -> FloatArray:
    """Lower bounds of contestants who only won against those placed before them.

    Worked outwards: whoever has a bound serves as an opponent at that bound, which can only make
    the next bound more careful. Comparisons that went both ways say nothing here.
    """
    at, left = at.copy(), set(waiting)
    while left:
        placed = np.isfinite(at)
        ready = [i for i in sorted(left) if (placed & (score[i] > 0) & (score[:, i] == 0)).any()]
        if not ready:
            break
        for i in ready:
            beaten = placed & (score[i] > 0) & (score[:, i] == 0)
            at[i] = perfect_record_bound(score[i, beaten], at[beaten])
        left -= set(ready)
    return np.array([at[i] if i not in left else -np.inf for i in waiting])
