"""A disk that is wiped at every restart loses no vote that was pushed, even to a hub that fails."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from random import Random

import pytest
from store_kit import Clock, elo_step, register, votable, vote

from arena.errors import StoreError
from arena.service.segments import PUSH_SECONDS, PUSH_VOTES, Keeper
from arena.store.records import VoteFilter
from arena.store.segments import FORGOTTEN, Cursor, restore_segments, segment_after
from arena.store.store import Store
from arena.types import Verdict
from perf.promises import tell

CYCLES = int(os.environ.get("ARENA_SOAK_WIPES", "12"))
LOSS_WINDOW = 10.0
"""Seconds."""


class FakeHub:
    """A folder that fails now and then: before it did anything, or after it did all of it."""

    def __init__(self, folder: Path, rng: Random, failing: float = 0.0) -> None:
        self.folder, self._rng, self.failing = folder, rng, failing
        self.calls = 0
        folder.mkdir(parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Nothing to make."""
        self._may_fail()
        self._may_fail()

    def put(self, name: str, content: bytes) -> None:
        """Keep the file."""
        self._may_fail()
        (self.folder / name).write_bytes(content)
        self._may_fail()

    def fetch(self, folder: Path) -> list[Path]:
        """Copies of all files."""
        self._may_fail()
        copies = [Path(shutil.copy(file, folder)) for file in self.folder.iterdir()]
        self._may_fail()
        return copies

    def _may_fail(self) -> None:
        """Twice in each call, so that `failing` of all calls fail."""
        self.calls += 1
        if self._rng.random() < 1 - max(0.0, 1 - self.failing) ** 0.5:
            raise ConnectionError("the hub is away")


class Disk:
    """A store and its keeper on a disk of their own."""

    def __init__(self, folder: Path, hub: FakeHub, clock: Clock) -> None:
        self.store = Store.open(None, storage_dir=folder, elo_step=elo_step, clock=clock)
        self.keeper = Keeper(self.store, hub, folder / "segments.json", clock=clock)
        self.clock = clock

    def boot(self) -> None:
        """Restore, as often as it takes."""
        for _ in range(100):
            if self.keeper.tend():
                return
            self.clock.now += 60
        raise AssertionError("never restored")


@pytest.fixture
def hub(tmp_path: Path) -> FakeHub:
    """A hub that works."""
    return FakeHub(tmp_path / "hub", Random(1))


@pytest.fixture
def disk(tmp_path: Path, hub: FakeHub, clock: Clock) -> Disk:
    """A booted disk."""
    disk = Disk(tmp_path / "first", hub, clock)
    disk.boot()
    return disk


def outcomes(store: Store) -> dict[str, tuple[str, Verdict]]:
    """Every counting vote by its battle."""
    return {vote.battle_id: (vote.voter, vote.verdict) for vote in store.votes()}


def wiped(tmp_path: Path, hub: FakeHub, clock: Clock, name: str = "next") -> Disk:
    """A fresh disk that took back what was pushed."""
    disk = Disk(tmp_path / name, hub, clock)
    disk.boot()
    return disk


@pytest.mark.soak
def test_wiping_the_disk_loses_no_pushed_vote(tmp_path: Path, clock: Clock) -> None:
    """Votes and undone ones, over many wipes, with three calls of ten failing: what was pushed is back."""
    rng = Random(3)
    hub = FakeHub(tmp_path / "hub", rng, failing=0.3)
    pushed: dict[str, tuple[str, Verdict]] = {}
    undone, lost, windows = set(), 0, []
    for cycle in range(CYCLES):
        disk = wiped(tmp_path, hub, clock, f"disk{cycle}")
        kept = {battle: outcome for battle, outcome in pushed.items() if battle not in undone}
        lost += len(kept.items() - outcomes(disk.store).items())
        a, b = register(disk.store, "x", "y")
        for number in range(rng.randrange(30)):
            battle = vote(disk.store, a.id, b.id, rng.choice(list(Verdict)), f"voter-{cycle}-{number % 3}")
            if rng.random() < 0.1:
                disk.store.retract_vote(battle, f"voter-{cycle}-{number % 3}").result()
                undone.add(battle)
            for _ in range(rng.choice((1, 2, 5))):
                clock.now += 1
                windows.append(disk.keeper.unsaved_seconds)
                disk.keeper.tend()
            if disk.keeper.saved:
                pushed = outcomes(disk.store)
        disk.store.close()
    assert tell(
        "a wiped disk loses no pushed vote, three calls of ten failing",
        asked="0 lost, loss window 10 s",
        measured=f"{lost} of {len(pushed)} lost, loss window at most {max(windows):.0f} s",
        size=f"{CYCLES} wipes, {hub.calls} calls",
        held=lost == 0 and max(windows) <= LOSS_WINDOW,
    )
    assert len(pushed) > CYCLES
    assert hub.calls > CYCLES


