"""Votes go out to files and come back without loss; a bad file changes nothing."""

from __future__ import annotations

import csv
import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import Clock, register, votable, vote

from arena.errors import FileFormatError, StoreError
from arena.store import drafts
from arena.store.connections import Database
from arena.store.doors import votes as votes_door
from arena.store.files import read_comparisons
from arena.store.interchange import COLUMNS, exported, imported
from arena.store.records import (
    BattleRecord,
    Contestant,
    ContestantRecord,
    NewBattle,
    TurnRecord,
    VoteFilter,
    VoteRecord,
)
from arena.store.store import Store
from arena.store.writer import Pending
from arena.types import Answer, AnswerState, Mode, Track, Verdict
from perf.promises import tell

KINDS = ["csv", "csv.gz", "jsonl", "parquet"]


def filled(store: Store, clock: Clock) -> None:
    """Three contestants, a dozen votes with text, a weight, feedback, an undo and a quarantine."""
    a, b, c = register(store, "=x", "y, или «игрек»", "z")
    for i in range(12):
        clock.now += 7.25
        left, right = ((a, b), (b, c), (c, a))[i % 3]
        vote(store, left.id, right.id, list(Verdict)[i % 4], f"v{i % 3}", language="ru", topic="код")
    heavy = votable(store, a.id, c.id)
    store.cast_vote(heavy, "voter", Verdict.MODEL_B, weight=2.5, slices=["turn=first"]).result()
    store.add_feedback(heavy, "voter", reasons=["useful"], comment="-1 балл").result()
    undone = vote(store, a.id, b.id, Verdict.MODEL_A)
    store.retract_vote(undone, "voter").result()
    store.quarantine([2], "test").result()


