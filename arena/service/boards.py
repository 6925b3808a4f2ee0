"""Leaderboards of the stored votes: begun from pair counts, kept in step vote by vote.

Nothing here grows with the number of votes, but for `history`, which replays the latest changes.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from arena.errors import ArenaError
from arena.ratings.comparisons import FloatArray, PairCounts
from arena.ratings.elo import EloParameters, Scale
from arena.ratings.leaderboard import Anchor, Leaderboard
from arena.ratings.live import LiveBoard, LiveRatings, LiveVote, counts_of_columns
from arena.ratings.sampling import Chances, chances
from arena.service.head_to_head import PairView, meeting, pair_view
from arena.service.questions import OnceCounted, Questions
from arena.service.rooms import nameplate
from arena.service.views import BoardView
from arena.store.records import ALL, Change, ContestantRecord
from arena.store.store import Store
from arena.types import Track, Verdict

HISTORY = 20_000
"""The most votes that a rating-over-time plot replays."""

FOLLOWED = 500
"""The most changes that are followed one by one; after more the counts are read anew."""


MASKED, UNMASKED = "masked", "-masked"
"""Battles in which a model named itself, and all others: the second is the difference of two stored slices."""

READ_AGAIN = 20
"""What took s seconds to read, though it changes rarely, is read again after so many times s."""

RECENT, RECENT_FOR = 2_000, 10.0
"""How many of the latest finished battles sampling rates are taken over, and for how many seconds they are kept."""
IMPORTED = "imported"
"""How a contestant is marked that came with votes of a file and shares its name with another."""

ONCE = "once"
"""The method by which each question counts once, however many asked it."""


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One contestant's online Elo after a vote; `at` in Unix seconds."""

    sequence: int
    at: float
    model: str
    rating: float


