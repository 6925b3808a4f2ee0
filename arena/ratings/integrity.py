"""Signs of rigging in votes: who votes for (or against) one contestant, whatever it answers.

Three views of the same votes. A bettor per voter, contestant and direction plays against the honest
model and grows rich only when the voter is not honest there; a likelihood test asks whether a voter
agrees with the others at all; a pooled z asks whether a group of votes (the newest, the newcomers')
treats a contestant unlike the rest do, which is what many voters of one vote each leave behind.

Every voter is held against strengths fitted without that voter's own votes, and an honest voter may
have tastes: a liking for each contestant of an estimated spread, and a habit of its own about ties.
What is found is evidence for an operator; nothing here knows people, addresses or databases.

Sources: J. Ville, "Étude critique de la notion de collectif", 1939 (wealth above 1/α has
probability ≤ α at any time); G. Shafer, "Testing by betting", JRSS A 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from arena.ratings.bradley_terry import maximize
from arena.ratings.comparisons import BoolArray, Comparisons, FloatArray, IntArray, PairCounts
from arena.ratings.intervals import laplacian, pseudo_inverse, win_probabilities

ALPHA = 0.005
"""How likely an honest voter may ever be flagged for favouring somebody, over all contestants and both directions."""

LEAST_DECISIVE = 20
"""The likelihood test speaks of voters with so many votes that named a winner: fewer are not yet normal."""

OPPOSED = -4.0
"""A voter this many deviations below the agreement that the others have is flagged."""

_PRIOR = 0.05
"""Half a tenth of a win each way between any two: strengths stay finite, and no vote outweighs it for long."""

_HONEST_SHARES = ((0.02, 0.6), (0.2, 0.2), (0.5, 0.2))
"""Bets on a rigger that leaves such a share of its votes on the target honest, and what is staked on each."""

_TIE_HABIT = 8.0
"""So many votes' worth of belief that a voter ties as often as everybody does."""

_TASTE = (0.3, 1.0)
"""Between these the spread of honest tastes is believed, in natural logarithms of odds."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

_ROUNDS = 5


class Direction(StrEnum):
    """What a voter does to its target."""

    RAISE = "raise"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Bet:
    """How the bettor fared on one voter, one contestant and one direction.

    `log_e` is the natural logarithm of the highest wealth reached from 1: above log(1/α) an honest
    voter comes with probability α at most. `score` is what the voter gave the target over `battles`
    battles, `expected` what the others' votes made likely. `caught_at` counts the voter's votes (on
    anybody) when the threshold was passed; None while it was not.
    """

    target: str
    direction: Direction
    log_e: float
    battles: int
    score: float
    expected: float
    caught_at: int | None


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
class Shift:
    """How a group of votes treats a contestant: its score there and by the rest's measure, and the z of the gap."""

    model: str
    battles: int
    score: float
    expected: float
    z: float | None


@dataclass(frozen=True, slots=True)
class Findings:
    """Every voter, the most suspicious first, with what they were measured by.

    `threshold` is the log-wealth that flags; `taste` the spread of honest likings; `ties` the share of ties.
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


@dataclass(frozen=True, slots=True)
class Flip:
    """How little would put another first: `duels` votes for the challenger against the leader itself, or
    `battles` random battles of which those with the challenger in them all go its way."""

    leader: str
    challenger: str
    duels: int
    battles: int


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


def investigate(rows: Comparisons, *, alpha: float = ALPHA) -> Findings:
    """Look at every known voter of `rows` (in order of arrival; weights are not looked at).

    Flagged voters are left out of the model and everybody is measured again, until nothing changes:
    accomplices must not vouch for each other.
    """
    if rows.voter is None or not len(rows):
        return Findings((), _threshold(len(rows.names), alpha), _TASTE[0], 0.0, 0)
    voters = int(rows.voter.max()) + 1
    out = np.zeros(voters, dtype=bool)
    for number in range(1, _ROUNDS + 1):
        suspicions, taste, ties = _round(rows, out, _threshold(len(rows.names), alpha))
        now = np.zeros(voters, dtype=bool)
        now[[one.voter for one in suspicions if one.flagged]] = True
        if (now == out).all():
            break
        out = now
    ordered = sorted(suspicions, key=lambda one: (one.flagged, one.bet.log_e), reverse=True)
    return Findings(tuple(ordered), _threshold(len(rows.names), alpha), taste, ties, number)


def _threshold(contestants: int, alpha: float) -> float:
    """Bonferroni over contestants and directions on top of Ville's bound."""
    return float(np.log(2 * max(contestants, 1) / alpha))


