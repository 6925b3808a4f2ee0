"""A battle file comes in: wholly checked first, then all of it in one transaction, or nothing.

Rows already here are passed over: by `question_id`, pair and voter where rows have a number of their own, else by
the file's digest and the row's line, so importing a file twice adds nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from arena.errors import FileFormatError
from arena.store import keyring, roster
from arena.store.battles import sealed_answer, storable, turn_key
from arena.store.counting import SliceSet, add_counts, slice_names, slice_set
from arena.store.entrants import Entrants
from arena.store.files import NOBODY, read_rows
from arena.store.interchange import ImportedBattle, imported
from arena.store.log import next_sequence, write_event
from arena.store.records import ImportReport
from arena.store.sealing import Sealer
from arena.store.styled import columns_of
from arena.store.tables import VERDICT_CODES, answers, battles, contestants, elo, turns, voters, votes
from arena.store.tally import Tally, pack
from arena.store.voting import Rules
from arena.types import Answer, AnswerState, BattleStatus, Conversation, Mode, Role, Track

CHUNK = 1000
"""Rows written at a time."""
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, which steer a terminal, and those that turn a line around."""
Progress = Callable[[int, int], None]


def checked(path: Path) -> tuple[int, int]:
    """Read the whole file and return how many rows count and how many were voted with names known.

    Raises `FileFormatError` naming the first row that cannot be understood.
    """
    counting = named = 0
    for _, battle in _battles_in(path):
        counting += battle is not None
        named += battle is None
    return counting, named


class Stopped(Exception):
    """Whoever asked for the import wants it no more."""


def import_rows(
    db: Connection,
    path: Path,
    counted: tuple[int, int],
    rules: Rules,
    now: float,
    progress: Progress,
    join: bool,
    stop: threading.Event,
) -> ImportReport:
    """Write every battle of a checked file and count its votes. The caller's transaction is the unit.

    `join` counts votes on a name without a fingerprint for the contestant of that name that takes part. Raises
    `Stopped`, within a chunk of rows, once `stop` is set.
    """
    total, named = counted
    rows = _Import(db, path, rules, now, join)
    stream = (battle for _, battle in _battles_in(path) if battle is not None)
    done = 0
    _heed(stop)
    while run := list(islice(stream, CHUNK)):
        rows.write(run)
        done += len(run)
        progress(done, total)
        _heed(stop)
    report = rows.finish(named)
    _heed(stop)
    return report


