"""Comparisons in two shapes: columns (one row per comparison) and pair counts (the sufficient statistics).

`Comparisons` keeps what the order-dependent and covariate methods need. `PairCounts` keeps three
m × m tables, which is all that Bradley–Terry needs however many votes there were. Neither knows
how a rating is computed, nor where its input came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from arena.types import Comparison

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.signedinteger]
BoolArray = NDArray[np.bool_]

_CHUNK = 1 << 16
"""Rows counted at a time: the working set of a chunk stays in the processor's cache."""


_DUST = 1e-9
"""What rounding leaves of weights that were added and taken back; it must not look like a win."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """n comparisons as columns, in their order of arrival.

    `a` and `b` index `names`; `outcome` is the score of side a in [0, 1]; `weight` None means
    all ones. `voter` indexes clusters (−1 is unknown). `features` maps a covariate's name to
    the amounts of side a and of side b; a comparison that lacks one counts 0 on both sides.
    `tags` maps a tag's name to one text per comparison ("" is unknown).
    """

    names: tuple[str, ...]
    a: IntArray
    b: IntArray
    outcome: FloatArray
    weight: FloatArray | None = None
    both_bad: BoolArray | None = None
    voter: IntArray | None = None
    features: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    tags: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.a)

    @classmethod
    def of(cls, rows: Iterable[Comparison], *, names: Sequence[str] = ()) -> Comparisons:
        """Read comparisons once; names are numbered as given, then in order of first appearance.

        A comparison of a contestant with itself says nothing of either and is passed over.
        Raises ValueError for an outcome outside [0, 1] or a weight that is not a positive number.
        """
        columns = _Columns(names)
        for row in rows:
            if row.model_a != row.model_b:
                columns.append(row)
        return columns.finish()

    def where(self, chosen: BoolArray | IntArray) -> Comparisons:
        """The chosen comparisons (a mask or indices), under the same numbering of names."""
        return Comparisons(
            self.names,
            self.a[chosen],
            self.b[chosen],
            self.outcome[chosen],
            None if self.weight is None else self.weight[chosen],
            None if self.both_bad is None else self.both_bad[chosen],
            None if self.voter is None else self.voter[chosen],
            {name: (a[chosen], b[chosen]) for name, (a, b) in self.features.items()},
            {name: values[chosen] for name, values in self.tags.items()},
        )

    def mirrored(self) -> Comparisons:
        """The same comparisons told from the other side: every rating must stay as it was."""
        return Comparisons(
            self.names,
            self.b,
            self.a,
            1 - self.outcome,
            self.weight,
            self.both_bad,
            self.voter,
            {name: (b, a) for name, (a, b) in self.features.items()},
            self.tags,
        )


class _Columns:
    """Growing columns of `Comparisons.of`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = {name: index for index, name in enumerate(names)}
        self.a: list[int] = []
        self.b: list[int] = []
        self.outcome: list[float] = []
        self.weight: list[float] = []
        self.both_bad: list[bool] = []
        self.voters: dict[str, int] = {}
        self.voter: list[int] = []
        self.features: list[Mapping[str, tuple[float, float]]] = []
        self.tags: list[Mapping[str, str]] = []

    def append(self, row: Comparison) -> None:
        if not 0 <= row.outcome <= 1:
            raise ValueError(f"outcome {row.outcome} of {row.model_a} against {row.model_b} is not within 0 and 1")
        if not 0 < row.weight < float("inf"):
            raise ValueError(f"weight {row.weight} of {row.model_a} against {row.model_b} is not a positive number")
        self.a.append(self.names.setdefault(row.model_a, len(self.names)))
        self.b.append(self.names.setdefault(row.model_b, len(self.names)))
        self.outcome.append(row.outcome)
        self.weight.append(row.weight)
        self.both_bad.append(row.both_bad)
        self.voter.append(-1 if row.voter is None else self.voters.setdefault(row.voter, len(self.voters)))
        self.features.append(row.features)
        self.tags.append(row.tags)

    def finish(self) -> Comparisons:
        weight = np.array(self.weight, dtype=float)
        return Comparisons(
            tuple(self.names),
            np.array(self.a, dtype=np.int32),
            np.array(self.b, dtype=np.int32),
            np.array(self.outcome, dtype=float),
            None if (weight == 1).all() else weight,
            np.array(self.both_bad, dtype=bool) if any(self.both_bad) else None,
            np.array(self.voter, dtype=np.int32) if self.voters else None,
            {name: self._feature(name) for name in _keys(self.features)},
            {name: self._tag(name) for name in _keys(self.tags)},
        )

    def _feature(self, name: str) -> tuple[FloatArray, FloatArray]:
        pairs = np.array([row.get(name, (0.0, 0.0)) for row in self.features], dtype=float)
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    def _tag(self, name: str) -> NDArray[np.object_]:
        return np.array([row.get(name, "") for row in self.tags], dtype=object)


