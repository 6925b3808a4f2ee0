"""Judged battles as they lie in the store: judgment, person's vote, lengths, language, and who is the judge's kin.

It reads and joins; what the figures say is `agreement`'s business. Names of contestants leave it only
for figures over many battles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from arena.judge.agreement import JudgedBattle, pairing_of
from arena.store.records import BattleRecord, JudgmentRecord, TurnRecord, VoteRecord


class Records(Protocol):
    """What is read of `arena.store.Store`."""

    def judgments(self, *, judge: str | None = None) -> tuple[JudgmentRecord, ...]:
        """Judgments, oldest first."""
        ...

    def load_battle(self, battle_id: str) -> BattleRecord:
        """A battle with its turns."""
        ...

    def votes(self) -> Iterator[VoteRecord]:
        """Every vote that counts."""
        ...


class Entry(Protocol):
    """What tells kinship: a contestant or a judge of the catalogue."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str | None: ...

    @property
    def family(self) -> str | None: ...

    @property
    def organisation(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Sides:
    """What never changes about a judged battle. `contestant_b` is None for one with a single side."""

    language: str
    contestant_a: str
    contestant_b: str | None
    length_a: int
    length_b: int


def kin(judges: Iterable[Entry], contestants: Iterable[Entry]) -> dict[str, frozenset[str]]:
    """For each judge the contestants that are the same model, of its family or of its maker."""
    everyone = list(contestants)
    return {judge.name: frozenset(one.name for one in everyone if _related(judge, one)) for judge in judges}


def judged_battles(
    records: Records,
    kinship: Mapping[str, frozenset[str]] | None = None,
    *,
    judge: str | None = None,
    known: dict[str, Sides] | None = None,
) -> Iterator[JudgedBattle]:
    """Every finished judgment with what people said of the same battle.

    `known` remembers battles by id from one reading to the next, so that each is loaded once.
    """
    known = {} if known is None else known
    votes = {vote.battle_id: vote.verdict for vote in records.votes()}
    for record in records.judgments(judge=judge):
        pairing = pairing_of(record)
        if pairing is None:
            continue
        if (sides := known.get(record.battle_id)) is None:
            sides = known[record.battle_id] = _sides(records.load_battle(record.battle_id))
        if sides.contestant_b is None:
            continue
        yield JudgedBattle(
            judge=record.judge,
            language=sides.language,
            pairing=pairing,
            human=votes.get(record.battle_id),
            contestant_a=sides.contestant_a,
            contestant_b=sides.contestant_b,
            length_a=sides.length_a,
            length_b=sides.length_b,
            kin=(kinship or {}).get(record.judge, frozenset()),
        )


def _related(judge: Entry, contestant: Entry) -> bool:
    pairs = (
        (judge.model, contestant.model),
        (judge.family, contestant.family),
        (judge.organisation, contestant.organisation),
    )
    return any(one is not None and one == other for one, other in pairs)


def _sides(battle: BattleRecord) -> Sides:
    second = battle.contestant_b.name if battle.contestant_b is not None else None
    return Sides(battle.language, battle.contestant_a.name, second, *_lengths(battle.turns))


def _lengths(turns: Iterable[TurnRecord]) -> tuple[int, int]:
    """Characters that each side wrote."""
    pairs = [(turn.a.text if turn.a else "", turn.b.text if turn.b else "") for turn in turns]
    return sum(len(a) for a, _ in pairs), sum(len(b) for _, b in pairs)