def _heed(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped


def _battles_in(path: Path) -> Iterator[tuple[int, ImportedBattle | None]]:
    for line, row in read_rows(path):
        try:
            battle = imported(row)
            if battle is not None:
                _require_words(battle)
            yield line, battle
        except ValueError as error:
            raise FileFormatError(str(error), path=path, line=line) from None


def _require_words(battle: ImportedBattle) -> None:
    """What stands on the page must be visible, what names a thing must be storable as it is: `ValueError` otherwise."""
    for name in (battle.model_a, battle.model_b):
        if _UNSEEN.search(name):
            raise ValueError(f"model {name!r} has characters that nobody sees in its name: take them out")
    for word in (battle.question_id, battle.fingerprint_a, battle.fingerprint_b, battle.language, battle.topic,
                 *battle.slices, *battle.reasons):  # fmt: skip
        if storable(word) != word:
            raise ValueError(f"{word!r} holds characters that no database takes: take them out")


class _Import:
    """One import under way inside one transaction."""

    def __init__(self, db: Connection, path: Path, rules: Rules, now: float, join: bool) -> None:
        self._db, self._path, self._rules, self._now = db, path, rules, now
        self._digest = _digest(path)
        self._read = self._added = 0
        self._used: set[str] = set()
        self._entrants = Entrants(db, now, join)
        self._voters: dict[str, int] = {}
        self._sealers: dict[int, Sealer] = {}
        self._slice_sets: dict[tuple[str, ...], SliceSet] = {}
        self._standings = {
            row.contestant_id: row for row in db.execute(select(elo).where(elo.c.track == Track.HUMAN.value))
        }
        self._tally = Tally(Track.HUMAN, rules, {number: row.rating for number, row in self._standings.items()})

    def write(self, run: list[ImportedBattle]) -> None:
        """Write a run of battles, leaving out those that are here already."""
        fresh = self._new_ones(run)
        if not fresh:
            return
        first = next_sequence(self._db, len(fresh)) - len(fresh) + 1
        rows: dict[str, list[dict[str, Any]]] = {"battles": [], "turns": [], "answers": [], "votes": []}
        for sequence, (battle_id, battle) in enumerate(fresh, start=first):
            vote = self._vote(battle_id, battle, sequence)
            rows["votes"].append(vote)
            rows["battles"].append(self._battle(battle_id, battle, vote))
            asked, said = _talk(battle_id, battle, vote["cast_at"], self._sealer(vote["voter_id"]))
            rows["turns"] += asked
            rows["answers"] += said
        for table in (battles, turns, answers, votes):
            if rows[table.name]:
                self._db.execute(insert(table), rows[table.name])
        self._added += len(fresh)

    def finish(self, named: int) -> ImportReport:
        """Move counts and ratings, log what was done."""
        if self._added:
            ids_of = {one.id: one.ids for one in self._slice_sets.values()}
            add_counts(self._db, self._tally.count_rows(ids_of))
            self._store_ratings()
        detail = f"{self._path.name}: {self._added} of {self._read} battles"
        write_event(self._db, self._now, "import", detail)
        amounts = (self._read, self._added, self._read - self._added, named)
        return ImportReport(*amounts, self._entrants.fresh, *self._entrants.namesakes())

    def _store_ratings(self) -> None:
        known = {number: row.games for number, row in self._standings.items()}
        rows = [{**row, "games": row["games"] + known.get(row["contestant_id"], 0)} for row in self._tally.elo_rows()]
        self._db.execute(delete(elo).where(elo.c.track == Track.HUMAN.value))
        self._db.execute(insert(elo), rows)

    def _new_ones(self, run: list[ImportedBattle]) -> list[tuple[str, ImportedBattle]]:
        named = [(self._name(battle), battle) for battle in run]
        here = self._present([battle_id for battle_id, _ in named])
        fresh = []
        for battle_id, battle in named:
            same = here.get(battle_id)
            if same is not None and not _agrees(same, battle):
                # Another set's battle under the same number, or another person's vote on it: not this one.
                battle_id = _hashed(battle_id, battle.model_a, battle.model_b, battle.voter)
                same = self._present([battle_id]).get(battle_id)
            if same is None:
                fresh.append((battle_id, battle))
        return fresh

    def _name(self, battle: ImportedBattle) -> str:
        """The row's id: its own question_id at first sight, else one that a second import would find again."""
        self._read += 1
        if battle.question_id and battle.question_id not in self._used:
            self._used.add(battle.question_id)
            return battle.question_id
        return _hashed(self._digest, str(self._read))

    def _present(self, ids: list[str]) -> dict[str, tuple[str, str, str]]:
        """Of each battle that is here who met, and who voted."""
        a, b = contestants.alias("a"), contestants.alias("b")
        query = (
            select(battles.c.id, a.c.name, b.c.name, voters.c.code)
            .join(a, a.c.id == battles.c.contestant_a)
            .join(b, b.c.id == battles.c.contestant_b)
            .join(voters, voters.c.id == battles.c.voter_id)
            .where(battles.c.id.in_(ids))
        )
        return {battle_id: (name_a, name_b, voter) for battle_id, name_a, name_b, voter in self._db.execute(query)}

    def _vote(self, battle_id: str, battle: ImportedBattle, sequence: int) -> dict[str, Any]:
        at = self._now if battle.at is None else battle.at
        names = slice_names(battle.language, battle.topic, battle.masked, at, battle.slices)
        a = self._entrants.number(battle.model_a, battle.fingerprint_a)
        b = self._entrants.number(battle.model_b, battle.fingerprint_b)
        slices = self._slices(names)
        voter = self._voter(battle.voter)
        before_a, before_b = self._tally.rating(a), self._tally.rating(b)
        delta_a, delta_b = self._tally.add_weighted(pack(a, b, battle.verdict, slices.id), battle.weight)
        return {
            "sequence": sequence,
            "battle_id": battle_id,
            "voter_id": voter,
            "contestant_a": a,
            "contestant_b": b,
            "verdict": VERDICT_CODES[battle.verdict],
            "weight": battle.weight,
            "slice_set_id": slices.id,
            "cast_at": at,
            "elo_before_a": before_a,
            "elo_before_b": before_b,
            "elo_delta_a": delta_a,
            "elo_delta_b": delta_b,
            "reasons": json.dumps(battle.reasons, ensure_ascii=False) if battle.reasons else None,
            "comment": self._sealer(voter).seal(storable(battle.comment), battle_id, "comment") or None,
            **columns_of(battle.markup),
        }

    def _battle(self, battle_id: str, battle: ImportedBattle, vote: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": battle_id,
            "voter_id": vote["voter_id"],
            "mode": Mode.ANONYMOUS.value,
            "contestant_a": vote["contestant_a"],
            "contestant_b": vote["contestant_b"],
            "propensity": battle.propensity,
            "language": battle.language,
            "topic": battle.topic,
            "masked": battle.masked,
            "system_prompt": storable(_system(battle.conversation_a)),
            "status": BattleStatus.VOTED.value,
            "created_at": vote["cast_at"],
            "changed_at": self._now,
        }

    def _voter(self, code: str) -> int:
        if code not in self._voters:
            self._voters[code] = roster.voter_number(self._db, storable(code), self._now)
        return self._voters[code]

    def _sealer(self, voter: int) -> Sealer:
        if voter not in self._sealers:
            self._sealers[voter] = keyring.writing_sealer(self._db, voter)
        return self._sealers[voter]

    def _slices(self, names: tuple[str, ...]) -> SliceSet:
        if names not in self._slice_sets:
            self._slice_sets[names] = slice_set(self._db, names)
        return self._slice_sets[names]


def _agrees(here: tuple[str, str, str], battle: ImportedBattle) -> bool:
    """Whether a stored battle is this one: who met, and who voted where both still say."""
    first, second, voter = here
    known = voter != NOBODY != battle.voter and not voter.startswith(roster.FORGOTTEN)
    return (first, second) == (battle.model_a, battle.model_b) and (not known or voter == storable(battle.voter))


def _talk(
    battle_id: str, battle: ImportedBattle, at: float, sealer: Sealer
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Turn and answer rows of a battle: side a's user messages are the prompts, both sides answer them."""
    said = {"a": _exchanges(battle.conversation_a), "b": _exchanges(battle.conversation_b)}
    longest = max(said.values(), key=len)
    asked = []
    for position, (prompt, _) in enumerate(longest):
        key = turn_key(battle_id, position)
        sealed = sealer.seal(storable(prompt), *key.values(), "prompt")
        asked.append({**key, "prompt": sealed, "asked_at": at, "ended_at": at})
    spoken = []
    for side, exchanges in said.items():
        for position, (_, text) in enumerate(exchanges):
            key = turn_key(battle_id, position) | {"side": side}
            spoken.append(key | sealed_answer(Answer(text, AnswerState.COMPLETE), sealer, key) | {"state": _COMPLETE})
    return asked, spoken


def _exchanges(conversation: Conversation) -> list[tuple[str, str]]:
    """(user's message, answer) pairs in order; several answers to one message are joined."""
    pairs: list[tuple[str, str]] = []
    for message in conversation:
        if message.role is Role.USER:
            pairs.append((message.content, ""))
        elif message.role is Role.ASSISTANT and pairs:
            prompt, text = pairs[-1]
            pairs[-1] = (prompt, f"{text}\n{message.content}" if text else message.content)
    return pairs


def _system(conversation: Conversation) -> str:
    return "\n".join(message.content for message in conversation if message.role is Role.SYSTEM)


def _hashed(*parts: str) -> str:
    return "i-" + hashlib.blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_COMPLETE = AnswerState.COMPLETE.value
