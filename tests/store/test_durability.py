"""What was acknowledged is there, once and unchanged: after kills, torn logs, full disks and torn migrations."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from store_kit import Clock, elo_step, register, votable, vote

from arena.errors import MigrationFailed, SchemaTooNew, StoreError, StoreUnavailable
from arena.store import connections
from arena.store.connections import Database
from arena.store.migrate import HEAD, SCRIPTS, bring_up_to_date, revision_of
from arena.store.records import ScoreRecord, VoteFilter
from arena.store.store import Store
from arena.types import Verdict
from perf.promises import tell
from perf.stage import waiting_battles
from tests.forked import Forked

pytestmark = pytest.mark.soak

HERE = Path(__file__).parent
VOTING = HERE / "voting_process.py"
KILLS = int(os.environ.get("ARENA_SOAK_KILLS", "4"))
VOTES_PER_KILL = int(os.environ.get("ARENA_SOAK_VOTES", "500"))
CUTS = int(os.environ.get("ARENA_SOAK_CUTS", "200"))
FAULTS = int(os.environ.get("ARENA_SOAK_FAULTS", "20"))
MIGRATION_KILLS = int(os.environ.get("ARENA_SOAK_MIGRATION_KILLS", "5"))
BACKUPS = int(os.environ.get("ARENA_SOAK_BACKUPS", "10"))
SHARED = int(os.environ.get("ARENA_SOAK_SHARED", "1000"))

Opening = Callable[[str], Store]


def voting(url: str, storage: Path, name: str, votes: int, *more: Path, **environment: str) -> Forked:
    """A process that votes."""
    return Forked(VOTING, url, storage, name, votes, *more, environment=environment)


def acknowledged(process: Forked, enough: int | None = None) -> Iterator[tuple[str, Verdict, int]]:
    """Votes that the process saw committed; kills it after so many, and reads what it said until then."""
    for count, line in enumerate(process.stdout, start=1):
        if not line.endswith("\n"):
            break  # the kill tore the line: nobody was told
        yield vote_in(line)
        if count == enough:
            process.kill()
    process.wait()


def vote_in(line: str) -> tuple[str, Verdict, int]:
    """Which vote a line acknowledges."""
    battle_id, verdict, sequence = line.split()
    return battle_id, Verdict(verdict), int(sequence)


def assert_kept(store: Store, promised: dict[str, tuple[Verdict, int]]) -> None:
    """Every promised vote is stored once as it was given, and the board holds exactly the stored votes."""
    stored = list(store.votes(VoteFilter(counting_only=False)))
    by_battle = {one.battle_id: (one.verdict, one.sequence) for one in stored}
    assert len(by_battle) == len(stored), "a vote is there twice"
    lost = {battle_id for battle_id in promised if battle_id not in by_battle}
    changed = {battle_id for battle_id, kept in promised.items() if by_battle.get(battle_id, kept) != kept}
    assert (lost, changed) == (set(), set())
    assert store.check().problems == ()


def test_killed_while_voting_no_acknowledged_vote_is_lost(tmp_path: Path, open_store: Opening) -> None:
    """Killed without warning over and over under load, the database keeps every promise."""
    url = f"sqlite:///{tmp_path / 'arena.db'}"
    promised: dict[str, tuple[Verdict, int]] = {}
    draw = random.Random(6)
    for kill in range(KILLS):
        process = voting(url, tmp_path, f"round{kill}", 100_000)
        for battle_id, verdict, sequence in acknowledged(process, draw.randint(1, 2 * VOTES_PER_KILL)):
            promised[battle_id] = (verdict, sequence)
    began = time.monotonic()
    store = open_store(url)
    a, b = register(store, "w", "x")
    vote(store, a.id, b.id, Verdict.TIE)
    print(f"voting again {time.monotonic() - began:.2f} s after the last of {KILLS} kills, {len(promised)} promises")
    assert len(promised) > KILLS
    assert_kept(store, promised)
    tell("a killed store loses, doubles and changes no acknowledged vote", asked="0", measured="0",
         size=f"{len(promised)} votes, {KILLS} kills", held=True)  # fmt: skip


def test_a_log_cut_anywhere_keeps_every_commit_before_the_cut(tmp_path: Path, file_store: Store) -> None:
    """Whatever byte the write-ahead log ends at, the votes whose commit lies before it are all there, and no half."""
    path, log = tmp_path / "arena.db", tmp_path / "arena.db-wal"
    a, b = register(file_store, "x", "y")
    ends = []
    for i in range(30):
        vote(file_store, a.id, b.id, list(Verdict)[i % 4])
        ends.append(log.stat().st_size)
    assert ends == sorted(set(ends)), "the log was reset meanwhile: this test needs it whole"
    image, whole = path.read_bytes(), log.read_bytes()
    torn = tmp_path / "torn"
    draw = random.Random(7)
    for _ in range(CUTS):
        shutil.rmtree(torn, ignore_errors=True)
        torn.mkdir()
        cut = draw.randint(0, len(whole))
        (torn / "arena.db").write_bytes(image)
        (torn / "arena.db-wal").write_bytes(whole[:cut])
        with closing(sqlite3.connect(torn / "arena.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            numbers = (
                [n for (n,) in connection.execute("SELECT sequence FROM votes ORDER BY sequence")] if tables else []
            )
        committed = sum(end <= cut for end in ends)
        assert len(numbers) >= committed
        assert numbers == list(range(1, len(numbers) + 1))
    with Store.open(None, storage_dir=torn, elo_step=elo_step) as reopened:
        assert reopened.check().ok
    tell("the log cut at any byte keeps every commit before the cut", asked="0 lost", measured="0 lost",
         size=f"{CUTS} cuts", held=True)  # fmt: skip


def test_the_disk_is_told_before_the_voter(tmp_path: Path) -> None:
    """Seen from outside the process: whenever a vote is acknowledged, all that was written to the log is synced."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    # with more clients the next commit may be half written at an acknowledgement
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "VOTING_CLIENTS": "1"}
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-y", "-s", "80", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", trace)
    words = (f"sqlite:///{tmp_path / 'arena.db'}", tmp_path, "traced", "20")
    done = subprocess.run([*strace, sys.executable, VOTING, *words], stdout=subprocess.PIPE, text=True, env=environment)
    if len(list(map(vote_in, done.stdout.splitlines()))) != 20:
        pytest.skip("strace may not trace here")
    unsynced, syncs, told = 0, 0, 0
    for line in trace.read_text().splitlines():
        if re.search(r"pwrite64\(\d+<[^>]*arena\.db-wal>", line):
            unsynced += 1
        elif re.search(r"f(data)?sync\(\d+<[^>]*arena\.db-wal>", line):
            unsynced, syncs = 0, syncs + 1
        elif re.search(r'write\(1<[^>]*>, "\S+ \w+ \d+\\n"', line):
            told += 1
            assert unsynced == 0, f"vote {told} was acknowledged with {unsynced} writes not on disk"
    assert told == 20
    assert syncs >= told
    tell("fsync before the acknowledgement, seen by strace", asked="every vote", measured=f"{told} of {told}",
         size=f"{told} votes", held=True)  # fmt: skip


