"""Human and judge together: human ratings made more precise by a judge who need not be right.

Prediction-powered inference, stratified by pair of contestants. Where battles have both verdicts,
they show how the judge errs; where they have the judge's alone, they show what the judge says of
many more. With s the human score of a pair, n its battles with both verdicts and ḡ the judge's mean
score, the pair's score becomes

    s + c·n·(ḡ over all its judged battles − ḡ over those with both verdicts),

whose mean is the human one whatever the judge's bias, and whose variance falls with how well the
judge follows humans; c is the regression of human on judge. Bradley–Terry then reads these scores.
A judge's verdict is never counted as a vote.

Sources: A. Angelopoulos et al., "Prediction-powered inference", Science 2023; the same,
"PPI++", 2023 (the weight c); A. Fisch et al., "Stratified prediction-powered inference", 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arena.ratings.bradley_terry import Strengths, bound_outside, maximize
from arena.ratings.comparisons import FloatArray, IntArray, PairCounts
from arena.ratings.connectivity import Piece, pieces
from arena.ratings.intervals import contrast_deviation, laplacian, pseudo_inverse, win_probabilities

_OUTCOMES = np.array([0.0, 0.5, 1.0])
_OF_THE_OTHER = np.array([2, 1, 0, 3])
"""Each outcome's index as the other contestant has it."""


class JointCounts:
    """How often human and judge said what of each pair: tables over (human, judge, row, column).

    The first two axes are outcomes of the row's contestant: 0 lost, 1 half, 2 won, 3 no verdict.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.table = np.zeros((4, 4, len(self.names), len(self.names)))

    @classmethod
    def of(cls, names: Sequence[str], a: IntArray, b: IntArray, human: FloatArray, judge: FloatArray) -> JointCounts:
        """Count columns; a NaN is "no verdict"."""
        counts = cls(names)
        shape = counts.table.shape
        places = np.ravel_multi_index((_indices(human), _indices(judge), a, b), shape)
        once = np.bincount(places, minlength=counts.table.size).reshape(shape)
        counts.table += once + once[np.ix_(_OF_THE_OTHER, _OF_THE_OTHER)].swapaxes(2, 3)
        return counts

    def add(self, a: int, b: int, human: float | None, judge: float | None, amount: float = 1.0) -> None:
        """Count a battle by its scores of side a; None is "no verdict". Negative amounts take back."""
        if a == b:
            return
        self.table[_index(human), _index(judge), a, b] += amount
        self.table[_index(_other(human)), _index(_other(judge)), b, a] += amount

    def grow(self, name: str) -> int:
        """Make room for a new contestant; returns its index."""
        if name in self.names:
            return self.names.index(name)
        self.names.append(name)
        self.table = np.pad(self.table, ((0, 0), (0, 0), (0, 1), (0, 1)))
        return len(self.names) - 1

    def human(self) -> PairCounts:
        """Pair counts of the human verdicts, judged or not."""
        return _pair_counts(self.names, self.table[:3].sum(axis=1))

    def judge(self) -> PairCounts:
        """Pair counts of the judge's verdicts alone."""
        return _pair_counts(self.names, self.table[:, :3].sum(axis=0))


def _index(outcome: float | None) -> int:
    if outcome is None:
        return 3
    if outcome not in (0.0, 0.5, 1.0):
        raise ValueError(f"a joint count needs an outcome of 0, ½ or 1, not {outcome}")
    return int(2 * outcome)


def _indices(outcomes: FloatArray) -> IntArray:
    unknown = np.isnan(outcomes)
    if not (unknown | (outcomes == 0) | (outcomes == 0.5) | (outcomes == 1)).all():
        raise ValueError("joint counts need outcomes of 0, ½ or 1")
    return np.where(unknown, 3, 2 * outcomes).astype(int)


def _other(outcome: float | None) -> float | None:
    return None if outcome is None else 1 - outcome


def _pair_counts(names: Sequence[str], outcomes: FloatArray) -> PairCounts:
    return PairCounts(names, outcomes[2] + outcomes[1] / 2, outcomes[1])


@dataclass(frozen=True, slots=True, eq=False)
class CombinedResult:
    """Human strengths sharpened by the judge. `trust` is c: 0 when the judge says nothing about humans.

    `covariance` is NaN outside the core, as in `BradleyTerryResult`.
    """

    names: tuple[str, ...]
    theta: FloatArray
    covariance: FloatArray
    low: FloatArray
    high: FloatArray
    piece: IntArray
    trust: float

    def strengths(self, relative_to: int | None = None) -> Strengths:
        """The result for a board."""
        deviation = contrast_deviation(self.covariance)
        relative = deviation if relative_to is None else contrast_deviation(self.covariance, relative_to)
        words = "sandwich, prediction-powered"
        return Strengths(
            self.names, self.theta, deviation, self.low, self.high, self.piece, words, relative_to, relative
        )


