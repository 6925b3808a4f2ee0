"""A judge's figures beside people's on the same battles, each with an interval and its number of battles."""

from __future__ import annotations

import random

import pytest

from arena.judge.agreement import Gate, JudgedBattle, mean_difference, pairing_of, report, reports, share
from arena.judge.judge import Order, explain
from arena.judge.verdicts import Label, Reading, combine
from arena.store.records import JudgmentRecord, JudgmentResult, JudgmentStatus
from arena.types import Verdict

LABEL = {Verdict.MODEL_A: Label.A_BETTER, Verdict.MODEL_B: Label.B_BETTER, Verdict.TIE: Label.TIE}


def battle(
    machine: Verdict | None, human: Verdict | None, *, lengths: tuple[int, int] = (10, 10), kin: str = "",
    language: str = "ru", names: tuple[str, str] = ("alpha", "beta"),
) -> JudgedBattle:  # fmt: skip
    """A battle judged alike in both orders."""
    label = LABEL[machine] if machine is not None else None
    pairing = combine(label, label.mirrored if label is not None else None)
    return JudgedBattle("judge", language, pairing, human, *names, *lengths, frozenset({kin} if kin else ()))


def test_agreement_counts_both_bad_as_a_tie_and_leaves_out_what_is_unscored() -> None:
    """With ties over all scored votes, without ties where both named a winner."""
    found = report(
        [
            battle(Verdict.MODEL_A, Verdict.MODEL_A),
            battle(Verdict.MODEL_A, Verdict.MODEL_B),
            battle(Verdict.TIE, Verdict.BOTH_BAD),
            battle(Verdict.TIE, Verdict.MODEL_A),
            battle(None, Verdict.MODEL_A),
            battle(Verdict.MODEL_B, None),
        ],
        "judge",
    )
    assert (found.judgments, found.unscored) == (6, 1)
    assert (found.with_ties.value, found.with_ties.n) == (0.5, 4)
    assert (found.without_ties.value, found.without_ties.n) == (0.5, 2)


def test_wilsons_interval_is_the_textbook_one() -> None:
    """Newcombe 1998, table I: 15 of 148 gives 0.0624 to 0.1605, 81 of 263 gives 0.2553 to 0.3662."""
    for hits, n, low, high in ((15, 148, 0.0624, 0.1605), (81, 263, 0.2553, 0.3662)):
        found = share([True] * hits + [False] * (n - hits))
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_differences_that_are_all_alike_have_no_interval() -> None:
    """Two equal ones are no proof that the third would be equal."""
    found = mean_difference([-0.5, -0.5])
    assert (found.value, found.low, found.high, found.n) == (-0.5, None, None, 2)


def test_intervals_hold_their_95_percent() -> None:
    """Of a share and of a mean difference, over two thousand drawn samples each."""
    rng = random.Random(5)
    covered_share = covered_mean = 0
    for _ in range(2000):
        found = share(rng.random() < 0.7 for _ in range(150))
        covered_share += found.low is not None and found.high is not None and found.low <= 0.7 <= found.high
        mean = mean_difference(rng.choice((-0.5, 0.0, 0.5, 1.0)) for _ in range(150))
        covered_mean += mean.low is not None and mean.high is not None and mean.low <= 0.25 <= mean.high
    assert 0.93 <= covered_share / 2000 <= 0.97
    assert 0.93 <= covered_mean / 2000 <= 0.97


def test_flips_are_reported_with_inconsistent_orders_apart() -> None:
    """A winner that follows the position is a flip; a tie in one order is inconsistent only."""
    orders = [(Label.A_BETTER, Label.A_BETTER), (Label.A_BETTER, Label.TIE), (Label.A_BETTER, Label.B_BETTER)]
    battles = [
        JudgedBattle("judge", "ru", combine(first, second), None, "alpha", "beta", 1, 2) for first, second in orders
    ]
    found = report(battles, "judge")
    assert (found.flips.value, found.flips.n) == (pytest.approx(1 / 3), 3)
    assert found.inconsistent.value == pytest.approx(2 / 3)