def test_what_comes_back_rates_the_same(tmp_path: Path, disk: Disk, hub: FakeHub, clock: Clock) -> None:
    """Pair counts, slices and Elo are as before the wipe; who was who is known by name and fingerprint."""
    a, b = register(disk.store, "x", "y")
    for number, verdict in enumerate([*Verdict] * 5):
        vote(disk.store, a.id, b.id, verdict, f"v{number}", language="ru", topic="code")
    assert disk.keeper.push()
    back = wiped(tmp_path, hub, clock)
    register(back.store, "x", "y")
    assert outcomes(back.store) == outcomes(disk.store)
    assert back.store.slices() == disk.store.slices()
    assert [pair.wins_a for pair in back.store.pair_counts()] == [pair.wins_a for pair in disk.store.pair_counts()]
    ratings = [[state.rating for state in store.elo_state().values()] for store in (disk.store, back.store)]
    assert ratings[0] == pytest.approx(ratings[1])
    assert back.store.check().ok


def test_a_segment_holds_no_text(disk: Disk, hub: FakeHub) -> None:
    """What people wrote stays on the disk; only outcomes leave it."""
    a, b = register(disk.store, "x", "y")
    battle = vote(disk.store, a.id, b.id, Verdict.TIE)
    disk.store.add_feedback(battle, "voter", comment="мой секрет").result()
    assert disk.keeper.push()
    sent = b"".join(file.read_bytes() for file in hub.folder.iterdir()).decode()
    assert battle in sent
    assert not [word for word in ("Сколько", "Четыре", "секрет") if word in sent]


def test_a_push_comes_after_some_seconds_or_fifty_votes(disk: Disk, hub: FakeHub, clock: Clock) -> None:
    """Neither sooner, for the hub's sake, nor later."""
    a, b = register(disk.store, "x", "y")
    vote(disk.store, a.id, b.id, Verdict.TIE)
    disk.keeper.tend()
    assert list(hub.folder.iterdir()) == []
    clock.now += PUSH_SECONDS
    disk.keeper.tend()
    assert len(list(hub.folder.iterdir())) == 1
    for _ in range(PUSH_VOTES):
        vote(disk.store, a.id, b.id, Verdict.TIE)
    disk.keeper.tend()
    assert len(list(hub.folder.iterdir())) == 2


def test_a_hub_that_is_away_is_asked_ever_more_rarely_and_loses_nothing(
    disk: Disk, hub: FakeHub, clock: Clock, tmp_path: Path
) -> None:
    """The operator is told how much is unsaved; once the hub is back, all of it is."""
    a, b = register(disk.store, "x", "y")
    hub.failing = 2.0
    before = hub.calls
    for _ in range(120):
        vote(disk.store, a.id, b.id, Verdict.TIE)
        clock.now += 1
        disk.keeper.tend()
    assert hub.calls - before < 12
    assert disk.keeper.unsaved_seconds > 100
    hub.failing = 0.0
    assert disk.keeper.push()
    assert disk.keeper.unsaved_seconds == 0
    assert len(outcomes(wiped(tmp_path, hub, clock).store)) == 120


def test_the_loss_window_is_told_now_and_at_its_longest(disk: Disk, hub: FakeHub, clock: Clock) -> None:
    """What the operator's page shows: it grows while the hub is away, and is remembered when it is back."""
    a, b = register(disk.store, "x", "y")
    assert (disk.keeper.window.now, disk.keeper.window.longest) == (0, 0)
    vote(disk.store, a.id, b.id, Verdict.TIE)
    hub.failing = 1.0
    for _ in range(60):
        disk.keeper.tend()
        clock.now += 1
    assert disk.keeper.window.now == disk.keeper.window.longest == 60
    hub.failing = 0.0
    disk.keeper.push()
    assert (disk.keeper.window.now, disk.keeper.window.longest) == (0, 60)


