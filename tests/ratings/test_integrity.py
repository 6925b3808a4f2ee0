"""Riggers are told from people with tastes, alone and in crowds; the long form is `perf/integrity.py`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigged_votes import STRONG, THETA, WEAK, crowd, rigged

from arena.ratings.bradley_terry import maximize
from arena.ratings.comparisons import Comparisons, IntArray, PairCounts
from arena.ratings.crowds import alarms, duplicates, examine, first_place, newcomers, newest, pooled
from arena.ratings.integrity import Direction, Suspicion, investigate
from perf.promises import tell

HONEST = [crowd(6000, seed) for seed in range(3)]


def rigger(target: int, seed: int, *, lower: bool = False) -> Suspicion:
    """What is found of one rigger of 100 votes among 6,000 honest ones."""
    honest = HONEST[seed % len(HONEST)]
    assert honest.voter is not None
    found = investigate(rigged(honest, target, 100, 50 + seed, lower=lower))
    return next(one for one in found.suspicions if one.voter == int(honest.voter.max()) + 1)


def places(rows: Comparisons) -> IntArray:
    """Every contestant's place, 0 being the first."""
    return np.argsort(np.argsort(-maximize(PairCounts.of(rows).score)[0]))


def without(rows: Comparisons, held: IntArray) -> Comparisons:
    return rows.where(np.setdiff1d(np.arange(len(rows)), held))


def test_a_rigger_of_a_weak_contestant_is_caught_within_100_votes() -> None:
    """Thirty runs, all but one or none caught, and for what they did."""
    found = [rigger(WEAK, seed) for seed in range(30)]
    caught = sum(one.flagged for one in found)
    assert tell("a rigger of a weak contestant, caught within 100 votes", asked="95%",
                measured=f"{caught / 30:.0%}", size="30 runs", held=caught >= 29)  # fmt: skip
    assert {one.bet.direction for one in found if one.flagged} == {Direction.RAISE}
    assert {one.bet.target for one in found if one.flagged} == {f"m{WEAK}"}


def test_a_rigger_of_a_strong_contestant_is_mostly_caught() -> None:
    """The best three win most battles anyhow; three riggers of four are caught all the same."""
    caught = sum(rigger(STRONG + seed % 3, seed).flagged for seed in range(30))
    assert tell("a rigger of a strong contestant, caught within 100 votes", asked="75%",
                measured=f"{caught / 30:.0%}", size="30 runs", held=caught >= 23)  # fmt: skip


def test_lowering_the_best_is_seen_as_well() -> None:
    """Whoever always votes against a contestant is caught like one who always votes for it."""
    found = [rigger(STRONG, seed, lower=True) for seed in range(10)]
    assert [one.bet.direction for one in found if one.flagged].count(Direction.LOWER) >= 9


def test_honest_voters_are_left_alone() -> None:
    """Tastes, sharp and dull eyes and habits about ties are no rigging."""
    found = [one for honest in HONEST for one in investigate(honest).suspicions]
    assert len(found) > 1000
    share = sum(one.flagged for one in found) / len(found)
    assert tell("honest voters flagged", asked="0.5% at most", measured=f"{share:.2%}",
                size=f"{len(found)} voters", held=share <= 0.005)  # fmt: skip


def test_a_voter_who_contradicts_everybody_is_seen() -> None:
    """Always choosing the worse favours nobody in particular; the likelihood test sees it."""
    honest = HONEST[0]
    assert honest.voter is not None
    last = int(honest.voter.max()) + 1
    odd = honest.voter.copy()
    odd[np.random.default_rng(1).choice(len(odd), 150, replace=False)] = last
    outcome = np.where(odd == last, (THETA[honest.a] < THETA[honest.b]).astype(float), honest.outcome)
    found = investigate(Comparisons(honest.names, honest.a, honest.b, outcome, voter=odd))
    assert next(one for one in found.suspicions if one.voter == last).opposes