def test_a_full_disk_acknowledges_nothing_and_heals(file_store: Store) -> None:
    """At the limit every vote is refused as unavailable; with room again the same store goes on."""
    a, b = register(file_store, "x", "y")
    vote(file_store, a.id, b.id, Verdict.TIE)
    battles = [votable(file_store, a.id, b.id, f"v{i}") for i in range(FAULTS)]
    version = file_store.board_version()
    file_store._database.limit_pages(1)
    for i, battle_id in enumerate(battles):
        both_wait = threading.Event()
        file_store._write(lambda _, begin=both_wait: begin.wait(60))  # so that one transaction takes both
        filler = file_store.log("filler", "x" * 100_000)  # more than any page that is free already could take
        cast = file_store.cast_vote(battle_id, f"v{i}", Verdict.TIE)
        both_wait.set()
        for refused in (filler, cast):
            with pytest.raises(StoreUnavailable, match="full"):
                refused.result()
    assert file_store.board_version() == version
    file_store._database.limit_pages(None)
    for i, battle_id in enumerate(battles):
        assert file_store.cast_vote(battle_id, f"v{i}", Verdict.TIE).result().sequence == version + i + 1
    assert file_store.check().ok
    tell("a full disk acknowledges nothing and heals without a restart", asked="0 false acknowledgements", measured="0",
         size=f"{FAULTS} hits", held=True)  # fmt: skip


