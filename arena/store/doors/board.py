"""What ratings are computed from: pair counts, Elo, votes as columns, and news of every change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from arena.store import board, styled
from arena.store.changes import changes
from arena.store.doors.door import Door, Progress, silent
from arena.store.feed import Feed
from arena.store.records import ALL, BothMarkups, Change, EloState, PairTable, VoteTable
from arena.store.recount import rebuild
from arena.store.writer import Pending
from arena.types import Track


class BoardDoor(Door):
    """The board's counts, whatever changed them, and who wants to hear of it."""

    def pair_counts(self, track: Track = Track.HUMAN, slice: str = ALL) -> PairTable:
        """Pair counts of a slice; reads O(pairs) rows, never the votes."""
        return self._read(lambda db: board.pair_table(db, track, slice))

    def slices(self, track: Track = Track.HUMAN) -> Mapping[str, float]:
        """Every slice with a comparison in it, and the weight it holds."""
        return self._read(lambda db: board.slices_of(db, track))

    def elo_state(self, track: Track = Track.HUMAN) -> Mapping[int, EloState]:
        """Online Elo by contestant; who never met anybody is absent."""
        return self._read(lambda db: board.elo_state(db, track))

    def board_version(self) -> int:
        """Grows by one with every change of the board: the number of the latest change."""
        return self._read(board.version)

    def changes(self, after: int, *, limit: int = 10_000) -> tuple[Change, ...]:
        """The board's steps numbered above `after`, in order; no number is ever filled in later."""
        return self._read(lambda db: changes(db, after, limit))

    def vote_columns(self, after: int = 0, *, limit: int = 20_000) -> VoteTable:
        """Votes numbered above `after` as columns, in order; those off the board are marked."""
        return self._read(lambda db: styled.vote_table(db, after, limit))

    def uncounted_styles(self, after: int = 0, *, limit: int = 100) -> tuple[int, Mapping[int, BothMarkups]]:
        """Styles of votes numbered above `after` that were cast before styles were kept, counted from their texts, by
        the vote's number; and the number of the last vote that was looked at (`after` itself when there is none)."""
        return self._read(lambda db: styled.uncounted(db, after, limit))

    def keep_styles(self, styles: Mapping[int, BothMarkups]) -> Pending[None]:
        """Keep these styles with their votes; nothing else changes."""
        return self._write(lambda db: styled.keep(db, styles))

    def voter_codes(self, numbers: Iterable[int]) -> Mapping[int, str]:
        """The pseudonyms of voters by their numbers (`voter_id`)."""
        wanted = tuple(numbers)
        return self._read(lambda db: styled.voter_codes(db, wanted))

    def moved_votes(self, after: int) -> tuple[int, Mapping[int, bool]]:
        """Votes that left the board or came back by steps numbered above `after`: the last such step, and by the
        vote's number whether it counts now."""
        return self._read(lambda db: styled.moved(db, after))

    def slice_members(self) -> Mapping[str, frozenset[int]]:
        """By slice the numbers of the slice sets (`slice_set_id`) that belong to it."""
        return self._read(styled.slice_members)

    def on_change(self, callback: Callable[[int], None], *, poll_seconds: float = 0.25) -> Callable[[], None]:
        """Call back with the board's version after changes by this process or any other; returns how to stop.

        The callback runs in a thread of the store and must be quick (`loop.call_soon_threadsafe`).
        """
        feed = Feed(self._database, self._writer, callback, poll_seconds)
        self._feeds.append(feed)
        return feed.stop

    def rebuild(self, progress: Progress | None = None) -> int:
        """Recount pair counts and replay Elo from votes and judgments (repair; minutes of votes wait for seconds).

        Returns the number of comparisons counted. Blocks: call it from a thread or the command line.
        """
        return rebuild(self._database, self._writer, self._rules, self._clock(), progress or silent)
