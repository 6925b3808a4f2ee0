"""The words of the arena as frozen values: messages, answers, battles' parts, verdicts, comparisons.

Everything here is pure and knows neither clock, database, network nor screen. Identity
(numbers, uniqueness, order of arrival) belongs to `arena.store`; behaviour belongs to the
modules that consume these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Side = Literal["a", "b"]
"""One of the two places of a battle. A side never tells which contestant stands on it."""

SIDES: tuple[Side, Side] = ("a", "b")


class Role(StrEnum):
    """Who speaks in a conversation; `documents` is the grounding role that Vikhr-Nemo knows."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    DOCUMENTS = "documents"


@dataclass(frozen=True, slots=True)
class Message:
    """One utterance of a conversation."""

    role: Role
    content: str


Conversation = tuple[Message, ...]
"""Messages in order, the last one being the user's when an engine is asked to answer."""


class Verdict(StrEnum):
    """What a voter (a vote) or a judge (a judgment) says of two answers."""

    MODEL_A = "model_a"
    MODEL_B = "model_b"
    TIE = "tie"
    BOTH_BAD = "both_bad"

    @property
    def outcome(self) -> float:
        """Score of side A: 1 for a win, 0 for a loss, ½ for a tie or when both are bad."""
        return _OUTCOMES[self]

    @property
    def mirrored(self) -> Verdict:
        """The same verdict with the sides exchanged."""
        return _MIRRORED.get(self, self)


_OUTCOMES: Mapping[Verdict, float] = {
    Verdict.MODEL_A: 1.0,
    Verdict.MODEL_B: 0.0,
    Verdict.TIE: 0.5,
    Verdict.BOTH_BAD: 0.5,
}
_MIRRORED: Mapping[Verdict, Verdict] = {
    Verdict.MODEL_A: Verdict.MODEL_B,
    Verdict.MODEL_B: Verdict.MODEL_A,
}


class Mode(StrEnum):
    """How two contestants meet: blind (rated), named side by side, or one alone in a chat."""

    ANONYMOUS = "anonymous"
    NAMED = "named"
    DIRECT = "direct"


class BattleStatus(StrEnum):
    """Where a battle stands. Only `votable` takes a vote; nothing leaves `expired` and `retracted`."""

    OPEN = "open"  # waits for a message
    ANSWERING = "answering"  # both sides stream
    VOTABLE = "votable"  # both sides ended or were stopped
    FAILED = "failed"  # a side failed, or all was stopped before its first word; the turn can be tried again
    VOTED = "voted"
    RETRACTED = "retracted"  # voted, then undone: names are known, so never votable again
    EXPIRED = "expired"


class AnswerState(StrEnum):
    """How one side's answer ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


class Track(StrEnum):
    """Whose comparisons a leaderboard counts."""

    HUMAN = "human"
    JUDGE = "judge"


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"  # the model ended its turn
    LENGTH = "length"  # max_tokens reached
    CANCELLED = "cancelled"  # the voter pressed Stop, or nobody watched


@dataclass(frozen=True, slots=True)
class Decoding:
    """How tokens are drawn. `temperature` 0 is greedy; `seed` None leaves the draw to the engine."""

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 1024
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a streamed answer: visible text, hidden reasoning, or both. `tokens` 0 is "the engine did not say"."""

    text: str = ""
    reasoning: str = ""
    tokens: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost, as the engine counted it. None is "the engine did not say"."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """What produced an answer, as far as the engine knows: revision, quantization, template hash."""

    revision: str | None = None
    quantization: str | None = None
    template_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The last item of every stream: why it ended, what it cost and what exactly produced it."""

    reason: FinishReason
    usage: Usage = Usage()
    seed: int | None = None
    provenance: Provenance = Provenance()


Spans = tuple[tuple[int, int], ...]
"""Places in a text, each from a character up to another, in their order."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One side of one turn as it ended: text, cost, pace and what exactly produced it. None is "not known"."""

    text: str
    state: AnswerState
    reasoning: str = ""
    error_code: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage = Usage()
    first_token_after: float | None = None  # seconds after the question
    tokens_per_second: float | None = None  # from the first token on
    seed: int | None = None
    provenance: Provenance = Provenance()
    joules: float | None = None  # energy of this machine's GPUs
    hidden: Spans | None = None  # names in `text` that are masked until the vote

    @property
    def broken_off(self) -> bool:
        """Whether more was to come when it ended, as far as is known."""
        return self.finish_reason is not FinishReason.STOP


@dataclass(frozen=True, slots=True)
class Comparison:
    """The only input of ratings: `outcome` is the score of `model_a` in [0, 1].

    `features` are named covariates of the pair (style: side A's amount and side B's amount).
    `voter` groups comparisons that one person made; `both_bad` tells that a half was not an
    honest tie; `tags` are what slices are cut by (language, topic, turn …).
    """

    model_a: str
    model_b: str
    outcome: float
    weight: float = 1.0
    features: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    voter: str | None = None
    both_bad: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
