"""A battle file's rows, drafted before anybody is kept from writing: read, checked, named and sealed.

Drafts lie in a file without a name, their texts sealed, so that a set of any size needs little memory and leaves
nothing. What else happens before they are written (a battle of the same number, a voter's new key) is the
importer's to find: it writes what was drafted, or seals it anew. No row is written here.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from sqlalchemy import Connection, select

from arena.errors import FileFormatError
from arena.store import keyring, roster
from arena.store.battles import sealed_answer, storable, turn_key
from arena.store.connections import Database, translated
from arena.store.counting import slice_names
from arena.store.files import NOBODY, read_rows
from arena.store.interchange import ImportedBattle, imported
from arena.store.keyring import VoterKey
from arena.store.sealing import Sealer
from arena.store.styled import columns_of
from arena.store.tables import VERDICT_CODES, battles, contestants, voters
from arena.types import Answer, AnswerState, BattleStatus, Conversation, Mode, Role, Verdict

Columns = dict[str, Any]
CHUNK = 1000
"""Rows drafted, and written, at a time."""
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, which steer a terminal, and those that turn a line around."""


class Met(NamedTuple):
    """Who met in a battle of the file, and who voted."""

    model_a: str
    fingerprint_a: str
    model_b: str
    fingerprint_b: str
    voter: str


class Draft(NamedTuple):
    """A row of the file as rows of the database, numbers apart; texts are sealed as those of the battle `id`.

    `named` is what the file calls the battle. (No dataclass: those take four times as long to read back.)
    """

    named: str
    id: str
    met: Met
    verdict: Verdict
    slices: tuple[str, ...]
    battle: Columns
    vote: Columns
    turns: list[Columns]
    answers: list[Columns]


@dataclass(slots=True)
class Drafts:
    """Every row of a file that counts, in runs; `named` were voted with names known. Times that it lacks are `now`.

    `keys` are those under which the texts of each voter were sealed; the `fresh` ones are nobody's yet, and the
    others must be given to nobody: their voter may be forgotten by then.
    """

    now: float
    _file: IO[bytes]
    total: int = 0
    named: int = 0
    keys: dict[str, VoterKey] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    _runs: int = 0

    def runs(self) -> Iterator[list[Draft]]:
        """The drafts from the first on."""
        self._file.seek(0)
        for _ in range(self._runs):
            yield pickle.load(self._file)

    def key_of(self, db: Connection, voter: str) -> VoterKey:
        """What seals a voter's texts."""
        if voter not in self.keys:
            known = keyring.known(db, storable(voter))
            if known is None:
                self.fresh.add(voter)
            self.keys[voter] = known or keyring.fresh(db)
        return self.keys[voter]

    def append(self, run: list[Draft]) -> None:
        """Keep some more."""
        pickle.dump(run, self._file, pickle.HIGHEST_PROTOCOL)
        self._runs += 1
        self.total += len(run)


@contextmanager
def drafted(database: Database, path: Path, now: float) -> Iterator[Drafts]:
    """Draft the whole file. Raises `FileFormatError` naming the first row that cannot be understood."""
    with _nameless(database.storage_dir) as file:
        drafts = Drafts(now, file)
        names = _Names(path)
        stream = _battles_in(path, drafts)
        while run := [(names.of(battle), battle) for battle in islice(stream, CHUNK)]:
            with translated(), database.reading() as db:
                drafts.append(_drafted(db, run, drafts))
        yield drafts


def resolved(db: Connection, run: Sequence[tuple[str, Met]]) -> list[tuple[str, bool]]:
    """The id that each named battle has, and whether it is new here."""
    here = _present(db, [name for name, _ in run])
    return [_resolved(db, name, met, here.get(name)) for name, met in run]


def resealed(draft: Draft, battle_id: str, old: Sealer, new: Sealer) -> Draft:
    """The draft as another battle's, or under another key."""

    def again(sealed: str | None, *place: object) -> str:
        return new.seal(old.open(sealed, draft.id, *place), battle_id, *place)

    asked, said = [], []
    for row in draft.turns:
        sealed = again(row["prompt"], row["position"], row["attempt"], "prompt")
        asked.append({**row, "battle_id": battle_id, "prompt": sealed})
    for row in draft.answers:
        place = (row["position"], row["attempt"], row["side"])
        texts = {column: again(row[column], *place, column) for column in ("text", "reasoning")}
        said.append({**row, "battle_id": battle_id, **texts})
    vote = {**draft.vote, "battle_id": battle_id, "comment": again(draft.vote["comment"], "comment") or None}
    return draft._replace(id=battle_id, battle={**draft.battle, "id": battle_id}, vote=vote, turns=asked, answers=said)