@dataclass(frozen=True, slots=True, eq=False)
class _Expected:
    """Per comparison: log-odds that side a wins where somebody does, and the chance of a tie for this voter."""

    logit: FloatArray
    tie: FloatArray

    @property
    def chance(self) -> FloatArray:
        return np.asarray(1 / (1 + np.exp(-self.logit)))


def _round(rows: Comparisons, out: BoolArray, threshold: float) -> tuple[list[Suspicion], float, float]:
    """Measure every voter against the votes of those who are not out."""
    assert rows.voter is not None
    kept = ~_of(rows.voter, out)
    ties = float((rows.outcome[kept] == 0.5).mean()) if kept.any() else 0.0
    known = rows.where(rows.voter >= 0)
    assert known.voter is not None
    expected = _expected(known, _leave_one_out(rows, known, out), ties)
    sequences = _Sequences.of(known, expected)
    taste = _taste(sequences, out)
    bets = _bets(sequences, taste, threshold)
    agreement = _agreement(known, expected, len(out), out)
    votes = np.bincount(known.voter, minlength=len(out))
    found = []
    for voter, bet in bets.items():
        z = float(agreement[voter])
        low = bool(z < OPPOSED)
        caught = bet.caught_at is not None
        found.append(Suspicion(voter, int(votes[voter]), bet, None if np.isnan(z) else z, caught, low))
    return found, taste, ties


def _of(voter: IntArray, chosen: BoolArray) -> BoolArray:
    """Which comparisons belong to the chosen voters; unknown voters never do."""
    return np.asarray((voter >= 0) & chosen[np.maximum(voter, 0)])


def _leave_one_out(rows: Comparisons, known: Comparisons, out: BoolArray) -> FloatArray:
    """Log-strengths by everybody but this voter (and those who are out), one row per voter.

    One Newton step from the whole fit; a voter with much weight of its own is fitted anew.
    """
    assert rows.voter is not None and known.voter is not None
    size, voters = len(rows.names), len(out)
    score = _with_prior(PairCounts.of(rows.where(~_of(rows.voter, out))).score)
    theta = maximize(score)[0]
    p = win_probabilities(theta)
    spread = pseudo_inverse(laplacian((score + score.T) * p * p.T))
    residual = known.outcome - p[known.a, known.b]
    base = known.voter.astype(np.intp) * size
    own = np.bincount(base + known.a, residual, voters * size) - np.bincount(base + known.b, residual, voters * size)
    own = own.reshape(voters, size)
    own[out] = 0
    without = theta - own @ spread
    votes = np.bincount(known.voter, minlength=voters)
    for voter in np.flatnonzero((votes > max(30, len(rows) / 50)) & ~out):
        cast = PairCounts.of(known.where(known.voter == voter)).score
        without[voter] = maximize(np.maximum(score - cast, _PRIOR * (1 - np.eye(size))))[0]
    return np.asarray(without)


def _with_prior(score: FloatArray) -> FloatArray:
    return np.asarray(score + _PRIOR * (1 - np.eye(len(score))))


