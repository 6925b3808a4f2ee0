"""A vote counts once, moves everything it should in one step, and can be taken back exactly."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from store_kit import Clock, answer, elo_step, register, votable, vote

from arena.errors import AlreadyVoted, UndoTooLate, UnknownBattle, VotingClosed
from arena.store.records import EloState, NewBattle, PairCount, VoteExists, VoteFilter
from arena.store.store import Store
from arena.types import BattleStatus, Mode, Track, Verdict


def whole(store: Store, slice: str = "") -> list[PairCount]:
    return list(store.pair_counts(Track.HUMAN, slice))


def test_a_vote_moves_counts_ratings_and_version_together(store: Store, clock: Clock) -> None:
    """The receipt tells what the vote changed, and the board holds the same."""
    a, b = register(store, "x", "y")
    battle_id = votable(store, b.id, a.id, language="ru", topic="код")
    receipt = store.cast_vote(battle_id, "voter", Verdict.MODEL_A, slices=["turn=first"]).result()
    assert (receipt.sequence, receipt.board_version, receipt.cast_at) == (1, 1, clock.now)
    assert (receipt.elo_before_a, receipt.elo_after_a, receipt.elo_after_b) == (1000.0, 1002.0, 998.0)
    assert receipt.slices == ("language=ru", "month=2026-09", "topic=код", "turn=first")
    for name in ("", *receipt.slices):
        assert whole(store, name) == [PairCount(a.id, b.id, 0.0, 1.0, 0.0, 0.0)]
    assert whole(store, "language=en") == []
    assert store.elo_state() == {b.id: EloState(1002.0, 1), a.id: EloState(998.0, 1)}
    assert store.board_version() == 1
    assert store.load_battle(battle_id).status == BattleStatus.VOTED
    assert store.find_vote(battle_id, "voter") == receipt


def test_every_verdict_has_its_own_count(store: Store) -> None:
    """Wins are normalised to the lower number, ties and both-bad are kept apart."""
    a, b = register(store, "x", "y")
    for verdict in Verdict:
        vote(store, a.id, b.id, verdict)
        vote(store, b.id, a.id, verdict)
    assert whole(store) == [PairCount(a.id, b.id, 2.0, 2.0, 2.0, 2.0)]


def test_ten_parallel_clicks_make_one_vote(store: Store) -> None:
    """Of equal requests at once one is recorded, and the others get its receipt."""
    a, b = register(store, "x", "y")
    battle_id = votable(store, a.id, b.id)

    def click(_: int) -> tuple[str, int]:
        try:
            return "recorded", store.cast_vote(battle_id, "voter", Verdict.TIE).result().sequence
        except VoteExists as error:
            return "exists", error.receipt.sequence

    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(click, range(10)))
    assert sorted(outcomes) == [("exists", 1)] * 9 + [("recorded", 1)]
    assert len(list(store.votes())) == 1
    assert whole(store) == [PairCount(a.id, b.id, 0.0, 0.0, 1.0, 0.0)]


def test_a_second_verdict_changes_nothing(store: Store) -> None:
    """A different verdict on a voted battle is refused as already voted."""
    a, b = register(store, "x", "y")
    battle_id = vote(store, a.id, b.id, Verdict.MODEL_A)
    with pytest.raises(AlreadyVoted):
        store.cast_vote(battle_id, "voter", Verdict.MODEL_B).result()
    assert whole(store) == [PairCount(a.id, b.id, 1.0, 0.0, 0.0, 0.0)]


def test_even_a_reopened_battle_is_voted_once(store: Store) -> None:
    """The database itself holds one vote per battle and voter, whatever the status says."""
    a, b = register(store, "x", "y")
    battle_id = vote(store, a.id, b.id, Verdict.MODEL_A)
    store.set_battle_status(battle_id, BattleStatus.VOTABLE).result()
    with pytest.raises(VoteExists):
        store.cast_vote(battle_id, "voter", Verdict.MODEL_B).result()
    assert store.board_version() == 1
    assert whole(store) == [PairCount(a.id, b.id, 1.0, 0.0, 0.0, 0.0)]


@pytest.mark.parametrize("mode", [Mode.NAMED, Mode.DIRECT])
def test_votes_with_known_names_are_refused(store: Store, mode: Mode) -> None:
    """Only blind battles are rated."""
    a, b = register(store, "x", "y")
    battle = store.create_battle(NewBattle("v", mode, a.id, b.id if mode is Mode.NAMED else None)).result()
    store.append_turn(battle.id, "?").result()
    store.finish_turn(battle.id, 0, answer(), answer() if mode is Mode.NAMED else None).result()
    with pytest.raises(VotingClosed):
        store.cast_vote(battle.id, "v", Verdict.TIE).result()


def test_unfinished_failed_and_expired_battles_take_no_vote(store: Store) -> None:
    """A vote needs the status that the caller expects."""
    a, b = register(store, "x", "y")
    for status in (BattleStatus.OPEN, BattleStatus.ANSWERING, BattleStatus.FAILED, BattleStatus.EXPIRED):
        battle_id = votable(store, a.id, b.id)
        store.set_battle_status(battle_id, status).result()
        with pytest.raises(VotingClosed):
            store.cast_vote(battle_id, "voter", Verdict.TIE).result()
    assert store.board_version() == 0


def test_nobody_votes_on_anothers_battle(store: Store) -> None:
    """A foreign battle and one that never was look the same."""
    a, b = register(store, "x", "y")
    battle_id = votable(store, a.id, b.id, "owner")
    for wrong_id, voter in ((battle_id, "thief"), ("nothing", "owner")):
        with pytest.raises(UnknownBattle):
            store.cast_vote(wrong_id, voter, Verdict.TIE).result()
        with pytest.raises(UnknownBattle):
            store.retract_vote(wrong_id, voter).result()
        with pytest.raises(UnknownBattle):
            store.add_feedback(wrong_id, voter, comment="!").result()
    assert store.find_vote(battle_id, "thief") is None


def test_a_failing_write_harms_none_beside_it(file_store: Store) -> None:
    """Votes committed together with refused ones are all there."""
    store = file_store
    a, b = register(store, "x", "y")
    good = [votable(store, a.id, b.id, f"v{i}") for i in range(30)]

    async def main() -> list[object]:
        casts = []
        for i, battle_id in enumerate(good):
            casts.append(store.cast_vote(battle_id, f"v{i}", Verdict.TIE))
            casts.append(store.cast_vote(battle_id, "thief", Verdict.TIE))
            casts.append(store.cast_vote(battle_id, f"v{i}", Verdict.MODEL_A))
        return await asyncio.gather(*casts, return_exceptions=True)

    outcomes = asyncio.run(main())
    refused = [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)]
    assert refused.count(UnknownBattle) == refused.count(VoteExists) == 30
    assert whole(store) == [PairCount(a.id, b.id, 0.0, 0.0, 30.0, 0.0)]
    assert store.check().ok


def test_undo_takes_the_vote_out_exactly(store: Store, clock: Clock) -> None:
    """Counts return to what they were, Elo loses the vote's own change, and the battle stays closed."""
    a, b = register(store, "x", "y")
    vote(store, a.id, b.id, Verdict.MODEL_A, language="ru")
    before, elo_before = whole(store), store.elo_state()
    battle_id = vote(store, b.id, a.id, Verdict.TIE, language="en")
    receipt = store.retract_vote(battle_id, "voter").result()
    assert (receipt.sequence, receipt.board_version, receipt.retracted_at) == (2, 3, clock.now)
    assert whole(store) == before
    assert {n: (round(e.rating, 9), e.games) for n, e in store.elo_state().items()} == {
        n: (round(e.rating, 9), e.games) for n, e in elo_before.items()
    }
    assert store.slices() == {"language=ru": 1.0, "month=2026-09": 1.0}
    assert store.load_battle(battle_id).status == BattleStatus.RETRACTED
    with pytest.raises(VoteExists):
        store.cast_vote(battle_id, "voter", Verdict.TIE, expected=[BattleStatus.RETRACTED]).result()
    assert store.retract_vote(battle_id, "voter").result() == receipt
    assert store.check().ok