def board(store: Store) -> tuple[object, ...]:
    """Counts by name and Elo by name."""
    names = {one.id: (one.name, one.contestant.fingerprint) for one in store.contestants()}
    counts = set()
    for pair in store.pair_counts():
        forward = (pair.wins_a, pair.wins_b)
        key = (names[pair.a], names[pair.b])
        if key[0] > key[1]:
            key, forward = (key[1], key[0]), (forward[1], forward[0])
        counts.add((key, forward, pair.ties, pair.both_bad))
    return counts, {names[n]: pytest.approx(state.rating, abs=1e-9) for n, state in store.elo_state().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_gives_the_same_board(
    store: Store, clock: Clock, tmp_path: Path, open_store: Callable[[str], Store], kind: str
) -> None:
    """Export, import elsewhere: the same counts, the same Elo, the same texts; a second import adds nothing."""
    filled(store, clock)
    store.rebuild()  # Elo without the trace of undone votes, as the file has it
    path = tmp_path / f"votes.{kind}"
    assert store.export_votes(path) == 12
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    report = other.import_votes(path)
    assert (report.read, report.added, report.already_here, report.new_contestants) == (12, 12, 0, 3)
    assert board(other) == board(store)
    for ours, theirs in zip(store.votes(), other.votes(), strict=True):
        assert (theirs.voter, theirs.verdict, theirs.weight) == (ours.voter, ours.verdict, ours.weight)
        assert (theirs.cast_at, theirs.slices) == (ours.cast_at, ours.slices)
        assert (theirs.reasons, theirs.comment) == (ours.reasons, ours.comment)
        here, there = store.load_battle(ours.battle_id), other.load_battle(ours.battle_id)
        assert [here.conversation(side) for side in "ab"] == [there.conversation(side) for side in "ab"]
    again = other.import_votes(path)
    assert (again.added, again.already_here) == (0, 12)
    assert board(other) == board(store)
    assert other.check().ok
    assert store.import_votes(path).added == 0


def test_votes_joined_to_a_contestant_are_exported_as_its_own(
    store: Store, tmp_path: Path, open_store: Callable[[str], Store]
) -> None:
    """Importing the bare file once more, or the export elsewhere, gives the board that there is and nobody new."""
    store.register_contestants([Contestant("x", "1a"), Contestant("y", "2b")]).result()
    bare, path = tmp_path / "bare.csv", tmp_path / "votes.jsonl"
    bare.write_text("model_a,model_b,winner\n" + "x,y,model_a\ny,x,model_a\nz,x,tie\n" * 3, "utf-8")
    report = store.import_votes(bare, join=True)
    assert (report.added, report.new_contestants, report.joined, report.nameless) == (9, 1, ("x", "y"), ())
    assert store.import_votes(bare, join=True).already_here == 9
    store.export_votes(path)
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    other.import_votes(path)
    assert board(other) == board(store)
    assert store.check().ok


def test_an_export_has_the_columns_of_the_field(file_store: Store, clock: Clock, tmp_path: Path) -> None:
    """The columns come in the field's order and words, in each kind of file."""
    filled(file_store, clock)
    for kind in KINDS:
        file_store.export_votes(tmp_path / f"votes.{kind}")
    field = "question_id model_a model_b winner judge turn anony language tstamp conversation_a conversation_b"
    with (tmp_path / "votes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert list(COLUMNS[:11]) == field.split()
    assert {row["winner"] for row in rows} == {"model_a", "model_b", "tie", "tie (bothbad)"}
    assert rows[0]["model_a"] == "'=x"
    assert (rows[0]["turn"], rows[0]["anony"], rows[0]["language"]) == ("1", "True", "ru")
    assert [message["role"] for message in json.loads(rows[0]["conversation_a"])] == ["user", "assistant"]
    assert gzip.decompress((tmp_path / "votes.csv.gz").read_bytes()) == (tmp_path / "votes.csv").read_bytes()
    table = parquet.read_table(tmp_path / "votes.parquet")
    lines = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text("utf-8").splitlines()]
    assert tuple(table.column_names) == COLUMNS == tuple(lines[0])
    assert table.to_pylist() == lines


def test_an_export_tells_the_energy_of_answers_that_were_measured(file_store: Store, tmp_path: Path) -> None:
    """Joules of all of a side's answers together, nothing where one of them is unknown."""
    one, two = (record.id for record in file_store.register_contestants([Contestant("x"), Contestant("y")]).result())
    battle = file_store.create_battle(NewBattle("me", Mode.ANONYMOUS, one, two)).result()
    for number in range(2):
        turn = file_store.append_turn(battle.id, "?").result()
        a = Answer("a", AnswerState.COMPLETE, joules=2.5)
        b = Answer("b", AnswerState.COMPLETE, joules=None if number else 4.0)
        file_store.finish_turn(battle.id, turn, a, b).result()
    file_store.cast_vote(battle.id, "me", Verdict.TIE).result()
    file_store.export_votes(tmp_path / "votes.parquet")
    (row,) = parquet.read_table(tmp_path / "votes.parquet").to_pylist()
    assert (row["joules_a"], row["joules_b"]) == (5.0, None)


def test_an_export_can_be_rated_from_the_file(file_store: Store, clock: Clock, tmp_path: Path) -> None:
    """The file gives the same comparisons to a rating as the database holds."""
    filled(file_store, clock)
    file_store.export_votes(tmp_path / "votes.csv")
    names = {one.id: one.name for one in file_store.contestants()}
    read = [(row.model_a, row.model_b, row.outcome, row.weight) for row in read_comparisons(tmp_path / "votes.csv")]
    assert read == [
        (names[one.contestant_a], names[one.contestant_b], one.verdict.outcome, one.weight)
        for one in file_store.votes()
    ]


def test_personal_data_is_taken_out_of_every_text(file_store: Store, clock: Clock, tmp_path: Path) -> None:
    """The redaction handed over sees prompts, answers and comments."""
    filled(file_store, clock)
    file_store.export_votes(tmp_path / "votes.jsonl", redact=lambda text: "…" if text else "")
    rows = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text("utf-8").splitlines()]
    assert {message["content"] for row in rows for message in row["conversation_b"]} == {"…"}
    assert rows[-1]["comment"] == "…"