def test_a_read_only_directory_acknowledges_nothing_and_heals() -> None:
    """Where nothing may be written every vote is refused as unavailable; once it may, the same store goes on."""
    folder = Path(tempfile.mkdtemp(prefix="arena-read-only-"))
    try:
        with Store.open(None, storage_dir=folder, elo_step=elo_step) as store:
            vote(store, *(one.id for one in register(store, "x", "y")), Verdict.TIE)
        if os.getuid() == 0:  # root may write anywhere: the child becomes nobody
            for path in (folder, *folder.iterdir()):
                os.chown(path, 65534, 65534)
        child = os.fork()
        if child == 0:
            os._exit(_survive_read_only(folder))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        tell("a read-only directory acknowledges nothing and heals without a restart",
             asked="0 false acknowledgements", measured="0", size=f"{FAULTS} hits", held=True)  # fmt: skip
    finally:
        shutil.rmtree(folder)


def _survive_read_only(folder: Path) -> int:
    try:
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        with Store.open(None, storage_dir=folder, elo_step=elo_step) as store:
            a, b = register(store, "x", "y")
            for i in range(FAULTS):
                battle_id = votable(store, a.id, b.id)
                _forbid_writing(folder, True)
                store._database.forget_connections()
                with pytest.raises(StoreUnavailable):
                    store.cast_vote(battle_id, "voter", Verdict.TIE).result()
                _forbid_writing(folder, False)
                assert store.cast_vote(battle_id, "voter", Verdict.TIE).result().sequence == i + 2
            assert store.check().ok
        _forbid_writing(folder, True)
        with pytest.raises(StoreUnavailable):
            Store.open(None, storage_dir=folder, elo_step=elo_step)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        _forbid_writing(folder, False)
    return 0


def _forbid_writing(folder: Path, forbidden: bool) -> None:
    folder.chmod(0o555 if forbidden else 0o755)
    for path in folder.iterdir():
        if path.is_file():
            path.chmod(0o444 if forbidden else 0o644)