def test_undo_has_its_time(store: Store, clock: Clock) -> None:
    """Thirty seconds are enough and one more is too late."""
    a, b = register(store, "x", "y")
    early, late = vote(store, a.id, b.id, Verdict.TIE), vote(store, a.id, b.id, Verdict.TIE)
    clock.now += 30
    store.retract_vote(early, "voter").result()
    clock.now += 1
    with pytest.raises(UndoTooLate):
        store.retract_vote(late, "voter").result()


def test_feedback_stands_beside_the_vote(store: Store) -> None:
    """Reasons and a comment are kept, replaced by later ones, and count nowhere."""
    a, b = register(store, "x", "y")
    battle_id = vote(store, a.id, b.id, Verdict.MODEL_A)
    store.add_feedback(battle_id, "voter", reasons=["useful"], comment="=полезно").result()
    store.add_feedback(battle_id, "voter", reasons=["useful", "correct"], comment="да").result()
    (stored,) = store.votes()
    found = store.find_vote(battle_id, "voter")
    assert found is not None
    assert (stored.reasons, stored.comment) == (found.reasons, found.comment) == (("useful", "correct"), "да")
    assert store.board_version() == 1


def test_quarantine_is_reversible(store: Store) -> None:
    """Votes leave the board with a reason and return to the same counts and ratings."""
    a, b, c = register(store, "x", "y", "z")
    for verdict in (Verdict.MODEL_A, Verdict.TIE, Verdict.BOTH_BAD, Verdict.MODEL_B):
        vote(store, a.id, b.id, verdict)
        vote(store, c.id, a.id, verdict)
    before, ratings = whole(store), store.elo_state()
    assert store.quarantine([1, 2, 2, 5, 999], "one voter, one model").result() == 3
    assert len(list(store.votes())) == 5
    held = [vote.quarantined for vote in store.votes(VoteFilter(counting_only=False)) if not vote.counts]
    assert held == ["one voter, one model"] * 3
    assert store.check().ok
    assert whole(store) != before
    assert store.restore([1, 2, 5]).result() == 3
    assert store.restore([1, 2, 5]).result() == 0
    assert whole(store) == before
    for number, state in store.elo_state().items():
        assert state.rating == pytest.approx(ratings[number].rating, abs=1e-9)
        assert state.games == ratings[number].games


