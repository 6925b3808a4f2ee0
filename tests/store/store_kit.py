"""What store tests share: a clock that stands still, Elo, and battles ready to be voted."""

from __future__ import annotations

from dataclasses import dataclass

from arena.store.records import Contestant, ContestantRecord, NewBattle
from arena.store.store import Store
from arena.types import Answer, AnswerState, Mode, Verdict

NOON = 1_790_000_000.0  # 2026-09-21 in UTC


@dataclass(slots=True)
class Clock:
    """Time as the test sets it."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


def elo_step(rating_a: float, rating_b: float, outcome: float) -> tuple[float, float]:
    """Online Elo with K 4 on the usual scale."""
    change = 4 * (outcome - 1 / (1 + 10 ** ((rating_b - rating_a) / 400)))
    return rating_a + change, rating_b - change


def answer(text: str = "Да.") -> Answer:
    """A complete answer."""
    return Answer(text, AnswerState.COMPLETE)


def register(store: Store, *names: str) -> tuple[ContestantRecord, ...]:
    """Contestants by name."""
    return store.register_contestants([Contestant(name) for name in names]).result()


def votable(store: Store, a: int, b: int, voter: str = "voter", **details: str) -> str:
    """The id of a battle that waits for its vote."""
    battle = store.create_battle(NewBattle(voter, Mode.ANONYMOUS, a, b, **details)).result()  # type: ignore[arg-type]
    turn = store.append_turn(battle.id, "Сколько будет два плюс два?").result()
    store.finish_turn(battle.id, turn, answer("Четыре."), answer("Пять.")).result()
    return battle.id


def vote(store: Store, a: int, b: int, verdict: Verdict, voter: str = "voter", **details: str) -> str:
    """The id of a battle with its vote."""
    battle_id = votable(store, a, b, voter, **details)
    store.cast_vote(battle_id, voter, verdict).result()
    return battle_id