def test_a_locked_database_is_unavailable_until_it_is_let_go(
    tmp_path: Path, open_store: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign program that keeps the file locked costs a clear refusal, not a lost vote."""
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.1)
    store = open_store(f"sqlite:///{tmp_path / 'arena.db'}")
    a, b = register(store, "x", "y")
    battle_id = votable(store, a.id, b.id)
    foreign = sqlite3.connect(tmp_path / "arena.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.cast_vote(battle_id, "voter", Verdict.TIE).result()
    foreign.execute("ROLLBACK")
    foreign.close()
    assert store.cast_vote(battle_id, "voter", Verdict.TIE).result().sequence == 1


def test_backups_under_load_restore_to_the_same_ratings(tmp_path: Path, open_store: Opening) -> None:
    """Each backup made while votes arrive is a whole board: recounting its votes changes nothing."""
    url = f"sqlite:///{tmp_path / 'arena.db'}"
    store = open_store(url)
    pause = "0.2"  # some hundred votes a second for as long as the backups take
    process = voting(url, tmp_path, "load", 1_000_000, VOTING_PAUSE=pause)
    heard = threading.Thread(target=lambda: deque(acknowledged(process), maxlen=0), daemon=True)
    heard.start()
    try:
        sizes: list[int] = []
        for _ in range(BACKUPS):
            sizes.append(_restored(store, tmp_path / "backup.db", after=sizes[-1] if sizes else 0))
    finally:
        process.kill()
        heard.join()
    assert sizes == sorted(set(sizes))
    tell("a backup under load, restored and recounted, has the same ratings", asked="all", measured="all",
         size=f"{BACKUPS} backups while {sizes[-1]} votes arrived", held=True)  # fmt: skip


def _restored(store: Store, target: Path, *, after: int) -> int:
    """Back up once there are more votes than `after`, recount the backup, and say how many it holds."""
    while store.board_version() <= after:
        time.sleep(0.01)
    made = store.backup(target)
    with Store.open(f"sqlite:///{made}", storage_dir=target.parent / "elsewhere", elo_step=elo_step) as restored:
        assert restored.check().ok
        kept, counts = restored.elo_state(), list(restored.pair_counts())
        size = restored.rebuild()
        assert list(restored.pair_counts()) == counts
        assert {n: s.rating for n, s in restored.elo_state().items()} == pytest.approx(
            {n: s.rating for n, s in kept.items()}, abs=1e-9
        )
    made.unlink()
    return size


LATER_MIGRATION = '''
"""A later schema, reached in many steps."""
import sqlalchemy as sa
from alembic import op
revision = "9999"
down_revision = "HEAD"

def upgrade():
    for number in range(12):
        op.add_column("battles", sa.Column(f"later_{number}", sa.Text))
    op.execute("UPDATE battles SET later_0 = id")
'''.replace("HEAD", HEAD)


@pytest.fixture
def later_scripts(tmp_path: Path) -> Path:
    """Migrations of a program that knows one schema more."""
    scripts = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "9999_later.py").write_text(LATER_MIGRATION)
    return scripts


def rows_of(path: Path) -> list[tuple[object, ...]]:
    """Votes and battles of a file, whatever its schema."""
    with closing(sqlite3.connect(path)) as connection:
        battles = connection.execute("SELECT id, status FROM battles ORDER BY id").fetchall()
        return battles + connection.execute("SELECT sequence, battle_id, verdict FROM votes ORDER BY 1").fetchall()


def insert(connection: sqlite3.Connection, table: str, **known: object) -> None:
    """A row of a table of any schema: what is known, and for the rest what its kind of column takes."""
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    row = {name: None if not needed else 0 if "TEXT" not in kind else "x" for _, name, kind, needed, *_ in columns}
    row |= {name: value for name, value in known.items() if name in row}
    places = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", row)


def old_database(folder: Path, schema: str, clock: Clock) -> Path:
    """A database as an earlier program left it: contestants, a voter, battles, turns and votes."""
    database = Database.at(None, folder)
    bring_up_to_date(database, head=schema, clock=clock)
    database.close()
    with closing(sqlite3.connect(folder / "arena.db")) as connection:
        for number in (1, 2):
            insert(connection, "contestants", id=number, name=f"model-{number}", fingerprint="f")
        insert(connection, "voters", id=1, code="voter")
        for number in range(1, 21):
            battle = {"battle_id": f"battle-{number}", "position": 0, "attempt": 0}
            insert(connection, "battles", id=f"battle-{number}", voter_id=1, mode="anonymous", status="voted",
                   contestant_a=1, contestant_b=2, propensity=1.0, language="ru")  # fmt: skip
            insert(connection, "turns", **battle, prompt="вопрос")
            for side in ("a", "b"):
                insert(connection, "answers", **battle, side=side, text=f"ответ {side}", state="complete")
            insert(connection, "votes", sequence=number, battle_id=f"battle-{number}", voter_id=1, contestant_a=1,
                   contestant_b=2, verdict=number % 4, weight=1.0, slice_set_id=1)  # fmt: skip
        connection.commit()
    return folder / "arena.db"


OLD = sorted(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))[:-1]
"""Every schema before today's."""


def test_killed_while_migrating_the_file_is_old_or_new(tmp_path: Path, later_scripts: Path, clock: Clock) -> None:
    """From every schema that ever was, and to one that is not yet: at whatever step the program dies, the database
    opens as one schema or the other with every row."""
    kills, outcomes = 0, {"old": 0, "new": 0}

    def migrated(path: Path, head: str, step: int) -> int:
        scripts = later_scripts if head == "9999" else SCRIPTS
        process = Forked(HERE / "migrating_process.py", path, head, scripts, step)
        said = process.stdout.read()
        assert process.wait() == (-signal.SIGKILL if step else 0)
        return int(said or 0)

    for schema, head in [*((old, HEAD) for old in OLD), (HEAD, "9999")]:
        path = old_database(tmp_path / schema, schema, clock)
        rows, image = rows_of(path), path.read_bytes()
        steps = migrated(path, head, 0)
        assert (revision_of(path), rows_of(path)) == (head, rows)
        assert list((path.parent / "backups").glob(f"*schema-{schema}.db"))
        for number in range(MIGRATION_KILLS):
            path.write_bytes(image)
            step = 1 + number * (steps - 1) // (MIGRATION_KILLS - 1)  # the first and the last among them
            migrated(path, head, step)
            kills += 1
            outcomes["old" if revision_of(path) == schema else "new"] += 1
            assert revision_of(path) in (schema, head)
            assert rows_of(path) == rows
        path.write_bytes(image)
        assert migrated(path, head, 0) > 0, "what the killed left behind is no hindrance"
        assert {item.name for item in path.parent.glob("arena.db*")} <= LEFT
        if head == "9999":
            with pytest.raises(SchemaTooNew):
                Store.open(None, storage_dir=path.parent, elo_step=elo_step)
            assert rows_of(path) == rows
        else:
            Store.open(None, storage_dir=path.parent, elo_step=elo_step).close()
    tell(
        "every schema killed while migrating opens as old or new with all rows; a newer one is refused",
        asked="0 rows lost", measured=f"0 lost ({outcomes['old']} old, {outcomes['new']} new)",
        size=f"{kills} kills at as many steps, {len(OLD) + 1} schemas", held=True,
    )  # fmt: skip


LEFT = {"arena.db", "arena.db.lock", "arena.db.next.lock", "arena.db.writing.lock"}
"""The files of a database that nobody has open."""


def test_a_migration_that_fails_leaves_the_old_database(tmp_path: Path, later_scripts: Path, clock: Clock) -> None:
    """A step that cannot be done is told, and the arena opens as before."""
    with Store.open(None, storage_dir=tmp_path, elo_step=elo_step) as store:
        a, b = register(store, "x", "y")
        vote(store, a.id, b.id, Verdict.TIE)
        with pytest.raises(MigrationFailed, match="stop it"):
            bring_up_to_date(Database.at(None, tmp_path), head="9999", scripts=later_scripts)
    broken = LATER_MIGRATION.replace("UPDATE battles", "UPDATE nothing")
    (later_scripts / "versions" / "9999_later.py").write_text(broken)
    database = Database.at(None, tmp_path)
    with pytest.raises(MigrationFailed, match="old data is as it was"):
        bring_up_to_date(database, head="9999", scripts=later_scripts, clock=clock)
    database.close()
    with Store.open(None, storage_dir=tmp_path, elo_step=elo_step) as store:
        assert len(list(store.votes())) == 1


def test_every_old_schema_is_brought_up_with_its_rows(tmp_path: Path, clock: Clock) -> None:
    """A database of each earlier program opens with all that it held."""
    for old in sorted(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))[:-1]:
        folder = tmp_path / old
        database = Database.at(None, folder)
        bring_up_to_date(database, head=old, clock=clock)
        database.close()
        with closing(sqlite3.connect(folder / "arena.db")) as connection:
            connection.execute("INSERT INTO spending VALUES ('gpt', 1.5)")
            connection.commit()
        with Store.open(None, storage_dir=folder, elo_step=elo_step, clock=clock) as store:
            assert store.spending() == {"gpt": 1.5}
            assert store.check().schema == HEAD
            a, b = register(store, "x", "y")
            vote(store, a.id, b.id, Verdict.TIE)
        assert revision_of(next((folder / "backups").iterdir())) == old


