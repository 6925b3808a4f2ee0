"""Texts are stored sealed: a copy without keys is noise, and who was forgotten is forgotten in every copy."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from store_kit import answer, elo_step, register

from arena.errors import StoreError
from arena.store.backups import Restored, restore_backup
from arena.store.connections import Database
from arena.store.migrate import bring_up_to_date, revision_of
from arena.store.records import JudgmentResult, NewBattle, VoteFilter
from arena.store.store import Store
from arena.types import Answer, AnswerState, Mode, Verdict
from perf.promises import tell
from tests.forked import Forked

SECRET = b"the arena's secret, long enough"
WORDS = ("Ярополк", "Ответ для Ярополка", "Мысли о Ярополке", "Замечание Ярополка", "Разбор Ярополка")
KILLS = int(os.environ.get("ARENA_SOAK_FORGETS", "4"))


def opened(folder: Path, *secrets: bytes) -> Store:
    """A store of this folder, sealed under a secret."""
    return Store.open(None, storage_dir=folder, elo_step=elo_step, secrets=secrets or (SECRET,))


def talk(store: Store, voter: str) -> str:
    """A voted and judged battle in which every kind of text stands."""
    a, b = register(store, "x", "y")
    battle = store.create_battle(NewBattle(voter, Mode.ANONYMOUS, a.id, b.id)).result()
    prompt, said, thought, remark, reason = WORDS
    store.append_turn(battle.id, prompt).result()
    spoken = Answer(said, AnswerState.COMPLETE, reasoning=thought)
    store.finish_turn(battle.id, 0, spoken, answer(said * 300)).result()
    store.cast_vote(battle.id, voter, Verdict.MODEL_A).result()
    store.add_feedback(battle.id, voter, comment=remark).result()
    store.record_judgment(battle.id, "judge", JudgmentResult(Verdict.TIE, explanation=reason)).result()
    return battle.id


def words_of(store: Store, battle_id: str) -> tuple[str, ...]:
    """Every text of `talk` as it can be read now."""
    turn = store.load_battle(battle_id).turns[0]
    assert turn.a is not None
    vote_, *_ = (one for one in store.votes(VoteFilter(counting_only=False)) if one.battle_id == battle_id)
    result = store.judgments(battle_id=battle_id)[0].result
    assert result is not None
    return turn.prompt, turn.a.text, turn.a.reasoning, vote_.comment, result.explanation


def everything(folder: Path) -> bytes:
    """Every byte below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def restored(folder: Path, source: Path, *secrets: bytes) -> Restored:
    """A backup put into a folder."""
    return restore_backup(source, None, folder, time.time(), secrets or (SECRET,))


def wrapped_keys(path: Path) -> list[bytes]:
    """Every voter's key as the file holds it."""
    with closing(sqlite3.connect(path)) as connection:
        return [wrapped for (wrapped,) in connection.execute("SELECT wrapped FROM voter_keys ORDER BY id")]


def test_no_word_of_anybody_stands_in_the_database(store: Store, tmp_path: Path) -> None:
    """Questions, answers, reasoning, remarks and judges' explanations read as before and are stored as noise."""
    battle_id = talk(store, "one")
    assert words_of(store, battle_id) == WORDS
    columns = {"turns": "prompt", "answers": "text || reasoning", "votes": "comment", "judgments": "explanation"}
    with store._database.reading() as db:
        held = [db.execute(text(f"SELECT {what} FROM {table}")).scalars().all() for table, what in columns.items()]
    assert all(len(one) > 40 and "Ярополк" not in one for rows in held for one in rows)
    assert "Ярополк".encode() not in everything(tmp_path)


def test_a_sealed_text_opens_in_its_own_row_only(store: Store) -> None:
    """Swapped between two battles of one voter, texts do not read: a row vouches for its place."""
    first, second = talk(store, "one"), talk(store, "one")
    swap = text("UPDATE turns SET prompt = (SELECT prompt FROM turns WHERE battle_id = :b) WHERE battle_id = :a")
    store._write(lambda db: db.execute(swap, {"a": first, "b": second})).result()
    assert words_of(store, first) == ("", *WORDS[1:])
    assert words_of(store, second) == WORDS


