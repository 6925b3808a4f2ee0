"""A vote and everything it moves, in one transaction: cast, undo, feedback, quarantine."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, NoReturn, Protocol

from sqlalchemy import Connection, bindparam, select, update

from arena.errors import UndoTooLate, UnknownBattle, VotingClosed
from arena.store import keyring
from arena.store.battles import put_status, storable
from arena.store.counting import (
    Counted,
    SliceSet,
    count,
    move_rating,
    ratings,
    slice_names,
    slice_set,
    split_ids,
    split_names,
)
from arena.store.log import current_sequence, next_sequence, write_event
from arena.store.prepared import Prepared
from arena.store.records import BothMarkups, VoteExists, VoteReceipt
from arena.store.sealing import NOTHING
from arena.store.styled import columns_of
from arena.store.tables import VERDICT_CODES, VERDICTS, AnyRow, battles, slice_sets, voters, votes
from arena.types import BattleStatus, Mode, Track, Verdict

EloStep = Callable[[float, float, float], tuple[float, float]]
"""(rating of a, rating of b, score of a) → both new ratings."""


class EloFold(Protocol):
    """Moves ratings by many comparisons in order."""

    def __call__(self, ratings: list[float], a: array[int], b: array[int], outcomes: array[float], /) -> None:
        """`ratings` by contestant's number are changed in place; `a` and `b` are numbers, `outcomes` scores of a.

        The arrays are int64 and float64, so that `numpy.frombuffer` reads them as they are.
        """


@dataclass(frozen=True, slots=True)
class Rules:
    """How the store moves online Elo, handed over at opening because the store computes no ratings."""

    elo_step: EloStep
    elo_start: float
    elo_fold: EloFold

    @classmethod
    def of(cls, elo_step: EloStep, elo_start: float, elo_fold: EloFold | None = None) -> Rules:
        """Without a fold of its own the step is repeated, at several times the cost."""

        def fold(ratings: list[float], a: array[int], b: array[int], outcomes: array[float]) -> None:
            for first, second, outcome in zip(a, b, outcomes, strict=True):
                ratings[first], ratings[second] = elo_step(ratings[first], ratings[second], outcome)

        return cls(elo_step, elo_start, elo_fold or fold)

    def deltas(self, rating_a: float, rating_b: float, outcome: float, weight: float) -> tuple[float, float]:
        """What a comparison of this weight adds to both ratings."""
        new_a, new_b = self.elo_step(rating_a, rating_b, outcome)
        return (new_a - rating_a) * weight, (new_b - rating_b) * weight


@dataclass(frozen=True, slots=True)
class Ballot:
    """A verdict on its way in, with what the caller vouches for."""

    battle_id: str
    voter: str
    verdict: Verdict
    expected: tuple[str, ...] = (BattleStatus.VOTABLE,)
    slices: tuple[str, ...] = ()
    weight: float = 1.0
    markup: BothMarkups | None = None

    def __post_init__(self) -> None:
        if not 0 < self.weight < math.inf:
            raise ValueError(f"a vote's weight is a positive number, not {self.weight}")


class Votable(NamedTuple):
    """What a vote has to know of its battle."""

    id: str
    voter_id: int
    mode: str
    contestant_a: int
    contestant_b: int | None
    language: str
    topic: str
    masked: bool
    status: str
    code: str


def cast(db: Connection, ballot: Ballot, rules: Rules, now: float) -> VoteReceipt:
    """See `Store.cast_vote`."""
    found = _BATTLE.first(db, wanted=ballot.battle_id)
    battle = None if found is None else Votable(*found)
    if battle is None or battle.code != ballot.voter:
        raise UnknownBattle(f"there is no battle {ballot.battle_id} for this voter")
    if battle.status in (BattleStatus.VOTED, BattleStatus.RETRACTED):
        _raise_exists(db, ballot)
    if battle.mode != Mode.ANONYMOUS or battle.contestant_b is None:
        raise VotingClosed(f"votes of {battle.mode} battles count nowhere: names are known")
    if battle.status not in ballot.expected:
        raise VotingClosed(f"a battle that is {battle.status} takes no vote")
    names = slice_names(battle.language, battle.topic, battle.masked, now, ballot.slices)
    receipt = _record(db, battle, ballot, slice_set(db, names), rules, now)
    put_status(db, ballot.battle_id, BattleStatus.VOTED, now)
    return receipt


def _record(db: Connection, battle: Votable, ballot: Ballot, slices: SliceSet, rules: Rules, now: float) -> VoteReceipt:
    """Number a vote, write it and count it. Raises `VoteExists` when this voter voted on this battle already."""
    a, b = battle.contestant_a, battle.contestant_b
    assert b is not None, "only battles of two are voted"
    before_a, before_b = ratings(db, Track.HUMAN, a, b, rules.elo_start)
    delta_a, delta_b = rules.deltas(before_a, before_b, ballot.verdict.outcome, ballot.weight)
    sequence = next_sequence(db)
    written = _INSERT.first(
        db,
        sequence=sequence,
        battle_id=battle.id,
        voter_id=battle.voter_id,
        contestant_a=a,
        contestant_b=b,
        verdict=VERDICT_CODES[ballot.verdict],
        weight=ballot.weight,
        slice_set_id=slices.id,
        cast_at=now,
        elo_before_a=before_a,
        elo_before_b=before_b,
        elo_delta_a=delta_a,
        elo_delta_b=delta_b,
        **columns_of(ballot.markup),
    )
    if written is None:
        _raise_exists(db, ballot)
    count(db, Counted(Track.HUMAN, a, b, ballot.verdict, ballot.weight, slices), 1)
    move_rating(db, Track.HUMAN, a, delta_a, 1, rules.elo_start)
    move_rating(db, Track.HUMAN, b, delta_b, 1, rules.elo_start)
    return VoteReceipt(
        battle_id=battle.id,
        sequence=sequence,
        board_version=sequence,
        verdict=ballot.verdict,
        cast_at=now,
        contestant_a=a,
        contestant_b=b,
        elo_before_a=before_a,
        elo_before_b=before_b,
        elo_after_a=before_a + delta_a,
        elo_after_b=before_b + delta_b,
        slices=slices.names,
        weight=ballot.weight,
    )


def retract(db: Connection, battle_id: str, voter: str, within: float, now: float) -> VoteReceipt:
    """See `Store.retract_vote`."""
    vote = _vote_of(db, battle_id, voter)
    if vote is None:
        raise UnknownBattle(f"this voter has no vote on battle {battle_id}")
    if vote.retracted_at is not None:
        return receipt_of(vote, current_sequence(db))
    if now - vote.cast_at > within:
        raise UndoTooLate(f"a vote can be undone for {within:.0f} s")
    return take_back(db, vote, "undo", "", now)


def take_back(db: Connection, vote: AnyRow, kind: str, detail: str, now: float) -> VoteReceipt:
    """Retract a vote for good: off the board, its battle closed, the reason logged."""
    sequence = next_sequence(db)
    if vote.quarantined is None:
        _recount(db, vote, -1)
    db.execute(update(votes).where(votes.c.sequence == vote.sequence).values(retracted_at=now))
    put_status(db, vote.battle_id, BattleStatus.RETRACTED, now)
    moved = None if vote.quarantined is not None else vote.sequence
    write_event(db, now, kind, detail, battle_id=vote.battle_id, sequence=sequence, vote_sequence=moved)
    return receipt_of(vote, sequence, retracted_at=now)


def add_feedback(db: Connection, battle_id: str, voter: str, reasons: Sequence[str], comment: str) -> None:
    """See `Store.add_feedback`."""
    vote = _vote_of(db, battle_id, voter)
    if vote is None:
        raise UnknownBattle(f"this voter has no vote on battle {battle_id}")
    words = json.dumps([storable(reason) for reason in reasons], ensure_ascii=False)
    sealed = keyring.writing_sealer(db, vote.voter_id).seal(storable(comment), battle_id, "comment")
    change = update(votes).where(votes.c.sequence == vote.sequence)
    db.execute(change.values(reasons=words if reasons else None, comment=sealed or None))


def find(db: Connection, battle_id: str, voter: str) -> VoteReceipt | None:
    """See `Store.find_vote`."""
    vote = _vote_of(db, battle_id, voter)
    if vote is None:
        return None
    sealer = keyring.sealers(db, [vote.voter_id]).get(vote.voter_id, NOTHING)
    return replace(receipt_of(vote, vote.sequence), comment=sealer.open(vote.comment, battle_id, "comment"))


def quarantine(db: Connection, sequences: Sequence[int], reason: str, now: float) -> int:
    """See `Store.quarantine`."""
    return _move(db, sequences, "quarantine", storable(reason), now)


def restore(db: Connection, sequences: Sequence[int], now: float) -> int:
    """See `Store.restore`."""
    return _move(db, sequences, "restore", None, now)


def receipt_of(vote: AnyRow, version: int, *, retracted_at: float | None = None) -> VoteReceipt:
    """The receipt of a stored vote (a row of `VOTE`), without its comment, which is sealed."""
    return VoteReceipt(
        battle_id=vote.battle_id,
        sequence=vote.sequence,
        board_version=version,
        verdict=VERDICTS[vote.verdict],
        cast_at=vote.cast_at,
        contestant_a=vote.contestant_a,
        contestant_b=vote.contestant_b,
        elo_before_a=vote.elo_before_a,
        elo_before_b=vote.elo_before_b,
        elo_after_a=vote.elo_before_a + vote.elo_delta_a,
        elo_after_b=vote.elo_before_b + vote.elo_delta_b,
        slices=split_names(vote.names),
        weight=vote.weight,
        retracted_at=retracted_at or vote.retracted_at,
        reasons=tuple(json.loads(vote.reasons)) if vote.reasons else (),
    )


def _raise_exists(db: Connection, ballot: Ballot) -> NoReturn:
    receipt = find(db, ballot.battle_id, ballot.voter)
    if receipt is None:
        raise VotingClosed(f"battle {ballot.battle_id} is closed")
    raise VoteExists(receipt)


def _vote_of(db: Connection, battle_id: str, voter: str) -> AnyRow | None:
    return db.execute(VOTE.where(votes.c.battle_id == battle_id, voters.c.code == voter)).first()


def _move(db: Connection, sequences: Sequence[int], kind: str, reason: str | None, now: float) -> int:
    """Take votes off the board (a reason) or put them back (None); those already so are passed over."""
    moved = 0
    for number in sequences:
        vote = db.execute(VOTE.where(votes.c.sequence == number)).first()
        if vote is None or vote.retracted_at is not None or (vote.quarantined is None) == (reason is None):
            continue
        _recount(db, vote, 1 if reason is None else -1)
        db.execute(update(votes).where(votes.c.sequence == number).values(quarantined=reason))
        sequence = next_sequence(db)
        write_event(
            db, now, kind, reason or "", battle_id=vote.battle_id, sequence=sequence, vote_sequence=vote.sequence
        )
        moved += 1
    return moved


def _recount(db: Connection, vote: AnyRow, sign: int) -> None:
    """Put a stored vote into the counts and its own Elo change into the ratings, or take both out."""
    slices = SliceSet(vote.slice_set_id, split_names(vote.names), split_ids(vote.slice_ids))
    verdict = VERDICTS[vote.verdict]
    count(db, Counted(Track.HUMAN, vote.contestant_a, vote.contestant_b, verdict, vote.weight, slices), sign)
    move_rating(db, Track.HUMAN, vote.contestant_a, sign * vote.elo_delta_a, sign, vote.elo_before_a)
    move_rating(db, Track.HUMAN, vote.contestant_b, sign * vote.elo_delta_b, sign, vote.elo_before_b)


def _inserting(fresh_row: Any) -> Any:
    late = ("retracted_at", "quarantined", "reasons", "comment")
    names = [column.name for column in votes.c if column.name not in late]
    fresh = fresh_row(votes).values({name: bindparam(name) for name in names})
    return fresh.on_conflict_do_nothing(index_elements=["battle_id", "voter_id"]).returning(votes.c.sequence)


_INSERT = Prepared(_inserting)
_BATTLE = Prepared(
    lambda _: (
        select(*[battles.c[name] for name in Votable._fields[:-1]], voters.c.code)
        .join(voters, voters.c.id == battles.c.voter_id)
        .where(battles.c.id == bindparam("wanted"))
    )
)
VOTE = (
    select(votes, slice_sets.c.names, slice_sets.c.slice_ids)
    .join(voters, voters.c.id == votes.c.voter_id)
    .join(slice_sets, slice_sets.c.id == votes.c.slice_set_id)
)
