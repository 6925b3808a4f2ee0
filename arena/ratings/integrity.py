"""Signs of rigging in votes: who votes for (or against) one contestant, whatever it answers.

Two views of the same votes. A bettor per voter, contestant and direction plays against the honest
model and grows rich only when the voter is not honest there; a likelihood test asks whether a voter
agrees with the others at all. What no single voter shows is the business of `arena.ratings.crowds`.

Every voter is held against strengths fitted without that voter's own votes, and an honest voter may
have tastes: a liking for each contestant of an estimated spread, and a habit of its own about ties.
What is found is evidence for an operator; nothing here knows people, addresses or databases.

Sources: J. Ville, "Étude critique de la notion de collectif", 1939 (wealth above 1/α has
probability ≤ α at any time); G. Shafer, "Testing by betting", JRSS A 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

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

_HONEST_SHARES = ((0.02, 0.8), (0.3, 0.2))
"""Bets on a rigger that leaves such a share of its votes on the target honest, and what is staked on each."""

_ACCOMPLICES = (0.001, 0.01, 0.1)
"""Shares of a contestant's voters that may be in league, as bets on all of them at once."""

_LEAGUE = 1e-4
"""A league is believed in when these bets make more than 2m/_LEAGUE."""

_TIE_HABIT = 8.0
"""So many votes' worth of belief that a voter ties as often as everybody does."""

