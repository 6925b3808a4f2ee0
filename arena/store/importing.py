"""A battle file comes in: wholly checked and drafted first, then all of it in one transaction, or nothing.

Rows already here are passed over: by `question_id`, pair and voter where rows have a number of their own, else by
the file's digest and the row's line, so importing a file twice adds nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from arena.store import keyring, roster
from arena.store.battles import storable
from arena.store.counting import SliceSet, add_counts, slice_set
from arena.store.drafts import Draft, Drafts, Met, resealed, resolved
from arena.store.entrants import Entrants
from arena.store.log import next_sequence, write_event
from arena.store.prepared import inserting
from arena.store.records import ImportReport
from arena.store.tables import answers, battles, elo, turns, votes
from arena.store.tally import Tally, pack
from arena.store.voting import Rules
from arena.types import Track

Progress = Callable[[int, int], None]


class Stopped(Exception):
    """Whoever asked for the import wants it no more."""


def import_rows(
    db: Connection, name: str, drafts: Drafts, rules: Rules, progress: Progress, join: bool, stop: threading.Event
) -> ImportReport:
    """Write every battle of the file of this name and count its votes. The caller's transaction is the unit.

    `join` counts votes on a name without a fingerprint for the contestant of that name that takes part. Raises
    `Stopped`, within a chunk of rows, once `stop` is set.
    """
    rows = _Import(db, drafts, rules, join)
    done = 0
    _heed(stop)
    for run in drafts.runs():
        rows.write(run)
        done += len(run)
        progress(done, drafts.total)
        _heed(stop)
    report = rows.finish(name)
    _heed(stop)
    return report


def _heed(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped


class _Import:
    """One import under way inside one transaction."""

    def __init__(self, db: Connection, drafts: Drafts, rules: Rules, join: bool) -> None:
        self._db, self._drafts, self._rules, self._now = db, drafts, rules, drafts.now
        self._added = 0
        self._entrants = Entrants(db, drafts.now, join)
        self._voters: dict[str, int] = {}
        self._changed: set[str] = set()
        self._slice_sets: dict[tuple[str, ...], SliceSet] = {}
        self._standings = {
            row.contestant_id: row for row in db.execute(select(elo).where(elo.c.track == Track.HUMAN.value))
        }
        self._tally = Tally(Track.HUMAN, rules, {number: row.rating for number, row in self._standings.items()})

    def write(self, run: list[Draft]) -> None:
        """Write a run of battles, leaving out those that are here already."""
        found = resolved(self._db, [(draft.named, draft.met) for draft in run])
        fresh = [(battle_id, draft) for draft, (battle_id, new) in zip(run, found, strict=True) if new]
        if not fresh:
            return
        first = next_sequence(self._db, len(fresh)) - len(fresh) + 1
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _INTO}
        for sequence, (battle_id, draft) in enumerate(fresh, start=first):
            voter = self._voter(draft.met.voter)
            sealed = self._sealed(draft, battle_id, voter)
            who = self._numbers(draft.met) | {"voter_id": voter}
            rows["votes"].append(sealed.vote | who | self._counted(draft, who) | {"sequence": sequence})
            rows["battles"].append(sealed.battle | who)
            rows["turns"] += sealed.turns
            rows["answers"] += sealed.answers
        for name, statement in _INTO.items():
            if rows[name]:
                statement.run_many(self._db, rows[name])
        self._added += len(fresh)

    def finish(self, name: str) -> ImportReport:
        """Move counts and ratings, log what was done."""
        if self._added:
            ids_of = {one.id: one.ids for one in self._slice_sets.values()}
            add_counts(self._db, self._tally.count_rows(ids_of))
            self._store_ratings()
        read = self._drafts.total
        write_event(self._db, self._now, "import", f"{name}: {self._added} of {read} battles")
        amounts = (read, self._added, read - self._added, self._drafts.named)
        return ImportReport(*amounts, self._entrants.fresh, *self._entrants.namesakes())

    def _store_ratings(self) -> None:
        known = {number: row.games for number, row in self._standings.items()}
        rows = [{**row, "games": row["games"] + known.get(row["contestant_id"], 0)} for row in self._tally.elo_rows()]
        self._db.execute(delete(elo).where(elo.c.track == Track.HUMAN.value))
        self._db.execute(insert(elo), rows)

    def _sealed(self, draft: Draft, battle_id: str, voter: int) -> Draft:
        """The draft as it can be stored: the battle's number and the voter's key may have changed since."""
        code = draft.met.voter
        if battle_id == draft.id and code not in self._changed:
            return draft
        old = keyring.sealer(self._db, *self._drafts.keys[code])
        return resealed(draft, battle_id, old, keyring.writing_sealer(self._db, voter))

    def _numbers(self, met: Met) -> dict[str, int]:
        a = self._entrants.number(met.model_a, met.fingerprint_a)
        return {"contestant_a": a, "contestant_b": self._entrants.number(met.model_b, met.fingerprint_b)}

    def _counted(self, draft: Draft, who: dict[str, int]) -> dict[str, float]:
        """Count the vote; returns what its row tells of that."""
        a, b, slices = who["contestant_a"], who["contestant_b"], self._slices(draft.slices)
        before_a, before_b = self._tally.rating(a), self._tally.rating(b)
        weight = draft.vote["weight"]
        delta_a, delta_b = self._tally.add_weighted(pack(a, b, draft.verdict, slices.id), weight)
        return {
            "slice_set_id": slices.id,
            "elo_before_a": before_a,
            "elo_before_b": before_b,
            "elo_delta_a": delta_a,
            "elo_delta_b": delta_b,
        }

    def _voter(self, code: str) -> int:
        if code not in self._voters:
            key = self._drafts.keys[code]
            given = key if code in self._drafts.fresh else None
            self._voters[code] = roster.voter_number(self._db, storable(code), self._now, given)
            if not keyring.holds(self._db, self._voters[code], key):
                self._changed.add(code)
        return self._voters[code]

    def _slices(self, names: tuple[str, ...]) -> SliceSet:
        if names not in self._slice_sets:
            self._slice_sets[names] = slice_set(self._db, names)
        return self._slice_sets[names]


_UNTOLD = [column.name for column in answers.c][list(answers.c.keys()).index("state") + 1 :]
"""What a file does not tell of an answer."""

_INTO = {
    "battles": inserting(battles, "seed"),
    "turns": inserting(turns, "dropped_at"),
    "answers": inserting(answers, *_UNTOLD),
    "votes": inserting(votes, "retracted_at", "quarantined"),
}
