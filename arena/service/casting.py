"""Who plays a battle, and with what: its pair as the database knows it, and what each side of a turn is asked.

It joins drawn pairs to engines and to what hides their names. It knows no page and no voter, and
writes contestants and pairs only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random

from arena.battles.battle import Battle
from arena.battles.masking import Masker
from arena.battles.pairing import Pairing
from arena.config import Contestant
from arena.engines.base import Engine
from arena.engines.energy import EnergyShares
from arena.engines.recorded import RecordedEngine
from arena.engines.whole import to_its_end
from arena.errors import BattleError, NotRecorded
from arena.service.fleet import Fleet
from arena.service.live import Part, ShowEverything, TextFilter
from arena.service.matchmaking import Matchmaker
from arena.service.rooms import Redact, Room
from arena.store import records
from arena.store.records import ContestantRecord
from arena.store.store import Store
from arena.types import Conversation, Decoding, Message, Mode, Role, Side


class Casting:
    """The contestants of one open arena: drawn or chosen for battles, and put on their sides."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        matchmaker: Matchmaker,
        masker: Masker,
        energy: EnergyShares,
        rng: Random,
    ) -> None:
        self._store, self._fleet, self._matchmaker = store, fleet, matchmaker
        self._masker, self._energy, self._rng = masker, energy, rng
        self._contestants: dict[str, ContestantRecord] = {}

    async def register(self, entries: Iterable[Contestant]) -> None:
        """Give every entry of the catalogue its number in the database."""
        for record in await self._store.register_contestants([_stored(entry) for entry in entries]):
            self._contestants[record.name] = record

    def pair(self, mode: Mode, choice: Sequence[str], prompt: str) -> Pairing:
        """Whom the votes want most, or in named modes those who were chosen, if they can answer this.

        Raises `NotReady` or `TooFewContestants` where none can be drawn, `BattleError` where none of these was to be
        chosen, `NotRecorded` where one only plays back answers and has none to this.
        """
        pairing = self._matchmaker.pair() if mode is Mode.ANONYMOUS else self._chosen(mode, choice)
        for name in filter(None, (pairing.a, pairing.b)):
            _require_answer(self._fleet.engine(name), (Message(Role.USER, prompt),))
        return pairing

    def _chosen(self, mode: Mode, choice: Sequence[str]) -> Pairing:
        wanted = 1 if mode is Mode.DIRECT else 2
        if len(choice) != wanted or any(name not in self._fleet.ready() for name in choice):
            raise BattleError(f"choose {wanted} of the contestants that can answer now")
        return Pairing(choice[0], choice[1] if wanted == 2 else "", 1.0)

    def on_record(self, pairing: Pairing) -> tuple[ContestantRecord, ContestantRecord | None]:
        """Both of a pair as the board knows them; no second in direct chat."""
        return self._contestants[pairing.a], self._contestants[pairing.b] if pairing.b else None

    async def take_another_pair(self, room: Room) -> None:
        """Give a blind battle that nobody has answered yet to another pair."""
        pairing = self._matchmaker.pair()
        a, b = self._contestants[pairing.a], self._contestants[pairing.b]
        async with room.lock:
            await to_its_end(self._give(room, a, b, pairing.propensity))

    async def _give(self, room: Room, a: ContestantRecord, b: ContestantRecord, propensity: float) -> None:
        await self._store.replace_pair(room.battle.id, a.id, b.id, propensity)
        room.take(a, b, propensity)

    def parts(self, room: Room, asked: Battle) -> Mapping[Side, Part]:
        """What each side is asked, of which engine and how. Raises `BattleError` where one takes no part any more,
        `NotRecorded` where one has no answer to play back."""
        return {side: self._part(room, asked, side) for side in asked.sides}

    def redact(self, mode: Mode) -> Redact:
        """Answers that were kept without their masks: masked anew before the vote, where names are hidden."""
        if mode is not Mode.ANONYMOUS:
            return lambda prompt, answer: answer.text
        return lambda prompt, answer: self._masker.answering(prompt).whole(answer.text, answer.broken_off)[0]

    def _part(self, room: Room, asked: Battle, side: Side) -> Part:
        record = room.contestant(side)
        entry = self._fleet.entries.get(record.name) if record else None
        if record is None or entry is None or entry.fingerprint != record.contestant.fingerprint:
            raise BattleError("a contestant of this battle takes no part any more: start a new one")
        engine, conversation = self._fleet.engine(entry.name), asked.conversation(side)
        _require_answer(engine, conversation)
        energy = self._energy if entry.engine == "local" else None
        timed = entry.engine != "recorded"
        return Part(engine, conversation, self._decoding(entry), self._filter(asked), energy, timed)

    def _filter(self, asked: Battle) -> TextFilter:
        if asked.mode is not Mode.ANONYMOUS:
            return ShowEverything()
        return self._masker.answering(asked.turns[-1].prompt)

    def _decoding(self, entry: Contestant) -> Decoding:
        decoding = entry.decoding
        stop = (*decoding.stop, *entry.chat.stop)
        seed = decoding.seed if decoding.seed is not None else self._rng.randrange(2**31)
        return replace(decoding, stop=stop, seed=seed)


def _require_answer(engine: Engine, conversation: Conversation) -> None:
    if isinstance(engine, RecordedEngine) and not engine.knows(conversation):
        raise NotRecorded("there is no recorded answer to this: ask one of the suggested questions")


def _stored(entry: Contestant) -> records.Contestant:
    """A catalogue's entry as the board remembers it."""
    return records.Contestant(
        name=entry.name,
        fingerprint=entry.fingerprint,
        organisation=entry.organisation or "",
        parameters=entry.parameters,
        quantization=entry.precision or "",
        licence=entry.licence or "",
        family=entry.family or "",
        toy=entry.toy,
    )
