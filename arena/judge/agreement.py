"""How a judge stands to people on the same battles: agreement, κ, position, length and self preference.

Every figure carries its interval and the number of battles behind it; "could not tell" is None and
stays out of averages. Length and self preference are differences to what people preferred on the very
same battles, because longer or own answers may really be better. It knows no database and no page.

Intervals are of 95%: Wilson's for shares (it and κ: `arena.ratings.agreement`), the normal one for means of
paired differences.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev

from arena.judge.verdicts import Label, Pairing, combine
from arena.ratings.agreement import agreement, wilson
from arena.store.records import JudgmentRecord, JudgmentStatus
from arena.types import Verdict

_Z = NormalDist().inv_cdf(0.975)
_DECIDED = (Verdict.MODEL_A, Verdict.MODEL_B)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% interval and the number of battles behind it; None where it cannot be told."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class JudgedBattle:
    """What is known of one judged battle.

    `human` is the person's verdict, None where nobody voted. `length_a`, `length_b` are the answers'
    lengths in characters. `kin` are the contestants that are the judge itself or of its family or maker.
    """

    judge: str
    language: str
    pairing: Pairing
    human: Verdict | None
    contestant_a: str
    contestant_b: str
    length_a: int
    length_b: int
    kin: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """A judge in one language, or in all (`language` empty).

    `with_ties` is the share of equal verdicts (a person's "both bad" is a tie), `without_ties` the same
    where both named a winner. `flips` is the share of judgments whose winner followed the position,
    `inconsistent` that of judgments whose two orders said different things. `longer` is the share of
    decided judgments for the longer answer, `length_preference` how much more often than people on
    the same battles. `self_preference` is how much more the judge gives to its kin than people do.
    """

    judge: str
    language: str
    judgments: int
    unscored: int
    with_ties: Estimate
    without_ties: Estimate
    kappa: Estimate
    flips: Estimate
    inconsistent: Estimate
    longer: Estimate
    length_preference: Estimate
    self_preference: Estimate


@dataclass(frozen=True, slots=True)
class Gate:
    """What an operator asks of a judge before it enters the combined board."""

    agreement: float = 0.65  # the lower bound of agreement where both decided
    battles: int = 100

    def admits(self, report: JudgeReport) -> bool:
        """Whether enough battles show, interval and all, that judge and people mostly agree."""
        found = report.without_ties
        return found.n >= self.battles and found.low is not None and found.low >= self.agreement


def report(battles: Sequence[JudgedBattle], judge: str, language: str = "") -> JudgeReport:
    """Figures of one judge over the battles of one language, or of all."""
    mine = [one for one in battles if one.judge == judge and language in ("", one.language)]
    scored = [one for one in mine if one.pairing.verdict is not None]
    voted = [(one, _three(one.human), one.pairing.verdict) for one in scored if one.human is not None]
    pairs = [(human, machine) for _, human, machine in voted if human is not None and machine is not None]
    decided = [(human, machine) for human, machine in pairs if human in _DECIDED and machine in _DECIDED]
    whole = agreement(pairs)
    return JudgeReport(
        judge=judge,
        language=language,
        judgments=len(mine),
        unscored=len(mine) - len(scored),
        with_ties=share(human is machine for human, machine in pairs),
        without_ties=share(human is machine for human, machine in decided),
        kappa=Estimate(whole.kappa, whole.kappa_low, whole.kappa_high, whole.n),
        flips=share(bool(one.pairing.flipped) for one in scored),
        inconsistent=share(not one.pairing.consistent for one in scored),
        longer=share(for_longer > 0.5 for for_longer in _to_longer(scored) if for_longer != 0.5),
        length_preference=mean_difference(_differences(voted, _longer_side)),
        self_preference=mean_difference(_differences(voted, _kin_side)),
    )


def reports(battles: Sequence[JudgedBattle]) -> list[JudgeReport]:
    """Every judge over all languages, then in each."""
    judges = sorted({one.judge for one in battles})
    return [
        report(battles, judge, language)
        for judge in judges
        for language in ("", *sorted({one.language for one in battles if one.judge == judge and one.language}))
    ]


def share(cases: Iterable[bool]) -> Estimate:
    """A share with Wilson's interval."""
    found = list(cases)
    n = len(found)
    if n == 0:
        return Estimate(None, None, None, 0)
    low, high = wilson(sum(found), n)
    return Estimate(sum(found) / n, low, high, n)


def mean_difference(differences: Iterable[float]) -> Estimate:
    """A mean of paired differences with its normal interval; no interval where all are one and the same."""
    found = list(differences)
    if not found:
        return Estimate(None, None, None, 0)
    value = fmean(found)
    if len(set(found)) < 2:
        return Estimate(value, None, None, len(found))
    reach = _Z * stdev(found) / sqrt(len(found))
    return Estimate(value, value - reach, value + reach, len(found))


def pairing_of(record: JudgmentRecord) -> Pairing | None:
    """The two orders of a stored judgment with their strength; None while there is none."""
    if record.status is not JudgmentStatus.DONE or record.result is None:
        return None
    result = record.result
    first, turned = stored_labels(result.explanation)
    if first is not None and turned is not None:
        return combine(first, turned)
    second = turned.mirrored if turned is not None else None
    share_of_a = None if result.verdict is None else result.verdict.outcome
    return Pairing(
        first or _plain(result.first_order), second or _plain(result.second_order), result.verdict, share_of_a
    )


def stored_labels(explanation: str) -> tuple[Label | None, Label | None]:
    """The labels as each order was read, from what the judge's worker stored; None where there are none."""
    try:
        orders = json.loads(explanation)["orders"]
        first, second = (order["label"] for order in orders)
    except (ValueError, KeyError, TypeError):
        return None, None  # forgotten text, or a judgment that came from elsewhere
    known = {str(label): label for label in Label}
    return known.get(first), known.get(second)


def _plain(verdict: Verdict | None) -> Label | None:
    """A stored order without its strength."""
    plain: Mapping[Verdict | None, Label] = {
        Verdict.MODEL_A: Label.A_BETTER, Verdict.MODEL_B: Label.B_BETTER, Verdict.TIE: Label.TIE,
    }  # fmt: skip
    return plain.get(verdict)


def _three(verdict: Verdict | None) -> Verdict | None:
    """A judge knows no "both bad": it is a tie."""
    return Verdict.TIE if verdict is Verdict.BOTH_BAD else verdict


def _to_longer(battles: Iterable[JudgedBattle]) -> Iterable[float]:
    """What each verdict gives to the longer answer."""
    for one in battles:
        side = _longer_side(one)
        if side is not None and one.pairing.verdict is not None:
            yield _given(one.pairing.verdict, side)


def _differences(
    voted: Iterable[tuple[JudgedBattle, Verdict | None, Verdict | None]],
    side_of: Callable[[JudgedBattle], str | None],
) -> Iterable[float]:
    """What the judge gives to a side, less what the person gave it, on the same battle."""
    for one, human, machine in voted:
        side = side_of(one)
        if side is not None and human is not None and machine is not None:
            yield _given(machine, side) - _given(human, side)


def _given(verdict: Verdict, side: str) -> float:
    return verdict.outcome if side == "a" else 1.0 - verdict.outcome


def _longer_side(battle: JudgedBattle) -> str | None:
    if battle.length_a == battle.length_b:
        return None
    return "a" if battle.length_a > battle.length_b else "b"


def _kin_side(battle: JudgedBattle) -> str | None:
    a, b = battle.contestant_a in battle.kin, battle.contestant_b in battle.kin
    return None if a == b else "a" if a else "b"
