"""What only many votes together show: groups that treat a contestant unlike the rest, repeated prompts, and how
little would put another first.

It takes comparisons and counts as they are and does not know who is suspected of what.

Source: K.-Y. Liang and S. Zeger, Biometrika 1986 (sums squared by cluster).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena.ratings.bradley_terry import maximize
from arena.ratings.comparisons import BoolArray, Comparisons, FloatArray, IntArray, PairCounts
from arena.ratings.connectivity import pieces
from arena.ratings.integrity import Findings, investigate, peers
from arena.ratings.intervals import laplacian, pseudo_inverse, win_probabilities

LEAST_VOTES = 20
"""A z is told of so many votes on a contestant, not of fewer."""

ALARM = 5.0
"""So many deviations raise an alarm: once in two million by chance, and a dozen contestants in five groups are seen."""

_NEWCOMERS = (1, 3, 10, 30)
"""Voters with at most so many votes are looked at as a group."""

_ROUNDING = 1e-9
"""Log-strength: nobody is above another by less."""

_MOST_ALARMS = 10
"""Crowds that one look tells of at most."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How a group of votes treats a contestant: its score there and by the rest's measure, and the z of the gap."""

    model: str
    battles: int
    score: float
    expected: float
    z: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Alarm:
    """A group that treats one contestant unlike the rest do. `most` is the number of votes that its voters cast at
    most, None for the newest tenth of all votes.

    `rows` are the group's votes on that contestant, for it and against it: setting all of them aside
    takes the attack out and favours nobody, whichever of them are honest.
    """

    most: int | None
    shift: Shift
    rows: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """Every voter on its own, and the groups that no single voter gives away. `rows` lists the votes of flagged
    voters and of alarms: what a quarantine would hold."""

    findings: Findings
    alarms: tuple[Alarm, ...]
    rows: IntArray


@dataclass(frozen=True, slots=True)
class Flip:
    """How little would put another first: `duels` votes for the challenger against the leader itself, or
    `battles` random battles of which those with the challenger in them all go its way. Both were looked for
    among the contestants that the votes rate on the main scale and that fought `least` battles or more."""

    leader: str
    challenger: str
    duels: int
    battles: int
    least: int


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """How often the same prompts came back. `weight[i]` is 1/n for a prompt that n votes were cast on, so that
    each prompt counts once; a vote whose prompt is not known weighs 1."""

    known: int
    distinct: int
    repeated: int
    largest: int
    weight: FloatArray

    @property
    def share(self) -> float:
        """Votes beyond the first on their prompt, as a share of those whose prompt is known."""
        return (self.known - self.distinct) / self.known if self.known else 0.0


def examine(rows: Comparisons) -> Examination:
    """Look for groups and for single voters, each with the other's finds set aside."""
    crowd = np.ones(len(rows), dtype=bool)
    for alarm in alarms(rows, crowd):
        crowd[alarm.rows] = False
    findings = investigate(rows.where(crowd))
    single = np.zeros(len(rows), dtype=bool)
    if rows.voter is not None:
        single = np.isin(rows.voter, [one.voter for one in findings.flagged])
    found = alarms(rows, ~single)
    for alarm in found:
        single[alarm.rows] = True
    return Examination(findings, found, np.flatnonzero(single))


def alarms(rows: Comparisons, among: BoolArray) -> tuple[Alarm, ...]:
    """Groups whose pooled z passes `ALARM`, the loudest first; each is set aside before the next is looked for:
    those who met a promoted contestant look demoted only as long as it is there."""
    left = among.copy()
    found: list[Alarm] = []
    while len(found) < _MOST_ALARMS:
        loudest = max((_loudest(rows, left, most) for most in (None, *_NEWCOMERS)), key=_loudness)
        if _loudness(loudest) <= ALARM or loudest is None:
            break
        left[loudest.rows] = False
        found.append(loudest)
    return tuple(found)


def _loudness(alarm: Alarm | None) -> float:
    return abs(alarm.shift.z or 0.0) if alarm is not None else 0.0


def _loudest(rows: Comparisons, left: BoolArray, most: int | None) -> Alarm | None:
    """The contestant that a group treats most unlike the rest; None where the group is no small part of the votes."""
    at = np.flatnonzero(left)
    part = rows.where(at)
    chosen = newest(part) if most is None else newcomers(part, most)
    if not 0 < chosen.sum() <= len(part) / 2:
        return None
    shift = pooled(part, chosen)[0]
    target = part.names.index(shift.model)
    return Alarm(most, shift, at[chosen & ((part.a == target) | (part.b == target))])


def newcomers(rows: Comparisons, most: int = 3) -> BoolArray:
    """Votes of voters who cast at most so many: the face that an attack of many voters shows."""
    if rows.voter is None or not len(rows):
        return np.zeros(len(rows), dtype=bool)
    votes = np.bincount(rows.voter[rows.voter >= 0], minlength=1)
    return np.asarray((rows.voter >= 0) & (votes[np.maximum(rows.voter, 0)] <= most))


def newest(rows: Comparisons, share: float = 0.1) -> BoolArray:
    """The last share of the votes."""
    return np.asarray(np.arange(len(rows)) >= len(rows) * (1 - share))


