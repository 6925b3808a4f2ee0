"""What a leaderboard reads: pair counts, Elo and the votes themselves."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select

from arena.store import keyring
from arena.store.connections import Database
from arena.store.counting import OUTCOME_COLUMNS, WHOLE, split_names
from arena.store.log import current_sequence
from arena.store.prepared import Prepared
from arena.store.records import ALL, EloState, PairTable, VoteFilter, VoteRecord
from arena.store.sealing import NOTHING, Sealer
from arena.store.styled import markup_of
from arena.store.tables import VERDICTS, AnyRow, board_snapshots, elo, pair_counts, slice_sets, slices, voters, votes
from arena.types import Track


def version(db: Connection) -> int:
    """See `Store.board_version`."""
    return current_sequence(db)


def pair_table(db: Connection, track: Track, slice: str) -> PairTable:
    """See `Store.pair_counts`."""
    version = current_sequence(db)
    if slice == ALL:
        snapshot = _SNAPSHOT.first(db, wanted=track.value, version=version)
        return (
            _from_rows(db, track, ALL, WHOLE, version) if snapshot is None else _unpacked(track, version, snapshot[0])
        )
    number = db.execute(select(slices.c.id).where(slices.c.name == slice)).scalar()
    return _from_rows(db, track, slice, -1 if number is None else number, version)


def save_snapshots(db: Connection) -> None:
    """Keep the whole's pair counts in one piece for the next start, unless they are there as they stand."""
    version = current_sequence(db)
    for track in Track:
        if _SNAPSHOT.first(db, wanted=track.value, version=version) is None:
            table = _from_rows(db, track, ALL, WHOLE, version)
            db.execute(delete(board_snapshots).where(board_snapshots.c.track == track.value))
            fresh = {"track": track.value, "version": version, "pairs": b"".join(map(bytes, _columns(table)))}
            db.execute(insert(board_snapshots).values(**fresh))


def _from_rows(db: Connection, track: Track, slice: str, number: int, version: int) -> PairTable:
    rows = _PAIRS.all(db, wanted=track.value, number=number)
    a, b, *amounts = zip(*rows, strict=True) if rows else ((),) * 6
    return PairTable(track, slice, version, array("q", a), array("q", b), *(array("d", amount) for amount in amounts))


def _columns(table: PairTable) -> tuple[array[int] | array[float], ...]:
    return table.a, table.b, table.wins_a, table.wins_b, table.ties, table.both_bad


def _unpacked(track: Track, version: int, pairs: bytes) -> PairTable:
    empty = PairTable(track, ALL, version, array("q"), array("q"), array("d"), array("d"), array("d"), array("d"))
    columns = _columns(empty)
    size = len(pairs) // len(columns)
    for number, column in enumerate(columns):
        column.frombytes(pairs[number * size : (number + 1) * size])
    return empty


def slices_of(db: Connection, track: Track) -> Mapping[str, float]:
    """See `Store.slices`."""
    held = func.sum(pair_counts.c.wins_a + pair_counts.c.wins_b + pair_counts.c.ties + pair_counts.c.both_bad)
    query = (
        select(slices.c.name, held)
        .join(slices, slices.c.id == pair_counts.c.slice_id)
        .where(pair_counts.c.track == track.value)
        .group_by(slices.c.name)
        .order_by(slices.c.name)
    )
    return {name: weight for name, weight in db.execute(query) if weight > 0}


def elo_state(db: Connection, track: Track) -> Mapping[int, EloState]:
    """See `Store.elo_state`."""
    return {number: EloState(rating, games) for number, rating, games in _STANDINGS.all(db, wanted=track.value)}


def votes_of(database: Database, which: VoteFilter, chunk: int) -> Iterator[VoteRecord]:
    """See `Store.votes`."""
    last = which.after
    with database.reading() as db:
        query = _matching(db, which)
    while True:
        with database.reading() as db:
            rows = db.execute(query.where(votes.c.sequence > last).order_by(votes.c.sequence).limit(chunk)).all()
            openers = keyring.sealers(db, {row.voter_id for row in rows if row.comment})
        yield from (_vote(row, openers.get(row.voter_id, NOTHING)) for row in rows)
        if len(rows) < chunk:
            return
        last = rows[-1].sequence


def _matching(db: Connection, which: VoteFilter) -> Select[Any]:
    query = (
        select(votes, voters.c.code, slice_sets.c.names)
        .join(voters, voters.c.id == votes.c.voter_id)
        .join(slice_sets, slice_sets.c.id == votes.c.slice_set_id)
    )
    if which.since is not None:
        query = query.where(votes.c.cast_at >= which.since)
    if which.until is not None:
        query = query.where(votes.c.cast_at < which.until)
    if which.voter is not None:
        query = query.where(voters.c.code == which.voter)
    if which.counting_only:
        query = query.where(votes.c.retracted_at.is_(None), votes.c.quarantined.is_(None))
    if which.slice != ALL:
        known = db.execute(select(slice_sets.c.id, slice_sets.c.names))
        query = query.where(
            votes.c.slice_set_id.in_([row.id for row in known if which.slice in split_names(row.names)])
        )
    return query


def _vote(row: AnyRow, sealer: Sealer) -> VoteRecord:
    names = split_names(row.names)
    return VoteRecord(
        sequence=row.sequence,
        battle_id=row.battle_id,
        voter=row.code,
        contestant_a=row.contestant_a,
        contestant_b=row.contestant_b,
        verdict=VERDICTS[row.verdict],
        weight=row.weight,
        cast_at=row.cast_at,
        language=_valued(names, "language="),
        topic=_valued(names, "topic="),
        slices=names,
        reasons=tuple(_words(row.reasons)),
        comment=sealer.open(row.comment, row.battle_id, "comment"),
        retracted_at=row.retracted_at,
        quarantined=row.quarantined,
        markup=markup_of(row),
    )


def _words(reasons: str | None) -> list[str]:
    return json.loads(reasons) if reasons else []


def _valued(names: tuple[str, ...], prefix: str) -> str:
    return next((name.removeprefix(prefix) for name in names if name.startswith(prefix)), "")


_PAIRS = Prepared(
    lambda _: select(*[pair_counts.c[name] for name in ("a", "b", *OUTCOME_COLUMNS)]).where(
        pair_counts.c.track == bindparam("wanted"), pair_counts.c.slice_id == bindparam("number")
    )
)
_SNAPSHOT = Prepared(
    lambda _: select(board_snapshots.c.pairs).where(
        board_snapshots.c.track == bindparam("wanted"), board_snapshots.c.version == bindparam("version")
    )
)
_STANDINGS = Prepared(
    lambda _: select(elo.c.contestant_id, elo.c.rating, elo.c.games).where(elo.c.track == bindparam("wanted"))
)