def _expected(known: Comparisons, theta: FloatArray, ties: float) -> _Expected:
    """What an honest voter without tastes would do; the chance of a tie follows the voter's own habit so far."""
    assert known.voter is not None
    score = 1 / (1 + np.exp(theta[known.voter, known.b] - theta[known.voter, known.a]))
    chance = np.clip((score - ties / 2) / max(1 - ties, 1e-9), 0.01, 0.99)
    order = np.argsort(known.voter, kind="stable")
    tied = (known.outcome[order] == 0.5).astype(float)
    place = _places(known.voter[order])
    before = np.cumsum(tied) - tied
    before -= before[np.arange(len(place)) - place]
    habit = (_TIE_HABIT * np.clip(ties, 0.02, 0.9) + before) / (_TIE_HABIT + place)
    tie = np.empty(len(known))
    tie[order] = habit
    return _Expected(np.log(chance / (1 - chance)), tie)


def _places(keys: IntArray) -> IntArray:
    """How many equal keys stand before each, for sorted keys."""
    starts = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    lengths = np.diff(np.append(starts, len(keys)))
    return np.asarray(np.arange(len(keys)) - np.repeat(starts, lengths))


@dataclass(frozen=True, slots=True, eq=False)
class _Sequences:
    """Votes by voter and contestant, each from the contestant's view, in order of arrival.

    Sequence i is `length[i]` entries from `start[i]`; `cast` counts the voter's votes up to and with the entry.
    """

    names: Sequence[str]
    voter: IntArray
    target: IntArray
    start: IntArray
    length: IntArray
    won: FloatArray
    logit: FloatArray
    tie: FloatArray
    cast: IntArray

    @classmethod
    def of(cls, known: Comparisons, expected: _Expected) -> _Sequences:
        assert known.voter is not None
        by_voter = np.argsort(known.voter, kind="stable")
        cast = np.empty(len(known), dtype=int)
        cast[by_voter] = _places(known.voter[by_voter]) + 1
        target = np.concatenate((known.a, known.b)).astype(np.intp)
        voter = np.tile(known.voter.astype(np.intp), 2)
        key = voter * len(known.names) + target
        order = np.lexsort((np.tile(cast, 2), key))
        start = np.flatnonzero(np.diff(key[order], prepend=-1))
        length = np.diff(np.append(start, len(key)))
        longest = np.argsort(-length, kind="stable")
        return cls(
            known.names,
            voter[order][start][longest],
            target[order][start][longest],
            start[longest],
            length[longest],
            np.concatenate((known.outcome, 1 - known.outcome))[order],
            np.concatenate((expected.logit, -expected.logit))[order],
            np.tile(expected.tie, 2)[order],
            np.tile(cast, 2)[order],
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


def _bets(sequences: _Sequences, taste: float, threshold: float) -> dict[int, Bet]:
    """Every voter's strongest bet.

    With q the honest model's chance of the vote that was cast (tastes integrated out, learnt as votes
    come), a bet on a rigger that leaves a share h honest multiplies its wealth by h + (1 − h)/q when
    the vote serves the purpose and by h when not: its mean under the honest model is 1.
    """
    count = len(sequences.start)
    belief = np.tile(_WEIGHTS, (count, 1))
    stakes = np.array([stake for _, stake in _HONEST_SHARES])
    shares = np.array([share for share, _ in _HONEST_SHARES])
    wealth = np.tile(np.log(stakes), (count, 2, 1))
    best, caught = np.zeros((count, 2)), np.zeros((count, 2), dtype=int)
    for step in range(int(sequences.length[0]) if count else 0):
        n = int(np.searchsorted(-sequences.length, -step, side="left"))  # those longer than `step`
        at = sequences.start[:n] + step
        won, tie = sequences.won[at], sequences.tie[at]
        p = 1 / (1 + np.exp(-(sequences.logit[at][:, None] + taste * _NODES)))
        side = np.where(won[:, None] == 1, p, np.where(won[:, None] == 0, 1 - p, 1.0))
        likely = side * np.where(won == 0.5, tie, 1 - tie)[:, None]
        q = (belief[:n] * likely).sum(axis=1)
        belief[:n] *= likely / q[:, None]
        serves = np.stack((won == 1, won == 0), axis=1)
        wealth[:n] += np.log(shares + (1 - shares) * (serves / q[:, None])[..., None])
        total = np.logaddexp.reduce(wealth[:n], axis=2)
        caught[:n] = np.where((caught[:n] == 0) & (total > threshold), sequences.cast[at][:, None], caught[:n])
        best[:n] = np.maximum(best[:n], total)
    return _strongest(sequences, best, caught)


def _strongest(sequences: _Sequences, best: FloatArray, caught: IntArray) -> dict[int, Bet]:
    score, mean = sequences.sums(sequences.won), sequences.sums(_mean(sequences))
    top = best.max(axis=1)
    found: dict[int, Bet] = {}
    for i in np.lexsort((-top, sequences.voter)):
        voter = int(sequences.voter[i])
        if voter in found:
            continue
        way = int(best[i].argmax())
        found[voter] = Bet(
            sequences.names[sequences.target[i]],
            tuple(Direction)[way],
            float(top[i]),
            int(sequences.length[i]),
            float(score[i]),
            float(mean[i]),
            int(caught[i, way]) or None,
        )
    return found


def _mean(sequences: _Sequences) -> FloatArray:
    return np.asarray((1 - sequences.tie) / (1 + np.exp(-sequences.logit)) + sequences.tie / 2)


def _agreement(known: Comparisons, expected: _Expected, voters: int, out: BoolArray) -> FloatArray:
    """Each voter's log-likelihood where it named a winner, against its mean and deviation under the others' model.

    Honest voters differ more than chance; the deviation is widened to what half of them show.
    """
    assert known.voter is not None
    decisive = known.outcome != 0.5
    p, logit = expected.chance[decisive], expected.logit[decisive]
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
    score = _with_prior(PairCounts.of(rows.where(~chosen)).score)
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
    if n < LEAST_DECISIVE:
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
    z = gap / np.sqrt(variance) if variance > 0 else None
    return Shift(part.names[target], n, float(won.sum()), float(mean.sum()), z)


def first_place(counts: PairCounts) -> Flip | None:
    """The least that would put another contestant first; None for fewer than two contestants with votes."""
    met = np.flatnonzero(counts.total.sum(axis=1) > 0)
    if len(met) < 2:
        return None
    score = _with_prior(counts.select(met).score)
    theta = maximize(score)[0]
    leader = int(theta.argmax())
    flips = []
    for challenger in np.argsort(-theta)[1:4]:  # nobody further down is nearer to the top
        duel, anywhere = np.zeros_like(score), np.zeros_like(score)
        duel[challenger, leader] = 1
        anywhere[challenger] = 1 / (len(met) - 1)
        anywhere[challenger, challenger] = 0
        duels = _fewest(score, duel, leader, int(challenger))
        battles = _fewest(score, anywhere, leader, int(challenger)) * len(met) / 2
        names = counts.names[met[leader]], counts.names[met[challenger]]
        flips.append(Flip(*names, duels, int(np.ceil(battles))))
    return min(flips, key=lambda flip: flip.duels)


def _fewest(score: FloatArray, vote: FloatArray, leader: int, challenger: int) -> int:
    """The smallest number of such votes after which the challenger stands above the leader."""

    def ahead(votes: int) -> bool:
        theta = maximize(score + votes * vote)[0]
        return bool(theta[challenger] > theta[leader])

    high = 1
    while not ahead(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ahead(middle) else (middle, high)
    return high


def duplicates(prompt: IntArray) -> Duplicates:
    """Count prompts that came back; `prompt` numbers each vote's prompt, −1 where it is not known."""
    known = prompt >= 0
    counts = np.bincount(prompt[known]) if known.any() else np.zeros(1, dtype=int)
    weight = np.where(known, 1 / np.maximum(counts[np.maximum(prompt, 0)], 1), 1.0)
    return Duplicates(
        int(known.sum()), int((counts > 0).sum()), int((counts > 1).sum()), int(counts.max()), np.asarray(weight)
    )
