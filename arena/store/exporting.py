"""Votes leave as a file: streamed, and there whole or not at all."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TextIO

from sqlalchemy import func, select

from arena.errors import FileFormatError, StoreError
from arena.store import battles, board
from arena.store.connections import Database
from arena.store.files import disarm, read_rows
from arena.store.interchange import COLUMNS, Redact, exported, same_question
from arena.store.leftovers import deleted
from arena.store.migrate import sync_folder
from arena.store.records import BattleRecord, Cleaned, VoteFilter, VoteRecord
from arena.store.tables import votes

SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".parquet")
CHUNK = 500
"""Votes read and written at a time."""

_LISTS = ("conversation_a", "conversation_b", "slices", "reasons")


class Sink(Protocol):
    """Takes rows one run at a time."""

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append these rows."""


def exports_of(storage_dir: Path) -> Path:
    """Where exports are kept that the arena makes for its pages."""
    return storage_dir / "exports"


def export_votes(
    database: Database, target: Path, which: VoteFilter, redact: Redact, progress: Callable[[int, int], None]
) -> int:
    """See `Store.export_votes`."""
    if not target.name.lower().endswith(SUFFIXES):
        raise FileFormatError(f"unknown kind of file; use one of {', '.join(SUFFIXES)}", path=target)
    with database.reading() as db:
        total = int(db.execute(select(func.count()).select_from(votes)).scalar_one())
    done = 0
    with _appearing(target) as part, _sink(target.name.lower(), part) as sink:
        for rows in _runs(database, which, redact):
            sink.write(rows)
            done += len(rows)
            progress(done, max(done, total))
    return done


def drop_exports(folder: Path, voter: str) -> Cleaned:
    """Delete every export in the folder that holds rows of this voter: it can be made anew."""
    held = [path for path in sorted(folder.glob("*")) if path.name.endswith(SUFFIXES) and _holds(path, voter)]
    stuck = tuple(path for path in held if not deleted(path))
    return Cleaned(len(held) - len(stuck), stuck)


def drop_earlier(folder: Path, form: str) -> None:
    """Delete kept exports of a form but the latest, which may just have been given to somebody."""
    kept = sorted(folder.glob(f"votes-*.{form}"), key=lambda path: (len(path.name), path.name))
    for old in kept[:-1]:
        old.unlink(missing_ok=True)


def _holds(path: Path, voter: str) -> bool:
    """Whether a row is the voter's. A file that cannot be read cannot be cleared of suspicion."""
    try:
        return any(row.get("judge") == voter for _, row in read_rows(path))
    except (FileFormatError, OSError):
        return True


def _runs(database: Database, which: VoteFilter, redact: Redact) -> Iterator[list[dict[str, Any]]]:
    asked = Counter(same_question(battle.question) for run in _read(database, which) for _, battle in run)
    asked[None] = 1  # a battle without text is a question of its own
    for run in _read(database, which):
        yield [exported(vote, battle, redact, max(1, asked[same_question(battle.question)])) for vote, battle in run]


def _read(database: Database, which: VoteFilter) -> Iterator[list[tuple[VoteRecord, BattleRecord]]]:
    """Votes with their battles, a run at a time."""
    stream = board.votes_of(database, which, CHUNK)
    while run := list(islice(stream, CHUNK)):
        with database.reading() as db:
            known = {battle.id: battle for battle in battles.load_many(db, [vote.battle_id for vote in run])}
        yield [(vote, known[vote.battle_id]) for vote in run]


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A file beside the target that takes its place when all went well and vanishes otherwise."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def _sink(name: str, part: Path) -> Iterator[Sink]:
    if name.endswith(".parquet"):
        with _parquet(part) as sink:
            yield sink
        return
    opener: Callable[..., TextIO] = gzip.open if name.endswith(".gz") else open
    with opener(part, "wt", encoding="utf-8", newline="") as file:
        yield JsonLines(file) if name.endswith(".jsonl") else Csv(file)


class JsonLines:
    """One JSON object per line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append these rows."""
        self._file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


class Csv:
    """Comma-separated values whose text no spreadsheet will run; lists as JSON."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(COLUMNS)

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append these rows."""
        self._writer.writerows([[_cell(row[column]) for column in COLUMNS] for row in rows])


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = json.dumps(value, ensure_ascii=False)
    return disarm(value) if isinstance(value, str) else value


@contextmanager
def _parquet(part: Path) -> Iterator[Sink]:
    import pyarrow.lib as arrow  # costs 100 ms: only who writes Parquet pays
    import pyarrow.parquet as parquet

    message = arrow.struct([("role", arrow.string()), ("content", arrow.string())])
    kinds = {
        "turn": arrow.int64(),
        "anony": arrow.bool_(),
        "masked": arrow.bool_(),
        "tstamp": arrow.float64(),
        "weight": arrow.float64(),
        "propensity": arrow.float64(),
        "dedupe_weight": arrow.float64(),
        "joules_a": arrow.float64(),
        "joules_b": arrow.float64(),
        "conversation_a": arrow.list_(message),
        "conversation_b": arrow.list_(message),
        "slices": arrow.list_(arrow.string()),
        "reasons": arrow.list_(arrow.string()),
    }
    kinds |= dict.fromkeys(COLUMNS[COLUMNS.index("sum_assistant_a_tokens") :], arrow.int64())
    schema = arrow.schema([(column, kinds.get(column, arrow.string())) for column in COLUMNS])
    with parquet.ParquetWriter(part, schema, compression="zstd") as writer:  # type: ignore[no-untyped-call]
        yield _ParquetSink(lambda rows: writer.write_table(arrow.Table.from_pylist(rows, schema=schema)))


class _ParquetSink:
    def __init__(self, write: Callable[[list[dict[str, Any]]], None]) -> None:
        self.write = write