def eager(seed: int, best: float, models: int, *, contrary: bool = False) -> Suspicion:
    """What is found of the most eager of ten voters, who cast four votes of ten on models of strengths down from
    `best`; `contrary`: always for the weaker one."""
    rng = np.random.default_rng(seed)
    voter = rng.choice(10, 700, p=[0.4] + [0.6 / 9] * 9)
    a = rng.integers(0, models, 700)
    b = (a + rng.integers(1, models, 700)) % models
    strengths = np.linspace(best, -best, models)
    liked = strengths + rng.normal(0, 0.5, (10, models))
    if contrary:
        liked[0] = -50 * strengths
    won = rng.random(700) < 1 / (1 + np.exp(liked[voter, b] - liked[voter, a]))
    outcome = np.where(rng.random(700) < 0.25, 0.5, won)
    found = investigate(Comparisons(tuple(map(str, range(models))), a, b, outcome, voter=voter))
    return next(one for one in found.suspicions if one.voter == 0)


def test_an_eager_voter_with_tastes_is_no_stranger_to_a_small_team() -> None:
    """Tastes tell the more the more somebody votes: how well it agrees stays within what chance and tastes make."""
    found = [eager(seed, 0.4, 4) for seed in range(24)]
    assert not any(one.opposes for one in found)
    assert np.mean([(one.agreement or 0) ** 2 for one in found]) < 1.5


def test_a_small_team_sees_who_contradicts_it() -> None:
    """However eager: no taste goes against that many at once."""
    assert all(eager(seed, 0.8, 8, contrary=True).opposes for seed in range(4))


def test_a_thousand_rigged_votes_move_nobody_by_more_than_a_place() -> None:
    """Cast by one voter or by a thousand, choosing battles or not: once held, the order is the honest one."""
    honest = crowd(10_000, 7)
    moved = {}
    for riggers, picks in ((1, False), (1, True), (10, True), (100, True), (1000, True)):
        for target in (WEAK, 5):
            rows = rigged(honest, target, 1000, 8, riggers=riggers, picks=picks)
            shift = np.abs(places(without(rows, examine(rows).rows)) - places(honest))
            moved[riggers, picks, target] = int(shift.max())
    most = max(moved.values())
    assert tell("1,000 rigged votes among 10,000, after quarantine", asked="1 place at most", measured=f"{most}",
                size=f"{len(moved)} attacks by 1 to 1,000 voters", held=most <= 1), moved  # fmt: skip


def test_a_crowd_of_newcomers_raises_an_alarm() -> None:
    """A thousand voters of one vote each give none of themselves away; together they do."""
    rows = rigged(HONEST[0], WEAK, 500, 4, riggers=500, picks=True)
    loudest = alarms(rows, np.ones(len(rows), dtype=bool))[0]
    assert loudest.shift.model == f"m{WEAK}"
    assert loudest.most in (1, 3)
    assert loudest.shift.z is not None
    assert loudest.shift.z > 10


def test_an_honest_crowd_raises_none() -> None:
    """Newcomers and the newest votes treat contestants as the rest do."""
    for honest in HONEST:
        assert alarms(honest, np.ones(len(honest), dtype=bool)) == ()


def test_a_pooled_z_is_normal_for_honest_groups() -> None:
    """Over groups drawn by chance its spread is that of a standard normal, within what 400 of them can tell."""
    rng = np.random.default_rng(2)
    rows = HONEST[1]
    assert rows.voter is not None
    found = []
    for _ in range(34):
        group = rng.random(int(rows.voter.max()) + 1) < 0.3
        found += [shift.z for shift in pooled(rows, group[rows.voter]) if shift.z is not None]
    assert np.std(found) == pytest.approx(1, abs=0.25)
    assert abs(float(np.mean(found))) < 0.25