def test_the_loss_window_can_be_told_while_a_push_ends(disk: Disk, clock: Clock) -> None:
    """The operator's page asks in one thread, the push is another's: here it ends between the page's two looks."""
    a, b = register(disk.store, "x", "y")
    vote(disk.store, a.id, b.id, Verdict.TIE)
    disk.keeper.tend()
    clock.now += 3

    def later() -> float:
        disk.keeper._clock = clock
        disk.keeper.push()
        return clock()

    disk.keeper._clock = later
    assert disk.keeper.window.now in (0, 3)
    assert disk.keeper.saved


def test_the_last_push_waits_for_one_that_is_under_way(
    tmp_path: Path, disk: Disk, hub: FakeHub, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread of a task that was cancelled goes on: its segment would replace the last, longer one."""
    a, b = register(disk.store, "x", "y")
    vote(disk.store, a.id, b.id, Verdict.TIE)
    last, put = threading.Thread(target=disk.keeper.push), hub.put

    def slow(name: str, content: bytes) -> None:
        if last.ident is None:
            vote(disk.store, a.id, b.id, Verdict.MODEL_A)
            last.start()
            last.join(0.5)  # in vain, as long as it waits for its turn
        put(name, content)

    monkeypatch.setattr(hub, "put", slow)
    disk.keeper.push()
    last.join()
    assert len(outcomes(wiped(tmp_path, hub, clock).store)) == 2


def test_what_became_of_a_vote_comes_back_too(tmp_path: Path, disk: Disk, hub: FakeHub, clock: Clock) -> None:
    """Taken back, quarantined and forgotten after the push: each as it was."""
    a, b = register(disk.store, "x", "y")
    undone, suspect, private, plain = (vote(disk.store, a.id, b.id, Verdict.MODEL_A, f"v{n}") for n in range(4))
    assert disk.keeper.push()
    disk.store.retract_vote(undone, "v0").result()
    sequence = next(one.sequence for one in disk.store.votes() if one.battle_id == suspect)
    disk.store.quarantine([sequence], "too many alike").result()
    disk.store.forget_voter_text("v2").result()
    assert disk.keeper.push()
    back = list(wiped(tmp_path, hub, clock).store.votes(VoteFilter(counting_only=False)))
    assert {one.battle_id: (one.voter, one.quarantined) for one in back} == {
        suspect: ("v1", "too many alike"),
        private: (FORGOTTEN, None),
        plain: ("v3", None),
    }


def test_a_restart_without_a_wipe_goes_on_where_it_was(tmp_path: Path, disk: Disk, hub: FakeHub, clock: Clock) -> None:
    """Votes cast just before the end are pushed by the next start, once."""
    a, b = register(disk.store, "x", "y")
    vote(disk.store, a.id, b.id, Verdict.TIE)
    assert disk.keeper.push()
    vote(disk.store, a.id, b.id, Verdict.MODEL_B)
    disk.store.close()
    again = Disk(tmp_path / "first", hub, clock)
    again.boot()
    assert again.keeper.push()
    assert len(outcomes(wiped(tmp_path, hub, clock).store)) == 2


def test_a_board_that_was_there_before_is_pushed_whole(tmp_path: Path, hub: FakeHub, clock: Clock) -> None:
    """Who names a repository later keeps the votes from before, too."""
    store = Store.open(None, storage_dir=tmp_path / "old", elo_step=elo_step, clock=clock)
    a, b = register(store, "x", "y")
    vote(store, a.id, b.id, Verdict.TIE)
    store.close()
    disk = Disk(tmp_path / "old", hub, clock)
    disk.boot()
    assert disk.keeper.push()
    assert len(outcomes(wiped(tmp_path, hub, clock).store)) == 1


def test_a_battle_without_a_vote_is_nothing_to_push(disk: Disk) -> None:
    """Only votes make a segment."""
    a, b = register(disk.store, "x", "y")
    votable(disk.store, a.id, b.id)
    segment = segment_after(disk.store, Cursor())
    assert segment is None or segment.content == b""


def test_a_damaged_segment_is_named_and_nothing_comes_in(tmp_path: Path, disk: Disk) -> None:
    """Half a board would be worse than a start that says what to mend."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"question_id": "x"\n')
    with pytest.raises(StoreError, match=r"bad\.jsonl, line 1"):
        restore_segments(disk.store, [bad])
    assert outcomes(disk.store) == {}