def test_length_preference_is_measured_against_people_on_the_same_battles() -> None:
    """A judge that takes the longer answer where people do is not biased, only one that does so more."""
    same = [battle(Verdict.MODEL_A, Verdict.MODEL_A, lengths=(20, 10)) for _ in range(30)]
    found = report(same, "judge")
    assert (found.longer.value, found.length_preference.value) == (1.0, 0.0)
    biased = [battle(Verdict.MODEL_B, Verdict.MODEL_A, lengths=(10, 20)) for _ in range(10)] + same
    found = report(biased, "judge")
    assert found.length_preference.value == pytest.approx(10 / 40)
    assert found.length_preference.low is not None
    assert found.length_preference.low > 0


def test_self_preference_looks_only_at_battles_of_kin_against_others() -> None:
    """Kin against kin, and strangers among themselves, tell nothing."""
    battles = [
        battle(Verdict.MODEL_A, Verdict.MODEL_B, kin="alpha"),
        battle(Verdict.MODEL_A, Verdict.MODEL_A, kin="alpha"),
        battle(Verdict.MODEL_B, Verdict.TIE, kin="gamma"),
        battle(Verdict.MODEL_A, Verdict.MODEL_B, kin="alpha", names=("alpha", "alpha")),
    ]
    found = report(battles, "judge").self_preference
    assert (found.value, found.n) == (0.5, 2)


def test_every_judge_is_reported_over_all_languages_and_in_each() -> None:
    """Figures of a language count its battles alone."""
    battles = [battle(Verdict.MODEL_A, Verdict.MODEL_A, language=language) for language in ("ru", "ru", "en")]
    found = reports(battles)
    assert [(one.language, one.judgments) for one in found] == [("", 3), ("en", 1), ("ru", 2)]


def test_the_gate_asks_for_the_lower_bound_and_for_enough_battles() -> None:
    """Nine of ten is not enough when there are only ten."""
    agreeing = [battle(Verdict.MODEL_A, Verdict.MODEL_A)] * 9 + [battle(Verdict.MODEL_A, Verdict.MODEL_B)]
    gate = Gate(agreement=0.8, battles=100)
    assert not gate.admits(report(agreeing, "judge"))
    assert gate.admits(report(agreeing * 30, "judge"))
    assert not Gate(agreement=0.9, battles=100).admits(report(agreeing * 30, "judge"))


def test_nothing_is_told_from_nothing() -> None:
    """No battle, no figure: None, never zero."""
    found = report([], "judge")
    for estimate in (found.with_ties, found.kappa, found.flips, found.longer, found.self_preference):
        assert (estimate.value, estimate.n) == (None, 0)


def test_a_stored_judgment_gives_its_labels_back_with_their_strength() -> None:
    """The store keeps plain verdicts in columns and the labels in the explanation; text may be forgotten."""
    orders = [Order(Reading(label), "…", 1, 0.0) for label in (Label.A_MUCH_BETTER, Label.B_BETTER)]
    result = JudgmentResult(Verdict.MODEL_A, Verdict.MODEL_A, Verdict.MODEL_A, explain("own", orders))
    record = JudgmentRecord(1, "battle", "judge", JudgmentStatus.DONE, 0.0, 1, 1.0, result)
    pairing = pairing_of(record)
    assert pairing is not None
    assert (pairing.first, pairing.second) == (Label.A_MUCH_BETTER, Label.A_BETTER)
    forgotten = JudgmentRecord(1, "battle", "judge", JudgmentStatus.DONE, 0.0, 1, 1.0,
                               JudgmentResult(Verdict.TIE, Verdict.MODEL_A, Verdict.MODEL_B))  # fmt: skip
    pairing = pairing_of(forgotten)
    assert pairing is not None
    assert (pairing.first, pairing.second, pairing.flipped) == (Label.A_BETTER, Label.B_BETTER, True)