def pooled(rows: Comparisons, chosen: BoolArray) -> tuple[Shift, ...]:
    """Whether the chosen votes, taken together, treat each contestant unlike the rest do; largest |z| first.

    The rest's votes make the model. The variance sums squares per voter, so one eager voter is one voice,
    plus what the rest's own uncertainty adds.
    """
    size = len(rows.names)
    score = peers(rows.where(~chosen))
    theta = maximize(score)[0]
    p = win_probabilities(theta)
    spread = pseudo_inverse(laplacian((score + score.T) * p * p.T))
    part = rows.where(chosen)
    shifts = [_shift(part, target, p, spread) for target in range(size)]
    return tuple(sorted(shifts, key=lambda shift: -abs(shift.z or 0.0)))


def _shift(part: Comparisons, target: int, p: FloatArray, spread: FloatArray) -> Shift:
    mine = (part.a == target) | (part.b == target)
    first = part.a[mine] == target
    other = np.where(first, part.b[mine], part.a[mine])
    won = np.where(first, part.outcome[mine], 1 - part.outcome[mine])
    mean = p[target, other]
    n, gap = len(won), float((won - mean).sum())
    if n < LEAST_VOTES:
        return Shift(part.names[target], n, float(won.sum()), float(mean.sum()), None)
    voter = (
        np.arange(n) - n - 1
        if part.voter is None
        else np.where(part.voter[mine] < 0, -1 - np.arange(n), part.voter[mine])
    )
    _, cluster = np.unique(voter, return_inverse=True)
    centred = won - mean - gap / n
    variance = float((np.bincount(cluster, centred) ** 2).sum())
    pull = np.zeros(len(part.names))
    np.add.at(pull, other, -mean * (1 - mean))
    pull[target] = -pull.sum()
    variance += float(pull @ spread @ pull)
    z = float(gap / np.sqrt(variance)) if variance > 0 else None
    return Shift(part.names[target], n, float(won.sum()), float(mean.sum()), z)


def first_place(counts: PairCounts, least: int) -> Flip | None:
    """The least that would put another contestant first among those who are rated on the main scale and fought
    `least` battles; None for fewer than two of them.

    Others hold the strengths as on the board, but neither lead nor challenge: what few votes say of them is no place.
    """
    found = pieces(counts.score)
    core = np.sort(found[0].core) if found else np.empty(0, dtype=int)
    known = np.flatnonzero(counts.battles.sum(axis=1)[core] >= least)
    if len(core) < 2 or len(known) < 2:
        return None
    score = counts.select(core).score
    theta = maximize(score)[0]
    leader, *others = known[np.argsort(-theta[known], kind="stable")].tolist()
    search = _Search(score, theta, known, leader)
    challenger = others[0]  # votes for it let nobody overtake it: it does come first
    duels = search.fewest(challenger, search.duel(challenger))
    for other in others[1:]:
        if duels > 1 and search.leads(other, search.duel(other), duels - 1):
            challenger, duels = other, search.fewest(other, search.duel(other))
    battles = search.fewest(challenger, search.against_all(challenger)) * len(core) / 2
    return Flip(counts.names[core[leader]], counts.names[core[challenger]], duels, int(np.ceil(battles)), least)


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """How many more votes put one of the `known` before the leader with nobody above it; `theta` are the strengths
    without any."""

    score: FloatArray
    theta: FloatArray
    known: IntArray
    leader: int

    def duel(self, challenger: int) -> FloatArray:
        """A vote for the challenger against the leader."""
        vote = np.zeros_like(self.score)
        vote[challenger, self.leader] = 1
        return vote

    def against_all(self, challenger: int) -> FloatArray:
        """A vote for the challenger, in equal parts against each of the others."""
        vote = np.zeros_like(self.score)
        vote[challenger] = 1 / (len(vote) - 1)
        vote[challenger, challenger] = 0
        return vote

    def leads(self, challenger: int, vote: FloatArray, votes: int) -> bool:
        """Whether so many such votes put the challenger first."""
        theta = maximize(self.score + votes * vote, self.theta)[0]
        first = theta[self.known].max() - _ROUNDING
        return bool(theta[challenger] > theta[self.leader] and theta[challenger] >= first)

    def fewest(self, challenger: int, vote: FloatArray) -> int:
        """The smallest number of such votes that put the challenger first; with more it stays there."""
        high = 1
        while not self.leads(challenger, vote, high):
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.leads(challenger, vote, middle) else (middle, high)
        return high


def duplicates(prompt: IntArray) -> Duplicates:
    """Count prompts that came back; `prompt` numbers each vote's prompt, −1 where it is not known."""
    known = prompt >= 0
    counts = np.bincount(prompt[known]) if known.any() else np.zeros(1, dtype=int)
    weight = np.where(known, 1 / np.maximum(counts[np.maximum(prompt, 0)], 1), 1.0)
    return Duplicates(
        int(known.sum()), int((counts > 0).sum()), int((counts > 1).sum()), int(counts.max()), np.asarray(weight)
    )