class Boards:
    """Leaderboards by track, slice and method, in step with the store by its log of changes.

    At the start it reads pair counts, never votes; a slice's counts are read when it is first asked
    for. Safe to call from any thread.
    """

    def __init__(self, store: Store, *, parameters: EloParameters, preliminary: int) -> None:
        self._store = store
        self._parameters = parameters
        self._preliminary = preliminary
        self._lock = threading.Lock()
        self._kept: dict[tuple[Track, str, str], BoardView] = {}
        self._records: tuple[ContestantRecord, ...] = ()
        self._version = -1
        self._since: dict[tuple[Track, str], int] = {}
        self._live = LiveBoard(parameters=parameters)
        self._chances: tuple[int, Chances] | None = None
        self._slices: dict[Track, tuple[float, tuple[str, ...]]] = {}
        self._wider: dict[str, Mapping[str, float]] = {}
        self._rates: tuple[float, Mapping[int, float]] = (-math.inf, {})
        self.questions = Questions(store)
        self._once = OnceCounted(store, self.questions, parameters.scale)

    def view(
        self, track: Track = Track.HUMAN, slice: str = ALL, method: str = "bt", *, anchor: Anchor | None = None
    ) -> BoardView:
        """The board as the latest committed vote left it; with `ONCE` it reads every vote and may lag behind."""
        if method == ONCE and track is Track.HUMAN:
            return self._counted_once(slice)
        with self._lock:
            self._follow()
            kept = self._kept.get((track, slice, method))
            if anchor is None and kept is not None and kept.version == self._version:
                return kept
            view = self._dressed(self._rated(track, slice, method, anchor), track, slice)
            if anchor is None:
                self._kept[track, slice, method] = view
            return view

    def widen(self, slice: str, by: Mapping[str, float]) -> None:
        """Take in by how much votes that share a voter widen the intervals of people's board (1 is not at all)."""
        with self._lock:
            if self._wider.get(slice, {}) == by:
                return
            self._wider[slice] = by
            if (Track.HUMAN, slice) in self._since:
                self._live.ratings(str(Track.HUMAN), slice).widening = by
            for key in [key for key in self._kept if key[:2] == (Track.HUMAN, slice)]:
                del self._kept[key]

    def dressed(self, board: Leaderboard, track: Track, slice: str = ALL) -> BoardView:
        """A board that was made elsewhere of the same contestants, with marks and nameplates."""
        with self._lock:
            self._follow()
            return self._dressed(board, track, slice)

    def _rated(self, track: Track, slice: str, method: str, anchor: Anchor | None) -> Leaderboard:
        if method == "elo":
            self._have(track, ALL)
            return self._live.elo_board(str(track), anchor=anchor)
        return self._ratings(track, slice).board(self._parameters.scale, anchor)

    def _ratings(self, track: Track, slice: str) -> LiveRatings:
        """The ratings of a slice, its counts read when it is first asked for."""
        if slice != UNMASKED:
            self._have(track, slice)
            return self._live.ratings(str(track), slice)
        ratings = LiveRatings(self._unmasked(track))
        ratings.widening = self._wider.get(slice, {}) if track is Track.HUMAN else {}
        return ratings

    def _unmasked(self, track: Track) -> PairCounts:
        """Counts of the battles in which no model named itself."""
        for part in (ALL, MASKED):
            self._have(track, part)
        whole, masked = (self._live.ratings(str(track), part).counts for part in (ALL, MASKED))
        left = (
            _less(whole.score, masked.score),
            _less(whole.ties, masked.ties),
            _less(whole.both_bad, masked.both_bad),
        )
        return PairCounts(whole.names, *left)

    def chances(self) -> Chances:
        """How likely each pair should be next, by what people's votes leave uncertain."""
        with self._lock:
            self._follow()
            if self._chances is None or self._chances[0] != self._version:
                self._chances = self._version, chances(self._live.ratings(str(Track.HUMAN)).counts)
            return self._chances[1]

    def compare(self, a: str, b: str, track: Track = Track.HUMAN, slice: str = ALL) -> PairView:
        """Two contestants against each other. Raises `ArenaError` for a name that is not on the board."""
        with self._lock:
            self._follow()
            ratings = self._ratings(track, slice)
            if a == b or a not in ratings.counts.names or b not in ratings.counts.names:
                raise ArenaError("choose two different contestants of the board")
            first, second = ratings.counts.names.index(a), ratings.counts.names.index(b)
            strengths = ratings.strengths(second)
            topics = []
            for name in self.slices(track) if slice == ALL else ():
                if name.startswith("topic="):
                    self._have(track, name)
                    counts = self._live.ratings(str(track), name).counts
                    topics.append(meeting(name.removeprefix("topic="), counts, first, second))
            known = [one for one in topics if one.battles]
            return pair_view(strengths, ratings.counts, known, self._parameters.scale, (first, second))

    def slices(self, track: Track = Track.HUMAN) -> tuple[str, ...]:
        """The slices that hold a comparison."""
        kept = self._slices.get(track)
        if kept is None or time.monotonic() > kept[0]:
            began = time.monotonic()
            names = self._held_slices(track)
            kept = self._slices[track] = began + READ_AGAIN * (time.monotonic() - began), names
        return kept[1]

    def _held_slices(self, track: Track) -> tuple[str, ...]:
        held = self._store.slices(track)
        others = [UNMASKED] if 0 < held.get(MASKED, 0.0) < held.get(ALL, math.inf) else []
        return tuple(sorted([*(name for name in held if name != ALL), *others]))

    def history(self, track: Track = Track.HUMAN) -> tuple[HistoryPoint, ...]:
        """Online Elo after each of the latest votes, oldest first; it ends at the ratings of now."""
        names = labels(self._store.contestants())
        after = max(0, self._store.board_version() - HISTORY)
        changes = [one for one in self._store.changes(after, limit=HISTORY) if one.track is track and one.sign]
        ratings = {number: state.rating for number, state in self._store.elo_state(track).items()}
        points = []
        for change in reversed(changes):
            deltas = ((change.contestant_a, change.elo_delta_a), (change.contestant_b, change.elo_delta_b))
            for contestant, delta in deltas:
                points.append(HistoryPoint(change.sequence, change.at, names[contestant], ratings[contestant]))
                ratings[contestant] -= delta * change.sign
        return tuple(reversed(points))

    def _counted_once(self, slice: str) -> BoardView:
        board, version = self._once.board(slice, labels(self._store.contestants()))
        return replace(self.dressed(board, Track.HUMAN, slice), version=version)

    def _follow(self) -> None:
        """Catch up with the store: change by change, or anew when there are many or contestants came."""
        version = self._store.board_version()
        if version == self._version:
            return
        changes = self._store.changes(self._version, limit=FOLLOWED) if self._version >= 0 else ()
        known = {record.id for record in self._records}
        told = len(changes) < FOLLOWED and all({one.contestant_a, one.contestant_b} <= known for one in changes)
        if self._version < 0 or not told or not changes:
            self._begin()
            return
        names = labels(self._records)
        for change in changes:
            self._apply(change, names)
        self._version = changes[-1].sequence

    def _begin(self) -> None:
        """Read every track's counts and Elo as of one version; slices wait until somebody asks."""
        read, self._version = -1, -1  # what is half read when the store refuses is no version at all
        while (version := self._store.board_version()) != read:
            read = version
            self._records = self._store.contestants()
            names = labels(self._records)
            self._since.clear()
            self._live = LiveBoard(names.values(), self._parameters)
            counts = {(str(track), ALL): self._stored(track, ALL) for track in Track}
            rated = {
                str(track): {names[number]: state.rating for number, state in self._store.elo_state(track).items()}
                for track in Track
            }
            self._live = LiveBoard.from_counts(counts, rated, names=names.values(), parameters=self._parameters)
            self._widen_again(Track.HUMAN, ALL)
        self._version = read

    def _apply(self, change: Change, names: Mapping[int, str]) -> None:
        last = change.sequence
        slices = [one for one in change.slices if self._since.get((change.track, one), last) < last]
        if self._since.get((change.track, ALL), -1) >= last:
            return
        vote = LiveVote(
            names[change.contestant_a],
            names[change.contestant_b],
            change.verdict.outcome,
            both_bad=change.verdict is Verdict.BOTH_BAD,
            weight=change.weight,
            track=str(change.track),
            slices=slices,
            elo_change=change.elo_delta_a,
        )
        if change.sign > 0:
            self._live.add(vote)
        else:
            self._live.remove(vote)

    def _have(self, track: Track, slice: str) -> None:
        if (track, slice) not in self._since:
            self._live.load(str(track), slice, self._stored(track, slice))
            self._widen_again(track, slice)

    def _widen_again(self, track: Track, slice: str) -> None:
        if track is Track.HUMAN and slice in self._wider:
            self._live.ratings(str(track), slice).widening = self._wider[slice]

    def _stored(self, track: Track, slice: str) -> PairCounts:
        table = self._store.pair_counts(track, slice)
        self._since[track, slice] = table.version
        place = {record.id: index for index, record in enumerate(self._records)}
        a, b = ([place[number] for number in column] for column in (table.a, table.b))
        return counts_of_columns(self._live.names, a, b, table.wins_a, table.wins_b, table.ties, table.both_bad)

    def _dressed(self, board: Leaderboard, track: Track, slice: str) -> BoardView:
        """Retired and preliminary contestants carry their marks; everyone has a nameplate."""
        names = labels(self._records)
        retired = {names[record.id] for record in self._records if record.retired_at is not None}
        rates = {names[number]: rate for number, rate in self._sampling_rates().items() if number in names}
        rows = tuple(
            replace(
                row,
                retired=row.model in retired,
                preliminary=not row.identified or row.battles < self._preliminary,
                sampling_rate=rates.get(row.model, 0.0) if rates else None,
            )
            for row in board.rows
        )
        plates = tuple(replace(nameplate(record), name=names[record.id]) for record in self._records)
        counts = None if board.counts is None else board.counts.copy()  # a view stands still, the counts go on
        return BoardView(replace(board, rows=rows, counts=counts), self._version, track, slice, plates)

    def _sampling_rates(self) -> Mapping[int, float]:
        """By contestant's number the share of the latest finished blind battles in which it was drawn."""
        kept_at, rates = self._rates
        if time.monotonic() - kept_at > RECENT_FOR:
            pairs = self._store.recent_pairs(RECENT)
            drawn = Counter(number for pair in pairs for number in pair)
            rates = {number: times / len(pairs) for number, times in drawn.items()}
            self._rates = time.monotonic(), rates
        return rates


