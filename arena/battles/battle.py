"""The battle as a state machine: pure values in, new values out, or a `BattleError`.

It knows the rules (who may ask, vote, undo, and when) and nothing of time, tasks, databases or
pages. The service turns the clock and the store around it.

    open ──ask──▶ answering ──finish──▶ votable  ──vote──▶ voted ──retract──▶ retracted
                      │  ▲                 │  │
                      │  └── ask, again ───┘  └──expire──▶ expired
                      └──fail──▶ failed ──again──▶ answering
                                    └─────drop──▶ votable, where turns before it were answered
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from arena.errors import (
    AlreadyVoted,
    BattleError,
    ContextOverflow,
    PromptEmpty,
    PromptRefused,
    PromptTooLong,
    VotingClosed,
)
from arena.types import Answer, AnswerState, BattleStatus, Conversation, Message, Mode, Role, Side, Verdict


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answers; both None while they are written, `b` always in a direct chat."""

    prompt: str
    a: Answer | None = None
    b: Answer | None = None

    def answer(self, side: Side) -> Answer | None:
        """The answer of one side."""
        return self.a if side == "a" else self.b

    @property
    def failed(self) -> bool:
        """Whether either side failed: then the turn counts for neither."""
        return any(answer is not None and answer.state is AnswerState.FAILED for answer in (self.a, self.b))

    @property
    def stopped(self) -> bool:
        """Whether its voter, or the lack of one, ended it before the answers were complete."""
        return any(answer is not None and answer.state is AnswerState.STOPPED for answer in (self.a, self.b))

    @property
    def blank(self) -> bool:
        """Whether it was stopped before either side had written a word: the mark of a heading is none."""
        answers = [answer for answer in (self.a, self.b) if answer is not None]
        return self.stopped and not any(any(map(str.isalnum, answer.text)) for answer in answers)

    @property
    def overlong(self) -> bool:
        """Whether it failed because the conversation is longer than a side can read: asking again does not help."""
        overflow = ContextOverflow.code
        return any(answer is not None and answer.error_code == overflow for answer in (self.a, self.b))


@dataclass(frozen=True, slots=True)
class Battle:
    """Two conversations that share the user's messages.

    `propensity` is the probability with which the pair sampler chose this pair and these sides.
    `voter` is the owner; nobody else may act on the battle or see it.
    """

    id: str
    voter: str
    mode: Mode
    contestant_a: str
    contestant_b: str | None
    propensity: float = 1.0
    language: str = "ru"
    topic: str = ""
    created_at: float = 0.0
    status: BattleStatus = BattleStatus.OPEN
    turns: tuple[Turn, ...] = ()
    verdict: Verdict | None = None

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that are taken: both, or only `a` in a direct chat."""
        return ("a", "b") if self.contestant_b is not None else ("a",)

    @property
    def names_known(self) -> bool:
        """Whether the voter may see who is who."""
        return self.mode is not Mode.ANONYMOUS or self.status in (BattleStatus.VOTED, BattleStatus.RETRACTED)

    @property
    def can_vote(self) -> bool:
        """Whether a verdict would be accepted now. Votes of battles with known names count nowhere."""
        return self.mode is Mode.ANONYMOUS and self.status is BattleStatus.VOTABLE

    def contestant(self, side: Side) -> str | None:
        """Who stands on a side."""
        return self.contestant_a if side == "a" else self.contestant_b

    def conversation(self, side: Side) -> Conversation:
        """What the side's engine is asked: every earlier turn, then the open question."""
        messages: list[Message] = []
        for turn in self.turns:
            messages.append(Message(Role.USER, turn.prompt))
            answer = turn.answer(side)
            if answer is not None:
                messages.append(Message(Role.ASSISTANT, answer.text))
        return tuple(messages)

    def ask(self, prompt: str) -> Battle:
        """Open a turn with the voter's message."""
        if self.status not in (BattleStatus.OPEN, BattleStatus.VOTABLE, BattleStatus.RETRACTED, BattleStatus.VOTED):
            raise BattleError(f"a battle that is {self.status} takes no new message")
        if self.mode is Mode.ANONYMOUS and self.names_known:
            raise BattleError("the names of this battle are known: start a new one")
        return replace(self, status=BattleStatus.ANSWERING, turns=(*self.turns, Turn(prompt)))

    def finish(self, a: Answer, b: Answer | None) -> Battle:
        """Close the open turn with its answers. A failed side fails the battle's turn, and so does a stop before there
        is anything to compare."""
        if self.status is not BattleStatus.ANSWERING:
            raise BattleError(f"a battle that is {self.status} has no open turn")
        turns = (*self.turns[:-1], Turn(self.turns[-1].prompt, a, b))
        return replace(self, status=self._judged(turns), turns=turns)

    def again(self) -> Battle:
        """Ask the last message once more, both sides, before the vote."""
        if self.status not in (BattleStatus.VOTABLE, BattleStatus.FAILED) or not self.turns:
            raise BattleError(f"a battle that is {self.status} cannot answer again")
        reopened = replace(self, status=BattleStatus.OPEN, turns=self.turns[:-1])
        return reopened.ask(self.turns[-1].prompt)

    def drop(self) -> Battle:
        """Leave a last message out whose answers failed: those before it can be judged, and others asked for."""
        if self.status is not BattleStatus.FAILED or len(self.turns) < 2:
            raise BattleError(f"a battle that is {self.status} with {len(self.turns)} turns has none to leave out")
        return replace(self, status=self._judged(self.turns[:-1]), turns=self.turns[:-1])

    def _judged(self, turns: tuple[Turn, ...]) -> BattleStatus:
        """The status with these turns, all of them ended."""
        mute = self.mode is Mode.ANONYMOUS and all(one.blank for one in turns)
        return BattleStatus.FAILED if turns[-1].failed or mute else BattleStatus.VOTABLE

    def vote(self, verdict: Verdict) -> Battle:
        """Record the verdict. Raises `AlreadyVoted` or `VotingClosed`."""
        if self.status in (BattleStatus.VOTED, BattleStatus.RETRACTED):
            raise AlreadyVoted("this battle has its vote")
        if not self.can_vote:
            raise VotingClosed(f"a {self.mode} battle that is {self.status} takes no vote")
        return replace(self, status=BattleStatus.VOTED, verdict=verdict)

    def retract(self) -> Battle:
        """Take the vote back; the names are known by now, so it cannot be voted again."""
        if self.status is not BattleStatus.VOTED:
            raise BattleError("there is no vote to take back")
        return replace(self, status=BattleStatus.RETRACTED)

    def expire(self) -> Battle:
        """Close a battle that was left unvoted."""
        if self.status in (BattleStatus.VOTED, BattleStatus.RETRACTED):
            raise BattleError("a voted battle does not expire")
        return replace(self, status=BattleStatus.EXPIRED)


def clean_prompt(text: str, *, limit: int) -> str:
    """The message as it will be stored and sent, or `PromptRefused` naming the fault and the mend.

    NUL and lone surrogates have no place in a database or a model; `limit` is in characters.
    """
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text) or "\x00" in text:
        raise PromptRefused("the message holds characters that are not text: remove them")
    cleaned = text.strip()
    if not cleaned:
        raise PromptEmpty("the message is empty: write a question")
    if len(cleaned) > limit:
        raise PromptTooLong(f"the message has {len(cleaned)} characters: shorten it to {limit}")
    return cleaned