_TASTE = (0.3, 1.0)
"""Between these the spread of honest tastes is believed, in natural logarithms of odds."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

_VOICE = 3
"""So many votes on one contestant count in full; of a voter who cast more there, each counts less. A rigger who casts
hundreds must not write the model that it is measured by."""

_ROUNDS = 5


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


@dataclass(frozen=True, slots=True)
class Findings:
    """Every voter, the most suspicious first, with what they were measured by.

    `threshold` is the standing log-wealth that flags; `taste` the spread of honest likings; `ties` the share of ties.
    """

    suspicions: tuple[Suspicion, ...]
    threshold: float
    taste: float
    ties: float
    rounds: int

    @property
    def flagged(self) -> tuple[Suspicion, ...]:
        """Those whose evidence passes a threshold."""
        return tuple(one for one in self.suspicions if one.flagged)


def investigate(rows: Comparisons) -> Findings:
    """Look at every known voter of `rows` (in order of arrival; weights are not looked at).

    Flagged voters are left out of the model and everybody is measured again, until nothing changes:
    accomplices must not vouch for each other.
    """
    threshold = _threshold(rows, STANDING)
    if rows.voter is None or not (rows.voter >= 0).any():
        return Findings((), threshold, _TASTE[0], 0.0, 0)
    out = np.zeros(int(rows.voter.max()) + 1, dtype=bool)
    for number in range(1, _ROUNDS + 1):  # noqa: B007 (told in the result)
        suspicions, taste, ties = _round(rows, out)
        now = np.zeros_like(out)
        now[[one.voter for one in suspicions if one.flagged]] = True
        if (now == out).all():
            break
        out = now
    ordered = sorted(suspicions, key=lambda one: (one.flagged, one.bet.log_e), reverse=True)
    return Findings(tuple(ordered), threshold, taste, ties, number)


def _threshold(rows: Comparisons, alpha: float) -> float:
    """Bonferroni over contestants and directions on top of the bound for one bet."""
    return float(np.log(2 * max(len(rows.names), _LEAST_CONTESTANTS) / alpha))


def _round(rows: Comparisons, out: BoolArray) -> tuple[list[Suspicion], float, float]:
    """Measure every voter against the votes of those who are not out."""
    assert rows.voter is not None
    kept = ~_of(rows.voter, out)
    ties = float((rows.outcome[kept] == 0.5).mean()) if kept.any() else 0.0
    known = rows.where(rows.voter >= 0)
    assert known.voter is not None
    logit = _log_odds(known, _leave_one_out(rows, known, out), ties)
    sequences = _Sequences.of(known, logit, ties)
    taste = _taste(sequences, out)
    limits = _threshold(rows, STANDING), _threshold(rows, EVER)
    agreement = _agreement(known, logit, out)
    votes = np.bincount(known.voter, minlength=len(out))
    found = []
    wealth = _bets(sequences, taste)
    leagues = _leagues(sequences, np.where(wealth[0] > limits[0], 0, wealth[0]), _threshold(rows, _LEAGUE))
    for voter, bet in _strongest(sequences, wealth, limits).items():
        z = float(agreement[voter])
        least = leagues.get((bet.target, bet.direction), limits[0])
        favours = bet.log_e > min(least, limits[0]) or bet.highest > limits[1]
        found.append(Suspicion(voter, int(votes[voter]), bet, None if np.isnan(z) else z, favours, z < OPPOSED))
    return found, taste, ties


def _of(voter: IntArray, chosen: BoolArray) -> BoolArray:
    """Which comparisons belong to the chosen voters; unknown voters never do."""
    return np.asarray((voter >= 0) & chosen[np.maximum(voter, 0)])


def _leave_one_out(rows: Comparisons, known: Comparisons, out: BoolArray) -> FloatArray:
    """Log-strengths by everybody but this voter (and those who are out), one row per voter.

    One Newton step from the whole fit; a voter with much weight of its own is fitted anew.
    """
    assert rows.voter is not None
    assert known.voter is not None
    size, voters = len(rows.names), len(out)
    score = peers(rows.where(~_of(rows.voter, out)))
    theta = maximize(score)[0]
    p = win_probabilities(theta)
    spread = pseudo_inverse(laplacian((score + score.T) * p * p.T))
    voice = _voices(known)
    residual = voice * (known.outcome - p[known.a, known.b])
    base = known.voter.astype(np.intp) * size
    own = np.bincount(base + known.a, residual, voters * size) - np.bincount(base + known.b, residual, voters * size)
    own = own.reshape(voters, size)
    own[out] = 0
    without = theta - own @ spread
    votes = np.bincount(known.voter, minlength=voters)
    for voter in np.flatnonzero((votes > max(30, len(rows) / 50)) & ~out):
        mine = known.voter == voter
        cast = PairCounts.of(replace(known.where(mine), weight=voice[mine])).score
        without[voter] = maximize(np.maximum(score - cast, _PRIOR * (1 - np.eye(size))))[0]
    return np.asarray(without)


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


def _log_odds(known: Comparisons, theta: FloatArray, ties: float) -> FloatArray:
    """Log-odds per comparison that side a wins where somebody does, by an honest voter without tastes.

    Strengths are of expected scores, which ties draw towards a half; that is undone here.
    """
    assert known.voter is not None
    score = 1 / (1 + np.exp(theta[known.voter, known.b] - theta[known.voter, known.a]))
    chance = np.clip((score - ties / 2) / max(1 - ties, 1e-9), 0.01, 0.99)
    return np.asarray(np.log(chance / (1 - chance)))


@dataclass(frozen=True, slots=True, eq=False)
class _Sequences:
    """Votes by voter and contestant, each from the contestant's view, in order of arrival.

    Sequence i is `length[i]` entries from `start[i]`; longer sequences come first. `tie` is the voter's habit as it
    shows on other contestants, `trials` the number of votes that this is worth.
    """

    names: Sequence[str]
    voter: IntArray
    target: IntArray
    start: IntArray
    length: IntArray
    won: FloatArray
    logit: FloatArray
    tie: FloatArray
    trials: FloatArray

    @classmethod
    def of(cls, known: Comparisons, logit: FloatArray, ties: float) -> _Sequences:
        assert known.voter is not None
        target = np.concatenate((known.a, known.b)).astype(np.intp)
        voter = np.tile(known.voter.astype(np.intp), 2)
        key = voter * len(known.names) + target
        order = np.lexsort((np.tile(np.arange(len(known)), 2), key))
        start = np.flatnonzero(np.diff(key[order], prepend=-1))
        length = np.diff(np.append(start, len(key)))
        longest = np.argsort(-length, kind="stable")
        tied = np.tile(known.outcome == 0.5, 2)[order].astype(float)
        others = np.bincount(voter[order], tied, int(voter.max()) + 1)[voter[order][start]] / 2
        others -= np.add.reduceat(tied, start)
        count = np.bincount(voter)[voter[order][start]] / 2 - length
        trials = _TIE_HABIT + count
        habit = (_TIE_HABIT * np.clip(ties, 0.02, 0.9) + others) / trials
        return cls(
            known.names,
            voter[order][start][longest],
            target[order][start][longest],
            start[longest],
            length[longest],
            np.concatenate((known.outcome, 1 - known.outcome))[order],
            np.concatenate((logit, -logit))[order],
            np.repeat(habit, length),
            trials[longest],
        )

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum of the entries' values per sequence."""
        running = np.concatenate(([0.0], np.cumsum(values)))
        return np.asarray(running[self.start + self.length] - running[self.start])


def _taste(sequences: _Sequences, out: BoolArray) -> float:
    """Spread of tastes by moments: how much more sequences' scores vary than chance has them vary."""
    p = 1 / (1 + np.exp(-sequences.logit))
    decisive = 1 - sequences.tie
    mean = decisive * p + sequences.tie / 2
    gap = sequences.sums(sequences.won - mean)
    chance = sequences.sums(decisive * p + sequences.tie / 4 - mean**2)
    pull = sequences.sums(decisive * p * (1 - p))
    inside = ~out[sequences.voter]
    surplus = np.minimum(gap**2, 9 * chance) - chance  # a rigger's gap is no taste
    whole = float((pull[inside] ** 2).sum())
    estimate = np.sqrt(max(float(surplus[inside].sum()), 0.0) / whole) if whole else 0.0
    return float(np.clip(estimate, *_TASTE))


