"""Bets on voters being riggers: a bettor per voter, contestant and direction plays against the honest model.

An honest voter may have tastes: a liking for each contestant of an estimated spread, and a habit of its own about
ties. Only a rigger makes the bettor rich. It is handed the honest model's odds of every comparison, and knows neither
where they came from nor at what wealth anybody is flagged.

Sources: J. Ville, "Étude critique de la notion de collectif", 1939 (wealth above 1/α has
probability ≤ α at any time); G. Shafer, "Testing by betting", JRSS A 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from arena.ratings.comparisons import BoolArray, Comparisons, FloatArray, IntArray

_HONEST_SHARES = ((0.02, 0.8), (0.3, 0.2))
"""Bets on a rigger that leaves such a share of its votes on the target honest, and what is staked on each."""

_ACCOMPLICES = (0.001, 0.01, 0.1)
"""Shares of a contestant's voters that may be in league, as bets on all of them at once."""

_TIE_HABIT = 8.0
"""So many votes' worth of belief that a voter ties as often as everybody does."""

TASTE = (0.3, 1.0)
"""Between these the spread of honest tastes is believed, in natural logarithms of odds."""

_USUAL_TASTE = 0.5
"""A spread of tastes as teams have it."""

_FEW_KNOW = 20.0
"""The usual spread weighs like what a voter of some forty votes on a dozen contestants shows."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

AT_ONCE = 4_096
"""So many voters, or bets, are reckoned together: a megabyte or two of memory however many there are."""


@dataclass(frozen=True, slots=True, eq=False)
class BetSequences:
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
    def of(cls, known: Comparisons, logit: FloatArray, ties: float) -> BetSequences:
        """From comparisons whose voters are all known, the log-odds of each, and the share of ties among all."""
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

    def some(self, part: slice) -> BetSequences:
        """A part of the sequences, over the same entries."""
        voter, target, start, length = self.voter[part], self.target[part], self.start[part], self.length[part]
        return replace(self, voter=voter, target=target, start=start, length=length, trials=self.trials[part])

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum of the entries' values per sequence."""
        running = np.concatenate(([0.0], np.cumsum(values)))
        return np.asarray(running[self.start + self.length] - running[self.start])


@dataclass(frozen=True, slots=True, eq=False)
class Tastes:
    """How far voters' likings reach, by moments; one entry per voter.

    `surplus` is by how much a voter's scores vary beyond chance, `whole` by how much they would at tastes of spread 1
    (both 0 for those who are left out). `lean` is the variance that tastes of spread 1 give to the voter's
    log-likelihood: each liking moves all votes on its contestant, so it grows with their square.
    """

    surplus: FloatArray
    whole: FloatArray
    lean: FloatArray

    @classmethod
    def of(cls, parts: Iterable[BetSequences], out: BoolArray) -> Tastes:
        """From all voters' sequences; nothing is learnt from those who are `out`."""
        sums = np.zeros((3, len(out)))
        for part in parts:
            first, last = int(part.voter.min()), int(part.voter.max()) + 1
            sums[:, first:last] += _variation(part, first, last)
        sums[:2, out] = 0
        return cls(*sums)

    @property
    def spread(self) -> float:
        """That of everybody's tastes."""
        return float(_believed(self.surplus.sum(), self.whole.sum()))

    @property
    def of_others(self) -> FloatArray:
        """For every voter the spread of its likings against those of all others: nobody vouches for itself. Few others
        know little, so that a usual spread is believed beside them, and their own likings do not level out."""
        surplus, whole = _FEW_KNOW * _USUAL_TASTE**2 - self.surplus, _FEW_KNOW - self.whole
        own = _believed(self.surplus.sum() + surplus, self.whole.sum() + whole)
        others = np.maximum((self.whole > 0).sum() - (self.whole > 0), 1)
        return np.asarray(own * np.sqrt(1 + 1 / others))


def _believed(surplus: FloatArray | float, whole: FloatArray | float) -> FloatArray:
    """The spread that so much variation speaks of."""
    share = np.maximum(surplus, 0) / np.maximum(whole, 1e-300)
    return np.asarray(np.clip(np.sqrt(share), *TASTE))


def _variation(sequences: BetSequences, first: int, last: int) -> FloatArray:
    """The three columns of `Tastes`, of these sequences, whose voters are numbered from `first` to before `last`."""
    p = 1 / (1 + np.exp(-sequences.logit))
    decisive = 1 - sequences.tie
    mean = decisive * p + sequences.tie / 2
    gap = sequences.sums(sequences.won - mean)
    chance = sequences.sums(decisive * p + sequences.tie / 4 - mean**2)
    pull = sequences.sums(decisive * p * (1 - p))
    surplus = np.minimum(gap**2, 9 * chance) - chance  # a rigger's gap is no taste
    lean = sequences.sums((sequences.won != 0.5) * p * (1 - p) * sequences.logit)
    voter = sequences.voter - first
    return np.array([np.bincount(voter, column, last - first) for column in (surplus, pull**2, lean**2)])


def bets(sequences: BetSequences, taste: float) -> tuple[FloatArray, FloatArray]:
    """Log-wealth of the bets on every sequence (rows) and direction (columns), and its peak.

    With q the honest model's chance of the vote that was cast (tastes integrated out, learnt as votes
    come), a bet on a rigger that leaves a share h honest multiplies its wealth by h + (1 − h)/q when
    the vote serves the purpose and by h when not: its mean under the honest model is 1. Sequences know
    nothing of each other, so that some thousands at a time do.
    """
    count = len(sequences.start)
    now, peak = np.empty((count, 2)), np.empty((count, 2))
    for first in range(0, count, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        now[part], peak[part] = _bets_on(sequences.some(part), taste)
    return now, peak


def _bets_on(sequences: BetSequences, taste: float) -> tuple[FloatArray, FloatArray]:
    """The same, of all at once."""
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


def league_gains(sequences: BetSequences, wealth: FloatArray) -> FloatArray:
    """What bets on leagues make of these sequences: per share of accomplices, contestant and direction the log-wealth.

    If a share s of the voters are riggers, one bet on all of them makes Π(1 − s + s·Eᵥ) of the voters'
    wealths Eᵥ: its mean is 1 for honest voters, and many small suspicions add up. (Those who are flagged on
    their own are handed in with a wealth of 1: they need no league.)
    """
    size, ways = len(sequences.names), wealth.shape[1]
    sums = np.empty((len(_ACCOMPLICES), size, ways))
    for s, of_share in zip(_ACCOMPLICES, sums, strict=True):
        for way in range(ways):
            gain = np.logaddexp(np.log1p(-s), np.log(s) + wealth[:, way])
            of_share[:, way] = np.bincount(sequences.target, gain, size)
    return sums


def least_wealth(gains: FloatArray, alone: float, limit: float) -> FloatArray:
    """Per contestant (rows) and direction (columns) the standing log-wealth that flags: `alone`, and where a league
    is at work that from which a voter more likely belongs to it, if that is less. `gains` are all sequences'."""
    share = np.array(_ACCOMPLICES)[gains.argmax(axis=0)]
    league = gains.max(axis=0) - np.log(len(_ACCOMPLICES)) > limit
    return np.where(league, np.minimum(alone, np.log((1 - share) / share)), alone)


def honest_mean(sequences: BetSequences) -> FloatArray:
    """What an honest voter without tastes gives on the mean, per entry."""
    return np.asarray((1 - sequences.tie) / (1 + np.exp(-sequences.logit)) + sequences.tie / 2)