def _keys(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Every key that occurs, in order of first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


@dataclass(slots=True)
class _Weighed:
    """What unit weights make unnecessary: sums of squared weights, and how many comparisons there were."""

    score: FloatArray
    ties: FloatArray
    battles: FloatArray

    def copy(self) -> _Weighed:
        return _Weighed(self.score.copy(), self.ties.copy(), self.battles.copy())


class PairCounts:
    """What m contestants scored against each other: m × m tables that never grow with votes.

    `score[i, j]` is the (weighted) score of i over j, ties counting half.
    `ties[i, j]` is symmetric and sums 4·y·(1−y): the number of halves, both-bad included; with it
    the sum of squared outcomes is known (`score − ties/4`), which the sandwich needs.
    `both_bad[i, j]` is symmetric: how many of the halves said that both answers were bad.
    """

    __slots__ = ("_weighed", "both_bad", "names", "score", "ties")

    def __init__(
        self,
        names: Sequence[str],
        score: FloatArray | None = None,
        ties: FloatArray | None = None,
        both_bad: FloatArray | None = None,
    ) -> None:
        size = len(names)
        self.names = list(names)
        self.score = np.zeros((size, size)) if score is None else np.array(score, dtype=float)
        self.ties = np.zeros((size, size)) if ties is None else np.array(ties, dtype=float)
        self.both_bad = np.zeros((size, size)) if both_bad is None else np.array(both_bad, dtype=float)
        for table in (self.score, self.ties, self.both_bad):
            if table.shape != (size, size):
                raise ValueError(f"a table of shape {table.shape} cannot count {size} contestants")
        self._weighed: _Weighed | None = None

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of(cls, comparisons: Comparisons) -> PairCounts:
        """Count columns. Time is linear in them, memory is not."""
        size = len(comparisons.names)
        counts = cls(comparisons.names, *_tables(comparisons, size, comparisons.weight))
        if comparisons.weight is not None:
            score, ties, _ = _tables(comparisons, size, comparisons.weight**2)
            battles = _table(comparisons, size, None)
            counts._weighed = _Weighed(score, ties, battles + battles.T)
        return counts

    @property
    def total(self) -> FloatArray:
        """Weight of all comparisons between each two contestants, symmetric."""
        return self.score + self.score.T

    @property
    def battles(self) -> FloatArray:
        """How many comparisons there were between each two contestants, whatever their weights."""
        return self.total if self._weighed is None else self._weighed.battles

    def moments(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Sums over each pair of w², w²·y and w²·y² (y being the row's score), for the sandwich."""
        score, ties = (self.score, self.ties) if self._weighed is None else (self._weighed.score, self._weighed.ties)
        return score + score.T, score, score - ties / 4

    def add(self, a: int, b: int, outcome: float, *, both_bad: bool = False, weight: float = 1.0) -> None:
        """Count one comparison, in constant time."""
        self._shift(a, b, outcome, both_bad, weight, 1)

    def remove(self, a: int, b: int, outcome: float, *, both_bad: bool = False, weight: float = 1.0) -> None:
        """Take one comparison back: the exact inverse of `add`."""
        self._shift(a, b, outcome, both_bad, weight, -1)

    def _shift(self, a: int, b: int, outcome: float, both_bad: bool, weight: float, sign: int) -> None:
        if a == b:
            return
        if weight != 1 and self._weighed is None:
            self._weighed = _Weighed(self.score.copy(), self.ties.copy(), self.total)
        if self._weighed is not None:
            _shift_score(self._weighed.score, self._weighed.ties, a, b, outcome, sign * weight**2)
            self._weighed.battles[a, b] += sign
            self._weighed.battles[b, a] += sign
        _shift_score(self.score, self.ties, a, b, outcome, sign * weight)
        if both_bad:
            self.both_bad[a, b] += sign * weight
            self.both_bad[b, a] += sign * weight

    def grow(self, name: str) -> int:
        """Make room for a contestant that was not known yet; returns its index."""
        if name in self.names:
            return self.names.index(name)
        self.names.append(name)
        self.score, self.ties, self.both_bad = _padded(self.score), _padded(self.ties), _padded(self.both_bad)
        if self._weighed is not None:
            kept = self._weighed
            self._weighed = _Weighed(_padded(kept.score), _padded(kept.ties), _padded(kept.battles))
        return len(self.names) - 1

    def select(self, chosen: IntArray | Sequence[int]) -> PairCounts:
        """The counts among the chosen contestants only, in the order chosen."""
        index = np.asarray(chosen, dtype=int)
        grid = np.ix_(index, index)
        part = PairCounts([self.names[i] for i in index], self.score[grid], self.ties[grid], self.both_bad[grid])
        if self._weighed is not None:
            kept = self._weighed
            part._weighed = _Weighed(kept.score[grid], kept.ties[grid], kept.battles[grid])
        return part

    def copy(self) -> PairCounts:
        """A separate copy, for work aside from the counts that keep moving."""
        other = PairCounts(self.names, self.score, self.ties, self.both_bad)
        other._weighed = None if self._weighed is None else self._weighed.copy()
        return other


def _shift_score(score: FloatArray, ties: FloatArray, a: int, b: int, outcome: float, amount: float) -> None:
    half = amount * 4 * outcome * (1 - outcome)
    for table, row, column, change in (
        (score, a, b, amount * outcome),
        (score, b, a, amount * (1 - outcome)),
        (ties, a, b, half),
        (ties, b, a, half),
    ):
        if change:
            left = table[row, column] + change
            table[row, column] = left if abs(left) > _DUST else 0.0


def _padded(table: FloatArray) -> FloatArray:
    return np.pad(table, ((0, 1), (0, 1)))


def _tables(
    rows: Comparisons, size: int, weight: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Score, halves and both-bad of weighted columns."""
    one = np.ones(1) if weight is None else weight
    total = _table(rows, size, weight)
    won = _table(rows, size, rows.outcome * one)
    halves = _table(rows, size, 4 * rows.outcome * (1 - rows.outcome) * one)
    bad = None if rows.both_bad is None else _table(rows, size, rows.both_bad * one)
    return won + (total - won).T, halves + halves.T, None if bad is None else bad + bad.T


def _table(rows: Comparisons, size: int, weight: FloatArray | None) -> FloatArray:
    """Sum weights (or rows, when None) into an m × m table by (a, b), chunk by chunk."""
    flat = np.zeros(size * size)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        key = rows.a[part].astype(np.intp) * size + rows.b[part]
        flat += np.bincount(key, None if weight is None else weight[part], minlength=size * size)
    return flat.reshape(size, size)
