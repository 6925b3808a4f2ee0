"""Length and Markdown of voted answers: columns of a vote, and all votes as columns for fits that need each of them.

A vote whose texts were never here (an import without conversations) has none. Nothing here counts or rates.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, case, exists, func, select, update

from arena.markup import Markup
from arena.store import battles
from arena.store.changes import EVENT_SIGNS
from arena.store.counting import split_names
from arena.store.files import NOBODY
from arena.store.interchange import counted
from arena.store.prepared import Prepared
from arena.store.records import MARKUP_COLUMNS, BattleRecord, BothMarkups, VoteTable
from arena.store.tables import AnyRow, answers, events, slice_sets, voters, votes

_HALF = len(MARKUP_COLUMNS) // 2
_AT_ONCE = 500
"""Values in one statement."""


def columns_of(markup: BothMarkups | None) -> dict[str, int | None]:
    """The columns of a vote's row."""
    if markup is None:
        return dict.fromkeys(MARKUP_COLUMNS)
    amounts = [amount for one in markup for amount in (one.characters, one.headers, one.lists, one.bold)]
    return dict(zip(MARKUP_COLUMNS, amounts, strict=True))


def markup_of(row: AnyRow) -> BothMarkups | None:
    """What a vote's row says; None where it was not counted."""
    amounts = [row._mapping[name] for name in MARKUP_COLUMNS]
    return None if amounts[0] is None else (Markup(*amounts[:_HALF]), Markup(*amounts[_HALF:]))


def vote_table(db: Connection, after: int, limit: int) -> VoteTable:
    """See `Store.vote_columns`."""
    rows = _COLUMNS.all(db, after=after, most=limit)
    *numbers, weight, counting = zip(*rows, strict=True) if rows else ((),) * (len(_READ) + 2)
    columns = {name: array("q", column) for name, column in zip(_READ, numbers, strict=True)}
    last = columns["sequence"][-1] if rows else after
    return VoteTable(columns, array("d", weight), array("b", counting), last)


def uncounted(db: Connection, after: int, limit: int) -> tuple[int, Mapping[int, BothMarkups]]:
    """See `Store.uncounted_styles`."""
    told = exists().where(answers.c.battle_id == votes.c.battle_id)
    query = select(votes.c.sequence, votes.c.battle_id).where(
        votes.c.sequence > after, votes.c.characters_a.is_(None), told
    )
    rows = db.execute(query.order_by(votes.c.sequence).limit(limit)).all()
    known = {battle.id: battle for battle in battles.load_many(db, [row.battle_id for row in rows])}
    found = {row.sequence: _counted(known[row.battle_id]) for row in rows if row.battle_id in known}
    last = rows[-1].sequence if rows else after
    return last, {sequence: markup for sequence, markup in found.items() if markup is not None}


def _counted(battle: BattleRecord) -> BothMarkups | None:
    return counted(battle.conversation("a"), battle.conversation("b"))


def keep(db: Connection, styles: Mapping[int, BothMarkups]) -> None:
    """See `Store.keep_styles`."""
    for sequence, markup in styles.items():
        db.execute(update(votes).where(votes.c.sequence == sequence).values(**columns_of(markup)))


def voter_codes(db: Connection, numbers: Sequence[int]) -> Mapping[int, str]:
    """See `Store.voter_codes`."""
    found: dict[int, str] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        wanted = voters.c.id.in_(numbers[start : start + _AT_ONCE])
        found |= {row.id: row.code for row in db.execute(select(voters.c.id, voters.c.code).where(wanted))}
    return found


def moved(db: Connection, after: int) -> tuple[int, Mapping[int, bool]]:
    """See `Store.moved_votes`."""
    query = select(events.c.sequence, events.c.vote_sequence, events.c.kind).where(
        events.c.sequence > after, events.c.vote_sequence.is_not(None)
    )
    last, found = after, {}
    for number, vote, kind in db.execute(query.order_by(events.c.sequence)):
        last, found[vote] = number, EVENT_SIGNS[kind] > 0
    return last, found


def slice_members(db: Connection) -> Mapping[str, frozenset[int]]:
    """See `Store.slice_members`."""
    members: dict[str, set[int]] = {}
    for row in db.execute(select(slice_sets.c.id, slice_sets.c.names)):
        for name in split_names(row.names):
            members.setdefault(name, set()).add(row.id)
    return {name: frozenset(numbers) for name, numbers in members.items()}


_READ = ("sequence", "contestant_a", "contestant_b", "verdict", "voter_id", "slice_set_id", *MARKUP_COLUMNS)
_UNNAMED = select(voters.c.id).where(voters.c.code == NOBODY).scalar_subquery()
_KNOWN = {"voter_id": func.nullif(votes.c.voter_id, _UNNAMED)}
_ON_BOARD = case((votes.c.retracted_at.is_(None) & votes.c.quarantined.is_(None), 1), else_=0)
_COLUMNS = Prepared(
    lambda _: (
        select(
            *[func.coalesce(_KNOWN.get(name, votes.c[name]), bindparam("none", -1)) for name in _READ],
            votes.c.weight,
            _ON_BOARD,
        )
        .where(votes.c.sequence > bindparam("after"))
        .order_by(votes.c.sequence)
        .limit(bindparam("most"))
    )
)