def test_what_comes_after_forgetting_is_not_stored(store: Store) -> None:
    """An answer that was still streaming when its asker was forgotten leaves no text; the person may come back."""
    a, b = register(store, "x", "y")
    battle = store.create_battle(NewBattle("one", Mode.ANONYMOUS, a.id, b.id)).result()
    store.append_turn(battle.id, WORDS[0]).result()
    store.forget_voter_text("one").result()
    store.finish_turn(battle.id, 0, answer(WORDS[1]), answer(WORDS[1])).result()
    turn = store.load_battle(battle.id).turns[0]
    assert turn.a is not None
    assert (turn.prompt, turn.a.text, turn.a.state) == ("", "", AnswerState.COMPLETE)
    assert words_of(store, talk(store, "one")) == WORDS


def test_forgetting_reaches_copies_that_lie_elsewhere(tmp_path: Path) -> None:
    """A backup that was taken away before holds no key: with all that are left, it gives others' texts alone."""
    with opened(tmp_path / "here") as store:
        gone, stays = talk(store, "one"), talk(store, "two")
        elsewhere = store.backup(tmp_path / "away" / "copy.db")
        store.forget_voter_text("one").result()
        store.forget_in_files("one")
    assert restored(tmp_path / "here", elsewhere).forgotten == 1
    with opened(tmp_path / "here") as store:
        assert words_of(store, gone) == ("",) * 5
        assert words_of(store, stays) == WORDS
        assert sorted(one.voter for one in store.votes()) == ["forgotten-1", "two"]
        assert store.check().ok
    assert set(wrapped_keys(elsewhere)) == {bytes(64)}


def test_a_dropped_key_is_in_no_file(tmp_path: Path) -> None:
    """Among many voters, forgotten in any order: no byte of their keys stays in file, log, free pages or backups."""
    with opened(tmp_path) as store:
        a, b = register(store, "x", "y")
        for number in range(300):
            store.create_battle(NewBattle(f"voter-{number}", Mode.ANONYMOUS, a.id, b.id))
        store.create_battle(NewBattle("last", Mode.ANONYMOUS, a.id, b.id)).result()
        store.backup()
        before = wrapped_keys(tmp_path / "arena.db")
        chosen = random.Random(4).sample(range(300), 12)
        for number in chosen:
            store.forget_voter_text(f"voter-{number}").result()
        kept, held = wrapped_keys(tmp_path / "arena.db"), everything(tmp_path)
        assert [number for number, key in enumerate(kept) if key == bytes(64)] == sorted(chosen)
        assert not [number for number in chosen if before[number][4:] in held]
        assert all(key in held for key in kept)


def test_an_older_copy_with_keys_brings_nobody_back(tmp_path: Path) -> None:
    """Restored over the arena that forgot them since, it loses them again, votes too where those were dropped."""
    with opened(tmp_path) as store:
        gone, dropped, stays = talk(store, "one"), talk(store, "two"), talk(store, "three")
        copy = store.backup(tmp_path / "with-keys.db", keys=True)
        for voter, keep_votes in (("one", True), ("two", False)):
            store.forget_voter_text(voter, keep_votes=keep_votes).result()
            store.forget_in_files(voter, keep_votes=keep_votes)
    for _ in range(2):
        done = restored(tmp_path, copy)
        assert (done.forgotten, done.without_key) == (2, 0)
        with opened(tmp_path) as store:
            assert [words_of(store, one) for one in (gone, dropped)] == [("",) * 5] * 2
            assert words_of(store, stays) == WORDS
            assert len(list(store.votes())) == 2
            assert "two" not in store.voters()


def test_on_another_machine_a_backup_reads_with_its_keys_and_secret(tmp_path: Path) -> None:
    """Without either the outcomes are there and the texts are not; who comes back writes under a new key."""
    with opened(tmp_path / "old") as store:
        battle_id = talk(store, "one")
        full, plain = store.backup(tmp_path / "full.db", keys=True), store.backup(tmp_path / "plain.db")
    assert restored(tmp_path / "new", full).without_key == 0
    with opened(tmp_path / "new") as store:
        assert words_of(store, battle_id) == WORDS
    assert restored(tmp_path / "bare", plain).without_key == 1
    with opened(tmp_path / "bare") as store:
        assert words_of(store, battle_id) == ("",) * 5
        assert words_of(store, talk(store, "one")) == WORDS
        assert len(list(store.votes())) == 2


