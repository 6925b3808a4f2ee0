"""What needs every vote, fitted in the background: ratings at equal style, and intervals clustered by voter.

Neither has small sufficient statistics. People's votes are kept here as columns, to which only what is new is read
from the store; a vote itself never waits for any of it. Every result is told with its age. Between two fits the
board at equal style follows the votes in small steps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from arena.ratings import bradley_terry
from arena.ratings.clusters import FEWEST_VOTERS, known_voters
from arena.ratings.comparisons import BoolArray, Comparisons, FloatArray, IntArray, PairCounts
from arena.ratings.elo import Scale
from arena.ratings.leaderboard import Anchor, Leaderboard, style_board_of
from arena.ratings.live import widening_of
from arena.ratings.style import fit_style
from arena.service.background import Made, Workbench
from arena.service.boards import MASKED, UNMASKED, labels
from arena.service.followed_style import FollowedStyle
from arena.service.vote_columns import BAD, OUTCOMES, places_of
from arena.store.records import ALL, MARKUP_COLUMNS
from arena.store.store import Store

FEATURES = ("characters", "headers", "lists", "bold")
"""What is controlled for: length in characters, which means the same for every model, and Markdown of each kind."""

MOST = 2_000_000
"""The most votes that are looked at, the latest ones: 130 MB, and some seconds of a core now and then."""

MOST_PAUSE = 0.25
"""Seconds, at most, that are left to others after each run of votes that is read: as many as it took."""

_INTEGERS = ("contestant_a", "contestant_b", "verdict", "voter_id", "slice_set_id", *MARKUP_COLUMNS)

Column = TypeVar("Column", bound=NDArray[Any])


@dataclass(frozen=True, slots=True)
class StyleFit:
    """A board at equal style over `counted` votes; `board` None says why not in `trouble`.

    `followed` takes in the votes that come until the next fit.
    """

    board: Leaderboard | None
    counted: int
    trouble: str = ""
    followed: FollowedStyle | None = None


@dataclass(slots=True)
class _Columns:
    """Votes as columns, in the order of their numbers."""

    sequence: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    counting: BoolArray = field(default_factory=lambda: np.empty(0, bool))
    weight: FloatArray = field(default_factory=lambda: np.empty(0))
    integers: dict[str, IntArray] = field(default_factory=lambda: {name: np.empty(0, np.int32) for name in _INTEGERS})
    last: int = 0
    moved: int = 0

    def catch_up(self, store: Store) -> None:
        """Read the votes that came, then which votes left the board or came back."""
        before, last, runs = self.last, self.last, []
        if not last:
            _count_old(store)
        began = time.monotonic()
        while (table := store.vote_columns(last)).last > last:
            last = table.last
            runs.append(table)
            time.sleep(min(MOST_PAUSE, time.monotonic() - began))
            began = time.monotonic()
        if runs:
            self.sequence = _joined(self.sequence, [np.frombuffer(one.numbers["sequence"], np.int64) for one in runs])
            self.counting = _joined(self.counting, [np.frombuffer(one.counting, bool) for one in runs])
            self.weight = _joined(self.weight, [np.frombuffer(one.weight) for one in runs])
            for name, column in self.integers.items():
                self.integers[name] = _joined(column, [np.frombuffer(one.numbers[name], np.int64) for one in runs])
        self.last = last  # only now: a store that refuses on the way is asked for all of them again
        self.moved, changed = store.moved_votes(self.moved)
        for number, counts in changed.items():
            place = int(np.searchsorted(self.sequence, number))
            if number <= before and place < len(self.sequence) and self.sequence[place] == number:
                self.counting[place] = counts


def _count_old(store: Store) -> None:
    """Count what votes from before styles were kept compared, once: the next start finds it kept."""
    looked = -1
    while (found := store.uncounted_styles(looked))[0] > looked:
        looked, styles = found
        store.keep_styles(styles).result()


def _joined(column: Column, runs: Sequence[NDArray[Any]]) -> Column:
    return np.concatenate([column, *(run.astype(column.dtype) for run in runs)])  # type: ignore[return-value]


class VoteFits:
    """Fits over people's votes, by slice. Safe to call from any thread."""

    def __init__(
        self, store: Store, scale: Scale, widen: Callable[[str, Mapping[str, float]], None] = lambda *_: None
    ) -> None:
        """`widen(slice, by)` hears by how much sharing a voter widens each contestant's interval."""
        self._store, self._scale, self._widen = store, scale, widen
        self._columns = _Columns()
        self._lock = threading.Lock()
        self._latest: dict[str, tuple[FollowedStyle | None, int, StyleFit]] = {}
        self._bench: Workbench[StyleFit] = Workbench("votes")

    def style(self, slice: str = ALL) -> Made[StyleFit] | None:
        """The last fit of a slice, its board up to the last vote, and a new one begun when votes came.

        None while the first is under way.
        """
        version = self._store.board_version()
        made = self._bench.get(("style", slice), version, lambda: self.fit_style(slice))
        if made is None or not made.stale or made.value.followed is None:
            return made
        return replace(made, value=self._followed(made.value, slice, version))

    def _followed(self, fit: StyleFit, slice: str, version: int) -> StyleFit:
        """A fit with the board of this version, or as it is where the next fit has to be waited for."""
        with self._lock:
            known = self._latest.get(slice)
            if known is not None and known[:2] == (fit.followed, version):
                return known[2]
            assert fit.followed is not None
            chosen = self._chosen(slice, counted_only=True)
            board = fit.followed.board(chosen, lambda places: self._rows(places, counted_only=True))
            latest = fit if board is None else replace(fit, board=board, counted=int(np.count_nonzero(chosen)))
            self._latest[slice] = (fit.followed, version, latest)
            return latest

    def keep_clustered(self, slice: str = ALL) -> None:
        """See to it that the intervals of a slice know who voted, soon."""
        version = self._store.board_version()
        self._bench.get(("voters", slice), version, lambda: self.cluster(slice), patience=0.0)

    def fit_style(self, slice: str = ALL, *, anchor: Anchor | None = None) -> StyleFit:
        """Fit as of now. Blocks: seconds for a million votes."""
        with self._lock:
            chosen = self._chosen(slice, counted_only=True)
            rows = self._rows(np.flatnonzero(chosen), counted_only=True)
        if not len(rows):
            return StyleFit(None, 0)
        trouble = ""
        for features in (FEATURES, FEATURES[:1]):  # few votes may not tell one kind of Markdown from another
            try:
                result = fit_style(rows, features)
                counts = PairCounts.of(rows)
                board = style_board_of(result, counts, scale=self._scale, anchor=anchor)
            except ValueError as error:
                trouble = str(error)
            else:
                return StyleFit(board, len(rows), followed=FollowedStyle(result, counts, chosen, self._scale))
        return StyleFit(None, len(rows), trouble)

    def close(self) -> None:
        """Begin no more fits."""
        self._bench.close()

    def cluster(self, slice: str = ALL) -> StyleFit:
        """Tell by how much intervals widen, nothing where too few voters are known. Blocks."""
        with self._lock:
            rows = self._rows(np.flatnonzero(self._chosen(slice)))
        found: Mapping[str, float] = {}
        if known_voters(rows.voter) >= FEWEST_VOTERS:
            counts = PairCounts.of(rows)
            plain = bradley_terry.fit(counts)
            clustered = bradley_terry.fit(counts, voters=rows)
            found = widening_of(clustered.strengths(), plain.strengths())
        self._widen(slice, found)
        return StyleFit(None, len(rows))

    def _chosen(self, slice: str, *, counted_only: bool = False) -> BoolArray:
        """Which of the kept votes are of a slice and count; with `counted_only` those whose answers' style is known."""
        kept = self._columns
        kept.last = kept.last or max(0, self._store.board_version() - MOST)
        kept.catch_up(self._store)
        chosen = kept.counting & self._within(slice)
        return chosen & (kept.integers["characters_a"] >= 0) if counted_only else chosen

    def _rows(self, places: IntArray, *, counted_only: bool = False) -> Comparisons:
        """The kept votes at some places, with their style if that is known of all."""
        columns = {name: column[places] for name, column in self._columns.integers.items()}
        weight = self._columns.weight[places]
        records = self._store.contestants()
        verdict = columns["verdict"]
        amounts = {name: (columns[f"{name}_a"].astype(float), columns[f"{name}_b"].astype(float)) for name in FEATURES}
        return Comparisons(
            tuple(labels(records).values()),
            places_of(records, columns["contestant_a"]),
            places_of(records, columns["contestant_b"]),
            OUTCOMES[verdict],
            None if (weight == 1).all() else weight,
            verdict == BAD,
            columns["voter_id"],
            amounts if counted_only else {},
        )

    def _within(self, slice: str) -> BoolArray:
        """Which votes are of the slice."""
        sets = self._columns.integers["slice_set_id"]
        if slice == ALL:
            return np.ones(len(sets), dtype=bool)
        wanted = self._store.slice_members().get(MASKED if slice == UNMASKED else slice, frozenset())
        return np.isin(sets, list(wanted), invert=slice == UNMASKED)