def test_groups_are_what_they_say() -> None:
    """Newcomers are counted by all their votes; the newest are the last."""
    rows = Comparisons(("x", "y"), *(np.array([0, 0, 0, 0]), np.ones(4, dtype=int)), np.ones(4),
                       voter=np.array([0, 0, 1, -1]))  # fmt: skip
    assert newcomers(rows, 1).tolist() == [False, False, True, False]
    assert newest(rows, 0.25).tolist() == [False, False, False, True]


def test_the_flip_is_the_least_that_flips() -> None:
    """With so many votes the challenger leads; with one less it does not."""
    counts = PairCounts.of(HONEST[2])
    flip = first_place(counts, 30)
    assert flip is not None
    leader, challenger = (counts.names.index(name) for name in (flip.leader, flip.challenger))

    def leads(votes: int) -> bool:
        more = counts.copy()
        for _ in range(votes):
            more.add(challenger, leader, 1.0)
        theta = maximize(more.score)[0]
        return bool(theta[challenger] > theta[leader])

    assert leads(flip.duels)
    assert not leads(flip.duels - 1)
    assert flip.battles > flip.duels


def test_a_newcomer_is_neither_leader_nor_challenger() -> None:
    """One win over the last makes nobody first, nor do five battles: those who fought enough keep their places."""
    counts = PairCounts.of(HONEST[2])
    before = first_place(counts, 30)
    for won, lost in ((1, 0), (4, 1)):
        new = counts.copy()
        joined = new.grow("newcomer")
        for outcome in [1.0] * won + [0.0] * lost:
            new.add(joined, 11, outcome)
        after = first_place(new, 30)
        assert before is not None
        assert after is not None
        assert (after.leader, after.challenger, after.duels) == (before.leader, before.challenger, before.duels)
    assert first_place(new, 5) != before, "where five battles are enough it is looked at like the others"


def test_the_least_is_looked_for_down_to_the_last() -> None:
    """The sixth has few battles and needs few duels; the second to fifth stand near and would need many."""
    strengths = np.array([0.6, 0.5, 0.49, 0.48, 0.47, 0.3])
    p = 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    many = np.full((6, 6), 4000.0)
    many[5] = many[:, 5] = 8
    counts = PairCounts([f"m{i}" for i in range(6)], many * p * (1 - np.eye(6)))
    flip = first_place(counts, 30)
    assert flip is not None
    assert (flip.leader, flip.challenger) == ("m0", "m5")


def test_whoever_hangs_on_the_challenger_does_not_keep_it_from_the_first_place() -> None:
    """One that met nobody but the second, and is exactly its equal, rises with it: the search ends."""
    counts = PairCounts(["x", "y", "z"], np.array([[0, 30, 0], [20, 0, 20], [0, 20, 0.0]]))
    flip = first_place(counts, 30)
    assert flip is not None
    assert (flip.leader, flip.challenger, flip.duels) == ("x", "z", 5)


def test_no_votes_have_no_first_place() -> None:
    """Fewer than two who met: nothing to flip, nothing to suspect."""
    assert first_place(PairCounts(["x", "y"]), 30) is None
    empty = Comparisons.of([], names=("x", "y"))
    assert investigate(empty).suspicions == ()
    assert len(examine(empty).rows) == 0


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=40))
def test_each_prompt_counts_once(prompts: list[int]) -> None:
    """Weights of a prompt sum to one; those of unknown prompts are one each."""
    found = duplicates(np.array(prompts))
    known = {prompt for prompt in prompts if prompt >= 0}
    assert found.weight.sum() == pytest.approx(len(known) + prompts.count(-1))
    assert found.distinct == len(known)
    assert 0 <= found.share < 1


def test_mirrored_votes_are_the_same_votes() -> None:
    """Which side a contestant stood on changes no evidence."""
    rows = rigged(HONEST[0], WEAK, 100, 3)
    told, mirrored = (
        {one.voter: one.bet.log_e for one in investigate(each).suspicions} for each in (rows, rows.mirrored())
    )
    assert told.keys() == mirrored.keys()
    assert max(abs(told[voter] - mirrored[voter]) for voter in told) < 1e-6
