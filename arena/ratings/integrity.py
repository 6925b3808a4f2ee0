"""Signs of rigging in votes: who votes for (or against) one contestant, whatever it answers.

Two views of the same votes. A bettor per voter, contestant and direction plays against the honest
model and grows rich only when the voter is not honest there (`arena.ratings.betting`); a likelihood test
asks whether a voter agrees with the others at all. What no single voter shows is the business of
`arena.ratings.crowds`.

Every voter is held against strengths fitted without that voter's own votes. What is found is evidence
for an operator; nothing here knows people, addresses or databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np

from arena.ratings.betting import (
    AT_ONCE,
    TASTE,
    BetSequences,
    Tastes,
    bets,
    honest_mean,
    league_gains,
    least_wealth,
)
from arena.ratings.bradley_terry import maximize
from arena.ratings.comparisons import BoolArray, Comparisons, FloatArray, IntArray, PairCounts
from arena.ratings.intervals import laplacian, pseudo_inverse, win_probabilities

STANDING = 0.06
"""Flagged when wealth stands above 2m/STANDING for m contestants. Markov's bound on flagging an honest voter, over
all contestants and both directions; simulated honest voters stay far below it (`perf/integrity.py` prints how far)."""

EVER = 1e-4
"""Also flagged when wealth was ever above 2m/EVER: honest votes afterwards do not wash a rigger clean."""

LEAST_DECISIVE = 20
"""The likelihood test speaks of voters with so many votes that named a winner: fewer are not yet normal."""

OPPOSED = -4.0
"""A voter this many deviations below the agreement that the others have is flagged."""

_PRIOR = 0.05
"""Half a tenth of a win each way between any two: strengths stay finite, and no vote outweighs it for long."""

_LEAST_CONTESTANTS = 12
"""A small board is held to the evidence that a board of so many needs: its model is known less well."""

_LEAGUE = 1e-4
"""A league is believed in when these bets make more than 2m/_LEAGUE."""

_VOICE = 3
"""So many votes on one contestant count in full; of a voter who cast more there, each counts less. A rigger who casts
hundreds must not write the model that it is measured by."""

_FEWEST_PEERS = 20
"""So many voters tell by how much honest ones differ beyond chance and tastes."""

_WIDER = 1.15
"""Believed of it where there are fewer; simulated teams of 5 to 20 voters show 0.9 to 1.2."""

_ROUNDS = 5
"""Times, at most, that everybody is measured anew without those who were flagged."""


class Direction(StrEnum):
    """What a voter does to its target."""

    RAISE = "raise"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Bet:
    """How the bettor fared on one voter, one contestant and one direction.

    `log_e` is the natural logarithm of the wealth made from 1, `highest` that of its peak: an honest
    voter reaches log(1/α) with probability α at most. `score` is what the voter gave the target over
    `battles` battles, `expected` what the others' votes made likely.
    """

    target: str
    direction: Direction
    log_e: float
    highest: float
    battles: int
    score: float
    expected: float


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What the votes say of one voter (an index of the comparisons); `agreement` None is "too few votes to tell".

    `agreement` is the likelihood test: deviations above or below how well votes agree with the others'.
    """

    voter: int
    votes: int
    bet: Bet
    agreement: float | None
    favours: bool
    opposes: bool

    @property
    def flagged(self) -> bool:
        """Whether the evidence passes a threshold."""
        return self.favours or self.opposes


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """What `Suspicion` says, as columns: most voters are nobody's business. `agreement` NaN is "cannot tell"."""

    names: Sequence[str]
    voter: IntArray
    votes: IntArray
    target: IntArray
    way: IntArray
    log_e: FloatArray
    highest: FloatArray
    battles: IntArray
    score: FloatArray
    expected: FloatArray
    agreement: FloatArray
    favours: BoolArray
    opposes: BoolArray

    @property
    def flagged(self) -> BoolArray:
        """Whose evidence passes a threshold."""
        return self.favours | self.opposes

    def ordered(self) -> IntArray:
        """Places, the most suspicious first."""
        return np.lexsort((-self.log_e, ~self.flagged))

    def at(self, i: int) -> Suspicion:
        """One voter's."""
        bet = Bet(
            self.names[self.target[i]],
            tuple(Direction)[self.way[i]],
            float(self.log_e[i]),
            float(self.highest[i]),
            int(self.battles[i]),
            float(self.score[i]),
            float(self.expected[i]),
        )
        z = float(self.agreement[i])
        agreement = None if np.isnan(z) else z
        return Suspicion(
            int(self.voter[i]), int(self.votes[i]), bet, agreement, bool(self.favours[i]), bool(self.opposes[i])
        )


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Every voter, with what they were measured by.

    `threshold` is the standing log-wealth that flags; `taste` the spread of honest likings; `ties` the share of ties.
    """

    evidence: _Evidence | None
    threshold: float
    taste: float
    ties: float
    rounds: int

    @property
    def suspicions(self) -> tuple[Suspicion, ...]:
        """Every voter, the most suspicious first."""
        found = self.evidence
        return () if found is None else tuple(found.at(i) for i in found.ordered().tolist())

    @property
    def flagged(self) -> tuple[Suspicion, ...]:
        """Those whose evidence passes a threshold."""
        found = self.evidence
        return () if found is None else tuple(found.at(i) for i in found.ordered()[: found.flagged.sum()].tolist())


def investigate(rows: Comparisons) -> Findings:
    """Look at every known voter of `rows` (in order of arrival; weights are not looked at).

    Flagged voters are left out of the model and everybody is measured again, until nothing changes:
    accomplices must not vouch for each other.
    """
    threshold = _threshold(rows, STANDING)
    if rows.voter is None or not (rows.voter >= 0).any():
        return Findings(None, threshold, TASTE[0], 0.0, 0)
    out = np.zeros(int(rows.voter.max()) + 1, dtype=bool)
    for number in range(1, _ROUNDS + 1):  # noqa: B007 (told in the result)
        found, taste, ties = _round(rows, out)
        now = np.zeros_like(out)
        now[found.voter[found.flagged]] = True
        if (now == out).all():
            break
        out = now
    return Findings(found, threshold, taste, ties, number)


def _threshold(rows: Comparisons, alpha: float) -> float:
    """Bonferroni over contestants and directions on top of the bound for one bet."""
    return float(np.log(2 * max(len(rows.names), _LEAST_CONTESTANTS) / alpha))


def _round(rows: Comparisons, out: BoolArray) -> tuple[_Evidence, float, float]:
    """Measure every voter against the votes of those who are not out."""
    assert rows.voter is not None
    kept = ~_of(rows.voter, out)
    ties = float((rows.outcome[kept] == 0.5).mean()) if kept.any() else 0.0
    known = rows.where(rows.voter >= 0)
    logit = _log_odds(_leads(rows, known, out), ties)
    limits = _threshold(rows, STANDING), _threshold(rows, EVER)
    parts = _by_voters(_voters(known), len(out))
    tastes = Tastes.of((BetSequences.of(known.where(at), logit[at], ties) for at in parts), out)
    taste, agreement = tastes.spread, _agreement(known, logit, out, tastes)
    found, gains = [], []
    for at in parts:
        sequences = BetSequences.of(known.where(at), logit[at], ties)
        wealth = bets(sequences, taste)
        gains.append(league_gains(sequences, np.where(wealth[0] > limits[0], 0, wealth[0])))
        found.append(_evidence(sequences, wealth, limits, agreement))
    least = least_wealth(np.sum(gains, axis=0), limits[0], _threshold(rows, _LEAGUE))
    return _joined(found, least, limits[1]), taste, ties


def _by_voters(voter: IntArray, voters: int) -> Sequence[IntArray]:
    """Where the votes of some thousands of voters stand, and of the next, each in order of arrival."""
    order = np.argsort(voter, kind="stable")
    ends = np.searchsorted(voter, np.arange(0, voters + AT_ONCE, AT_ONCE), sorter=order)
    return [np.sort(order[first:last]) for first, last in pairwise(ends.tolist()) if first < last]


def _voters(known: Comparisons) -> IntArray:
    """The voters of comparisons whose voters are all known."""
    assert known.voter is not None
    return known.voter


def _of(voter: IntArray, chosen: BoolArray) -> BoolArray:
    """Which comparisons belong to the chosen voters; unknown voters never do."""
    return np.asarray((voter >= 0) & chosen[np.maximum(voter, 0)])


def _leads(rows: Comparisons, known: Comparisons, out: BoolArray) -> FloatArray:
    """By how much side a is stronger than side b in each of the known comparisons, by everybody but its voter (and
    those who are out).

    One Newton step from the whole fit; a voter with much weight of its own is fitted anew. Voters are taken some
    thousands at a time: a table of all of them by contestants would be most of the memory of a look.
    """
    assert rows.voter is not None
    voter, size = _voters(known), len(rows.names)
    score = peers(rows.where(~_of(rows.voter, out)))
    theta = maximize(score)[0]
    p = win_probabilities(theta)
    spread = pseudo_inverse(laplacian((score + score.T) * p * p.T))
    voice = _voices(known)
    residual = voice * (known.outcome - p[known.a, known.b])
    order = np.argsort(voter, kind="stable")
    ends = np.searchsorted(voter, np.arange(len(out) + 1), sorter=order)
    leads = np.empty(len(known))
    for first in range(0, len(out), AT_ONCE):
        last = min(first + AT_ONCE, len(out))
        at = order[ends[first] : ends[last]]
        row = (voter[at] - first).astype(np.intp)
        a, b, places = known.a[at], known.b[at], (last - first) * size
        own = np.bincount(row * size + a, residual[at], places) - np.bincount(row * size + b, residual[at], places)
        own = own.reshape(-1, size)
        own[out[first:last]] = 0
        without = theta - own @ spread
        leads[at] = without[row, a] - without[row, b]
    votes = np.diff(ends)
    for one in np.flatnonzero((votes > max(30, len(rows) / 50)) & ~out):
        mine = order[ends[one] : ends[one + 1]]
        cast = PairCounts.of(replace(known.where(mine), weight=voice[mine])).score
        apart = maximize(np.maximum(score - cast, _PRIOR * (1 - np.eye(size))))[0]
        leads[mine] = apart[known.a[mine]] - apart[known.b[mine]]
    return leads


def peers(rows: Comparisons) -> FloatArray:
    """What contestants scored against each other, everybody having a limited voice on each of them."""
    return with_prior(PairCounts.of(replace(rows, weight=_voices(rows))).score)


def _voices(rows: Comparisons) -> FloatArray:
    """A weight per comparison; votes of unknown voters count in full."""
    if rows.voter is None or not len(rows):
        return np.ones(len(rows))
    size, known = len(rows.names), rows.voter >= 0
    base = np.maximum(rows.voter, 0).astype(np.intp) * size
    keys = base + rows.a, base + rows.b
    cast = np.bincount(np.concatenate([key[known] for key in keys]), minlength=int(base.max()) + size)
    most = np.maximum(cast[keys[0]], cast[keys[1]])
    return np.where(known, np.minimum(1.0, _VOICE / np.maximum(most, 1)), 1.0)


def with_prior(score: FloatArray) -> FloatArray:
    """A score table whose strengths are finite whatever was voted."""
    return np.asarray(score + _PRIOR * (1 - np.eye(len(score))))


def _log_odds(leads: FloatArray, ties: float) -> FloatArray:
    """Log-odds per comparison that side a wins where somebody does, by an honest voter without tastes.

    Strengths are of expected scores, which ties draw towards a half; that is undone here.
    """
    score = 1 / (1 + np.exp(-leads))
    chance = np.clip((score - ties / 2) / max(1 - ties, 1e-9), 0.01, 0.99)
    return np.asarray(np.log(chance / (1 - chance)))


def _evidence(
    sequences: BetSequences, wealth: tuple[FloatArray, FloatArray], limits: tuple[float, float], agreement: FloatArray
) -> _Evidence:
    """Of every voter the bet that comes nearest to a limit or furthest beyond it; who is flagged is not known yet."""
    now, peak = wealth
    nearest = np.maximum(now - limits[0], peak - limits[1])
    order = np.lexsort((-nearest.max(axis=1), sequences.voter))
    best = order[np.flatnonzero(np.diff(sequences.voter[order], prepend=-1))]
    way = nearest[best].argmax(axis=1)
    voter, nobody = sequences.voter[best], np.zeros(len(best), dtype=bool)
    return _Evidence(
        sequences.names,
        voter,
        np.bincount(sequences.voter, sequences.length)[voter].astype(int) // 2,
        sequences.target[best],
        way,
        now[best, way],
        peak[best, way],
        sequences.length[best],
        sequences.sums(sequences.won)[best],
        sequences.sums(honest_mean(sequences))[best],
        agreement[voter],
        nobody,
        nobody,
    )


def _joined(parts: Sequence[_Evidence], least: FloatArray, ever: float) -> _Evidence:
    """The evidence on all voters: `least` is the standing wealth that flags, `ever` that of the peak."""
    columns = {
        one.name: np.concatenate([getattr(part, one.name) for part in parts])
        for one in fields(_Evidence)
        if one.name != "names"
    }
    found = _Evidence(parts[0].names, **columns)
    favours = (found.log_e > least[found.target, found.way]) | (found.highest > ever)
    return replace(found, favours=favours, opposes=found.agreement < OPPOSED)


def _agreement(known: Comparisons, log_odds: FloatArray, out: BoolArray, tastes: Tastes) -> FloatArray:
    """Each voter's log-likelihood where it named a winner, against its mean and deviation under the others' model.

    The deviation is that of chance and of tastes as far as the others' reach, which tell the more the more somebody
    votes. Honest voters differ in other things too: it is widened to what half of them show.
    """
    assert known.voter is not None
    decisive = known.outcome != 0.5
    voters, logit = len(out), log_odds[decisive]
    p = 1 / (1 + np.exp(-logit))
    surplus = (known.outcome[decisive] - p) * logit
    voter = known.voter[decisive]
    count = np.bincount(voter, minlength=voters)
    variance = np.bincount(voter, p * (1 - p) * logit**2, voters).astype(float)
    enough = (count >= LEAST_DECISIVE) & (variance > 0)
    z = np.full(voters, np.nan)
    variance += tastes.of_others**2 * tastes.lean
    z[enough] = np.bincount(voter, surplus, voters)[enough] / np.sqrt(variance[enough])
    peers = z[enough & ~out]
    wider = np.sqrt(max(1.0, float(np.median(peers**2)) / 0.4549)) if len(peers) >= _FEWEST_PEERS else _WIDER
    return np.asarray(z / wider)
