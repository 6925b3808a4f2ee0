"""The board in memory: pair counts and Elo per track and slice, ratings refreshed by every vote.

Nothing grows with the number of votes, and nothing is recounted: a board begins from stored counts
and follows votes one at a time. A slice is rated when somebody asks for it, not before. One owner
at a time: it takes no locks. It knows neither the database nor pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from arena.ratings.bradley_terry import Strengths, bound_outside
from arena.ratings.comparisons import FloatArray, PairCounts
from arena.ratings.connectivity import Piece, pieces
from arena.ratings.elo import EloParameters, Scale, step
from arena.ratings.leaderboard import Anchor, Leaderboard, anchor_index, board_of, elo_board_of
from arena.ratings.warm import Change, WarmStrengths

ALL = ""
"""The slice of every comparison of a track."""

_MOST_PENDING = 64
"""Comparisons that are followed one by one when a board is asked for; after more it is computed anew."""


@dataclass(frozen=True, slots=True)
class LiveVote:
    """A comparison on its way to the board. `elo_change` is what a gained on Elo, None to compute it."""

    model_a: str
    model_b: str
    outcome: float
    both_bad: bool = False
    weight: float = 1.0
    track: str = "human"
    slices: Sequence[str] = ()
    elo_change: float | None = None


class LiveRatings:
    """Pair counts of one slice with strengths that are brought up to date when asked for."""

    def __init__(self, counts: PairCounts) -> None:
        self.counts = counts
        self.widening: Mapping[str, float] = {}
        """By how much votes that share a voter widen a contestant's interval (1 is not at all): set from
        time to time by whoever fits clustered intervals in the background (`widening_of`)."""
        self._pieces: list[Piece] | None = None
        self._main: WarmStrengths | None = None
        self._pending: list[Change] = []

    def add(self, a: int, b: int, outcome: float, *, both_bad: bool = False, weight: float = 1.0) -> None:
        """Count one comparison, in constant time."""
        self.counts.add(a, b, outcome, both_bad=both_bad, weight=weight)
        self._note(Change(a, b, outcome, weight))

    def remove(self, a: int, b: int, outcome: float, *, both_bad: bool = False, weight: float = 1.0) -> None:
        """Take one comparison back, in constant time."""
        self.counts.remove(a, b, outcome, both_bad=both_bad, weight=weight)
        self._note(Change(a, b, outcome, -weight))

    def grow(self, name: str) -> int:
        """Make room for a new contestant; returns its index."""
        known = len(self.counts)
        index = self.counts.grow(name)
        if index == known:
            self._pieces = None
        return index

    def _note(self, change: Change) -> None:
        """Remember what the strengths have not followed yet; forget the structure where it may have changed."""
        if change.a == change.b:
            return
        if not self._keeps_structure(change):
            self._pieces = None
        if len(self._pending) <= _MOST_PENDING:
            self._pending.append(change)

    def _keeps_structure(self, change: Change) -> bool:
        """Within the core one more comparison cuts nothing; one less cuts nothing while both still scored.

        With one less the main piece or core could also become another, unless the core is everyone.
        """
        main, score = self._main, self.counts.score
        if main is None or not (main.holds(change.a) and main.holds(change.b)):
            return False
        still_linked = bool(score[change.a, change.b] > 0 and score[change.b, change.a] > 0)
        return change.weight > 0 or (still_linked and len(main.core) == len(self.counts))

    def strengths(self, relative_to: int | None = None) -> Strengths:
        """Strengths and deviations of everyone after the last comparison."""
        self._catch_up()
        size = len(self.counts)
        theta, deviation = np.full(size, np.nan), np.full(size, np.nan)
        low, high, piece_of = np.full(size, -np.inf), np.full(size, np.inf), np.zeros(size, dtype=int)
        for number, piece in enumerate(self._pieces or ()):
            piece_of[piece.members] = number
            warm = self._main if number == 0 else self._aside(piece)
            if warm is not None:
                theta[warm.core], deviation[warm.core] = warm.theta, np.sqrt(np.maximum(warm.variance, 0))
            if len(piece.core) < len(piece.members) or len(piece.core) == 1:
                bound_outside(self.counts.score, piece, theta, low, high)
        relative = deviation if relative_to is None else self._relative(relative_to, deviation)
        found = Strengths(
            tuple(self.counts.names),
            theta,
            deviation,
            low,
            high,
            piece_of,
            "sandwich",
            relative_to,
            relative,
        )
        return found.widened(self.widening, "sandwich, clustered by voter") if self.widening else found

    def board(self, scale: Scale = Scale(), anchor: Anchor | None = None) -> Leaderboard:
        """The Bradley–Terry board. Raises ValueError when the anchor is unknown or has no rating."""
        found = self.strengths()
        if anchor is not None:
            found = self.strengths(anchor_index(self.counts.names, found.identified, anchor))
        return board_of(found, self.counts, scale=scale, anchor=anchor)

    def _catch_up(self) -> None:
        """Find the pieces anew where they may have changed, then let the core follow what is pending."""
        before = self._main
        if self._pieces is None:
            self._pieces = pieces(self.counts.score)
            core = self._pieces[0].core if self._pieces else np.empty(0, dtype=int)
            if before is None or not np.array_equal(before.core, core):
                start = None if before is None else before.continued(core)
                self._main = WarmStrengths(self.counts, core, start) if len(core) > 1 else None
        if before is not None and self._main is before:
            self._follow(before)
        self._pending.clear()

    def _follow(self, main: WarmStrengths) -> None:
        if len(self._pending) > _MOST_PENDING:
            main.refit(self.counts)
            return
        main.shift(self.counts, [change for change in self._pending if main.holds(change.a) and main.holds(change.b)])

    def _aside(self, piece: Piece) -> WarmStrengths | None:
        """A piece apart from the main one is small and rare: rated afresh."""
        return WarmStrengths(self.counts, piece.core) if len(piece.core) > 1 else None

    def _relative(self, fixed: int, deviation: FloatArray) -> FloatArray:
        """Deviations of the distance to a contestant of the core."""
        relative = deviation.copy()
        if self._main is not None and self._main.holds(fixed):
            column = self._main.covariance_with(fixed)
            own = float(self._main.variance[np.flatnonzero(self._main.core == fixed)[0]])
            relative[self._main.core] = np.sqrt(np.maximum(self._main.variance + own - 2 * column, 0))
            relative[fixed] = 0
        return relative


def widening_of(clustered: Strengths, plain: Strengths) -> dict[str, float]:
    """By how much clustering by voter widened each interval, for `LiveRatings.widening`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = clustered.deviation / plain.deviation
    return {name: float(wider) for name, wider in zip(clustered.names, ratio, strict=True) if np.isfinite(wider)}


