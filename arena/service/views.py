"""What a page may be told: frozen values, with names in them only where names may be known.

A `BattleView` is the one thing that leaves the service about a battle. As long as its `reveal` is
None, nothing in it depends on which contestant stands where, but for the answers themselves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from arena.battles.stream import Phase
from arena.ratings.leaderboard import Leaderboard
from arena.types import BattleStatus, Mode, Track, Verdict


@dataclass(frozen=True, slots=True)
class Nameplate:
    """Who a contestant is: shown in named modes and after the vote."""

    name: str
    organisation: str = ""
    parameters: float | None = None  # billions
    quantization: str = ""
    licence: str = ""
    toy: bool = False
    family: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """How a side came to its last answer. Seconds, tokens per second, joules; None is "not known"."""

    completion_tokens: int | None = None
    first_token_after: float | None = None
    tokens_per_second: float | None = None
    characters: int = 0
    joules: float | None = None


@dataclass(frozen=True, slots=True)
class RevealedSide:
    """A side after the vote: who it was, how it went, and its Elo before and after this vote."""

    nameplate: Nameplate
    facts: Facts
    reasoning: str = ""
    rating_before: float | None = None
    rating_after: float | None = None


@dataclass(frozen=True, slots=True)
class Reveal:
    """What is told when names may be known.

    `expected` is the probability that the ratings before this vote gave to A. `undo_seconds` is how long the vote can
    still be taken back; `reasons` and `comment` are what was noted with it. In named modes only nameplates and facts
    are there.
    """

    a: RevealedSide
    b: RevealedSide | None
    verdict: Verdict | None = None
    expected: float | None = None
    undo_seconds: float = 0.0
    retracted: bool = False
    reasons: tuple[str, ...] = ()
    comment: str = ""


class Why(StrEnum):
    """Why a question has no answers to show."""

    FAILED = "failed"
    OVERLONG = "overlong"  # the conversation is longer than a side can read
    STOPPED = "stopped"  # before the first word


@dataclass(frozen=True, slots=True)
class TurnView:
    """One question and what is shown of its answers, or why there are none."""

    prompt: str
    a: str = ""
    b: str = ""
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class BattleView:
    """A battle as its owner may see it now.

    `warming` is about how many seconds until both sides can begin; None when nothing is being loaded.
    """

    id: str
    mode: Mode
    status: BattleStatus
    phase: Phase
    turns: tuple[TurnView, ...]
    reveal: Reveal | None = None
    voter: str = ""
    warming: int | None = None

    @property
    def stamp(self) -> str:
        """What tells these answers from others that may stand in their place later; "" where no vote is open.

        It is made of nothing but what is shown.
        """
        if not self.can_vote:
            return ""
        shown = json.dumps([[turn.prompt, turn.a, turn.b] for turn in self.turns])
        return hashlib.blake2b(shown.encode(), digest_size=8).hexdigest()

    @property
    def writing(self) -> bool:
        """Whether answers are still coming."""
        return self.status is BattleStatus.ANSWERING

    @property
    def can_vote(self) -> bool:
        """Whether a verdict would be accepted now."""
        return self.mode is Mode.ANONYMOUS and self.status is BattleStatus.VOTABLE

    @property
    def can_ask(self) -> bool:
        """Whether the conversation can go on."""
        blind_open = self.status in (BattleStatus.OPEN, BattleStatus.VOTABLE)
        return blind_open or (self.mode is not Mode.ANONYMOUS and self.status is not BattleStatus.ANSWERING)

    @property
    def can_drop(self) -> bool:
        """Whether the last question, whose answers failed, can be left out for those before it."""
        return len(self.turns) > 1 and self.status is BattleStatus.FAILED

    @property
    def can_try_again(self) -> bool:
        """Whether the last question can be put once more to both."""
        return bool(self.turns) and self.status in (BattleStatus.VOTABLE, BattleStatus.FAILED)


@dataclass(frozen=True, slots=True)
class BoardView:
    """A leaderboard with the state it was computed from."""

    board: Leaderboard
    version: int
    track: Track
    slice: str
    nameplates: Sequence[Nameplate] = ()


@dataclass(frozen=True, slots=True)
class Preparation:
    """Work that stands between the voter and the models. `done` is in [0, 1], `seconds` an estimate of what is left."""

    ready: int
    total: int
    done: float = 1.0
    seconds: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A prompt to begin with."""

    topic: str
    text: str
