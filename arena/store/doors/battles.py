"""Contestants and battles: who takes part, what was asked and answered, and how far each battle is."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from arena.store import battles, roster
from arena.store.doors.door import Door
from arena.store.records import Answer, BattleRecord, BattleStatus, Contestant, ContestantRecord, NewBattle
from arena.store.writer import Pending
from arena.types import Mode


class BattleDoor(Door):
    """The contestants' numbers, and battles up to their vote."""

    def register_contestants(
        self, entries: Sequence[Contestant], *, retire_others: bool = True
    ) -> Pending[tuple[ContestantRecord, ...]]:
        """Make sure every entry has a number; a known name with a new fingerprint becomes a new contestant.

        Those not among the entries are marked retired (and stay on the board); those back are unmarked.
        Returns the entries' records in their order.
        """
        return self._write(lambda db: roster.register(db, entries, self._clock(), retire_others))

    def contestants(self) -> tuple[ContestantRecord, ...]:
        """Everyone ever registered or imported, retired ones included, by number."""
        return self._read(roster.everyone)

    def create_battle(self, battle: NewBattle) -> Pending[BattleRecord]:
        """Open a battle under a fresh unguessable id (128 bits, URL-safe)."""
        battle_id = secrets.token_urlsafe(16)
        return self._write(lambda db: battles.create(db, battle_id, battle, self._clock()))

    def replace_pair(self, battle_id: str, a: int, b: int, propensity: float) -> Pending[BattleRecord]:
        """Give a battle that nobody has answered yet to another pair. Raises `VotingClosed` once somebody has."""
        return self._write(lambda db: battles.replace_pair(db, battle_id, a, b, propensity, self._clock()))

    def append_turn(self, battle_id: str, prompt: str) -> Pending[int]:
        """Store a user's message before anybody answers it; the battle becomes ANSWERING. Returns the turn's index.
        Raises `VotingClosed` once the battle was voted or has expired."""
        return self._write(lambda db: battles.append_turn(db, battle_id, prompt, self._clock()))

    def finish_turn(
        self,
        battle_id: str,
        index: int,
        a: Answer,
        b: Answer | None,
        *,
        status: str = BattleStatus.VOTABLE,
        masked: bool = False,
    ) -> Pending[None]:
        """Store both answers of a turn (b None in direct chat) and the battle's status after it.

        `masked` marks the battle for good when an answer gave its model's identity away.
        """
        return self._write(lambda db: battles.finish_turn(db, battle_id, index, a, b, status, masked, self._clock()))

    def fail_turn(self, battle_id: str, index: int, a: Answer, b: Answer | None) -> Pending[None]:
        """Store how far a failed turn came and log the failure; the battle becomes FAILED."""
        return self._write(lambda db: battles.fail_turn(db, battle_id, index, a, b, self._clock()))

    def ask_again(self, battle_id: str) -> Pending[int]:
        """Set the last turn aside (try again, regenerate) and ask its message anew, in one step. The first attempt
        stays on record, out of the conversation. Returns the turn's index. Raises `VotingClosed` once the battle was
        voted or has expired, `UnknownBattle` when it has no turn."""
        return self._write(lambda db: battles.ask_again(db, battle_id, self._clock()))

    def drop_turn(self, battle_id: str, *, status: str) -> Pending[None]:
        """Set the last turn aside and ask nothing in its place; it stays on record. Raises as `ask_again` does."""
        return self._write(lambda db: battles.drop_turn(db, battle_id, status, self._clock()))

    def set_battle_status(self, battle_id: str, status: str, *, expected: Sequence[str] | None = None) -> Pending[bool]:
        """Change the status; with `expected`, only from one of those. Returns whether it changed."""
        return self._write(lambda db: battles.set_status(db, battle_id, status, expected, self._clock()))

    def mark_masked(self, battle_id: str) -> Pending[None]:
        """Remember that the battle's text pointed at who answers; boards count such battles or not by a switch."""
        return self._write(lambda db: battles.mark_masked(db, battle_id))

    def load_battle(self, battle_id: str, *, voter: str | None = None) -> BattleRecord:
        """The battle with its turns. Raises `UnknownBattle`, also when it is not this voter's."""
        return self._read(lambda db: battles.load(db, battle_id, voter))

    def latest_battle(
        self, voter: str, *, mode: Mode | None = None, statuses: Sequence[str] | None = None
    ) -> BattleRecord | None:
        """The voter's newest battle, of this mode and these statuses where given."""
        return self._read(lambda db: battles.latest(db, voter, mode, statuses))

    def expire_battles(self, before: float) -> Pending[int]:
        """Expire battles created before this time that never got their vote. Returns how many."""
        return self._write(lambda db: battles.expire(db, before, self._clock()))

    def battles_with(self, *, statuses: Sequence[str], after_id: str = "", limit: int = 1000) -> tuple[str, ...]:
        """Ids of battles in these statuses, in the ids' order from `after_id` on: what a restart has to tidy up."""
        return self._read(lambda db: battles.ids_with(db, statuses, after_id, limit))

    def first_messages(self, battle_ids: Sequence[str]) -> Mapping[str, str]:
        """What these battles were asked first; "" where the text is gone. Unknown battles are left out."""
        return {one.id: one.question for one in self._read(lambda db: battles.load_many(db, battle_ids))}

    def recent_pairs(self, limit: int = 2000) -> tuple[tuple[int, int], ...]:
        """Both contestants of the blind ones among the latest battles that are over, voted or not, newest first.

        Of battles that still wait for their vote nothing is told: a public count that moves with one would name it.
        """
        return self._read(lambda db: battles.recent_pairs(db, limit))