def test_personal_data_is_hidden_unless_told_otherwise(file_store: Store, tmp_path: Path) -> None:
    """An export made without a word hides a telephone number in a comment."""
    a, b = register(file_store, "x", "y")
    battle_id = vote(file_store, a.id, b.id, Verdict.TIE)
    file_store.add_feedback(battle_id, "voter", comment="мой телефон +7 912 345-67-89").result()
    file_store.export_votes(tmp_path / "votes.jsonl")
    (row,) = (json.loads(line) for line in (tmp_path / "votes.jsonl").read_text("utf-8").splitlines())
    assert row["comment"].startswith("мой телефон ")
    assert "912" not in row["comment"]


def test_who_asks_for_a_kept_export_meanwhile_gets_the_same_file(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that write one file would write into each other's; what somebody just got outlives the next export."""
    a, b = register(file_store, "x", "y")
    vote(file_store, a.id, b.id, Verdict.TIE)
    made, got, write = list[Path](), list[Path](), votes_door.export_votes
    another = threading.Thread(target=lambda: got.append(file_store.kept_export("csv")))

    def slow(database: Database, target: Path, *how: Any) -> int:
        made.append(target)
        if another.ident is None:
            another.start()
            another.join(0.3)  # in vain, as long as it waits for this one
        return write(database, target, *how)

    monkeypatch.setattr(votes_door, "export_votes", slow)
    got.append(file_store.kept_export("csv"))
    another.join()
    assert len(made) == 1
    assert got == made * 2
    vote(file_store, a.id, b.id, Verdict.TIE)
    assert file_store.kept_export("csv") != made[0]
    assert made[0].exists()
    vote(file_store, a.id, b.id, Verdict.TIE)
    file_store.kept_export("csv")
    assert not made[0].exists()


def test_an_export_that_fails_leaves_the_old_file(file_store: Store, clock: Clock, tmp_path: Path) -> None:
    """Nobody ever sees half a file."""
    filled(file_store, clock)
    path = tmp_path / "out" / "votes.csv"
    file_store.export_votes(path, which=VoteFilter(voter="v1"))
    before = path.read_bytes()

    def failing(text: str) -> str:
        raise RuntimeError("no redaction today")

    with pytest.raises(RuntimeError):
        file_store.export_votes(path, redact=failing)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(FileFormatError):
        file_store.export_votes(tmp_path / "votes.xlsx")
    with pytest.raises(StoreError):
        file_store.export_votes(tmp_path / "arena.db" / "votes.csv")


@pytest.mark.parametrize(
    "row",
    [
        "q9,x,y,won,v,1",
        "q9,x,x,tie,v,1",
        "q9,x,,tie,v,1",
        "q9,x,y,tie,v,yesterday",
        "q9,x,y,tie,v",
        f"{'q' * 300},x,y,tie,v,1",
        "q9,x\x1b[31m,y,tie,v,1",
        "q9,x,y\u202e,tie,v,1",
        "q9\x00,x,y,tie,v,1",
    ],
)
def test_a_bad_row_imports_nothing(store: Store, tmp_path: Path, row: str) -> None:
    """A fault in the last row is named by its line, and none of the rows before it is there."""
    path = tmp_path / "votes.csv"
    good = "".join(f"q{i},x,y,model_a,v,{i}\n" for i in range(3))
    path.write_text(f"question_id,model_a,model_b,winner,judge,tstamp\n{good}{row}\n", "utf-8")
    with pytest.raises(FileFormatError) as caught:
        store.import_votes(path)
    assert caught.value.line == 5
    assert list(store.votes()) == []
    assert store.contestants() == ()
    assert store.board_version() == 0


def test_bare_battles_are_enough(store: Store, tmp_path: Path) -> None:
    """Models, winner and perhaps a weight make a vote; the same file twice counts once, another file adds."""
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("model_a,model_b,winner,weight\n" + "x,y,model_a,1\n" * 3 + "y,x,tie,0.5\n", "utf-8")
    second.write_text("model_a,model_b,winner\nx,y,model_a\n", "utf-8")
    assert store.import_votes(first).added == 4
    assert store.import_votes(first).added == 0
    assert store.import_votes(second).added == 1
    (pair,) = store.pair_counts()
    assert (pair.wins_a, pair.wins_b, pair.ties) == (4.0, 0.0, 0.5)
    assert all(one.retired_at is not None for one in store.contestants())
    assert store.check().ok


def test_one_question_asked_of_many_pairs_keeps_every_battle(store: Store, tmp_path: Path) -> None:
    """Sets that repeat a question_id lose none of their battles, also beside another set's same numbers."""
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("question_id,model_a,model_b,winner\n81,x,y,tie\n81,y,z,tie\n81,x,y,tie\n", "utf-8")
    second.write_text("question_id,model_a,model_b,winner\n81,p,q,tie\n", "utf-8")
    assert store.import_votes(first).added == 3
    assert store.import_votes(second).added == 1
    assert store.import_votes(first).added == store.import_votes(second).added == 0


def test_a_second_persons_vote_on_the_same_question_counts_too(store: Store, tmp_path: Path) -> None:
    """Two files of one set of battles, judged by two people, are two votes each; nobody's name is nobody else."""
    for name in ("ann", "bob", ""):
        rows = f"question_id,model_a,model_b,winner,judge\n81,x,y,model_a,{name}\n82,x,y,tie,{name}\n"
        (tmp_path / f"{name}.csv").write_text(rows, "utf-8")
    assert [store.import_votes(tmp_path / f"{name}.csv").added for name in ("ann", "bob", "bob", "ann", "")] == [
        2, 2, 0, 0, 0,
    ]  # fmt: skip
    assert sorted(one.voter for one in store.votes()) == ["ann", "ann", "bob", "bob"]
    assert store.check().ok


@pytest.mark.parametrize("keep_votes", [True, False])
def test_an_old_export_brings_nobody_back_who_was_forgotten(store: Store, tmp_path: Path, keep_votes: bool) -> None:
    """Their battles are still known by number, whoever they are of now."""
    a, b = register(store, "x", "y")
    vote(store, a.id, b.id, Verdict.MODEL_A, "ann")
    path = tmp_path / "votes.csv"
    store.export_votes(path)
    store.forget_voter_text("ann", keep_votes=keep_votes).result()
    assert store.import_votes(path).added == 0
    assert len(list(store.votes())) == keep_votes


@pytest.mark.parametrize(("blind", "named"), [("True", "False"), ("ИСТИНА", "ЛОЖЬ"), ("1", "0")])
def test_votes_with_known_names_are_passed_over(store: Store, tmp_path: Path, blind: str, named: str) -> None:
    """Rows that say anony False count nowhere, also as a spreadsheet writes it, and the report says how many."""
    path = tmp_path / "votes.csv"
    path.write_text(f"model_a,model_b,winner,anony\nx,y,tie,{blind}\nx,y,tie,{named}\n", "utf-8")
    report = store.import_votes(path)
    assert (report.added, report.named) == (1, 1)


def test_what_happens_while_a_file_is_drafted_is_heeded(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody votes for the first time, is forgotten, or brings another battle of the same number before the file is
    written: every text of it is stored under its battle's own number and its voter's key of that moment."""
    a, b = register(store, "x", "y")
    vote(store, a.id, b.id, Verdict.TIE, "gone")
    rows = [("q1", "x", "new"), ("q2", "x", "gone"), ("q3", "x", "other"), ("q4", "x", "other")]
    talk = [{"role": "user", "content": "вопрос"}, {"role": "assistant", "content": "ответ"}]
    mine, theirs = tmp_path / "mine.jsonl", tmp_path / "theirs.jsonl"

    def write(path: Path, rows: list[tuple[str, str, str]]) -> None:
        names = ("question_id", "model_a", "judge")
        more = {"model_b": "z", "winner": "tie", "comment": "да", "conversation_a": talk, "conversation_b": talk}
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True)) | more) + "\n" for row in rows), "utf-8")

    write(mine, rows)
    write(theirs, [("q3", "w", "other")])
    drafting = votes_door.drafted

    @contextmanager
    def meanwhile(*given: Any) -> Iterator[Any]:
        with drafting(*given) as drafts:
            monkeypatch.setattr(votes_door, "drafted", drafting)
            vote(store, a.id, b.id, Verdict.TIE, "new")
            store.forget_voter_text("gone").result()
            assert store.import_votes(theirs).added == 1
            yield drafts

    monkeypatch.setattr(votes_door, "drafted", meanwhile)
    assert store.import_votes(mine).added == 4
    imported = [one for one in store.votes() if one.battle_id != "q3" and one.comment]
    assert [one.voter for one in imported] == ["new", "gone", "other", "other"]
    for one in imported:
        battle = store.load_battle(one.battle_id)
        assert [message.content for side in "ab" for message in battle.conversation(side)] == ["вопрос", "ответ"] * 2
        assert one.comment == "да"
    with store._database.reading() as db:
        keys = db.exec_driver_sql("SELECT name FROM voter_keys").scalars().all()
    assert len(set(keys)) == len(keys)
    assert store.check().ok


def test_a_time_without_a_zone_is_the_same_on_every_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is UTC's, as in `--since`; a zone that is named counts."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    try:
        told = ["2026-11-26T12:00:00", datetime(2026, 11, 26, 12), "2026-11-26 15:00:00+03:00", "2026-11-26T12:00:00Z"]
        battles = [imported({"model_a": "x", "model_b": "y", "winner": "tie", "tstamp": one}) for one in told]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [battle.at for battle in battles if battle] == [1_795_694_400.0] * 4


def test_an_interrupted_import_is_taken_back(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while it writes: nothing of it stays, whoever waits hears of it after that, and it can be done again."""
    bare = tmp_path / "bare.csv"
    bare.write_text("model_a,model_b,winner\n" + "x,y,model_a\n" * 6, "utf-8")
    monkeypatch.setattr(drafts, "CHUNK", 2)
    writes, heard = threading.Event(), threading.Event()

    def interrupted(pending: Pending[Any]) -> Any:
        assert writes.wait(60)
        monkeypatch.setattr(Pending, "result", heard_first)
        raise KeyboardInterrupt

    def heard_first(pending: Pending[Any]) -> Any:
        heard.set()
        return pending._future.result()

    def chunk_written(done: int, _: int) -> None:
        writes.set()
        assert heard.wait(60)

    monkeypatch.setattr(Pending, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.import_votes(bare, progress=chunk_written)
    assert (list(store.votes()), store.contestants(), store.check().ok) == ([], (), True)
    assert store.import_votes(bare).added == 6


def test_an_import_goes_on_beside_a_running_server(
    url: str, open_store: Callable[[str], Store], tmp_path: Path
) -> None:
    """Votes cast while another process imports are all there, and both see one board."""
    server, command = open_store(url), open_store(url)
    a, b = register(server, "x", "y")
    battles = [votable(server, a.id, b.id, f"v{i}") for i in range(20)]
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n" + "x,z,model_a\n" * 500, "utf-8")
    pending = [server.cast_vote(one, f"v{i}", Verdict.TIE) for i, one in enumerate(battles[:10])]
    assert command.import_votes(path).added == 500
    pending += [server.cast_vote(one, f"v{i + 10}", Verdict.TIE) for i, one in enumerate(battles[10:])]
    assert len({one.result().sequence for one in pending}) == 20
    assert len(list(server.votes())) == 520
    assert server.check().ok
    assert list(server.pair_counts()) == list(command.pair_counts())


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CELLS = int(os.environ.get("ARENA_SOAK_CELLS", "100"))


@settings(deadline=None, max_examples=CELLS)
@given(TEXT, TEXT, TEXT.filter(str.strip), st.sampled_from(list(Verdict)), st.floats(0.01, 100))
def survives(path: Path, prompt: str, text: str, name: str, verdict: Verdict, weight: float) -> None:
    """Write a vote with these texts, look at its cells, and read it back."""
    from arena.store.exporting import Csv
    from arena.store.files import read_rows

    turn = TurnRecord(0, prompt, Answer(text, AnswerState.COMPLETE), Answer(name, AnswerState.COMPLETE), 0.0)
    people = (ContestantRecord(1, Contestant(name), 0.0), ContestantRecord(2, Contestant(name + "2", text), 0.0))
    battle = BattleRecord("q", "v", Mode.ANONYMOUS, *people, "voted", 0.0, turns=(turn,))
    one = VoteRecord(1, "q", "v", 1, 2, verdict, weight, 5.5, comment=text)
    with path.open("w", encoding="utf-8", newline="") as file:
        Csv(file).write([exported(one, battle, str)])
    with path.open(encoding="utf-8", newline="") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))]
    ((_, row),) = read_rows(path)
    back = imported(row)
    assert back is not None
    assert (back.model_a, back.fingerprint_b, back.comment) == (name, text, text)
    assert (back.verdict, back.weight, back.at) == (verdict, weight, 5.5)
    assert (back.conversation_a, back.conversation_b) == (battle.conversation("a"), battle.conversation("b"))