def _bets(sequences: _Sequences, taste: float) -> tuple[FloatArray, FloatArray]:
    """Log-wealth of the bets on every sequence (rows) and direction (columns), and its peak.

    With q the honest model's chance of the vote that was cast (tastes integrated out, learnt as votes
    come), a bet on a rigger that leaves a share h honest multiplies its wealth by h + (1 − h)/q when
    the vote serves the purpose and by h when not: its mean under the honest model is 1.
    """
    count = len(sequences.start)
    belief = np.tile(_WEIGHTS, (count, 1))
    stakes = np.array([stake for _, stake in _HONEST_SHARES])
    shares = np.array([share for share, _ in _HONEST_SHARES])
    wealth = np.tile(np.log(stakes), (count, 2, 1))
    total, peak = np.zeros((count, 2)), np.zeros((count, 2))
    tied = sequences.tie[sequences.start] * sequences.trials
    for step in range(int(sequences.length[0]) if count else 0):
        n = int(np.searchsorted(-sequences.length, -step, side="left"))  # those longer than `step`
        at = sequences.start[:n] + step
        won, tie = sequences.won[at], tied[:n] / (sequences.trials[:n] + step)
        tied[:n] += won == 0.5
        p = 1 / (1 + np.exp(-(sequences.logit[at][:, None] + taste * _NODES)))
        side = np.where(won[:, None] == 1, p, np.where(won[:, None] == 0, 1 - p, 1.0))
        likely = side * np.where(won == 0.5, tie, 1 - tie)[:, None]
        q = (belief[:n] * likely).sum(axis=1)
        belief[:n] *= likely / q[:, None]
        serves = np.stack((won == 1, won == 0), axis=1)
        wealth[:n] += np.log(shares + (1 - shares) * (serves / q[:, None])[..., None])
        total[:n] = np.logaddexp.reduce(wealth[:n], axis=2)
        peak = np.maximum(peak, total)
    return total, peak


def _leagues(sequences: _Sequences, wealth: FloatArray, limit: float) -> dict[tuple[str, Direction], float]:
    """Per contestant and direction that a league is at work on: the log-wealth from which a voter more likely belongs.

    If a share s of the voters are riggers, one bet on all of them makes Π(1 − s + s·Eᵥ) of the voters'
    wealths Eᵥ: its mean is 1 for honest voters, and many small suspicions add up. (Those who are flagged on
    their own are handed in with a wealth of 1: they need no league.)
    """
    gains = {s: np.logaddexp(np.log1p(-s), np.log(s) + wealth) for s in _ACCOMPLICES}
    found: dict[tuple[str, Direction], float] = {}
    for way, direction in enumerate(Direction):
        sums = {s: np.bincount(sequences.target, gain[:, way], len(sequences.names)) for s, gain in gains.items()}
        for target, name in enumerate(sequences.names):
            share = max(_ACCOMPLICES, key=lambda s: sums[s][target])
            if sums[share][target] - np.log(len(_ACCOMPLICES)) > limit:
                found[name, direction] = float(np.log((1 - share) / share))
    return found


def _strongest(
    sequences: _Sequences, wealth: tuple[FloatArray, FloatArray], limits: tuple[float, float]
) -> dict[int, Bet]:
    """Every voter's bet that comes nearest to a limit or furthest beyond it."""
    score, mean = sequences.sums(sequences.won), sequences.sums(_mean(sequences))
    now, peak = wealth
    nearest = np.maximum(now - limits[0], peak - limits[1])
    found: dict[int, Bet] = {}
    for i in np.lexsort((-nearest.max(axis=1), sequences.voter)):
        voter = int(sequences.voter[i])
        if voter in found:
            continue
        way = int(nearest[i].argmax())
        found[voter] = Bet(
            sequences.names[sequences.target[i]],
            tuple(Direction)[way],
            float(now[i, way]),
            float(peak[i, way]),
            int(sequences.length[i]),
            float(score[i]),
            float(mean[i]),
        )
    return found


def _mean(sequences: _Sequences) -> FloatArray:
    return np.asarray((1 - sequences.tie) / (1 + np.exp(-sequences.logit)) + sequences.tie / 2)


def _agreement(known: Comparisons, log_odds: FloatArray, out: BoolArray) -> FloatArray:
    """Each voter's log-likelihood where it named a winner, against its mean and deviation under the others' model.

    Honest voters differ more than chance; the deviation is widened to what half of them show.
    """
    assert known.voter is not None
    decisive = known.outcome != 0.5
    voters, logit = len(out), log_odds[decisive]
    p = 1 / (1 + np.exp(-logit))
    surplus = (known.outcome[decisive] - p) * logit
    voter = known.voter[decisive]
    count = np.bincount(voter, minlength=voters)
    deviation = np.sqrt(np.bincount(voter, p * (1 - p) * logit**2, voters))
    enough = (count >= LEAST_DECISIVE) & (deviation > 0)
    z = np.full(voters, np.nan)
    z[enough] = np.bincount(voter, surplus, voters)[enough] / deviation[enough]
    peers = z[enough & ~out]
    wider = np.sqrt(max(1.0, float(np.median(peers**2)) / 0.4549)) if len(peers) >= 20 else 1.5
    return np.asarray(z / wider)
