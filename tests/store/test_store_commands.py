"""The commands around the store do what they say, beside a running server too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from store_kit import NOON, elo_step, register, vote
from typer.testing import CliRunner

from arena.cli import storage, votes
from arena.cli.leaderboard import leaderboard
from arena.config import Settings
from arena.service.opening import open_store
from arena.store.backups import restore_backup
from arena.store.records import Contestant
from arena.store.store import Store
from arena.types import Verdict


@pytest.fixture
def arena(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run a command on the test's storage directory; returns its status and all it printed."""
    app = typer.Typer()
    app.add_typer(votes.app, name="votes")
    for command in (storage.backup, storage.restore, storage.doctor):
        app.command(command.__name__)(command)

    def run(*words: str | Path) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*map(str, words), "--storage", str(tmp_path)])
        return result.exit_code, result.output

    return run


def filled(store: Store) -> None:
    a, b = register(store, "x", "y")
    for verdict in Verdict:
        vote(store, a.id, b.id, verdict, language="ru")


def test_export_and_import_beside_a_running_server(
    file_store: Store, arena: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """What one command wrote another reads, while the store is open and goes on taking votes."""
    filled(file_store)
    status, said = arena("votes", "export", tmp_path / "votes.csv")
    assert (status, said) == (0, f"4 votes written to {tmp_path / 'votes.csv'}\n")
    more = tmp_path / "more.csv"
    more.write_text("model_a,model_b,winner\nx,z,tie\n", "utf-8")
    status, said = arena("votes", "import", more)
    assert (status, said) == (0, "1 of 1 vote imported: 1 new contestant\n")
    assert arena("votes", "import", more)[1] == "0 of 1 vote imported: 1 was here already\n"
    single = arena("votes", "export", tmp_path / "one.csv", "--since", "2100-01-01")[1]
    assert single == f"0 votes written to {tmp_path / 'one.csv'}\n"
    filled(file_store)
    assert file_store.check().ok
    assert len(list(file_store.votes())) == 9
    assert arena("votes", "import", tmp_path / "votes.csv")[1] == "0 of 4 votes imported: 4 were here already\n"


def test_an_import_says_whose_names_are_not_sure_to_be_ours(
    file_store: Store, arena: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """A bare file may hold other weights under our names: they stand apart, and that, and the way out, is said."""
    file_store.register_contestants([Contestant("x", "1a"), Contestant("y", "2b")]).result()
    bare, made, again = (tmp_path / f"{name}.csv" for name in ("bare", "made", "again"))
    bare.write_text("model_a,model_b,winner\nx,y,model_a\nx,z,tie\n", "utf-8")
    said = arena("votes", "import", bare)[1]
    assert "2 of 2 votes imported: 3 new contestants\napart from the models that take part" in said
    assert "same names: x, y\n  the file names no revision or quantization" in said
    assert "--same-models" in said
    made.write_text("model_a,model_b,winner,fingerprint_a,fingerprint_b\nx,y,tie,1a,3c\n", "utf-8")
    said = arena("votes", "import", made)[1]
    assert said.endswith("same names: y\n  the file names another revision or quantization\n")
    again.write_text("model_a,model_b,winner\ny,x,model_a\n", "utf-8")
    said = arena("votes", "import", again, "--same-models")[1]
    assert said == "1 of 1 vote imported\ncounted for the models that take part: x, y\n"
    *_, last = file_store.votes()
    assert [file_store.load_battle(last.battle_id).contestant_a.contestant.fingerprint, file_store.check().ok] == [
        "2b", True,
    ]  # fmt: skip


def test_an_interrupted_import_says_what_became_of_it(
    arena: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was imported, and the status is that of a command that Ctrl-C ended."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "import_votes", interrupted)
    assert arena("votes", "import", tmp_path / "v.csv") == (130, "arena: stopped, and nothing was imported\n")


def test_models_are_the_same_only_as_somebody_who_takes_part(
    arena: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """Before the first start there is nobody to be the same as: nothing is imported, and the order is told."""
    bare = tmp_path / "bare.csv"
    bare.write_text("model_a,model_b,winner\nx,y,model_a\n", "utf-8")
    status, said = arena("votes", "import", bare, "--same-models")
    assert (status, said.count("\n"), "start it once, then import" in said) == (2, 1, True)
    assert "1 of 1 vote imported" in arena("votes", "import", bare)[1]


def test_a_bad_file_or_date_ends_in_one_line(arena: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """The fault is told with its place and status 2, without a traceback."""
    bad = tmp_path / "bad.csv"
    bad.write_text("model_a,model_b,winner\nx,y,won\n", "utf-8")
    for words in (("votes", "import", bad), ("votes", "export", tmp_path / "v.csv", "--since", "yesterday")):
        status, said = arena(*words)
        assert status == 2
        assert said.startswith("arena: ")
        assert said.count("\n") == 1


def test_whoever_left_stays_listed_and_is_counted(
    file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leaderboard in the terminal marks who takes part no more, says how many, and how often each was drawn."""
    filled(file_store)
    file_store.register_contestants([Contestant("x")]).result()
    monkeypatch.setenv("ARENA_STORAGE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    app = typer.Typer()
    app.command()(leaderboard)
    said = CliRunner().invoke(app, ["--database", f"sqlite:///{tmp_path / 'arena.db'}"]).output
    (left,) = [line for line in said.splitlines() if " y " in line]
    assert "retired" in left
    assert "100%" in left
    assert "2 models, 1 no longer taking part" in said


def test_an_absent_slice_is_told_with_those_that_there_are(file_store: Store, tmp_path: Path) -> None:
    """The votes are rated from an export that lives for a moment: its path, which says nothing to anybody, is not."""
    filled(file_store)
    app = typer.Typer()
    app.command()(leaderboard)
    words = ["--database", f"sqlite:///{tmp_path / 'arena.db'}", "--slice", "mood=sad"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert result.output.startswith("arena: there is no slice 'mood=sad' (it has language=ru, month=")
    assert str(tmp_path) not in result.output


def test_a_backup_is_restored(file_store: Store, arena: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """A backup made under the open store brings back its board; restoring under the open store is refused."""
    filled(file_store)
    board, ratings = list(file_store.pair_counts()), file_store.elo_state()
    assert arena("backup", tmp_path / "kept.db")[0] == 0
    filled(file_store)
    status, said = arena("restore", tmp_path / "kept.db")
    assert (status, "stop the arena" in said) == (2, True)
    file_store.close()
    status, said = arena("restore", tmp_path / "kept.db")
    assert (status, "before-restore" in said) == (0, True)
    with storage.opened(None, tmp_path) as restored:
        assert list(restored.pair_counts()) == board
        assert restored.elo_state() == ratings
        assert restored.check().ok


def test_only_a_sound_backup_is_restored(arena: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """A file that is no backup, or a damaged one, leaves the database alone."""
    (tmp_path / "text.db").write_text("not a database at all, whatever its name may say")
    for name in ("text.db", "absent.db"):
        status, said = arena("restore", tmp_path / name)
        assert status == 2
        assert said.startswith("arena: ")
    assert not (tmp_path / "arena.db").exists()


def test_a_backup_never_takes_the_databases_own_place(
    file_store: Store, arena: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """It lacks the keys of the texts, and a running server would go on writing into a file that has no name."""
    filled(file_store)
    status, said = arena("backup", tmp_path / "backups" / ".." / "arena.db")
    assert (status, "is the database itself" in said) == (2, True)
    status, said = arena("backup", tmp_path)
    assert (status, "is a folder" in said) == (2, True)
    filled(file_store)
    assert len(list(file_store.votes())) == 8


def test_a_backup_overwrites_nothing_but_a_backup(
    file_store: Store, arena: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """A slip of the finger costs neither the key that opens every text, nor a lock, nor another arena's votes."""
    filled(file_store)
    other = tmp_path / "other" / "arena.db"
    Store.open(None, storage_dir=other.parent, elo_step=elo_step).close()
    for victim in (tmp_path / "secret", tmp_path / "arena.db.lock", other):
        before = victim.read_bytes()
        status, said = arena("backup", victim)
        assert (status, "name another file" in said, victim.read_bytes()) == (2, True, before)
    kept = tmp_path / "kept.db"
    assert arena("backup", kept)[0] == 0
    first = kept.read_bytes()
    filled(file_store)
    assert (arena("backup", kept)[0], kept.read_bytes() == first) == (0, False)


def test_what_cannot_be_restored_is_told_from_a_damaged_database(
    arena: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """A file that is not there, and one of another kind."""
    (tmp_path / "votes.csv").write_text("model_a,model_b,winner\n" * 9)
    assert "absent.db is no file" in arena("restore", tmp_path / "absent.db")[1]
    assert "votes.csv is not a backup of an arena" in arena("restore", tmp_path / "votes.csv")[1]


@pytest.mark.parametrize("words", [("votes", "export", "out.csv"), ("backup", "out.db")])
def test_a_mistyped_folder_is_not_taken_for_an_empty_arena(
    arena: Callable[..., tuple[int, str]], tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Nothing is written where no database is, neither the file asked for nor a new database."""
    status, said = arena(*words[:-1], tmp_path / words[-1])
    assert (status, said.startswith(f"arena: no database at {tmp_path / 'arena.db'}")) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """Signs that mean something in an address are signs of a name in a path: everything is where it was asked to be."""
    folder = tmp_path / "диск%20a ?x=1#y&[b]"
    bare, kept = tmp_path / "bare.csv", folder / "backups" / "kept?#%41.db"
    bare.write_text("model_a,model_b,winner,judge\nx,y,model_a,me\n", "utf-8")
    settings = Settings.from_environment({}, storage=folder)
    with open_store(settings) as store:
        assert store.import_votes(bare).added == 1
        store.backup(kept)
        assert store.forget_voter_text("me").result() == 1
        assert store.forget_in_files("me").held == 1
    done = restore_backup(kept, settings.database, folder, NOON, settings.signing_keys())
    assert (done.kept is not None, done.forgotten) == (True, 0)
    with Store.open(None, storage_dir=folder, elo_step=elo_step, secrets=settings.signing_keys()) as store:
        assert [one.voter for one in store.votes()] == ["forgotten-1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.csv", folder.name]


def test_only_so_many_dated_backups_stay(file_store: Store, tmp_path: Path, clock: object) -> None:
    """The newest dated ones are kept, and no file of another name is touched."""
    folder = tmp_path / "backups"
    folder.mkdir()
    for other in ("mine.db", "arena-20990231-000000.db"):
        (folder / other).write_text("mine")
    for _ in range(4):
        clock.now += 60  # type: ignore[attr-defined]
        newest = file_store.backup(keep=2)
    assert newest in folder.iterdir()
    assert len(list(folder.iterdir())) == 4
    assert file_store.backed_up_at() == clock.now  # type: ignore[attr-defined]


def test_the_doctor_finds_and_mends(file_store: Store, arena: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """All ticks on a sound store; a cross with its mend on damaged counts; ticks again after the rebuild."""
    filled(file_store)
    status, said = arena("doctor", "--json")
    assert status == 0
    assert all(finding["ok"] for finding in json.loads(said))
    file_store._write(lambda db: db.exec_driver_sql("UPDATE pair_counts SET ties = 7")).result()
    status, said = arena("doctor")
    assert status == 1
    assert "✗ database" in said
    assert "--rebuild" in said
    status, said = arena("doctor", "--rebuild")
    assert status == 0
    assert "✓ database" in said
