"""A judge of models.yaml put to work on a benchmark: pairs through `arena.judge`, grades through its engine.

Every call is paid from the judge's durable purse, the most it can cost set aside first.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from arena.benchmarks.judging import Game, Pair, PairJudge, TextJudge
from arena.config import Judge
from arena.judge.calls import PaidCalls
from arena.judge.judge import BattleJudge, JudgmentDesk, Order
from arena.judge.prompts import Case, JudgingProtocol
from arena.judge.spending import Purse
from arena.service.fleet import Fleet
from arena.types import Conversation


def _game(order: Order) -> Game:
    """One order as a game: its label, or what was written in place of one (A<B, or two that contradict)."""
    label = order.reading.label
    return Game(label.value if label is not None else ", ".join(order.reading.seen) or None, order.text)


@dataclass(frozen=True, slots=True)
class JudgeAtWork:
    """One judge, the fleet that has its engine, and the desk that its purse writes on."""

    entry: Judge
    fleet: Fleet
    desk: JudgmentDesk
    protocol: JudgingProtocol

    @property
    def name(self) -> str:
        """Its name in models.yaml."""
        return self.entry.name

    def purse(self) -> Purse:
        """What it may spend, from its prices and its cap."""
        price = self.entry.price
        return Purse(
            self.desk,
            self.entry.name,
            prompt_price=price.prompt if price else 0.0,
            completion_price=price.completion if price else 0.0,
            cap=self.entry.spending_cap,
        )

    def of_pairs(self) -> PairJudge:
        """Both orders of a pair: the baseline's answers first, then the model's."""
        judge = BattleJudge(
            self.entry.name,
            self.fleet.judging(self.name),
            self.desk,
            protocol=self.protocol,
            decoding=self.entry.decoding,
            purse=self.purse(),
            workers=self.entry.concurrency,
        )

        async def judged(pair: Pair) -> tuple[Game, Game]:
            case = Case(pair.question.turns, pair.baseline, pair.model, pair.language)
            _, _, (first, second) = await judge.judge(case)
            return _game(first), _game(second)

        return judged

    def of_texts(self) -> TextJudge:
        """One answer to one conversation."""
        calls = PaidCalls(
            self.fleet.judging(self.name),
            self.purse(),
            self.entry.decoding,
            at_once=self.entry.concurrency,
            rng=random.SystemRandom(),
        )

        async def judged(conversation: Conversation) -> str:
            text, _ = await calls.answer(conversation)
            return text

        return judged