def _nameless(folder: Path) -> IO[bytes]:
    with translated():
        return tempfile.TemporaryFile(dir=folder)


class _Names:
    """The rows' ids: its own question_id at first sight, else one that a second import would find again."""

    def __init__(self, path: Path) -> None:
        self._path, self._digest = path, ""
        self._read = 0
        self._used: set[str] = set()

    def of(self, battle: ImportedBattle) -> str:
        self._read += 1
        if battle.question_id and battle.question_id not in self._used:
            self._used.add(battle.question_id)
            return battle.question_id
        self._digest = self._digest or _digest(self._path)
        return _hashed(self._digest, str(self._read))


def _battles_in(path: Path, drafts: Drafts) -> Iterator[ImportedBattle]:
    for line, row in read_rows(path):
        try:
            battle = imported(row)
            if battle is not None:
                _require_words(battle)
        except ValueError as error:
            raise FileFormatError(str(error), path=path, line=line) from None
        if battle is None:
            drafts.named += 1
        else:
            yield battle


def _require_words(battle: ImportedBattle) -> None:
    """What stands on the page must be visible, what names a thing must be storable as it is: `ValueError` otherwise."""
    for name in (battle.model_a, battle.model_b):
        if _UNSEEN.search(name):
            raise ValueError(f"model {name!r} has characters that nobody sees in its name: take them out")
    for word in (battle.question_id, battle.fingerprint_a, battle.fingerprint_b, battle.language, battle.topic,
                 *battle.slices, *battle.reasons):  # fmt: skip
        if storable(word) != word:
            raise ValueError(f"{word!r} holds characters that no database takes: take them out")


def _drafted(db: Connection, run: Sequence[tuple[str, ImportedBattle]], drafts: Drafts) -> list[Draft]:
    met = [Met(one.model_a, one.fingerprint_a, one.model_b, one.fingerprint_b, one.voter) for _, one in run]
    names = [name for name, _ in run]
    ids = [battle_id for battle_id, _ in resolved(db, list(zip(names, met, strict=True)))]
    rows = zip(names, ids, met, (battle for _, battle in run), strict=True)
    return [_draft(db, name, battle_id, who, battle, drafts) for name, battle_id, who, battle in rows]


def _draft(db: Connection, name: str, battle_id: str, met: Met, battle: ImportedBattle, drafts: Drafts) -> Draft:
    sealer = keyring.sealer(db, *drafts.key_of(db, met.voter))
    at = drafts.now if battle.at is None else battle.at
    vote = {
        "battle_id": battle_id,
        "verdict": VERDICT_CODES[battle.verdict],
        "weight": battle.weight,
        "cast_at": at,
        "reasons": json.dumps(battle.reasons, ensure_ascii=False) if battle.reasons else None,
        "comment": sealer.seal(storable(battle.comment), battle_id, "comment") or None,
        **columns_of(battle.markup),
    }
    slices = slice_names(battle.language, battle.topic, battle.masked, at, battle.slices)
    kept = _battle(battle_id, battle, at, drafts.now)
    return Draft(name, battle_id, met, battle.verdict, slices, kept, vote, *_talk(battle_id, battle, at, sealer))


def _battle(battle_id: str, battle: ImportedBattle, at: float, now: float) -> Columns:
    return {
        "id": battle_id,
        "mode": Mode.ANONYMOUS.value,
        "propensity": battle.propensity,
        "language": battle.language,
        "topic": battle.topic,
        "masked": battle.masked,
        "system_prompt": storable(_system(battle.conversation_a)),
        "status": BattleStatus.VOTED.value,
        "created_at": at,
        "changed_at": now,
    }


def _present(db: Connection, ids: list[str]) -> dict[str, tuple[str, str, str]]:
    """Of each battle that is here who met, and who voted."""
    a, b = contestants.alias("a"), contestants.alias("b")
    query = (
        select(battles.c.id, a.c.name, b.c.name, voters.c.code)
        .join(a, a.c.id == battles.c.contestant_a)
        .join(b, b.c.id == battles.c.contestant_b)
        .join(voters, voters.c.id == battles.c.voter_id)
        .where(battles.c.id.in_(ids))
    )
    return {battle_id: (name_a, name_b, voter) for battle_id, name_a, name_b, voter in db.execute(query)}


def _resolved(db: Connection, battle_id: str, met: Met, same: tuple[str, str, str] | None) -> tuple[str, bool]:
    if same is not None and not _agrees(same, met):
        # Another set's battle under the same number, or another person's vote on it: not this one.
        battle_id = _hashed(battle_id, met.model_a, met.model_b, met.voter)
        same = _present(db, [battle_id]).get(battle_id)
    return battle_id, same is None


def _agrees(here: tuple[str, str, str], battle: Met) -> bool:
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
