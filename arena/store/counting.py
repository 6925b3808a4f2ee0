"""Pair counts per slice and Elo ratings as rows, moved by one comparison at a time.

Whatever adds a comparison or takes one away does it here, inside the caller's transaction, so the
counts can never tell another story than the votes. How a rating moves is the caller's business.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select

from arena.store.prepared import Prepared
from arena.store.tables import elo, pair_counts, slice_sets, slices
from arena.types import Track, Verdict

WHOLE = 0
"""Number of the slice that holds every comparison."""

OUTCOME_COLUMNS = ("wins_a", "wins_b", "ties", "both_bad")
"""Columns of `pair_counts` in the order of the verdicts' codes, seen from the lower-numbered contestant."""


@dataclass(frozen=True, slots=True)
class SliceSet:
    """The slices that a comparison belongs to, besides the whole, kept once for all comparisons alike."""

    id: int
    names: tuple[str, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """A comparison as counts see it: contestants by number, verdict from side a's seat."""

    track: Track
    contestant_a: int
    contestant_b: int
    verdict: Verdict
    weight: float
    slices: SliceSet


def slice_names(language: str, topic: str, masked: bool, at: float, extra: Iterable[str]) -> tuple[str, ...]:
    """Names of the slices of a comparison: what follows from its battle, then what the caller adds."""
    month = time.strftime("month=%Y-%m", time.gmtime(at))
    own = [language and f"language={language}", topic and f"topic={topic}", masked and "masked", month]
    return tuple(sorted({str(name).replace("\n", " ") for name in (*own, *extra) if name}))


def slice_set(db: Connection, names: Sequence[str]) -> SliceSet:
    """The set of these slices, numbered when it is new."""
    joined = "\n".join(names)
    found = _FIND_SET.first(db, wanted=joined)
    if found is not None:
        return SliceSet(found[0], tuple(names), split_ids(found[1]))
    numbers = tuple(_slice_number(db, name) for name in names)
    fresh = insert(slice_sets).values(names=joined, slice_ids=",".join(map(str, numbers)))
    return SliceSet(int(db.execute(fresh.returning(slice_sets.c.id)).scalar_one()), tuple(names), numbers)


def split_ids(joined: str) -> tuple[int, ...]:
    """Slices' numbers as a slice set's row holds them."""
    return tuple(map(int, joined.split(","))) if joined else ()


def split_names(joined: str) -> tuple[str, ...]:
    """Slices' names as a slice set's row holds them."""
    return tuple(joined.split("\n")) if joined else ()


def count(db: Connection, one: Counted, sign: int) -> None:
    """Add (`sign` 1) or take away (−1) a comparison in every slice that holds it."""
    a, b = sorted((one.contestant_a, one.contestant_b))
    verdict = one.verdict if a == one.contestant_a else one.verdict.mirrored
    amounts = dict.fromkeys(OUTCOME_COLUMNS, 0.0)
    amounts[outcome_column(verdict)] = sign * one.weight
    pair = {"track": one.track.value, "a": a, "b": b, **amounts}
    add_counts(db, [{**pair, "slice_id": number} for number in (WHOLE, *one.slices.ids)])


def add_counts(db: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add whole rows of `pair_counts` to what is there."""
    _COUNT.run_many(db, rows)


def outcome_column(verdict: Verdict) -> str:
    """The column of `pair_counts` that a verdict adds to, seen from the lower-numbered contestant."""
    return OUTCOME_COLUMNS[_COLUMN_OF[verdict]]


def ratings(db: Connection, track: Track, a: int, b: int, start: float) -> tuple[float, float]:
    """Current Elo ratings of both; `start` for who has none."""
    found = dict(_TWO_RATINGS.all(db, wanted=track.value, a=a, b=b))
    return found.get(a, start), found.get(b, start)


def move_rating(db: Connection, track: Track, contestant: int, delta: float, games: int, start: float) -> None:
    """Add to a rating and to the number of games behind it."""
    key = {"track": track.value, "contestant_id": contestant}
    _MOVE.run(db, **key, rating=start + delta, games=games, delta=delta)


def _slice_number(db: Connection, name: str) -> int:
    found = db.execute(select(slices.c.id).where(slices.c.name == name)).scalar()
    if found is None:
        found = db.execute(insert(slices).values(name=name).returning(slices.c.id)).scalar_one()
    return int(found)


def _counting(fresh_row: Any) -> Any:
    names = [column.name for column in pair_counts.c]
    fresh = fresh_row(pair_counts).values({name: bindparam(name) for name in names})
    more = {name: pair_counts.c[name] + fresh.excluded[name] for name in OUTCOME_COLUMNS}
    return fresh.on_conflict_do_update(index_elements=["track", "slice_id", "a", "b"], set_=more)


def _moving(fresh_row: Any) -> Any:
    names = [column.name for column in elo.c]
    fresh = fresh_row(elo).values({name: bindparam(name) for name in names})
    delta = bindparam("delta", type_=elo.c.rating.type)
    moved = {"rating": elo.c.rating + delta, "games": elo.c.games + fresh.excluded.games}
    return fresh.on_conflict_do_update(index_elements=["track", "contestant_id"], set_=moved)


_COLUMN_OF = {Verdict.MODEL_A: 0, Verdict.MODEL_B: 1, Verdict.TIE: 2, Verdict.BOTH_BAD: 3}
_COUNT = Prepared(_counting)
_MOVE = Prepared(_moving)
_FIND_SET = Prepared(
    lambda _: select(slice_sets.c.id, slice_sets.c.slice_ids).where(slice_sets.c.names == bindparam("wanted"))
)
_TWO_RATINGS = Prepared(
    lambda _: select(elo.c.contestant_id, elo.c.rating).where(
        elo.c.track == bindparam("wanted"),
        or_(elo.c.contestant_id == bindparam("a"), elo.c.contestant_id == bindparam("b")),
    )
)
