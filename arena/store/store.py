"""The one door to the database: every battle, turn, vote, undo and failure goes through here.

A write is handed to the writer thread, which commits all waiting writes together, and comes back
as a `Pending`: `await` it, or call `.result()` where there is no event loop. It resolves only after
COMMIT. Reads run at once on connections of their own, take well under a millisecond unless said
otherwise, and see committed data only. The database session never leaves this package; the store
knows nothing of engines, pages, cookies or how ratings are computed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection

from arena.errors import StoreUnavailable
from arena.store import backups, battles, board, judgments, keyring, roster, scores, styled, upkeep, voting
from arena.store.changes import changes
from arena.store.connections import Database
from arena.store.exporting import drop_exports, export_votes
from arena.store.feed import Feed
from arena.store.importing import checked, import_rows
from arena.store.migrate import HEAD, bring_up_to_date
from arena.store.privacy import mask_personal
from arena.store.records import (
    ALL,
    Answer,
    BattleRecord,
    BattleStatus,
    BothMarkups,
    Change,
    Contestant,
    ContestantRecord,
    EloState,
    EventRecord,
    ImportReport,
    IntegrityReport,
    JudgeStanding,
    JudgmentRecord,
    JudgmentResult,
    KeyReport,
    NewBattle,
    PairTable,
    ScoreRecord,
    VoteFilter,
    VoteReceipt,
    VoteRecord,
    VoteTable,
)
from arena.store.recount import rebuild
from arena.store.voting import EloFold, EloStep, Rules
from arena.store.writer import Pending, Writer
from arena.types import Mode, Track, Verdict

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with (done, total) now and then by operations that take long."""