def test_any_text_survives_a_csv_row(tmp_path: Path) -> None:
    """A vote written as a CSV cell by cell and read back is the same vote, and no cell is a live formula."""
    survives(tmp_path / "votes.csv")
    tell("any text as a CSV cell", asked="active cells 0, round trip 100%", measured="0, 100%",
         size=f"{CELLS} rows of strings by Hypothesis", held=True)  # fmt: skip


@pytest.mark.parametrize(
    ("heading", "cells", "voter"),
    [("worker", "7", "7"), ("judge", "ann", "ann"), ("judge,worker", "ann,7", "ann"), ("judge,worker", ",7", "7")],
)
def test_a_crowds_workers_are_its_voters(
    file_store: Store, tmp_path: Path, heading: str, cells: str, voter: str
) -> None:
    """`worker` says who voted where `judge` does not, in the database as in a rating of the file."""
    path = tmp_path / "crowd.csv"
    path.write_text(f"left,right,winner,{heading}\nx,y,left,{cells}\n", encoding="utf-8")
    assert [one.voter for one in read_comparisons(path)] == [voter]
    file_store.import_votes(path)
    assert [one.voter for one in file_store.votes()] == [voter]


@pytest.mark.parametrize("name", ["simple", "llmfao"])
def test_a_published_set_imports_whole(file_store: Store, shared: Callable[[str], Path], name: str) -> None:
    """Every row of a real file is counted, in Elo's order too."""
    path = shared(f"ratings/{name}.csv.gz")
    rows = list(read_comparisons(path))
    assert file_store.import_votes(path).added == len(rows)
    golden = path.with_name(f"{name}-golden.csv")
    with golden.open(encoding="utf-8", newline="") as file:
        expected = {row["item"]: float(row["score"]) for row in csv.DictReader(file) if row["algorithm"] == "elo"}
    names = {one.id: one.name for one in file_store.contestants()}
    assert {names[n]: state.rating for n, state in file_store.elo_state(Track.HUMAN).items()} == pytest.approx(expected)
