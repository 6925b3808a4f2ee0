"""The store's judgments and votes, joined battle by battle for the judge's figures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import elo_step, register, vote

from arena.config import Contestant, Judge
from arena.engines.fake import FakeEngine, saying
from arena.judge.agreement import report
from arena.judge.evidence import judged_battles, kin
from arena.judge.judge import BattleJudge
from arena.store.store import Store
from arena.types import Verdict


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database."""
    with Store.open(storage_dir=tmp_path, elo_step=elo_step) as opened:
        yield opened


async def test_judgments_meet_the_votes_of_their_battles(store: Store) -> None:
    """A tie by the judge against two votes for alpha and one tie: a third agrees."""
    a, b = register(store, "alpha", "beta")
    for number, verdict in enumerate((Verdict.MODEL_A, Verdict.MODEL_A, Verdict.TIE)):
        vote(store, a.id, b.id, verdict, voter=f"voter {number}", language="ru")
    judge = BattleJudge("judge", FakeEngine(saying("[[A=B]]")), store, rng=random.Random(1))
    await judge.enqueue()
    await judge.run()
    found = list(judged_battles(store, {"judge": frozenset({"beta"})}))
    figures = report(found, "judge", "ru")
    assert (figures.with_ties.value, figures.with_ties.n) == (pytest.approx(1 / 3), 3)
    assert figures.self_preference.value == pytest.approx((0.5 + 0.5 + 0.0) / 3)
    assert {(one.length_a, one.length_b) for one in found} == {(len("Четыре."), len("Пять."))}


def test_kin_is_the_same_model_family_or_maker() -> None:
    """And nobody else."""
    judge = Judge(name="J", engine="fake", family="Qwen2.5", organisation="Alibaba Cloud")
    contestants = [
        Contestant(name="same family", engine="fake", family="Qwen2.5"),
        Contestant(name="same maker", engine="fake", organisation="Alibaba Cloud"),
        Contestant(name="stranger", engine="fake", family="Vikhr", organisation="VikhrModels"),
        Contestant(name="unknown", engine="fake"),
    ]
    assert kin([judge], contestants) == {"J": frozenset({"same family", "same maker"})}
