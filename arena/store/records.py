"""What the store takes and gives: frozen values that know nothing of SQL.

Standard library and the lowest layer only, so that every module may hold them. Times are Unix
seconds (UTC) as floats. Contestants are referred to by the integer that the store gave them,
because a name outlives its weights: a changed fingerprint is another contestant.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from arena.errors import AlreadyVoted
from arena.markup import Markup
from arena.types import Answer, AnswerState, BattleStatus, Conversation, Message, Mode, Role, Track, Verdict

__all__ = ["Answer", "AnswerState", "BattleStatus"]  # words of arena.types that records are made of

ALL = ""
"""The name of the slice that holds every comparison of a track."""

BothMarkups = tuple[Markup, Markup]
"""Length and Markdown of side a and of side b."""

MARKUP_COLUMNS = tuple(f"{name}_{side}" for side in ("a", "b") for name in ("characters", "headers", "lists", "bold"))
"""Where a vote's row and a `VoteTable` hold them."""


class JudgmentStatus(StrEnum):
    """Where a judge's work on one battle stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DONE = "done"  # a verdict, or a finding that there is none (`verdict` None)
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Contestant:
    """An entry of models.yaml as the board remembers it, whether or not it still stands there."""

    name: str
    fingerprint: str = ""
    organisation: str = ""
    parameters: float | None = None  # billions
    quantization: str = ""
    licence: str = ""
    family: str = ""
    toy: bool = False


@dataclass(frozen=True, slots=True)
class ContestantRecord:
    """A contestant with the number by which battles, counts and ratings refer to it."""

    id: int
    contestant: Contestant
    first_seen: float
    retired_at: float | None = None

    @property
    def name(self) -> str:
        """The name from models.yaml; two records share it when the weights behind it changed."""
        return self.contestant.name


@dataclass(frozen=True, slots=True)
class NewBattle:
    """What is known of a battle when it begins. `voter` is the voter's pseudonymous code."""

    voter: str
    mode: Mode
    contestant_a: int
    contestant_b: int | None  # None in direct chat
    propensity: float = 1.0  # probability with which the sampler chose this pair
    language: str = ""
    topic: str = ""
    system_prompt: str = ""
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A user's message and the answers to it; both None while nothing has ended yet."""

    index: int
    prompt: str
    a: Answer | None
    b: Answer | None
    asked_at: float


@dataclass(frozen=True, slots=True)
class BattleRecord:
    """A battle as stored, with those of its turns that were not dropped by a regeneration."""

    id: str
    voter: str
    mode: Mode
    contestant_a: ContestantRecord
    contestant_b: ContestantRecord | None
    status: str
    created_at: float
    propensity: float = 1.0
    language: str = ""
    topic: str = ""
    masked: bool = False
    system_prompt: str = ""
    seed: int | None = None
    turns: tuple[TurnRecord, ...] = ()

    @property
    def question(self) -> str:
        """What was asked first; "" where the text is gone or never came."""
        return self.turns[0].prompt if self.turns else ""

    def conversation(self, side: str) -> Conversation:
        """The messages of one side ("a" or "b"), system prompt first where there is one."""
        messages = [Message(Role.SYSTEM, self.system_prompt)] if self.system_prompt else []
        for turn in self.turns:
            messages.append(Message(Role.USER, turn.prompt))
            answer = turn.a if side == "a" else turn.b
            if answer is not None:
                messages.append(Message(Role.ASSISTANT, answer.text))
        return tuple(messages)


@dataclass(frozen=True, slots=True)
class VoteReceipt:
    """Proof that a vote is on disk. `sequence` is the vote's number and the board's version after it."""

    battle_id: str
    sequence: int
    board_version: int
    verdict: Verdict
    cast_at: float
    contestant_a: int
    contestant_b: int
    elo_before_a: float
    elo_before_b: float
    elo_after_a: float
    elo_after_b: float
    slices: tuple[str, ...] = ()
    weight: float = 1.0
    retracted_at: float | None = None
    reasons: tuple[str, ...] = ()
    comment: str = ""


class VoteExists(AlreadyVoted):
    """This battle has its vote already; `receipt` is that vote's, to answer a repeated request with."""

    def __init__(self, receipt: VoteReceipt) -> None:
        self.receipt = receipt
        super().__init__(f"battle {receipt.battle_id} was voted {receipt.verdict} as number {receipt.sequence}")


@dataclass(frozen=True, slots=True)
class VoteRecord:
    """A stored vote. It counts on the board while it is neither retracted nor quarantined."""

    sequence: int
    battle_id: str
    voter: str
    contestant_a: int
    contestant_b: int
    verdict: Verdict
    weight: float
    cast_at: float
    language: str = ""
    topic: str = ""
    slices: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    comment: str = ""
    retracted_at: float | None = None
    quarantined: str | None = None
    markup: BothMarkups | None = None  # None where it was not counted

    @property
    def counts(self) -> bool:
        """Whether the board holds it."""
        return self.retracted_at is None and self.quarantined is None


