"""The board's stream of changes, its repair, and who hears of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_server import PostgresServer
from sqlalchemy import text
from store_kit import Clock, elo_step, register, votable, vote

from arena.store import recount
from arena.store.log import current_sequence
from arena.store.records import JudgmentResult, PairCount
from arena.store.store import Store
from arena.types import Track, Verdict


def counts_from_changes(store: Store) -> Counter[tuple[object, ...]]:
    """Pair counts as somebody who only follows the changes would have them."""
    held: Counter[tuple[object, ...]] = Counter()
    for change in store.changes(0):
        a, b, verdict = change.contestant_a, change.contestant_b, change.verdict
        key = (a, b, verdict) if a < b else (b, a, verdict.mirrored)
        held[change.track, *key] += change.sign * change.weight  # type: ignore[assignment]
    return +held


def counts_of(store: Store) -> Counter[tuple[object, ...]]:
    """Pair counts as the store keeps them, in the same shape."""
    held: Counter[tuple[object, ...]] = Counter()
    for track in Track:
        for pair in store.pair_counts(track):
            amounts = (pair.wins_a, pair.wins_b, pair.ties, pair.both_bad)
            for verdict, amount in zip(Verdict, amounts, strict=True):
                held[track, pair.a, pair.b, verdict] += amount  # type: ignore[assignment]
    return +held


def busy_board(store: Store) -> None:
    """Votes, undo, quarantine, a weight and judgments."""
    a, b, c = register(store, "x", "y", "z")
    verdicts = list(Verdict)
    ids = [vote(store, (a, b, c)[i % 3].id, (b, c, a)[i % 3].id, verdicts[i % 4], language="ru") for i in range(12)]
    store.retract_vote(ids[3], "voter").result()
    store.quarantine([2, 6], "test").result()
    store.restore([6]).result()
    heavy = votable(store, a.id, c.id)
    store.cast_vote(heavy, "voter", Verdict.MODEL_B, weight=2.5).result()
    store.record_judgment(ids[0], "judge", JudgmentResult(Verdict.MODEL_A)).result()
    store.record_judgment(ids[1], "judge", JudgmentResult(None)).result()


def test_following_the_changes_gives_the_counts(store: Store) -> None:
    """Whoever folds the changes in from zero holds what the store holds; numbers grow one by one."""
    busy_board(store)
    assert counts_from_changes(store) == counts_of(store)
    numbers = [change.sequence for change in store.changes(0)]
    assert numbers == list(range(1, store.board_version() + 1))
    assert [change.sequence for change in store.changes(5, limit=3)] == [6, 7, 8]
    ratings = Counter({contestant.id: 1000.0 for contestant in store.contestants()})
    for change in store.changes(0):
        if change.track is Track.HUMAN:
            ratings[change.contestant_a] += change.sign * change.elo_delta_a
            ratings[change.contestant_b] += change.sign * change.elo_delta_b
    for number, state in store.elo_state().items():
        assert state.rating == pytest.approx(ratings[number], abs=1e-9)


def test_a_rebuild_finds_what_was_kept(store: Store) -> None:
    """Recounting the votes gives the same counts in every slice, and Elo as if undone votes had never been."""
    busy_board(store)
    kept = {name: list(store.pair_counts(Track.HUMAN, name)) for name in ("", *store.slices())}
    judged = list(store.pair_counts(Track.JUDGE))
    seen: list[tuple[int, int]] = []
    assert store.rebuild(lambda done, total: seen.append((done, total))) == 12
    assert seen[-1][0] == seen[-1][1]
    for name, counts in kept.items():
        nonzero = [pair for pair in counts if pair.wins_a + pair.wins_b + pair.ties + pair.both_bad]
        assert list(store.pair_counts(Track.HUMAN, name)) == nonzero
    assert list(store.pair_counts(Track.JUDGE)) == judged
    ratings = {contestant.id: 1000.0 for contestant in store.contestants()}
    for one in store.votes():
        a, b = one.contestant_a, one.contestant_b
        new_a, new_b = elo_step(ratings[a], ratings[b], one.verdict.outcome)
        ratings[a] += (new_a - ratings[a]) * one.weight
        ratings[b] += (new_b - ratings[b]) * one.weight
    assert {number: state.rating for number, state in store.elo_state().items()} == pytest.approx(ratings, abs=1e-9)
    assert store.changes(0)[-1].sign == 0
    assert store.check().ok


def test_what_happens_during_a_rebuild_is_not_forgotten(file_store: Store) -> None:
    """A vote and an undo that arrive while the votes are being read are on the new board."""
    store = file_store
    a, b = register(store, "x", "y")
    first, second = vote(store, a.id, b.id, Verdict.MODEL_A), vote(store, a.id, b.id, Verdict.MODEL_B)
    waiting = votable(store, a.id, b.id)
    before = store.elo_state()

    def meanwhile(done: int, total: int) -> None:
        store.cast_vote(waiting, "voter", Verdict.TIE).result()
        store.retract_vote(second, "voter").result()

    store.rebuild(meanwhile)
    assert list(store.pair_counts()) == [PairCount(a.id, b.id, 1.0, 0.0, 1.0, 0.0)]
    assert {state.games for state in store.elo_state().values()} == {2}
    assert store.elo_state() != before
    assert store.check().ok
    assert first != second


def test_whoever_reads_sees_one_state_however_long_it_takes(store: Store) -> None:
    """A vote that is committed meanwhile is in none of what is read, from the first statement on."""
    a, b = register(store, "x", "y")
    waiting = votable(store, a.id, b.id)
    with store._database.reading() as db:
        before = current_sequence(db)
        store.cast_vote(waiting, "voter", Verdict.TIE).result()
        assert (current_sequence(db), store.board_version()) == (before, before + 1)


def test_a_vote_between_a_rebuilds_beginning_and_its_reading_counts_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came after the snapshot, so that it is repeated on the new counts and not read as well."""
    a, b = register(store, "x", "y")
    vote(store, a.id, b.id, Verdict.MODEL_A)
    waiting, read = votable(store, a.id, b.id), recount._read_votes

    def late(*given: Any) -> None:
        store.cast_vote(waiting, "voter", Verdict.MODEL_A).result()
        read(*given)

    monkeypatch.setattr(recount, "_read_votes", late)
    assert store.rebuild() == 2
    assert list(store.pair_counts()) == [PairCount(a.id, b.id, 2.0, 0.0, 0.0, 0.0)]
    assert store.check().ok