def test_a_backup_replaces_a_damaged_database(tmp_path: Path) -> None:
    """What is damaged is moved aside as it is; the keys that can still be read of it are."""
    with opened(tmp_path) as store:
        battle_id = talk(store, "one")
        for _ in range(40):
            talk(store, "two")
        made = store.backup(tmp_path / "backup.db")
    path = tmp_path / "arena.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4] + bytes(len(whole) // 4))
    done = restored(tmp_path, made)
    assert done.kept is not None
    assert "damaged" in done.kept.name
    assert done.without_key == 0
    path.write_bytes(b"not a database at all, whatever its name may say" * 100)
    assert restored(tmp_path, made).without_key == 2
    with opened(tmp_path) as store:
        assert store.check().ok
        assert len(list(store.votes())) == 41
        assert words_of(store, battle_id) == ("",) * 5


def test_another_secret_opens_nothing_and_overwrites_nothing(tmp_path: Path) -> None:
    """The board goes on; the former secret, once at hand, has every key wrapped anew."""
    with opened(tmp_path, b"first") as store:
        battle_id = talk(store, "one")
    with opened(tmp_path, b"second") as store:
        assert words_of(store, battle_id) == ("",) * 5
        assert store.keys().lost == 1
        next_one = store.create_battle(NewBattle("one", Mode.ANONYMOUS, *(one.id for one in register(store, "x", "y"))))
        with pytest.raises(StoreError, match="another ARENA_SECRET"):
            store.append_turn(next_one.result().id, "more").result()
        other = talk(store, "two")
    with opened(tmp_path, b"second", b"first") as store:
        assert [words_of(store, one) for one in (battle_id, other)] == [WORDS] * 2
    with opened(tmp_path, b"second") as store:
        assert [words_of(store, one) for one in (battle_id, other)] == [WORDS] * 2
        assert store.keys().lost == 0


# ---------------------------------------------------------------- from the schemas before


def plain_database(folder: Path, old: str = "0003") -> str:
    """A database of the program that stored texts as they were written; the id of its battle of voter "one"."""
    database = Database.at(None, folder)
    bring_up_to_date(database, head=old)
    database.close()
    prompt, said, thought, remark, reason = WORDS
    with closing(sqlite3.connect(folder / "arena.db")) as db:
        db.execute(
            "INSERT INTO contestants VALUES (1,'x','','',NULL,'','','',0,0,NULL), (2,'y','','',NULL,'','','',0,0,NULL)"
        )
        db.execute("INSERT INTO voters VALUES (1,'one',0), (2,'two',0), (3,'forgotten-3',0)")
        db.execute("INSERT INTO slice_sets VALUES (1,'month=2026-09','')")
        for number in range(1, 1201):
            battle, voter = f"battle-{number:04}", 1 + number % 2
            row = (battle, voter, number)
            db.execute("INSERT INTO battles VALUES (?,?,'anonymous',1,2,1,'ru','',0,'',NULL,'voted',?,0)", row)
            db.execute("INSERT INTO turns VALUES (?,0,0,?,0,0,NULL)", (battle, prompt))
            for side in "ab":
                spoken = (battle, side, said, thought if side == "a" else "")
                db.execute(
                    "INSERT INTO answers (battle_id, position, attempt, side, text, reasoning, state) "
                    "VALUES (?,0,0,?,?,?,'complete')",
                    spoken,
                )
            vote_ = (number, battle, voter, remark)
            db.execute("INSERT INTO votes VALUES (?,?,?,1,2,0,1,1,0,1000,1000,0,0,NULL,NULL,NULL,?)", vote_)
            db.execute(
                "INSERT INTO judgments (battle_id, judge, status, queued_at, attempts, verdict, explanation, cost) "
                "VALUES (?,'judge','done',0,1,2,?,0)",
                (battle, reason),
            )
        db.execute("UPDATE counters SET value = 1200")
        db.commit()
    return "battle-1200"


def test_a_plain_database_is_sealed_when_it_is_opened(tmp_path: Path) -> None:
    """Every text reads as before, and no word is left in the file; the copy from before is cleaned by forgetting."""
    battle_id = plain_database(tmp_path)
    with opened(tmp_path) as store:
        assert words_of(store, battle_id) == WORDS
        assert words_of(store, "battle-0001") == WORDS
        assert len(list(store.votes())) == 1200
    held = (tmp_path / "arena.db").read_bytes()
    assert not [word for word in ("Ярополк", "Замечание", "Разбор") if word.encode() in held]
    (before,) = (tmp_path / "backups").iterdir()
    assert "Ярополк".encode() in before.read_bytes()
    with opened(tmp_path) as store:
        for voter in ("one", "two"):
            store.forget_voter_text(voter).result()
            store.forget_in_files(voter)
    assert "Ярополк".encode() not in everything(tmp_path)