class LiveBoard:
    """Every track's and slice's ratings, in step with the votes.

    All slices number contestants alike, in `names`. A contestant once seen stays.
    """

    def __init__(self, names: Iterable[str] = (), parameters: EloParameters = EloParameters()) -> None:
        self.names: list[str] = list(names)
        self._places = {name: place for place, name in enumerate(self.names)}
        self._parameters = parameters
        self._slices: dict[tuple[str, str], LiveRatings] = {}
        self._elo: dict[str, list[float]] = {}

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[tuple[str, str], PairCounts],
        elo: Mapping[str, Mapping[str, float]] | None = None,
        *,
        names: Iterable[str] = (),
        parameters: EloParameters = EloParameters(),
    ) -> LiveBoard:
        """Begin from what was stored: counts by (track, slice), Elo ratings by track and name.

        `names` are contestants to list even without a vote; all counts must number those alike.
        """
        board = cls(names, parameters)
        for (track, slice), table in counts.items():
            board.load(track, slice, table)
        for track, ratings in (elo or {}).items():
            current = board._elo_of(track)
            for name, rating in ratings.items():
                place = board.enter(name)
                current[place] = rating
        return board

    def load(self, track: str, slice: str, counts: PairCounts) -> None:
        """Put stored counts in the place of a slice's."""
        for name in counts.names:
            self.enter(name)
        if counts.names != self.names[: len(counts)]:
            raise ValueError("stored counts number contestants differently than the board does")
        for name in self.names[len(counts) :]:
            counts.grow(name)
        self._slices[track, slice] = LiveRatings(counts)

    def enter(self, name: str) -> int:
        """List a contestant on every board; returns its place."""
        if name not in self._places:
            self._places[name] = len(self.names)
            self.names.append(name)
            for ratings in self._slices.values():
                ratings.grow(name)
            for elo in self._elo.values():
                elo.append(self._parameters.scale.start)
        return self._places[name]

    def add(self, vote: LiveVote) -> float:
        """Follow a vote on its track, in every slice of it; returns what Elo gave to model_a."""
        change = self._elo_change(vote)
        self._shift(vote, change, 1)
        return change

    def remove(self, vote: LiveVote) -> None:
        """Take a vote back. `vote.elo_change` must be what `add` returned (or what was stored)."""
        if vote.elo_change is None:
            raise ValueError("taking a vote back needs the Elo change that it made")
        self._shift(vote, vote.elo_change, -1)

    def _shift(self, vote: LiveVote, change: float, sign: int) -> None:
        a, b = self.enter(vote.model_a), self.enter(vote.model_b)
        elo = self._elo_of(vote.track)
        elo[a] += sign * change
        elo[b] -= sign * change
        for slice in dict.fromkeys((ALL, *vote.slices)):
            ratings = self.ratings(vote.track, slice)
            follow = ratings.add if sign > 0 else ratings.remove
            follow(a, b, vote.outcome, both_bad=vote.both_bad, weight=vote.weight)

    def _elo_change(self, vote: LiveVote) -> float:
        if vote.elo_change is not None:
            return vote.elo_change
        a, b = self.enter(vote.model_a), self.enter(vote.model_b)
        elo = self._elo_of(vote.track)
        return step(elo[a], elo[b], vote.outcome, self._parameters, vote.weight)

    def ratings(self, track: str = "human", slice: str = ALL) -> LiveRatings:
        """The live ratings of a slice; an empty one begins where there was none."""
        key = track, slice
        if key not in self._slices:
            self._slices[key] = LiveRatings(PairCounts(self.names))
        return self._slices[key]

    def slices(self, track: str = "human") -> tuple[str, ...]:
        """Slices of a track that were ever counted, the whole track left out."""
        return tuple(sorted(slice for owner, slice in self._slices if owner == track and slice != ALL))

    def board(
        self, track: str = "human", slice: str = ALL, *, scale: Scale | None = None, anchor: Anchor | None = None
    ) -> Leaderboard:
        """Bradley–Terry of a slice, up to the last vote."""
        return self.ratings(track, slice).board(scale or self._parameters.scale, anchor)

    def elo_board(self, track: str = "human", *, anchor: Anchor | None = None) -> Leaderboard:
        """Online Elo of a track, up to the last vote."""
        counts = self.ratings(track).counts
        return elo_board_of(np.array(self._elo_of(track)), counts, self._parameters, anchor=anchor)

    def _elo_of(self, track: str) -> list[float]:
        if track not in self._elo:
            self._elo[track] = [self._parameters.scale.start] * len(self.names)
        return self._elo[track]


def counts_of_columns(
    names: Sequence[str],
    a: ArrayLike,
    b: ArrayLike,
    wins_a: ArrayLike,
    wins_b: ArrayLike,
    ties: ArrayLike,
    both_bad: ArrayLike,
) -> PairCounts:
    """Pair counts from stored columns: one row per pair, `ties` without the both-bad.

    `a` and `b` are places in `names`; the buffers of a stored pair table are read as they are.
    """
    size = len(names)
    first, second = np.asarray(a, dtype=np.intp), np.asarray(b, dtype=np.intp)
    bad = np.asarray(both_bad, dtype=float)
    halves = np.asarray(ties, dtype=float) + bad
    forth, back = first * size + second, second * size + first

    def table(to_first: FloatArray, to_second: FloatArray) -> FloatArray:
        flat = np.bincount(forth, to_first, minlength=size * size) + np.bincount(back, to_second, minlength=size * size)
        return np.asarray(flat.reshape(size, size), dtype=float)

    score = table(np.asarray(wins_a, dtype=float) + halves / 2, np.asarray(wins_b, dtype=float) + halves / 2)
    return PairCounts(names, score, table(halves, halves), table(bad, bad))