def test_a_board_without_votes_can_be_rebuilt(store: Store) -> None:
    """Whoever repairs need not know whether anybody has voted."""
    assert store.rebuild() == 0
    assert store.check().ok


def test_damaged_counts_are_found_and_mended(store: Store) -> None:
    """The check notices counts that tell another story than the votes; the rebuild mends them."""
    busy_board(store)
    store._write(lambda db: db.execute(text("UPDATE pair_counts SET ties = ties + 1 WHERE track = 'human'"))).result()
    store._write(lambda db: db.execute(text("UPDATE elo SET games = games + 1"))).result()
    problems = store.check().problems
    assert len(problems) == 2
    store.rebuild()
    assert store.check().ok


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["vote", "undo", "quarantine", "restore"]), st.integers(0, 11)), max_size=40))
def test_whatever_happens_counts_follow_the_votes(file_store: Store, steps: list[tuple[str, int]]) -> None:
    """After any course of votes, undos and quarantines the check finds nothing, and changes tell the same."""
    store = file_store
    contestants = register(store, "x", "y", "z")
    battles: list[str] = []
    for kind, pick in steps:
        if kind == "vote" or not battles:
            a, b = contestants[pick % 3], contestants[(pick + 1 + pick // 6) % 3]
            battles.append(vote(store, a.id, b.id, list(Verdict)[pick % 4]))
        elif kind == "undo":
            store.retract_vote(battles[pick % len(battles)], "voter").result()
        else:
            chosen = [pick + 1, pick + 3]
            (store.quarantine(chosen, "test") if kind == "quarantine" else store.restore(chosen)).result()
    assert store.check().ok
    assert counts_from_changes(store) == counts_of(store)


def test_everybody_hears_of_a_change(url: str, open_store: Callable[[str], Store]) -> None:
    """Both the process that voted and another on the same database are told the board's version."""
    here, there = open_store(url), open_store(url)
    a, b = register(here, "x", "y")
    heard = {"here": threading.Event(), "there": threading.Event()}
    versions: list[int] = []
    here.on_change(lambda version: (versions.append(version), heard["here"].set()))
    stop = there.on_change(lambda version: heard["there"].set(), poll_seconds=0.02)
    vote(here, a.id, b.id, Verdict.TIE)
    assert heard["here"].wait(60)
    assert heard["there"].wait(60)
    assert versions == [1]
    assert there.board_version() == 1
    stop()
    heard["there"].clear()
    vote(here, a.id, b.id, Verdict.TIE)
    assert not heard["there"].wait(0.2)


@pytest.mark.postgres
def test_a_server_that_ended_every_connection_is_listened_to_again(
    postgres: PostgresServer, open_store: Callable[[str], Store]
) -> None:
    """PostgreSQL restarts, the arena does not: its pages go on hearing of what other processes do."""
    url = postgres.emptied_database()
    here, there = open_store(url), open_store(url)
    a, b = register(here, "x", "y")
    heard = {1: threading.Event(), 2: threading.Event()}
    there.on_change(lambda version: heard[version].set(), poll_seconds=0.02)
    vote(here, a.id, b.id, Verdict.TIE)
    assert heard[1].wait(60)
    with here._database.outside_transactions() as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ended = [pid for pid, _ in connection.execute(f"SELECT pid, pg_terminate_backend(pid) {others}")]
        while connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", [ended]).fetchone():
            time.sleep(0.01)
    vote(here, a.id, b.id, Verdict.TIE)
    assert heard[2].wait(60)


def test_versions_are_told_in_their_order_whichever_thread_hears_first(
    url: str, open_store: Callable[[str], Store]
) -> None:
    """While one thread tells of a version, another hears of the next: that one is told afterwards."""
    here, there = open_store(url), open_store(url)
    a, b = register(here, "x", "y")
    versions: list[int] = []
    newer = threading.Event()

    def heard(version: int) -> None:
        if version == 1:
            vote(there, a.id, b.id, Verdict.TIE)
            newer.wait(0.5)  # in vain, as long as it waits for its turn
        versions.append(version)
        if version == 2:
            newer.set()

    here.on_change(heard, poll_seconds=0.05)
    vote(here, a.id, b.id, Verdict.TIE)
    assert newer.wait(60)
    while len(versions) < 2:
        time.sleep(0.01)
    assert versions == [1, 2]


def test_two_processes_share_one_database(url: str, open_store: Callable[[str], Store], clock: Clock) -> None:
    """Votes through both stand in one order, each once, and both see the same board."""
    here, there = open_store(url), open_store(url)
    a, b = register(here, "x", "y")
    battles = [votable(here, a.id, b.id, f"v{i}") for i in range(40)]
    pending = [
        (here, there)[i % 2].cast_vote(battle_id, f"v{i}", Verdict.MODEL_A) for i, battle_id in enumerate(battles)
    ]
    assert sorted(one.result().sequence for one in pending) == list(range(1, 41))
    assert list(here.pair_counts()) == list(there.pair_counts()) == [PairCount(a.id, b.id, 40.0, 0.0, 0.0, 0.0)]
    assert here.elo_state() == there.elo_state()


def test_the_board_is_the_same_after_a_restart(url: str, open_store: Callable[[str], Store]) -> None:
    """Counts kept in one piece at the stop are used only while they are the board's; later votes are never missed."""
    store = open_store(url)
    busy_board(store)
    kept = {track: list(store.pair_counts(track)) for track in Track}
    store.close()
    again = open_store(url)
    assert {track: list(again.pair_counts(track)) for track in Track} == kept
    a, b = (one.id for one in again.contestants()[:2])
    before = next(pair.wins_a for pair in again.pair_counts() if (pair.a, pair.b) == (a, b))
    vote(again, a, b, Verdict.MODEL_A)
    assert next(pair.wins_a for pair in again.pair_counts() if (pair.a, pair.b) == (a, b)) == before + 1
    again.rebuild()
    assert counts_of(again) == counts_from_votes(again)


def counts_from_votes(store: Store) -> Counter[tuple[object, ...]]:
    """Pair counts as the stored votes and judgments make them."""
    held: Counter[tuple[object, ...]] = Counter()
    for one in store.votes():
        a, b, verdict = one.contestant_a, one.contestant_b, one.verdict
        held[Track.HUMAN, *((a, b, verdict) if a < b else (b, a, verdict.mirrored))] += one.weight  # type: ignore[assignment]
    for judged in store.judgments():
        if judged.result is not None and judged.result.verdict is not None:
            battle = store.load_battle(judged.battle_id)
            assert battle.contestant_b is not None
            a, b, verdict = battle.contestant_a.id, battle.contestant_b.id, judged.result.verdict
            held[Track.JUDGE, *((a, b, verdict) if a < b else (b, a, verdict.mirrored))] += 1
    return held


def test_spending_and_the_log_are_kept(store: Store, clock: Clock) -> None:
    """What paid endpoints cost adds up; log lines come back in order."""
    store.add_spending("gpt", 0.25).result()
    assert store.add_spending("gpt", 0.5).result() == 0.75
    assert store.spending() == {"gpt": 0.75}
    store.log("start", "один").result()
    store.log("stop", "два").result()
    assert [(event.kind, event.detail, event.at) for event in store.events()] == [
        ("start", "один", clock.now),
        ("stop", "два", clock.now),
    ]