@pytest.mark.soak
def test_killed_while_sealing_the_file_is_old_or_new(tmp_path: Path) -> None:
    """At whatever moment the program dies, every text reads, and a file that counts as new holds no word."""
    battle_id = plain_database(tmp_path)
    path = tmp_path / "arena.db"
    old = path.read_bytes()
    opening_it, statuses = "Store.open(None, storage_dir=folder, elo_step=elo_step).close()", set()
    whole, began = started(tmp_path, opening_it), time.monotonic()
    assert whole.wait() == 0
    takes = time.monotonic() - began
    for share in (0.0, 0.2, 0.4, 0.6, 0.8):
        path.write_bytes(old)
        opening = started(tmp_path, opening_it)
        time.sleep(share * takes)
        opening.kill()
        statuses.add(opening.wait())
        assert (revision_of(path) == "0003") == ("Ярополк".encode() in path.read_bytes())
    assert -signal.SIGKILL in statuses, "the first dies before it has done much"
    with opened(tmp_path, b"") as store:
        assert words_of(store, battle_id) == WORDS


def test_a_plain_copy_brings_nobody_back_either(tmp_path: Path) -> None:
    """From before there were keys, people are known by their battles."""
    battle_id = plain_database(tmp_path)
    copy = tmp_path / "plain.db"
    copy.write_bytes((tmp_path / "arena.db").read_bytes())
    with opened(tmp_path) as store:
        store.forget_voter_text("one").result()
        store.forget_in_files("one")
    assert restored(tmp_path, copy).forgotten == 1
    with opened(tmp_path) as store:
        assert words_of(store, battle_id) == ("",) * 5
        assert words_of(store, "battle-0001") == WORDS


# ---------------------------------------------------------------- cut short


def started(folder: Path, act: str, before: str = "") -> Forked:
    """A process that makes ready, says so, and then acts on the store of a folder."""
    script = folder / "program.py"
    script.write_text(
        "import os, signal, sys\nfrom pathlib import Path\nfrom store_kit import elo_step\n"
        "from arena.store.store import Store\nfolder = Path(sys.argv[1])\n"
        f"{before}\nprint('begun', flush=True)\n{act}\n"
    )
    process = Forked(script, folder)
    assert process.stdout.readline() == "begun\n"
    return process


DIES_BEFORE_THE_COMMIT = """
from sqlalchemy import event
from sqlalchemy.engine import Engine
event.listen(Engine, "commit", lambda connection: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.soak
def test_killed_while_forgetting_it_is_finished_by_doing_it_again(tmp_path: Path) -> None:
    """At any moment the voter is wholly here or unreadable, and never lost to the one who forgets them again."""
    draw, told = random.Random(6), set()
    for kill in range(KILLS):
        folder = tmp_path / str(kill)
        with opened(folder, b"") as store:
            gone, stays = talk(store, "one"), talk(store, "two")
            store.backup()
            store.export_votes(folder / "exports" / "votes.jsonl")
        ready = "store = Store.open(None, storage_dir=folder, elo_step=elo_step)"
        ready += "" if kill else DIES_BEFORE_THE_COMMIT
        steps = "store.forget_voter_text('one').result()\nprint('texts', flush=True)\nstore.forget_in_files('one')"
        forgetting = started(folder, steps, ready)
        if kill % 2:
            forgetting.stdout.readline()
        if kill:
            time.sleep(0.05 * draw.random())
            forgetting.kill()
        assert forgetting.wait() in (-signal.SIGKILL, 0 if kill else None)  # it may have been too late for a kill
        with opened(folder, b"") as store:
            here = words_of(store, gone)
            told.add(here)
            assert here in (WORDS, ("",) * 5)
            if "one" in store.voters():
                store.forget_voter_text("one").result()
                store.forget_in_files("one")
            assert words_of(store, stays) == WORDS
            assert store.unfinished() == ()
        assert not list((folder / "exports").glob("*.jsonl"))
        assert "Ярополк".encode() not in everything(folder)
    assert told == {WORDS, ("",) * 5}, "the first is killed before its commit, the second after"
    tell(
        "a forgetting that is killed is done or not begun, and finished by doing it again",
        asked="no word left in any file",
        measured="none",
        size=f"{KILLS} kills",
        held=True,
    )
