"""The board on which each question counts once, live and from an export alike."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.config import Settings
from arena.offline import ONCE_COLUMN, Rating, rate_file
from arena.service.boards import ONCE, Boards, default_parameters
from arena.service.opening import open_store
from arena.service.questions import Questions
from arena.store.records import Contestant, NewBattle
from arena.store.store import Store
from arena.types import Answer, AnswerState, Mode, Track, Verdict

A, B = Verdict.MODEL_A, Verdict.MODEL_B


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Ten voters asked one question of which alpha makes more; two other questions went to beta, one to alpha."""
    with open_store(Settings(storage=tmp_path)) as store:
        alpha, beta = (one.id for one in store.register_contestants([Contestant("alpha"), Contestant("beta")]).result())
        asked = [(f"voter-{n}", "Почему  небо ГОЛУБОЕ?" if n % 2 else "почему небо голубое?", A) for n in range(10)]
        asked += [("voter-0", "Сколько будет 2+2?", B), ("voter-1", "Кто такой Рэлей?", B), ("voter-2", "Когда?", A)]
        for voter, question, verdict in asked:
            cast(store, voter, alpha, beta, question, verdict)
        yield store


def cast(store: Store, voter: str, a: int, b: int, question: str, verdict: Verdict) -> None:
    battle = store.create_battle(NewBattle(voter, Mode.ANONYMOUS, a, b)).result()
    turn = store.append_turn(battle.id, question).result()
    answer = Answer("Ответ.", AnswerState.COMPLETE)
    store.finish_turn(battle.id, turn, answer, answer).result()
    store.cast_vote(battle.id, voter, verdict).result()


def boards_of(store: Store) -> Boards:
    return Boards(store, parameters=default_parameters(4.0, 1000.0, 400.0), preliminary=0)


def test_a_question_that_many_asked_weighs_as_much_as_one(store: Store) -> None:
    """Eleven of thirteen votes are for alpha, but only two of four questions."""
    boards = boards_of(store)
    plain, once = boards.view(), boards.view(method=ONCE)
    assert plain.board.row("alpha").rating > plain.board.row("beta").rating + 100  # type: ignore[operator]
    assert once.board.row("alpha").rating == pytest.approx(once.board.row("beta").rating)
    assert (once.board.votes, once.board.row("alpha").battles, once.version) == (13, 13, plain.version)


def test_what_was_read_is_not_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Votes in any order have their question's number, the same as before, and only new ones are asked for."""
    questions, votes = Questions(store), list(store.votes())
    first = questions.numbers(votes[3:])
    read: list[int] = []
    ask = store.first_messages
    monkeypatch.setattr(store, "first_messages", lambda battles: read.append(len(battles)) or ask(battles))
    numbers = questions.numbers(votes[::-1])[::-1]
    assert read == [3]
    assert (numbers[3:] == first).all()
    assert len(set(numbers.tolist())) == 4
    assert questions.numbers([]).tolist() == []


def test_judgments_have_no_such_board(store: Store) -> None:
    """A judge's track is shown as it is."""
    assert "each_question_once" not in boards_of(store).view(Track.JUDGE, method=ONCE).board.parameters


def test_the_next_vote_is_on_the_board_once_reading_has_rested(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board is not read anew for every vote; when it is, questions that were known are not read again."""
    monkeypatch.setattr("arena.service.questions._REST", 0.0)
    boards = boards_of(store)
    before = boards.view(method=ONCE)
    cast(store, "voter-3", *[one.id for one in store.contestants()], "Сколько будет 2+2?", A)
    after = boards.view(method=ONCE)
    assert (after.board.votes, after.version) == (14, before.version + 1)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_carries_the_weights_that_give_the_same_board(store: Store, tmp_path: Path, form: str) -> None:
    """Whoever rates the file by its column gets the page's numbers."""
    store.export_votes(tmp_path / f"votes.{form}")
    rated = rate_file(tmp_path / f"votes.{form}", Rating(weights=ONCE_COLUMN))
    shown = boards_of(store).view(method=ONCE).board
    assert {row.model: row.rating for row in rated.rows} == pytest.approx({row.model: row.rating for row in shown.rows})
    if form == "csv":
        with (tmp_path / "votes.csv").open(encoding="utf-8", newline="") as file:
            assert sorted(float(row[ONCE_COLUMN]) for row in csv.DictReader(file)) == [0.1] * 10 + [1.0] * 3


def test_intervals_know_who_voted_on_the_page_as_in_a_file(tmp_path: Path) -> None:
    """Sixty voters of six votes each, most on questions that others asked: the file's interval is the page's."""
    path = tmp_path / "votes.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(360):
            talk = [
                {"role": "user", "content": f"Вопрос {number * number % 90}"},
                {"role": "assistant", "content": "Да."},
            ]
            row = {"model_a": "alpha", "model_b": ("beta", "gamma")[number % 2], "judge": f"voter-{number // 6}"}
            row |= {"winner": ("model_a", "model_b")[number // 6 * 7 % 5 > 2], "conversation_a": talk}  # type: ignore[dict-item]
            file.write(json.dumps(row | {"conversation_b": talk}) + "\n")
    with open_store(Settings(storage=tmp_path)) as store:
        store.import_votes(path)
        store.export_votes(tmp_path / "out.csv")
        shown = boards_of(store).view(method=ONCE).board
    rated = rate_file(tmp_path / "out.csv", Rating(weights=ONCE_COLUMN))
    assert shown.parameters["intervals"] == rated.parameters["intervals"] == "sandwich, clustered by voter"
    assert {row.model: row.ci_low for row in shown.rows} == pytest.approx({row.model: row.ci_low for row in rated.rows})