def test_a_quarantined_vote_can_still_be_undone(store: Store) -> None:
    """It is off the board once, not twice."""
    a, b = register(store, "x", "y")
    battle_id = vote(store, a.id, b.id, Verdict.MODEL_A)
    store.quarantine([1], "test").result()
    store.retract_vote(battle_id, "voter").result()
    assert whole(store) == [PairCount(a.id, b.id, 0.0, 0.0, 0.0, 0.0)]
    assert store.restore([1]).result() == 0
    assert store.check().ok


def test_weights_count_as_they_are(store: Store) -> None:
    """A vote of weight 3 is three votes to the counts and three steps' worth to Elo."""
    a, b = register(store, "x", "y")
    battle_id = votable(store, a.id, b.id)
    receipt = store.cast_vote(battle_id, "voter", Verdict.MODEL_A, weight=3.0).result()
    assert whole(store) == [PairCount(a.id, b.id, 3.0, 0.0, 0.0, 0.0)]
    assert receipt.elo_after_a - 1000 == pytest.approx(3 * (elo_step(1000, 1000, 1)[0] - 1000))


def test_votes_are_read_by_filter(store: Store, clock: Clock) -> None:
    """Number, time, voter and slice cut the stream; chunks do not show."""
    a, b = register(store, "x", "y")
    for i in range(7):
        clock.now += 10
        vote(store, a.id, b.id, Verdict.TIE, f"v{i % 2}", language="ru" if i < 3 else "en")
    start = clock.now - 60

    def numbers(**which: object) -> list[int]:
        return [one.sequence for one in store.votes(VoteFilter(**which), chunk=2)]  # type: ignore[arg-type]

    assert numbers() == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(after=5) == [6, 7]
    assert numbers(since=start, until=start + 20) == [1, 2]
    assert numbers(voter="v1") == [2, 4, 6]
    assert numbers(slice="language=ru") == [1, 2, 3]
    assert {one.language for one in store.votes(VoteFilter(slice="language=en"))} == {"en"}


def test_voters_are_named_by_their_numbers(store: Store) -> None:
    """A vote's columns tell who voted by number; the code is asked for where somebody is to be named."""
    a, b = register(store, "x", "y")
    for number in range(3):
        store.cast_vote(votable(store, a.id, b.id, voter=f"voter {number}"), f"voter {number}", Verdict.TIE).result()
    numbers = store.vote_columns().numbers["voter_id"]
    assert store.voter_codes(numbers[1:]) == {numbers[1]: "voter 1", numbers[2]: "voter 2"}
    assert store.voter_codes(()) == {}
