"""An append-only file of finished items that survives a kill at any moment.

One JSON line per item, written and synced before it counts; a line torn by a kill is cut off at
the next start. A lock keeps a second process from working on the same file, so nothing is done
twice. Knows keys and lines, not what they mean.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from arena.benchmarks.files import as_text
from arena.errors import FileFormatError

Record = dict[str, Any]


class RunLog:
    """Finished items by key (`question_id`), in order of completion."""

    def __init__(self, path: Path) -> None:
        """Open for appending, cutting a torn last line. Raises `FileFormatError` when another process holds it."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self._appending = threading.Lock()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise FileFormatError("another process is working on this run", path=path) from error
        self._records = self._recovered()

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def get(self, key: str) -> Record | None:
        """The finished item of a key."""
        return self._records.get(key)

    def lay_aside(self, keys: Collection[str], stamp: str) -> None:
        """Have these items done again. The file as it was stays beside it, its name ended by `.stamp`."""
        kept = {key: record for key, record in self._records.items() if key not in keys}
        draft = self.path.with_name(f"{self.path.name}.tmp")
        with self._appending:
            shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.{stamp}"))
            draft.unlink(missing_ok=True)
            file = draft.open("a+b")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held before anybody can see it under the run's name
            file.write(b"".join(map(_line, kept.values())))
            file.flush()
            os.fsync(file.fileno())
            os.replace(draft, self.path)
            self._file.close()
            self._file, self._records = file, kept

    def append(self, record: Mapping[str, Any]) -> None:
        """Write an item so that it outlives the process; may be called from any thread."""
        line = _line(record)
        with self._appending:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._records[as_text(record["question_id"])] = dict(record)

    def close(self) -> None:
        """Give the file to whoever comes next."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _recovered(self) -> dict[str, Record]:
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            self._file.truncate(whole)
        return {as_text(record["question_id"]): record for record in _parsed(self.path, data[:whole])}


async def kept(log: RunLog, record: Mapping[str, Any]) -> None:
    """Append an item without holding up the loop, to its end where the run is stopped meanwhile: it is paid for."""
    writing = asyncio.ensure_future(asyncio.to_thread(log.append, record))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


def read_log(path: Path) -> list[Record]:
    """The finished items of a file that another process may be writing."""
    data = path.read_bytes() if path.exists() else b""
    return list(_parsed(path, data[: data.rfind(b"\n") + 1]))


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _parsed(path: Path, data: bytes) -> Iterator[Record]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            record["question_id"]
        except (ValueError, KeyError, TypeError) as error:
            raise FileFormatError(
                "a damaged line; remove it to have its item done again", path=path, line=number
            ) from error
        yield record
