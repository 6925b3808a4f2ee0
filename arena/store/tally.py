"""Many comparisons at once: counts per pair and slice, and Elo, of millions of rows in seconds.

A comparison travels as one packed integer (see `pack`). Counting is done in columns by Arrow; the
ratings are folded in order by whoever knows how.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from arena.store.counting import OUTCOME_COLUMNS, WHOLE
from arena.store.tables import VERDICT_CODES, VERDICTS
from arena.store.voting import Rules
from arena.types import Track, Verdict

BITS = 20
"""Bits per contestant in a packed comparison: a million of them."""

_MASK = (1 << BITS) - 1
_RUN = 1 << 22
"""Comparisons that are counted together: bounds memory to some 32 MB."""

_OUTCOMES = tuple(verdict.outcome for verdict in VERDICTS)


def pack(a: int, b: int, verdict: Verdict, slices: int) -> int:
    """A comparison as one integer: slice set · contestant a · contestant b · verdict, from the high end."""
    return ((slices << BITS | a) << BITS | b) << 2 | VERDICT_CODES[verdict]


def unpack(code: int) -> tuple[int, int, int, int]:
    """Contestant a, contestant b, code of the verdict, number of the slice set."""
    return code >> 2 + BITS & _MASK, code >> 2 & _MASK, code & 3, code >> 2 + 2 * BITS


def numbers(joined: str) -> array[int]:
    """The numbers of a text that commas separate: Arrow reads them in a seventh of the time that `int` takes."""
    arrow, compute = _arrow()

    if not joined:
        return array("q")
    texts = compute.split_pattern(arrow.scalar(joined, arrow.large_utf8()), ",").values
    found: array[int] = _array("q", compute.cast(texts, arrow.int64()))
    return found


class Tally:
    """Counts and ratings of one track as they grow."""

    def __init__(self, track: Track, rules: Rules, ratings: Mapping[int, float] | None = None) -> None:
        self.track, self._rules = track, rules
        self.rows = 0
        self.games: Counter[int] = Counter()
        self._ratings = [rules.elo_start] * (max(ratings or (0,)) + 1)
        for number, rating in (ratings or {}).items():
            self._ratings[number] = rating
        self._met: set[int] = set(ratings or ())
        self._weighted: defaultdict[int, float] = defaultdict(float)
        self._waiting: list[array[int]] = []
        self._counted: list[tuple[Any, Any]] = []  # codes and how often each

    def rating(self, contestant: int) -> float:
        """The rating so far."""
        return self._ratings[contestant] if contestant < len(self._ratings) else self._rules.elo_start

    def add(self, packed: array[int]) -> None:
        """Fold in a run of comparisons of weight 1, in order."""
        arrow, compute = _arrow()

        if not packed:
            return
        codes = _column(packed)
        a = compute.bit_wise_and(compute.shift_right(codes, 2 + BITS), _MASK)
        b = compute.bit_wise_and(compute.shift_right(codes, 2), _MASK)
        outcomes = compute.take(arrow.array(_OUTCOMES), compute.bit_wise_and(codes, 3))
        for side in (a, b):
            for number, games in zip(*_value_counts(side), strict=True):
                self._meet(number.as_py(), games.as_py())
        self._rules.elo_fold(self._ratings, _array("q", a), _array("q", b), _array("d", outcomes))
        self.rows += len(packed)
        self._waiting.append(packed)
        if sum(map(len, self._waiting)) >= _RUN:
            self._count_waiting()

    def add_weighted(self, code: int, weight: float) -> tuple[float, float]:
        """Fold in one comparison of any weight; returns what it added to both ratings."""
        a, b, verdict, _ = unpack(code)
        self._meet(a, 1)
        self._meet(b, 1)
        deltas = self._rules.deltas(self._ratings[a], self._ratings[b], _OUTCOMES[verdict], weight)
        self._ratings[a] += deltas[0]
        self._ratings[b] += deltas[1]
        self._weighted[code] += weight
        self.rows += 1
        return deltas

    def elo_rows(self) -> list[dict[str, Any]]:
        """Rows of the table `elo`; games are those folded in here."""
        key = {"track": self.track.value}
        return [
            {**key, "contestant_id": number, "rating": self._ratings[number], "games": self.games[number]}
            for number in sorted(self._met)
        ]

    def count_rows(self, ids_of: Mapping[int, Sequence[int]]) -> list[dict[str, Any]]:
        """Rows of the table `pair_counts`, for the whole and every slice; `ids_of` maps slice sets to slices."""
        _, compute = _arrow()

        table = self._by_cell()
        members: defaultdict[int, list[int]] = defaultdict(list)
        for slice_set_id, numbers in ids_of.items():
            for number in numbers:
                members[number].append(slice_set_id)
        rows = _rows(self.track, WHOLE, table)
        for number, slice_sets in sorted(members.items()):
            rows += _rows(self.track, number, table.filter(compute.is_in(table["slices"], _column(slice_sets))))
        return rows

    def _meet(self, contestant: int, games: int) -> None:
        self._met.add(contestant)
        self.games[contestant] += games
        missing = contestant + 1 - len(self._ratings)
        if missing > 0:
            self._ratings.extend([self._rules.elo_start] * missing)

    def _count_waiting(self) -> None:
        arrow, _ = _arrow()

        if self._waiting:
            codes = arrow.concat_arrays([_column(run) for run in self._waiting])
            self._waiting.clear()
            self._counted.append(_value_counts(codes))

    def _by_cell(self) -> Any:
        """Weights by pair (lower number first) and slice set, one column per outcome seen from the lower number."""
        arrow, compute = _arrow()

        self._count_waiting()
        runs = [*self._counted, (_column(self._weighted), arrow.array(list(self._weighted.values()), arrow.float64()))]
        codes = arrow.chunked_array([codes for codes, _ in runs], arrow.int64())
        weights = arrow.chunked_array([compute.cast(amounts, arrow.float64()) for _, amounts in runs], arrow.float64())
        a = compute.bit_wise_and(compute.shift_right(codes, 2 + BITS), _MASK)
        b = compute.bit_wise_and(compute.shift_right(codes, 2), _MASK)
        verdict = compute.bit_wise_and(codes, 3)
        swapped = compute.and_(compute.greater(a, b), compute.less(verdict, 2))
        seen = compute.if_else(swapped, compute.subtract(1, verdict), verdict)
        columns = {
            "slices": compute.shift_right(codes, 2 + 2 * BITS),
            "a": compute.min_element_wise(a, b),
            "b": compute.max_element_wise(a, b),
        }
        for number, name in enumerate(OUTCOME_COLUMNS):
            columns[name] = compute.if_else(compute.equal(seen, number), weights, 0.0)
        return _summed(arrow.Table.from_pydict(columns), ["slices", "a", "b"])


def _arrow() -> tuple[Any, Any]:
    """Arrow and its functions; importing them costs 100 ms, so only who counts in bulk pays."""
    import pyarrow.compute
    import pyarrow.lib

    return pyarrow.lib, pyarrow.compute


def _column(numbers: Any) -> Any:
    """Integers as an Arrow column; an array's memory is used as it is."""
    arrow, _ = _arrow()

    if isinstance(numbers, array):
        return arrow.Array.from_buffers(arrow.int64(), len(numbers), [None, arrow.py_buffer(numbers)])
    return arrow.array(list(numbers), arrow.int64())


def _array(kind: Any, column: Any) -> Any:
    """A freshly computed column as an array."""
    copied = array(kind)
    copied.frombytes(memoryview(column.buffers()[1])[: len(column) * copied.itemsize])
    return copied


def _value_counts(column: Any) -> tuple[Any, Any]:
    """Distinct values and how often each stands in the column."""
    _, compute = _arrow()

    counted = compute.value_counts(column)
    return counted.field(0), counted.field(1)


def _summed(table: Any, keys: list[str]) -> Any:
    summed = table.group_by(keys).aggregate([(name, "sum") for name in OUTCOME_COLUMNS])
    return summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])


def _rows(track: Track, slice_id: int, table: Any) -> list[dict[str, Any]]:
    names = ("a", "b", *OUTCOME_COLUMNS)
    summed = _summed(table, ["a", "b"])
    columns = [summed[name].to_pylist() for name in names]
    key = {"track": track.value, "slice_id": slice_id}
    return [{**key, **dict(zip(names, row, strict=True))} for row in zip(*columns, strict=True)]
