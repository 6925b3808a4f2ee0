"""What keeps a database in order: its log, spending, forgetting, keys, backups and checks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from arena.errors import StoreUnavailable
from arena.store import backups, upkeep
from arena.store.doors.door import Door
from arena.store.exporting import drop_exports, exports_of
from arena.store.leftovers import deleted, leftovers
from arena.store.migrate import HEAD
from arena.store.records import Cleaned, EventRecord, IntegrityReport, KeyReport
from arena.store.writer import Pending


class UpkeepDoor(Door):
    """Everything that is about the database itself."""

    def log(self, kind: str, detail: str, *, battle_id: str | None = None) -> Pending[None]:
        """Write a line of the event log."""
        return self._write(lambda db: upkeep.log(db, self._clock(), kind, detail, battle_id))

    def events(self, *, kind: str | None = None, after: int = 0, limit: int = 1000) -> tuple[EventRecord, ...]:
        """Lines of the event log numbered above `after`."""
        return self._read(lambda db: upkeep.log_lines(db, kind, after, limit))

    def add_spending(self, name: str, amount: float) -> Pending[float]:
        """Add to what a paid endpoint has cost so far; returns the new sum."""
        return self._write(lambda db: upkeep.add_spending(db, name, amount))

    def spending(self) -> Mapping[str, float]:
        """What each paid endpoint has cost so far."""
        return self._read(upkeep.spent)

    def forget_voter_text(self, voter: str, *, keep_votes: bool = True) -> Pending[int]:
        """Erase every text a voter wrote or was answered, their key, and their code; votes stay as anonymous
        outcomes, or leave the board too.

        With the key every copy of the texts is unreadable, wherever it was taken. Returns the number of battles
        touched. Bytes also leave the file and its log before it resolves (SQLite). The code stays in a list until
        `forget_in_files` has done its part, so that a forgetting that was cut short can be found and finished.
        Raises `StoreUnavailable` when the log is in use and could not be cut: then forget again.
        """
        operation = partial(upkeep.begin_forgetting, voter=voter, keep_votes=keep_votes, now=self._clock())
        return self._write(operation, then=lambda: upkeep.scrub(self._database))

    def voters(self) -> tuple[str, ...]:
        """The pseudonym of everyone who ever began a battle or came with an import and is not wholly forgotten."""
        return self._read(upkeep.pseudonyms)

    def unfinished(self) -> tuple[str, ...]:
        """The pseudonym of everyone who was forgotten here while files may still hold something of them."""
        return self._read(upkeep.unfinished)

    def forget_in_files(self, voter: str, *, keep_votes: bool = True) -> Cleaned:
        """The same in every backup under `storage_dir/backups`; exports under `storage_dir/exports` that hold the
        voter's rows are deleted, since they can be made anew.

        Exports go first: pages serve them; what killed work left goes as well. A file that cannot be cleaned holds up
        no other; as long as there is one the code stays in the list, for the forgetting is not finished. Blocks.
        """
        kept = backups.folder_of(self._database.storage_dir)
        secrets = self._database.keyring.secrets
        with self._alone_with_copies():
            exports = drop_exports(exports_of(self._database.storage_dir), voter)
            stuck = tuple(path for path in self._leftovers() if not deleted(path))
            copies = backups.forget_in_backups(kept, voter, keep_votes, self._clock(), secrets)
        cleaned = Cleaned(exports.held + copies.held, exports.unread + stuck + copies.unread)
        if not cleaned.unread:
            ending = partial(upkeep.end_forgetting, voter=voter)
            self._write(ending, then=lambda: upkeep.scrub(self._database)).result()
        return cleaned

    def drop_leftovers(self) -> None:
        """Delete what killed exports, backups and restores left; while another process makes a copy, nothing."""
        if self._leftovers():
            with suppress(StoreUnavailable), self._alone_with_copies(patience=0):
                for path in self._leftovers():
                    deleted(path)

    def _leftovers(self) -> tuple[Path, ...]:
        storage = self._database.storage_dir
        return leftovers(exports_of(storage), backups.folder_of(storage), self._database.path)

    def keys(self) -> KeyReport:
        """How voters' keys stand. Blocks; reads every key."""
        return self._read(upkeep.keys)

    def backup(self, target: Path | None = None, *, keep: int | None = None, keys: bool = False) -> Path:
        """Copy the live database, check the copy, and let it appear whole or not at all; votes go on meanwhile.

        The copy holds no voter's key unless `keys` asks for them (to move to another machine): it gives nobody's
        texts away, and is given the keys back when it is restored over the database that it was made of. Without
        a target it goes to `storage_dir/backups` under its date, and with `keep` only so many dated ones stay.
        Blocks. Returns the file. Raises `StoreError` on PostgreSQL, which has its own tools.
        """
        folder = backups.folder_of(self._database.storage_dir)
        with self._alone_with_copies():
            made = backups.make_backup(self._database, target or folder / backups.dated_name(self._clock()), keys=keys)
            if keep is not None:
                backups.drop_old(folder, keep)
        return made

    def backed_up_at(self) -> float | None:
        """When the newest dated backup was made (Unix seconds); None without one."""
        return backups.made_at(backups.folder_of(self._database.storage_dir))

    def check(self) -> IntegrityReport:
        """Integrity of the file and of the counts against the votes. Blocks; reads every vote."""
        return upkeep.check(self._database, HEAD)