def fit_combined(joint: JointCounts) -> CombinedResult:
    """Rate by human verdicts with the judge's help. Who can be rated is decided by humans alone."""
    human = joint.human()
    size = len(human)
    theta, low, high = np.full(size, np.nan), np.full(size, -np.inf), np.full(size, np.inf)
    covariance = np.full((size, size), np.nan)
    piece_of = np.zeros(size, dtype=int)
    trust = 0.0
    for number, piece in enumerate(pieces(human.score)):
        piece_of[piece.members] = number
        if len(piece.core) > 1:
            found = _fit_core(joint.table[:, :, piece.core[:, None], piece.core], human.select(piece.core))
            theta[piece.core], covariance[np.ix_(piece.core, piece.core)] = found.theta, found.covariance
            trust = found.trust if number == 0 else trust
        _bound(human, piece, theta, low, high)
    return CombinedResult(tuple(joint.names), theta, covariance, low, high, piece_of, trust)


def _bound(human: PairCounts, piece: Piece, theta: FloatArray, low: FloatArray, high: FloatArray) -> None:
    if len(piece.core) < len(piece.members) or len(piece.core) == 1:
        bound_outside(human.score, piece, theta, low, high)


@dataclass(frozen=True, slots=True, eq=False)
class _CoreFit:
    theta: FloatArray
    covariance: FloatArray
    trust: float


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Per ordered pair: battles with both verdicts, with the judge's alone, and the judge's mean scores."""

    both: FloatArray
    alone: FloatArray
    mean: FloatArray
    mean_of_both: FloatArray

    @property
    def share_alone(self) -> FloatArray:
        """Of the judged battles, those without a human verdict."""
        return _ratio(self.alone, self.both + self.alone)


def _judged(table: FloatArray) -> _Judged:
    both, alone = table[:3, :3].sum(axis=(0, 1)), table[3, :3].sum(axis=0)
    score_of_both = np.tensordot(_OUTCOMES, table[:3, :3].sum(axis=0), 1)
    score_alone = np.tensordot(_OUTCOMES, table[3, :3], 1)
    mean = _ratio(score_of_both + score_alone, both + alone)
    return _Judged(both, alone, mean, _ratio(score_of_both, both))


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _fit_core(table: FloatArray, human: PairCounts) -> _CoreFit:
    """Strengths from corrected scores; the judge's weight is halved until they have a maximum."""
    judged = _judged(table)
    alone, _ = maximize(human.score)
    trust = _trust(table, judged, win_probabilities(alone))
    correction = judged.both * (judged.mean - judged.mean_of_both)
    for _ in range(5):
        try:
            theta, _ = maximize(human.score + trust * correction, alone)
        except (ArithmeticError, np.linalg.LinAlgError):
            trust /= 2
            continue
        return _CoreFit(theta, _covariance(table, human, judged, theta, trust), trust)
    return _CoreFit(alone, _covariance(table, human, judged, alone, 0.0), 0.0)


def _trust(table: FloatArray, judged: _Judged, p: FloatArray) -> float:
    """Regression of human on judge over battles with both verdicts, each about its pair's expectation.

    Pairs count by the share of their judged battles that have no human verdict: where there are
    none, the judge has nothing to add and c does not matter.
    """
    by = table[:3, :3]
    human = _OUTCOMES[:, None, None, None] - p
    judge = _OUTCOMES[None, :, None, None] - judged.mean
    together = (by * human * judge * judged.share_alone).sum()
    spread = (by * judge**2 * judged.share_alone).sum()
    return float(together / spread) if spread > 0 else 0.0


def _covariance(table: FloatArray, human: PairCounts, judged: _Judged, theta: FloatArray, trust: float) -> FloatArray:
    """Sandwich over all battles: each one's part in the corrected scores, squared."""
    p = win_probabilities(theta)
    residual = _OUTCOMES[:, None, None] - p
    about_judge = _OUTCOMES[:, None, None] - judged.mean
    both_parts = residual[:, None] - trust * judged.share_alone * about_judge[None, :]
    share_both = _ratio(judged.both, judged.both + judged.alone)
    squares = (table[:3, :3] * both_parts**2).sum(axis=(0, 1))
    squares += (table[:3, 3] * residual**2).sum(axis=0)
    squares += (table[3, :3] * (trust * share_both * about_judge) ** 2).sum(axis=0)
    bread = pseudo_inverse(laplacian(human.total * p * p.T))
    return np.asarray(bread @ laplacian(squares) @ bread)
