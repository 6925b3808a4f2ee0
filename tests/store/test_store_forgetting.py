"""Who asks to be forgotten is: no text of theirs stays in the file, its log, a backup or an export."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from store_kit import answer, register, vote

from arena.service.checkup import examine_store
from arena.service.forgetting import forget_code
from arena.store import locks, migrate
from arena.store.records import Cleaned, NewBattle, VoteFilter
from arena.store.store import Store
from arena.types import Mode, Verdict

SECRET, ANSWER, REMARK = "меня зовут Евгений", "Здравствуйте, Евгений!", "спасибо от Евгения"


def talk(store: Store, a: int, b: int, voter: str) -> str:
    """A voted battle full of personal words."""
    new = NewBattle(voter, Mode.ANONYMOUS, a, b, system_prompt=SECRET)
    battle = store.create_battle(new).result()
    store.append_turn(battle.id, SECRET * 400).result()  # long enough for pages of its own
    store.finish_turn(battle.id, 0, answer(ANSWER), answer(ANSWER * 400)).result()
    store.cast_vote(battle.id, voter, Verdict.MODEL_A).result()
    store.add_feedback(battle.id, voter, comment=REMARK).result()
    return battle.id


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_no_byte_of_a_forgotten_text_is_left(file_store: Store, tmp_path: Path) -> None:
    """Prompts, answers, comments and the voter's code leave database, log, backups and exports; others' text stays."""
    a, b = register(file_store, "x", "y")
    battle_id = talk(file_store, a.id, b.id, "code-of-eugene")
    vote(file_store, a.id, b.id, Verdict.TIE, "another")
    file_store.backup()
    for kind in ("csv", "parquet"):
        file_store.export_votes(tmp_path / "exports" / f"all.{kind}")
        file_store.export_votes(tmp_path / "exports" / f"others.{kind}", which=VoteFilter(voter="another"))
    words = [word.encode() for word in ("Евгени", "code-of-eugene")]
    assert all(word in bytes_in(tmp_path) for word in words)
    assert file_store.forget_voter_text("code-of-eugene").result() == 1
    assert file_store.forget_in_files("code-of-eugene") == Cleaned(held=3)
    assert not [word for word in words if word in bytes_in(tmp_path)]
    assert "Сколько будет".encode() in bytes_in(tmp_path)
    turn = file_store.load_battle(battle_id).turns[0]
    assert turn.prompt == ""
    assert turn.a is not None
    assert turn.a.text == ""
    assert sorted(path.name for path in (tmp_path / "exports").iterdir()) == ["others.csv", "others.parquet"]
    assert sorted(path.suffix for path in (tmp_path / "backups").iterdir()) == [".db"]
    assert file_store.check().ok


def test_a_backup_that_cannot_be_read_holds_up_nothing_else(file_store: Store, tmp_path: Path) -> None:
    """Exports and sound backups are cleaned, other people's databases left alone; what is left to do is told until it
    is done."""
    a, b = register(file_store, "x", "y")
    talk(file_store, a.id, b.id, "code-of-eugene")
    public = file_store.kept_export("jsonl")
    sound = file_store.backup()
    damaged, foreign, empty = (sound.with_name(name) for name in ("a-damaged.db", "a-foreign.db", "an-empty.db"))
    damaged.write_bytes(b"no database" * 999)
    empty.touch()
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    before = foreign.read_bytes()
    file_store.forget_voter_text("code-of-eugene").result()
    assert file_store.forget_in_files("code-of-eugene") == Cleaned(2, (damaged,))
    assert not public.exists()
    assert b"code-of-eugene" not in sound.read_bytes()
    assert (foreign.read_bytes(), empty.read_bytes()) == (before, b"")
    assert file_store.unfinished() == ("code-of-eugene",)
    (finding,) = [one for one in examine_store(file_store, b"key") if one.name == "texts"]
    assert (finding.ok, forget_code(b"key", "code-of-eugene") in finding.mend) == (False, True)
    damaged.unlink()
    assert file_store.forget_in_files("code-of-eugene") == Cleaned(0)
    assert file_store.unfinished() == ()


def test_nothing_that_killed_work_left_outlives_a_start_or_a_forgetting(
    file_store: Store, open_store: Callable[[str], Store], tmp_path: Path
) -> None:
    """Half an export, half a backup, and what a restore was putting in place; but what is being written stays."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "backups").mkdir()
    parts = ("exports/.votes-7.csv.4711.part", "backups/arena-20261126-120000.db.part", "arena.db.restoring")
    left = [tmp_path / part for part in (*parts, "arena.db.restoring-wal", "backups/old.db.migrating")]
    stays = tmp_path / "exports" / "others.csv"

    def killed() -> None:
        for path in left:
            path.write_text("меня зовут Евгений")

    stays.write_text("question_id,judge\nq,another\n")
    killed()
    with locks.alone(tmp_path / "copies.lock", patience=0):
        open_store(f"sqlite:///{tmp_path / 'arena.db'}")
    assert all(path.exists() for path in left)
    open_store(f"sqlite:///{tmp_path / 'arena.db'}")
    assert [path for path in left if path.exists()] == []
    killed()
    assert file_store.forget_in_files("code-of-eugene") == Cleaned(0)
    assert [path for path in left if path.exists()] == []
    assert stays.exists()


