"""Which votes were cast on the same question, and the board on which each question counts once.

Two questions are the same when their words are, letters' case and spaces apart; a battle without text
(imported or forgotten) is a question of its own. It reads every vote, so it is asked from threads, never
on a vote's way. It knows nothing of rigging: suggested prompts are asked by many, and should be.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from arena.ratings.comparisons import Comparisons, IntArray, PairCounts
from arena.ratings.crowds import duplicates
from arena.ratings.elo import Scale
from arena.ratings.leaderboard import Leaderboard, bradley_terry_board
from arena.store.files import NOBODY
from arena.store.interchange import same_question
from arena.store.records import VoteFilter, VoteRecord
from arena.store.store import Store
from arena.types import Verdict

_AT_ONCE = 500
"""Votes whose questions are read in one query."""
_REST = 10.0
"""A board is kept for so many times what it took to fit."""
"""A board is computed anew after so many times the seconds that it took: reading never takes more than a tenth."""


class Questions:
    """Remembers of every vote of one store which question it was cast on, in 16 bytes. Safe to call from any thread;
    blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._votes: NDArray[np.int64] = np.empty(0, np.int64)  # numbers in order
        self._asked: NDArray[np.uint64] = np.empty(0, np.uint64)  # digests of their questions, 0 without text

    def numbers(self, votes: Sequence[VoteRecord]) -> IntArray:
        """A number per distinct first message, −1 where the battle has no text."""
        wanted = np.array([vote.sequence for vote in votes], dtype=np.int64)
        with self._lock:
            self._learn([votes[place] for place in np.flatnonzero(~np.isin(wanted, self._votes)).tolist()])
            asked = self._asked[np.searchsorted(self._votes, wanted)]
        known, place = np.unique(asked, return_inverse=True)
        return place - int(len(known) > 0 and known[0] == 0)

    def _learn(self, votes: Sequence[VoteRecord]) -> None:
        """Take in the questions of votes that are new here."""
        asked = np.zeros(len(votes), dtype=np.uint64)
        for start in range(0, len(votes), _AT_ONCE):
            part = votes[start : start + _AT_ONCE]
            texts = self._store.first_messages([vote.battle_id for vote in part])
            asked[start : start + _AT_ONCE] = [_digest(texts.get(vote.battle_id, "")) for vote in part]
        numbers = np.concatenate([self._votes, np.array([vote.sequence for vote in votes], dtype=np.int64)])
        order = np.argsort(numbers, kind="stable")
        self._votes, self._asked = numbers[order], np.concatenate([self._asked, asked])[order]


def _digest(question: str) -> int:
    """Eight bytes of a question's digest; 0 where there is none."""
    digest = same_question(question)
    return 0 if digest is None else int.from_bytes(digest[:8], "little")


class OnceCounted:
    """Boards of people's votes on which a vote weighs 1/n when n votes were cast on its question."""

    def __init__(self, store: Store, questions: Questions, scale: Scale) -> None:
        self._store, self._questions, self._scale = store, questions, scale
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[int, float, Leaderboard]] = {}

    def board(self, slice: str, names: Mapping[int, str]) -> tuple[Leaderboard, int]:
        """The board of a slice and the version that it stands at: the latest, or one of a moment ago when votes
        come faster than they are read. `names` tells the contestants by number."""
        with self._lock:
            version = self._store.board_version()
            kept = self._kept.get(slice)
            if kept is None or (kept[0] != version and time.monotonic() >= kept[1]):
                began = time.monotonic()
                board = self._rated(self._votes(slice), names)
                now = time.monotonic()
                kept = self._kept[slice] = (version, now + _REST * (now - began), board)
            return kept[2], kept[0]

    def _votes(self, slice: str) -> list[VoteRecord]:
        """Those of a slice, or those outside the slice that stands behind a minus."""
        if not slice.startswith("-"):
            return list(self._store.votes(VoteFilter(slice=slice)))
        return [vote for vote in self._store.votes() if slice[1:] not in vote.slices]

    def _rated(self, votes: Sequence[VoteRecord], names: Mapping[int, str]) -> Leaderboard:
        rows = columns(votes, names)
        weight = duplicates(self._questions.numbers(votes)).weight
        stated = np.array([vote.weight for vote in votes], dtype=float)
        weighed = replace(rows, weight=weight * stated)
        board = bradley_terry_board(PairCounts.of(weighed), voters=weighed, scale=self._scale)
        return replace(board, votes=len(votes), parameters={**board.parameters, "each_question_once": True})


def columns(votes: Sequence[VoteRecord], names: Mapping[int, str]) -> Comparisons:
    """Votes as comparisons of weight 1, contestants in the order of `names`, voters as places among `known_voters`."""
    place = {number: index for index, number in enumerate(names)}
    voter = {code: index for index, code in enumerate(known_voters(votes))}
    return Comparisons(
        tuple(names.values()),
        np.array([place[vote.contestant_a] for vote in votes], dtype=np.int32),
        np.array([place[vote.contestant_b] for vote in votes], dtype=np.int32),
        np.array([vote.verdict.outcome for vote in votes], dtype=float),
        both_bad=np.array([vote.verdict is Verdict.BOTH_BAD for vote in votes], dtype=bool),
        voter=np.array([voter.get(vote.voter, -1) for vote in votes], dtype=np.int32),
    )


def known_voters(votes: Sequence[VoteRecord]) -> tuple[str, ...]:
    """Voters' codes as they come. Votes of files that name no voter are of many people: of nobody known."""
    return tuple(code for code in dict.fromkeys(vote.voter for vote in votes) if code != NOBODY)
