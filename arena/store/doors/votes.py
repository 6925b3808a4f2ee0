"""Votes: casting, taking back, feedback, holding back, and votes as files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from sqlalchemy import Connection

from arena.store import board, voting
from arena.store.doors.door import Door, Progress, silent
from arena.store.drafts import Drafts, drafted
from arena.store.exporting import drop_earlier, export_votes, exports_of
from arena.store.importing import Stopped, import_rows
from arena.store.privacy import mask_personal
from arena.store.records import BattleStatus, BothMarkups, ImportReport, VoteFilter, VoteReceipt, VoteRecord
from arena.store.writer import Pending
from arena.types import Verdict


class VoteDoor(Door):
    """Everything that is done to a vote, each exactly once."""

    def cast_vote(
        self,
        battle_id: str,
        voter: str,
        verdict: Verdict,
        *,
        expected: Sequence[str] = (BattleStatus.VOTABLE,),
        slices: Sequence[str] = (),
        weight: float = 1.0,
        markup: BothMarkups | None = None,
    ) -> Pending[VoteReceipt]:
        """Record a verdict, its pair counts (per slice), both Elo ratings and the board's version at once.

        Slices `language=…`, `topic=…`, `month=YYYY-MM` and `masked` follow from the battle; `slices` adds more
        (`turn=first`, `length=short`, `hard`). `markup` is the counted style of both sides. Raises `UnknownBattle`
        (also for another's battle), `VotingClosed` (mode or status), `VoteExists` with the first vote's receipt,
        `StoreUnavailable` (nothing was recorded).
        """
        ballot = voting.Ballot(battle_id, voter, verdict, tuple(expected), tuple(slices), weight, markup)
        return self._write(lambda db: voting.cast(db, ballot, self._rules, self._clock()))

    def retract_vote(self, battle_id: str, voter: str, *, within: float = 30.0) -> Pending[VoteReceipt]:
        """Undo: take the vote out of the counts exactly and subtract the Elo change that it made.

        Later Elo steps keep what they computed from it (online Elo depends on order); `rebuild` replays without it.
        The battle becomes RETRACTED for good. Repeating it answers with the same receipt. Raises `UnknownBattle`
        when there is no vote of this voter, `UndoTooLate` after `within` seconds.
        """
        return self._write(lambda db: voting.retract(db, battle_id, voter, within, self._clock()))

    def add_feedback(
        self, battle_id: str, voter: str, *, reasons: Sequence[str] = (), comment: str = ""
    ) -> Pending[None]:
        """Attach reasons and a comment to a vote, replacing earlier ones. Raises `UnknownBattle` without a vote."""
        return self._write(lambda db: voting.add_feedback(db, battle_id, voter, tuple(reasons), comment))

    def find_vote(self, battle_id: str, voter: str) -> VoteReceipt | None:
        """The receipt of this voter's vote on this battle (retracted or not), None when there is none."""
        return self._read(lambda db: voting.find(db, battle_id, voter))

    def quarantine(self, sequences: Iterable[int], reason: str) -> Pending[int]:
        """Take votes off the board without deleting them. Returns how many changed."""
        numbers = tuple(sequences)
        return self._write(lambda db: voting.quarantine(db, numbers, reason, self._clock()))

    def restore(self, sequences: Iterable[int]) -> Pending[int]:
        """Undo `quarantine`: counts and Elo return to what they would be with these votes in. Returns how many."""
        numbers = tuple(sequences)
        return self._write(lambda db: voting.restore(db, numbers, self._clock()))

    def votes(self, which: VoteFilter = VoteFilter(), *, chunk: int = 5000) -> Iterator[VoteRecord]:
        """Votes in the order of their numbers, read in chunks; holds no transaction between chunks."""
        return board.votes_of(self._database, which, chunk)

    def export_votes(
        self,
        target: Path,
        *,
        which: VoteFilter = VoteFilter(),
        redact: Callable[[str], str] = mask_personal,
        progress: Progress | None = None,
    ) -> int:
        """Write votes to `.csv`, `.csv.gz`, `.jsonl` or `.parquet`; the file appears whole or not at all.

        `redact` takes personal data (telephones, e-mails, documents' numbers) out of every text. Returns the
        number of rows. Blocks. Raises `FileFormatError` for another kind of file, `StoreError` when the file
        cannot be written.
        """
        kept = target.parent.resolve() == exports_of(self._database.storage_dir).resolve()
        with self._alone_with_copies() if kept else nullcontext():
            return export_votes(self._database, target, which, redact, progress or silent)

    def kept_export(self, form: str) -> Path:
        """All counting votes as a file of the storage (csv, jsonl, parquet), made anew when votes came. Blocks."""
        target = exports_of(self._database.storage_dir) / f"votes-{self._read(board.version)}.{form}"
        if not target.exists():
            with self._alone_with_copies():
                if not target.exists():  # else it was made by whom this one waited for
                    drop_earlier(target.parent, form)
                    export_votes(self._database, target, VoteFilter(), mask_personal, silent)
        return target

    def import_votes(self, path: Path, *, join: bool = False, progress: Progress | None = None) -> ImportReport:
        """Take in a battle file, all of it or nothing; battles already here are passed over. Blocks.

        A name without a fingerprint may be anybody's: it stands apart from who takes part under it, unless `join`
        says that it is the same. The file is wholly checked, and its rows sealed, before the one transaction begins:
        writers wait for the writing alone. Raises `FileFormatError` naming the first bad row, `KeyboardInterrupt` when
        it was interrupted and nothing was imported: one that was being committed already is, and told of as ever.
        """
        with drafted(self._database, path, self._clock()) as drafts:
            return self._written(path.name, drafts, join, progress or silent)

    def _written(self, name: str, drafts: Drafts, join: bool, heard: Progress) -> ImportReport:
        stop, rules = threading.Event(), self._rules

        def operation(db: Connection) -> ImportReport:
            return import_rows(db, name, drafts, rules, heard, join, stop)

        pending: Pending[ImportReport] | None = None
        while True:
            try:
                pending = pending or self._write(operation)
                return pending.result()
            except KeyboardInterrupt:
                stop.set()  # the writer hears of it at the next chunk: then it is known what became of the import
            except Stopped:
                raise KeyboardInterrupt from None