@dataclass(frozen=True, slots=True)
class VoteFilter:
    """Which votes to read. Bounds on the number are exclusive below, on the time half-open [since, until)."""

    after: int = 0
    since: float | None = None
    until: float | None = None
    voter: str | None = None
    slice: str = ALL
    counting_only: bool = True


@dataclass(frozen=True, slots=True)
class PairCount:
    """Weighted outcomes between two contestants, `a` < `b` by number."""

    a: int
    b: int
    wins_a: float
    wins_b: float
    ties: float
    both_bad: float


@dataclass(frozen=True, slots=True)
class PairTable:
    """The pair counts of a track and slice as parallel columns: `numpy.frombuffer` reads each.

    `a`, `b` are contestants' numbers (int64, a < b), the others weighted counts (float64).
    """

    track: Track
    slice: str
    version: int
    a: array[int]
    b: array[int]
    wins_a: array[float]
    wins_b: array[float]
    ties: array[float]
    both_bad: array[float]

    def __len__(self) -> int:
        return len(self.a)

    def __iter__(self) -> Iterator[PairCount]:
        columns = (self.a, self.b, self.wins_a, self.wins_b, self.ties, self.both_bad)
        return (PairCount(*row) for row in zip(*columns, strict=True))


@dataclass(frozen=True, slots=True)
class VoteTable:
    """Votes with their voters, slices and style, as parallel columns: `numpy.frombuffer` reads each.

    `numbers` holds int64 columns by name: `sequence`, `contestant_a`, `contestant_b`, `verdict` (its place in
    `Verdict`), `voter_id`, `slice_set_id` and those of `MARKUP_COLUMNS`. `counting` is 0 for votes off the board.
    `last` is the number of the last vote; a style that was not counted, and a voter whom no file named, is −1.
    """

    numbers: Mapping[str, array[int]]
    weight: array[float]
    counting: array[int]
    last: int

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, slots=True)
class EloState:
    """A contestant's online Elo rating and the number of comparisons behind it."""

    rating: float
    games: int


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the board: `sign` +1 adds the comparison to the counts, −1 takes it away.

    `elo_delta_a` and `elo_delta_b` are what the comparison itself had added; a rating moves by `sign` times that.

    `sign` 0 stands for a rebuild: counts and ratings have to be read anew, the other fields are empty.
    """

    sequence: int
    at: float
    track: Track = Track.HUMAN
    sign: int = 0
    contestant_a: int = 0
    contestant_b: int = 0
    verdict: Verdict = Verdict.TIE
    weight: float = 0.0
    slices: tuple[str, ...] = ()
    elo_delta_a: float = 0.0
    elo_delta_b: float = 0.0


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A line of the log: undo, failure, expiry, quarantine, restore, import, forgetting."""

    id: int
    at: float
    kind: str
    battle_id: str | None
    detail: str
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class JudgmentResult:
    """What a judge found: one verdict per order of presentation, in terms of the battle's own sides.

    `verdict` None is "could not tell", which counts nowhere.
    """

    verdict: Verdict | None
    first_order: Verdict | None = None
    second_order: Verdict | None = None
    explanation: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class JudgmentRecord:
    """A judge's work on one battle: queued, claimed by a worker, done or failed."""

    id: int
    battle_id: str
    judge: str
    status: JudgmentStatus
    queued_at: float
    attempts: int = 0
    done_at: float | None = None
    result: JudgmentResult | None = None
    error: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class JudgeStanding:
    """How far a judge's work is: jobs in each state, and why those that failed did, with how often."""

    judge: str
    queued: int = 0
    claimed: int = 0
    done: int = 0
    failed: int = 0
    errors: tuple[tuple[str, int], ...] = ()

    @property
    def open(self) -> int:
        """Jobs that are yet to be done or are being done."""
        return self.queued + self.claimed


@dataclass(frozen=True, slots=True)
class ScoreRecord:
    """A benchmark's score sheet of one model, as JSON, and when it was kept (Unix seconds).

    `judge` is empty where nobody judged; `protocol` says how the judge was asked, and against whom.
    """

    task: str
    model: str
    kept_at: float
    sheet: str
    judge: str = ""
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: rows that count, rows added, already here, voted with names known, new contestants.

    The names are those that contestants who take part bear too: `nameless` are votes on whoever of that name, `others`
    on another make; both stand apart. `joined` were counted for who takes part.
    """

    read: int
    added: int
    already_here: int
    named: int
    new_contestants: int
    nameless: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyReport:
    """How the voters' keys stand: `lost` are under another secret than ours, `absent` came from a copy without keys."""

    lost: int
    absent: int


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What taking a person out of files did: how many held something, and which could not be read or changed."""

    held: int
    unread: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """What a check of the database found; `problems` is empty when all is well."""

    backend: str
    version: str
    schema: str
    votes: int
    board_version: int
    problems: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True when nothing is wrong."""
        return not self.problems