def _less(whole: FloatArray, part: FloatArray) -> FloatArray:
    """What is left of counts, without the dust of rounding."""
    left = whole - part
    left[np.abs(left) < 1e-9] = 0
    return left


def offered(method: str, track: Track, slice: str) -> bool:
    """Whether a board is rated by this method: Elo is kept for whole tracks, questions are people's."""
    return method == "bt" or (method == "elo" and slice == ALL) or (method == ONCE and track is Track.HUMAN)


def labels(records: Sequence[ContestantRecord]) -> Mapping[int, str]:
    """One distinct name per record: the catalogue's make has the plain one, every other says which one it is."""
    latest = {record.name: record.id for record in sorted(records, key=lambda record: record.retired_at is None)}
    return {
        record.id: record.name if latest[record.name] == record.id else f"{record.name} · {_make(record)}"
        for record in records
    }


def _make(record: ContestantRecord) -> str:
    """What tells a contestant from others of its name: where it came from, and the beginning of its fingerprint."""
    came_with_votes = record.retired_at == record.first_seen or not record.contestant.fingerprint
    return " ".join([*([IMPORTED] if came_with_votes else []), record.contestant.fingerprint[:6]]).rstrip()


def default_parameters(k: float, start: float, points: float) -> EloParameters:
    """Elo's parameters from the settings."""
    return EloParameters(k=k, scale=Scale(start=start, points=points))
