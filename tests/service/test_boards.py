"""How contestants are named on the boards, and that a view is of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.errors import StoreUnavailable
from arena.ratings.elo import EloParameters
from arena.ratings.leaderboard import counts_matrix
from arena.service.boards import Boards, labels
from arena.store.records import Contestant, ContestantRecord, NewBattle
from arena.store.store import Store
from arena.types import Answer, AnswerState, Mode, Verdict


def record(number: int, name: str, fingerprint: str, retired_at: float | None = None) -> ContestantRecord:
    return ContestantRecord(number, Contestant(name, fingerprint), 0.0, retired_at)


def test_the_catalogues_make_has_the_plain_name_whenever_others_came() -> None:
    """Votes of a file can bring a namesake after it, which says so; makes that left carry their fingerprint."""
    earlier, current, imported = (
        record(1, "alpha", "0123456789", 5.0), record(2, "alpha", "abcdef0123"), record(3, "alpha", "", 9.0)
    )  # fmt: skip
    assert labels([earlier, current, imported]) == {1: "alpha · 012345", 2: "alpha", 3: "alpha · imported"}
    assert labels([earlier, imported]) == {1: "alpha · 012345", 3: "alpha"}
    elsewhere = record(4, "alpha", "fedcba9876", 0.0)  # it left in the moment in which it came: with a file's votes
    assert labels([current, imported, elsewhere])[4] == "alpha · imported fedcba"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two contestants and a vote."""
    with Store.open(None, storage_dir=tmp_path, elo_step=lambda a, b, _: (a, b)) as store:
        vote(store, "x", "y")
        yield store


def vote(store: Store, *names: str) -> None:
    """A vote for the first of two contestants, who are registered first where they are new."""
    a, b = store.register_contestants([Contestant(name, "") for name in names], retire_others=False).result()
    battle = store.create_battle(NewBattle("voter", Mode.ANONYMOUS, a.id, b.id)).result()
    store.append_turn(battle.id, "?").result()
    store.finish_turn(battle.id, 0, *(Answer(text, AnswerState.COMPLETE) for text in "ab")).result()
    store.cast_vote(battle.id, "voter", Verdict.MODEL_A).result()


def boards_of(store: Store) -> Boards:
    """Boards over these votes."""
    return Boards(store, parameters=EloParameters(), preliminary=30)


def test_a_view_stays_as_it_was_when_votes_come(store: Store) -> None:
    """Other threads draw it, the counts that are followed go on below."""
    boards = boards_of(store)
    for method in ("bt", "elo"):
        view = boards.view(method=method)
        before = counts_matrix(view.board).values.sum()
        vote(store, "x", "y")
        assert counts_matrix(boards.view(method=method).board).values.sum() == before + 2
        assert counts_matrix(view.board).values.sum() == before


@pytest.mark.parametrize("refused", ["contestants", "elo_state"])
def test_a_board_that_was_half_read_when_the_store_refused_is_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Else it would stand for the newest, without the votes that it lacks, until the next start."""
    boards = boards_of(store)
    assert boards.view().board.votes == 1
    vote(store, "x", "z")

    def refuse(*_: object) -> None:
        raise StoreUnavailable("another program has locked it")

    with monkeypatch.context() as patch:
        patch.setattr(store, refused, refuse)
        with pytest.raises(StoreUnavailable):
            boards.view()
    assert boards.view().board.votes == boards.view(method="elo").board.votes == 2
    assert {row.model for row in boards.view().board.rows} == {"x", "y", "z"}