class Store:
    """Opened once per process by `Store.open`; safe to call from any thread."""

    def __init__(self, database: Database, writer: Writer, *, clock: Callable[[], float], rules: Rules) -> None:
        self._database, self._writer, self._clock, self._rules = database, writer, clock, rules
        self._feeds: list[Feed] = []

    @classmethod
    def open(
        cls,
        url: str | None = None,
        *,
        storage_dir: Path,
        elo_step: EloStep,
        elo_start: float = 1000.0,
        elo_fold: EloFold | None = None,
        clock: Callable[[], float] = time.time,
        secrets: Sequence[bytes] = (b"",),
    ) -> Store:
        """Open the database, creating or migrating it first (on a copy, under a lock, after a backup).

        `url` is None for `storage_dir/arena.db`, else `sqlite:///PATH` or `postgresql+psycopg://…`.
        `elo_step(rating_a, rating_b, outcome)` returns both new ratings; `outcome` is side A's score. `elo_fold` does
        the same for many comparisons in order (see `EloFold`): it makes `rebuild` several times as fast. The first of
        `secrets` wraps the keys under which texts are sealed, the others are former ones; without any, who has the
        file reads the texts.
        Raises `SchemaTooNew`, `MigrationFailed` or `StoreUnavailable`.
        """
        database = Database.at(url, storage_dir, secrets)
        bring_up_to_date(database, clock=clock)
        if len(secrets) > 1:
            with database.writing() as db:
                keyring.rewrap(db)
        writer = Writer(database)
        return cls(database, writer, clock=clock, rules=Rules.of(elo_step, elo_start, elo_fold))

    def close(self) -> None:
        """Commit what waits, then give back every connection and lock. Closing twice does no harm."""
        for feed in self._feeds:
            feed.stop()
        with suppress(StoreUnavailable):  # a start without it takes some milliseconds more
            self._write(board.save_snapshots).result()
        self._writer.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ---------------------------------------------------------------- contestants

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

    # ---------------------------------------------------------------- battles

    def create_battle(self, battle: NewBattle) -> Pending[BattleRecord]:
        """Open a battle under a fresh unguessable id (128 bits, URL-safe)."""
        battle_id = secrets.token_urlsafe(16)
        return self._write(lambda db: battles.create(db, battle_id, battle, self._clock()))

    def replace_pair(self, battle_id: str, a: int, b: int, propensity: float) -> Pending[BattleRecord]:
        """Give a battle that nobody has answered yet to another pair. Raises `VotingClosed` once somebody has."""
        return self._write(lambda db: battles.replace_pair(db, battle_id, a, b, propensity, self._clock()))

    def append_turn(self, battle_id: str, prompt: str) -> Pending[int]:
        """Store a user's message before anybody answers it; the battle becomes ANSWERING. Returns the turn's index."""
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

    def drop_last_turn(self, battle_id: str) -> Pending[str]:
        """Set the last turn aside (try again, regenerate) and return its prompt. It stays on record, out of the
        conversation. Raises `VotingClosed` once the battle was voted, `UnknownBattle` when it has no turn."""
        return self._write(lambda db: battles.drop_last_turn(db, battle_id, self._clock()))

    def set_battle_status(self, battle_id: str, status: str, *, expected: Sequence[str] | None = None) -> Pending[bool]:
        """Change the status; with `expected`, only from one of those. Returns whether it changed."""
        return self._write(lambda db: battles.set_status(db, battle_id, status, expected, self._clock()))

    def describe_battle(
        self, battle_id: str, *, language: str | None = None, topic: str | None = None
    ) -> Pending[None]:
        """Set what was learnt of the battle after it began (from its first message). Before the vote only."""
        return self._write(lambda db: battles.describe(db, battle_id, language, topic))

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

    # ---------------------------------------------------------------- votes

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

    def first_messages(self, battle_ids: Sequence[str]) -> Mapping[str, str]:
        """What these battles were asked first; "" where the text is gone. Unknown battles are left out."""
        return {one.id: one.question for one in self._read(lambda db: battles.load_many(db, battle_ids))}

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
        return export_votes(self._database, target, which, redact, progress or _silent)

    def import_votes(self, path: Path, *, progress: Progress | None = None) -> ImportReport:
        """Take in a battle file, all of it or nothing; battles already here are passed over. Blocks.

        The file is wholly checked before the one transaction begins, so writers wait for the writing alone.
        Raises `FileFormatError` naming the first bad row.
        """
        total, named = checked(path)
        heard = progress or _silent
        return self._write(lambda db: import_rows(db, path, total, named, self._rules, self._clock(), heard)).result()

    # ---------------------------------------------------------------- board

    def pair_counts(self, track: Track = Track.HUMAN, slice: str = ALL) -> PairTable:
        """Pair counts of a slice; reads O(pairs) rows, never the votes."""
        return self._read(lambda db: board.pair_table(db, track, slice))

    def slices(self, track: Track = Track.HUMAN) -> Mapping[str, float]:
        """Every slice with a comparison in it, and the weight it holds."""
        return self._read(lambda db: board.slices_of(db, track))

    def elo_state(self, track: Track = Track.HUMAN) -> Mapping[int, EloState]:
        """Online Elo by contestant; who never met anybody is absent."""
        return self._read(lambda db: board.elo_state(db, track))

    def board_version(self) -> int:
        """Grows by one with every change of the board: the number of the latest change."""
        return self._read(board.version)

    def changes(self, after: int, *, limit: int = 10_000) -> tuple[Change, ...]:
        """The board's steps numbered above `after`, in order; no number is ever filled in later."""
        return self._read(lambda db: changes(db, after, limit))

    def vote_columns(self, after: int = 0, *, limit: int = 20_000) -> VoteTable:
        """Votes numbered above `after` as columns, in order; those off the board are marked."""
        return self._read(lambda db: styled.vote_table(db, after, limit))

    def uncounted_styles(self, after: int = 0, *, limit: int = 100) -> tuple[int, Mapping[int, BothMarkups]]:
        """Styles of votes numbered above `after` that were cast before styles were kept, counted from their texts, by
        the vote's number; and the number of the last vote that was looked at (`after` itself when there is none)."""
        return self._read(lambda db: styled.uncounted(db, after, limit))

    def keep_styles(self, styles: Mapping[int, BothMarkups]) -> Pending[None]:
        """Keep these styles with their votes; nothing else changes."""
        return self._write(lambda db: styled.keep(db, styles))

    def voter_codes(self, numbers: Iterable[int]) -> Mapping[int, str]:
        """The pseudonyms of voters by their numbers (`voter_id`)."""
        wanted = tuple(numbers)
        return self._read(lambda db: styled.voter_codes(db, wanted))

    def moved_votes(self, after: int) -> tuple[int, Mapping[int, bool]]:
        """Votes that left the board or came back by steps numbered above `after`: the last such step, and by the
        vote's number whether it counts now."""
        return self._read(lambda db: styled.moved(db, after))

    def slice_members(self) -> Mapping[str, frozenset[int]]:
        """By slice the numbers of the slice sets (`slice_set_id`) that belong to it."""
        return self._read(styled.slice_members)

    def recent_pairs(self, limit: int = 2000) -> tuple[tuple[int, int], ...]:
        """Both contestants of the latest blind battles, newest first, voted or not."""
        return self._read(lambda db: battles.recent_pairs(db, limit))

    def on_change(self, callback: Callable[[int], None], *, poll_seconds: float = 0.25) -> Callable[[], None]:
        """Call back with the board's version after changes by this process or any other; returns how to stop.

        The callback runs in a thread of the store and must be quick (`loop.call_soon_threadsafe`).
        """
        feed = Feed(self._database, self._writer, callback, poll_seconds)
        self._feeds.append(feed)
        return feed.stop

    def rebuild(self, progress: Progress | None = None) -> int:
        """Recount pair counts and replay Elo from votes and judgments (repair; minutes of votes wait for seconds).

        Returns the number of comparisons counted. Blocks: call it from a thread or the command line.
        """
        return rebuild(self._database, self._writer, self._rules, self._clock(), progress or _silent)

    # ---------------------------------------------------------------- judgments

    def queue_judgments(self, battle_ids: Iterable[str], judge: str) -> Pending[int]:
        """Ask for a judge's verdict on these battles; those already asked are left alone. Returns how many are new."""
        wanted = tuple(battle_ids)
        return self._write(lambda db: judgments.queue(db, wanted, judge, self._clock()))

    def queue_missing_judgments(self, judge: str, *, statuses: Sequence[str] = ("voted",)) -> Pending[int]:
        """Ask for a judge's verdict on every battle in these states that it was never asked about."""
        return self._write(lambda db: judgments.queue_missing(db, judge, tuple(statuses), self._clock()))

    def claim_judgments(
        self, judge: str, *, limit: int = 1, lease: float = 600.0
    ) -> Pending[tuple[JudgmentRecord, ...]]:
        """Take work: queued jobs, oldest first, and those whose holder's `lease` seconds ran out."""
        return self._write(lambda db: judgments.claim(db, judge, limit, lease, self._clock()))

    def record_judgment(self, battle_id: str, judge: str, result: JudgmentResult) -> Pending[JudgmentRecord]:
        """Finish a job, queued before or not; a verdict counts on the judge track in the same transaction.

        Exactly once: a second result for the same battle and judge changes nothing and returns the first.
        """
        return self._write(lambda db: judgments.record(db, battle_id, judge, result, self._rules, self._clock()))

    def fail_judgment(self, judgment_id: int, error: str, *, retry: bool = True) -> Pending[None]:
        """Give a claimed job back to the queue, or mark it failed for good."""
        return self._write(lambda db: judgments.fail(db, judgment_id, error, retry))

    def renew_judgment(self, judgment_id: int, attempts: int, *, lease: float = 600.0) -> Pending[bool]:
        """Hold a claimed job for `lease` seconds more; False when the claim of that attempt has lapsed to another."""
        return self._write(lambda db: judgments.renew(db, judgment_id, attempts, lease, self._clock()))

    def retry_judgments(self, judge: str) -> Pending[int]:
        """Queue a judge's failed jobs anew, as if never tried; returns how many."""
        return self._write(lambda db: judgments.retry(db, judge, self._clock()))

    def judge_standings(self) -> tuple[JudgeStanding, ...]:
        """How far every judge's work is, in order of name."""
        return self._read(judgments.standings)

    def judgments(self, *, battle_id: str | None = None, judge: str | None = None) -> tuple[JudgmentRecord, ...]:
        """Judgments of a battle or judge, oldest first."""
        return self._read(lambda db: judgments.find(db, battle_id, judge))

    # ---------------------------------------------------------------- benchmarks

    def keep_score(
        self, task: str, model: str, sheet: str, *, judge: str = "", protocol: str = ""
    ) -> Pending[ScoreRecord]:
        """Keep a model's score sheet (JSON); a former one of the same task, judge and protocol is replaced,
        and one that nobody judged gives way to a judged one."""
        return self._write(lambda db: scores.keep(db, ScoreRecord(task, model, self._clock(), sheet, judge, protocol)))

    def scores(self, task: str | None = None, model: str | None = None) -> tuple[ScoreRecord, ...]:
        """The kept sheets, or those of one task or model, in order of task and model."""
        return self._read(lambda db: scores.find(db, task, model))

    # ---------------------------------------------------------------- upkeep

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

    def forget_in_files(self, voter: str, *, keep_votes: bool = True) -> int:
        """The same in every backup under `storage_dir/backups`; exports under `storage_dir/exports` that hold the
        voter's rows are deleted, since they can be made anew. Returns how many files held something. Blocks."""
        kept = backups.folder_of(self._database.storage_dir)
        secrets = self._database.keyring.secrets
        held = backups.forget_in_backups(kept, voter, keep_votes, self._clock(), secrets)
        held += drop_exports(self._database.storage_dir / "exports", voter)
        ending = partial(upkeep.end_forgetting, voter=voter)
        self._write(ending, then=lambda: upkeep.scrub(self._database)).result()
        return held

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

    # ----------------------------------------------------------------

    def _write(self, operation: Callable[[Connection], T], then: Callable[[], None] | None = None) -> Pending[T]:
        return self._writer.submit(operation, then)

    def _read(self, query: Callable[[Connection], T]) -> T:
        with self._database.reading() as connection:
            return query(connection)


def _silent(done: int, total: int) -> None:
    """Progress that nobody asked for."""