def test_sheets_from_before_judges_were_told_apart_are_kept(tmp_path: Path, clock: Clock) -> None:
    """They stand as before, by nobody in particular, until a judged sheet takes their place."""
    database = Database.at(None, tmp_path)
    bring_up_to_date(database, head="0003", clock=clock)
    database.close()
    with closing(sqlite3.connect(tmp_path / "arena.db")) as connection:
        connection.execute("INSERT INTO scores VALUES ('mt-bench', 'a', 5.0, '{}')")
        connection.commit()
    with Store.open(None, storage_dir=tmp_path, elo_step=elo_step, clock=clock) as store:
        assert store.scores() == (ScoreRecord("mt-bench", "a", 5.0, "{}"),)
        store.keep_score("mt-bench", "a", "[]", judge="strict", protocol="own").result()
        assert [(kept.judge, kept.sheet) for kept in store.scores()] == [("strict", "[]")]


def test_the_program_knows_its_newest_migration() -> None:
    """HEAD is the last of the scripts, and a fresh database has the columns that the program names."""
    assert max(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py")) == HEAD


def test_the_migrations_make_what_the_tables_say(url: str, open_store: Opening, tmp_path: Path) -> None:
    """Columns, keys, uniqueness and indexes of a migrated database are those that the program believes in."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from arena.store.tables import metadata

    store = open_store(url)
    with store._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    """A database of another program is refused, not overwritten."""
    with closing(sqlite3.connect(tmp_path / "arena.db")) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    before = (tmp_path / "arena.db").read_bytes()
    with pytest.raises(StoreError, match="something else"):
        Store.open(None, storage_dir=tmp_path, elo_step=elo_step)
    assert (tmp_path / "arena.db").read_bytes() == before


@pytest.mark.postgres
def test_two_processes_on_postgresql_make_one_vote_of_one_vote(
    postgres: PostgresServer, open_store: Opening, tmp_path: Path
) -> None:
    """Two servers racing for the same battles: each battle has one vote, numbers have no gap, both see one board."""
    url = postgres.new_database()
    store = open_store(url)
    store.register_contestants([]).result()
    a, b = register(store, "w", "x")
    battles = tmp_path / "battles"
    battles.write_text("\n".join(waiting_battles(store, ["voter"] * SHARED, a.id, b.id)))
    racers = [voting(url, tmp_path / name, name, 0, battles) for name in ("one", "two")]
    told = [list(acknowledged(racer)) for racer in racers]
    promised = {battle_id: (verdict, sequence) for side in told for battle_id, verdict, sequence in side}
    assert sum(map(len, told)) == len(promised) == SHARED
    assert sorted(sequence for _, sequence in promised.values()) == list(range(1, SHARED + 1))
    assert_kept(store, promised)
    tell("two processes on one PostgreSQL: one vote is one vote", asked=f"{SHARED} stored, no gap", measured="so",
         size=f"{SHARED} battles, each wanted by both", held=True)  # fmt: skip


@pytest.mark.postgres
def test_postgresql_dying_costs_refusals_and_no_vote(postgres: PostgresServer, open_store: Opening) -> None:
    """While the server is away votes are refused as unavailable; when it is back the same store goes on."""
    store = open_store(postgres.new_database())
    a, b = register(store, "x", "y")
    battles = [votable(store, a.id, b.id, f"v{i}") for i in range(20)]
    promised = {}
    for i, battle_id in enumerate(battles):
        if i == 10:
            postgres.restart()
        for _ in range(1200):
            try:
                receipt = store.cast_vote(battle_id, f"v{i}", Verdict.MODEL_A).result()
            except StoreUnavailable:
                time.sleep(0.05)
            else:
                promised[battle_id] = (receipt.verdict, receipt.sequence)
                break
    assert len(promised) == 20
    assert_kept(store, promised)