class Forgetting(threading.Thread):
    """Somebody is forgotten while a copy is made, which waits for it a moment: in vain, as long as it waits too."""

    def __init__(self, store: Store, voter: str) -> None:
        super().__init__()
        self._store, self._voter = store, voter

    def run(self) -> None:
        self._store.forget_voter_text(self._voter).result()
        self._store.forget_in_files(self._voter)

    def meanwhile(self, *_: object) -> None:
        if self.ident is None:
            self.start()
            self.join(0.5)


def test_an_export_that_was_begun_before_does_not_outlive_the_forgetting(file_store: Store, tmp_path: Path) -> None:
    """Its first rows were written when they still had their words."""
    a, b = register(file_store, "x", "y")
    talk(file_store, a.id, b.id, "code-of-eugene")
    forgetting = Forgetting(file_store, "code-of-eugene")
    file_store.export_votes(tmp_path / "exports" / "votes.jsonl", progress=forgetting.meanwhile)
    forgetting.join()
    assert file_store.voters() == ("forgotten-1",)
    assert "Евгени".encode() not in bytes_in(tmp_path)


def test_a_backup_that_was_begun_before_does_not_outlive_the_forgetting(
    file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was copied when it still had the code."""
    a, b = register(file_store, "x", "y")
    talk(file_store, a.id, b.id, "code-of-eugene")
    forgetting = Forgetting(file_store, "code-of-eugene")
    monkeypatch.setattr(migrate, "_sync", forgetting.meanwhile)
    file_store.backup()
    forgetting.join()
    assert file_store.voters() == ("forgotten-1",)
    assert b"code-of-eugene" not in bytes_in(tmp_path)


def test_outcomes_stay_unless_told_otherwise(store: Store) -> None:
    """The board keeps a forgotten voter's outcomes by default, and loses them when asked to."""
    a, b = register(store, "x", "y")
    talk(store, a.id, b.id, "one")
    talk(store, a.id, b.id, "two")
    talk(store, a.id, b.id, "three")
    store.forget_voter_text("one").result()
    assert [pair.wins_a for pair in store.pair_counts()] == [3.0]
    store.forget_voter_text("two", keep_votes=False).result()
    assert [pair.wins_a for pair in store.pair_counts()] == [2.0]
    kept = list(store.votes(VoteFilter(counting_only=False)))
    assert [(one.voter.startswith("forgotten"), one.counts, one.comment) for one in kept] == [
        (True, True, ""),
        (True, False, ""),
        (False, True, REMARK),
    ]
    assert store.check().ok


def test_forgetting_nobody_changes_nothing(store: Store, open_store: Callable[[str], Store]) -> None:
    """An unknown code is no fault: there was nothing to forget."""
    a, b = register(store, "x", "y")
    talk(store, a.id, b.id, "one")
    assert store.forget_voter_text("nobody").result() == 0
    assert [one.comment for one in store.votes()] == [REMARK]
