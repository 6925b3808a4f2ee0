"""A room: one battle in memory while somebody may still act on it.

It joins the stored record with the rules of `battles` and the turn being written, and says what its
owner may see. It writes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from arena.battles.battle import Battle, Turn
from arena.battles.masking import hide
from arena.battles.stream import Phase
from arena.ratings.elo import Scale, expected_score
from arena.service.live import LiveTurn
from arena.service.views import BattleView, Facts, Nameplate, Reveal, RevealedSide, TurnView, Why
from arena.store.records import BattleRecord, ContestantRecord, VoteReceipt
from arena.types import Answer, BattleStatus, Side

Redact = Callable[[str, Answer], str]
"""From a question and an answer of which it is not on record what was hidden: the answer as it may be shown."""

_PHASES = {BattleStatus.FAILED: Phase.FAILED, BattleStatus.ANSWERING: Phase.WAITING}


@dataclass(slots=True)
class Room:
    """A battle, its turn being written if there is one, and the receipt of its vote if it has one."""

    battle: Battle
    a: ContestantRecord
    b: ContestantRecord | None
    redact: Redact
    receipt: VoteReceipt | None = None
    live: LiveTurn | None = None
    conclusion: asyncio.Task[None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    touched: float = field(default_factory=time.monotonic)
    _seen: dict[int, tuple[Turn, bool, TurnView]] = field(default_factory=dict)

    def contestant(self, side: Side) -> ContestantRecord | None:
        """Who stands on a side: for the service only, never for a page before the vote."""
        return self.a if side == "a" else self.b

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody of this battle, for the service only."""
        return (self.a.name, self.b.name) if self.b else (self.a.name,)

    def take(self, a: ContestantRecord, b: ContestantRecord, propensity: float) -> None:
        """Another pair plays this battle: nobody of the first has answered."""
        self.a, self.b = a, b
        self.battle = replace(self.battle, contestant_a=a.name, contestant_b=b.name, propensity=propensity)

    def rest(self) -> None:
        """The turn is written down: let go of its tasks, and with them of the request that each began in."""
        self.live = self.conclusion = None

    def view(self, *, now: float, undo_seconds: float, scale: Scale) -> BattleView:
        """The battle as its owner may see it now."""
        battle = self.battle
        known = battle.names_known
        shown = [self._shown(number, turn, known) for number, turn in enumerate(battle.turns)]
        last = battle.turns[-1] if battle.turns else None
        ended = Phase.STOPPED if last is not None and last.stopped else Phase.ENDED
        phase = _PHASES.get(battle.status, ended)
        if self.live is not None and battle.status is BattleStatus.ANSWERING:
            frame = self.live.frame()
            phase, shown[-1] = frame.phase, replace(shown[-1], a=frame.a, b=frame.b)
        reveal = self._reveal(now, undo_seconds, scale) if known else None
        return BattleView(battle.id, battle.mode, battle.status, phase, tuple(shown), reveal, battle.voter)

    def _shown(self, number: int, turn: Turn, known: bool) -> TurnView:
        """A turn as it may be seen; hiding names takes time, so that it is done once and not for every frame."""
        seen = self._seen.get(number)
        if seen is None or seen[0] is not turn or seen[1] is not known:
            seen = self._seen[number] = turn, known, self._made_showable(turn, known)
        return seen[2]

    def _made_showable(self, turn: Turn, known: bool) -> TurnView:
        if turn.failed:
            return TurnView(turn.prompt, why=Why.OVERLONG if turn.overlong else Why.FAILED)
        if turn.blank:
            return TurnView(turn.prompt, why=Why.STOPPED)
        a, b = (self._text(turn.prompt, answer, known) if answer else "" for answer in (turn.a, turn.b))
        return TurnView(turn.prompt, a, b)

    def _text(self, prompt: str, answer: Answer, known: bool) -> str:
        """An answer's text, before the vote with the masks with which it streamed."""
        if known:
            return answer.text
        return self.redact(prompt, answer) if answer.hidden is None else hide(answer.text, answer.hidden)

    def _reveal(self, now: float, undo_seconds: float, scale: Scale) -> Reveal:
        last = self.battle.turns[-1] if self.battle.turns else None
        receipt = self.receipt
        a = _revealed(self.a, last.a if last else None)
        b = _revealed(self.b, last.b if last else None) if self.b else None
        if receipt is None or b is None:
            return Reveal(a, b)
        retracted = receipt.retracted_at is not None
        return Reveal(
            replace(a, rating_before=receipt.elo_before_a, rating_after=receipt.elo_after_a),
            replace(b, rating_before=receipt.elo_before_b, rating_after=receipt.elo_after_b),
            verdict=receipt.verdict,
            expected=expected_score(receipt.elo_before_a, receipt.elo_before_b, scale),
            undo_seconds=0.0 if retracted else max(0.0, undo_seconds - (now - receipt.cast_at)),
            retracted=retracted,
            reasons=receipt.reasons,
            comment=receipt.comment,
        )


def room_of(record: BattleRecord, redact: Redact, receipt: VoteReceipt | None) -> Room:
    """Furnish a room from the store."""
    battle = Battle(
        id=record.id,
        voter=record.voter,
        mode=record.mode,
        contestant_a=record.contestant_a.name,
        contestant_b=record.contestant_b.name if record.contestant_b else None,
        propensity=record.propensity,
        language=record.language,
        topic=record.topic,
        created_at=record.created_at,
        status=BattleStatus(record.status),
        turns=tuple(Turn(turn.prompt, turn.a, turn.b) for turn in record.turns),
        verdict=receipt.verdict if receipt else None,
    )
    return Room(battle, record.contestant_a, record.contestant_b, redact, receipt)


def nameplate(record: ContestantRecord) -> Nameplate:
    """Who a contestant is, from what the board remembers of it."""
    entry = record.contestant
    return Nameplate(
        entry.name,
        entry.organisation,
        entry.parameters,
        entry.quantization,
        entry.licence,
        entry.toy,
        entry.family,
    )


def _revealed(record: ContestantRecord, answer: Answer | None) -> RevealedSide:
    if answer is None:
        return RevealedSide(nameplate(record), Facts())
    facts = Facts(
        answer.usage.completion_tokens,
        answer.first_token_after,
        answer.tokens_per_second,
        len(answer.text),
        answer.joules,
    )
    return RevealedSide(nameplate(record), facts, answer.reasoning)
