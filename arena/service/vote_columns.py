"""Votes on the board as columns: some bytes a vote, read a run at a time, where a record of each takes a kilobyte.

It knows voters by number and asks the store for their codes when somebody wants to know. It rates nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from arena.ratings.comparisons import Comparisons, IntArray
from arena.service.boards import labels
from arena.service.questions import columns, known_voters
from arena.store.files import NOBODY
from arena.store.records import ContestantRecord, VoteRecord, VoteTable
from arena.store.store import Store
from arena.types import Verdict

OUTCOMES = np.array([verdict.outcome for verdict in Verdict])
BAD = list(Verdict).index(Verdict.BOTH_BAD)
"""A stored verdict is its place in `Verdict`."""

_RUN = 2_000
"""Votes read at a time: a megabyte on the way."""


@dataclass(frozen=True, slots=True, eq=False)
class VoteColumns:
    """Votes of weight 1 in the order of their numbers. `codes` names voters by their places in `rows.voter`, those of
    whom nothing is known (−1) too; there are `voters` known ones."""

    rows: Comparisons
    numbers: IntArray
    voters: int
    codes: Callable[[Sequence[int]], Sequence[str]]

    @classmethod
    def of(cls, votes: Sequence[VoteRecord], contestants: Sequence[ContestantRecord]) -> VoteColumns:
        """Columns of votes that were read whole."""
        known = known_voters(votes)
        numbers = np.array([vote.sequence for vote in votes], dtype=np.int64)
        codes = (*known, NOBODY)
        return cls(
            columns(votes, labels(contestants)), numbers, len(known), lambda places: [codes[place] for place in places]
        )


def newest(store: Store, most: int) -> VoteColumns:
    """Those of the newest `most` votes that count. Blocks."""
    after = max(0, store.board_version() - most)
    runs = [_Run.of(store.vote_columns(after, limit=0))]
    while (table := store.vote_columns(after, limit=_RUN)).last > after:
        runs.append(_Run.of(table))
        after = table.last
    records = store.contestants()
    verdict = np.concatenate([run.verdict for run in runs])
    numbers, voter = _numbered(np.concatenate([run.voter for run in runs]))
    rows = Comparisons(
        tuple(labels(records).values()),
        places_of(records, np.concatenate([run.a for run in runs])),
        places_of(records, np.concatenate([run.b for run in runs])),
        OUTCOMES[verdict],
        both_bad=verdict == BAD,
        voter=voter,
    )

    def codes(places: Sequence[int]) -> Sequence[str]:
        wanted = [int(numbers[place]) for place in places if place >= 0]
        known = store.voter_codes(wanted)
        return [known[int(numbers[place])] if place >= 0 else NOBODY for place in places]

    return VoteColumns(rows, np.concatenate([run.numbers for run in runs]), len(numbers), codes)


def places_of(records: Sequence[ContestantRecord], numbers: IntArray) -> IntArray:
    """Contestants' numbers as places among the records, which come by number."""
    return np.searchsorted(np.array([record.id for record in records]), numbers).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What is wanted of the counting votes that were read together."""

    numbers: IntArray
    a: IntArray
    b: IntArray
    verdict: IntArray
    voter: IntArray

    @classmethod
    def of(cls, table: VoteTable) -> _Run:
        counting = np.frombuffer(table.counting, bool)

        def column(name: str, kind: type[np.signedinteger]) -> IntArray:
            return np.asarray(np.frombuffer(table.numbers[name], np.int64)[counting], kind)

        return cls(
            column("sequence", np.int64),
            column("contestant_a", np.int32),
            column("contestant_b", np.int32),
            column("verdict", np.int8),
            column("voter_id", np.int32),
        )


def _numbered(voter: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct known voters in order, and each vote's place among them; −1 stays what it is."""
    found, place = np.unique(voter, return_inverse=True)
    unknown = int(len(found) > 0 and found[0] < 0)
    return found[unknown:], (place - unknown).astype(np.int32)
