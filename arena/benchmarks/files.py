"""Reading the files that others made: CSV, JSONL, JSON and Parquet, compressed or plain.

The kind is told by content, not by name, so a renamed or recompressed file reads the same. Knows
nothing of benchmarks: it hands over columns as text or numbers and says what is missing, where.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from arena.errors import FileFormatError

pa: Any = pyarrow  # ships without types
Record = dict[str, Any]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_COMPRESSIONS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"\x28\xb5\x2f\xfd", lambda data: bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())),
)


_NAMES = (
    "model",
    "model_a",
    "model_b",
    "winner",
    "winner_ab",
    "winner_ba",
    "judge",
    "lang",
    "category",
    "proto",
    "who",
)
"""Columns of a CSV that are text whatever they look like: a model may be called 1.0 or true."""

_PACKED = frozenset({".gz", ".bz2", ".xz", ".zst"})
_SUFFIXES = frozenset({".csv", ".tsv", ".json", ".jsonl", ".parquet"}) | _PACKED


def stem(path: Path) -> str:
    """The file's name without what says its kind: dots that belong to a model's name stay."""
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return path.name


def jsonl_files(folder: Path) -> list[Path]:
    """Every JSONL file in a folder and beneath, packed or not, in order; hidden files and backups are no data."""
    found = (path for path in folder.rglob("*.jsonl*") if not path.name.startswith("."))
    return sorted(path for path in found if path.suffix == ".jsonl" or path.suffix in _PACKED)


def read_bytes(path: Path) -> bytes:
    """The file's content with gzip, bzip2, xz or zstd undone."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"cannot be read: {error.strerror or error}", path=path) from error
    for magic, decompress in _COMPRESSIONS:
        if data.startswith(magic):
            try:
                return decompress(data)
            except (OSError, EOFError, ValueError, lzma.LZMAError, pa.ArrowException) as error:
                raise FileFormatError(f"the compressed file is damaged: {error}", path=path) from error
    return data


def read_records(path: Path) -> list[Record]:
    """Rows as dictionaries, in order, whatever the kind of file. JSON lines keep their nesting."""
    return [record for _, record in read_rows(path)]


def read_rows(path: Path) -> Iterator[tuple[int, Record]]:
    """Rows as dictionaries with where they stand: the line of JSON lines, the row of other kinds from 1."""
    data = read_bytes(path)
    if _is_json(data):
        return _json_records(path, data)
    return enumerate((dict(row) for row in _arrow_table(path, data).to_pylist()), start=1)


def read_jsonl(path: Path) -> Iterator[tuple[int, Record]]:
    """JSON lines with their line numbers, for messages that name the place."""
    return _json_records(path, read_bytes(path))


class Table:
    """Columns of a file by name. A column that is absent is an error that names the file and its columns."""

    def __init__(self, path: Path, columns: Mapping[str, Any], rows: int, twice: frozenset[str] = frozenset()) -> None:
        self.path, self._columns, self.rows = path, columns, rows
        self._twice = twice  # which of two columns of one name is meant cannot be told

    @classmethod
    def read(cls, path: Path, *, required: Collection[str] = ()) -> Table:
        """Read a table and make sure that it has the columns that the caller cannot do without."""
        data = read_bytes(path)
        if _is_json(data):
            table = cls._of_records(path, [record for _, record in _json_records(path, data)])
        else:
            arrow = _arrow_table(path, data)
            columns = dict(zip(arrow.column_names, arrow.columns, strict=True))
            twice = frozenset(name for name, count in Counter(arrow.column_names).items() if count > 1)
            table = cls(path, columns, arrow.num_rows, twice)
        table._demand(required)
        return table

    @classmethod
    def _of_records(cls, path: Path, records: list[Record]) -> Table:
        names = list(dict.fromkeys(name for record in records for name in record))
        return cls(path, {name: [record.get(name) for record in records] for name in names}, len(records))

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in the file's order."""
        return tuple(self._columns)

    def _demand(self, names: Collection[str]) -> None:
        missing = [name for name in names if name not in self._columns]
        if missing:
            found = ", ".join(self._columns) or "none"
            raise FileFormatError(f"no column {', '.join(missing)}; the file has: {found}", path=self.path)
        if twice := sorted(self._twice.intersection(names)):
            raise FileFormatError(f"column {', '.join(map(repr, twice))} stands twice; keep one", path=self.path)

    def values(self, name: str) -> list[Any]:
        """The column as Python values; empty cells are None."""
        self._demand([name])
        column = self._columns[name]
        return column.to_pylist() if isinstance(column, pa.ChunkedArray) else list(column)

    def text(self, name: str) -> list[str]:
        """The column as text; a missing value is the empty string, a whole number loses no digit."""
        return [as_text(value) for value in self.values(name)]

    def codes(self, name: str) -> tuple[list[str], Ints]:
        """The column's distinct texts in order of appearance, and for every row which of them it holds."""
        self._demand([name])
        column = self._columns[name]
        if not isinstance(column, pa.ChunkedArray):
            return _codes(self.text(name))
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        encoded = pa.compute.dictionary_encode(column.combine_chunks(), null_encoding="encode")
        texts = [as_text(value) for value in encoded.dictionary.to_pylist()]
        return texts, np.asarray(encoded.indices, dtype=np.int64)

    def numbers(self, name: str) -> Floats:
        """The column as floats; empty, null and unreadable cells are NaN."""
        self._demand([name])
        column = self._columns[name]
        if isinstance(column, pa.ChunkedArray) and (
            pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
        ):
            return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        return np.array([as_number(value) for value in self.values(name)], dtype=np.float64)


def as_text(value: object) -> str:
    """A cell as text: None and NaN are empty, 81.0 is "81" (a column of ids with one gap turns to floats)."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def as_number(value: object) -> float:
    """A cell as a number, NaN when it is none."""
    try:
        return math.nan if value is None or value == "" else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _codes(texts: Sequence[str]) -> tuple[list[str], Ints]:
    index = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return list(index), np.array([index[text] for text in texts], dtype=np.int64)


def _is_json(data: bytes) -> bool:
    return data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _json_records(path: Path, data: bytes) -> Iterator[tuple[int, Record]]:
    text = _decode(path, data)
    if text.lstrip().startswith("["):
        yield from enumerate(_json_array(path, text), start=1)
        return
    # Only a line feed ends a line: answers hold U+2028 and the like, which splitlines would cut at.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _json_object(path, number, line)


def _json_array(path: Path, text: str) -> list[Record]:
    try:
        items = json.loads(text)
    except ValueError as error:
        raise FileFormatError(f"not valid JSON: {error}", path=path) from error
    if not all(isinstance(item, dict) for item in items):
        raise FileFormatError("a list of objects is expected", path=path)
    return list(items)


def _json_object(path: Path, number: int, line: str) -> Record:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise FileFormatError(f"not valid JSON: {error}", path=path, line=number) from error
    if not isinstance(record, dict):
        raise FileFormatError("an object is expected on every line", path=path, line=number)
    return record


def _arrow_table(path: Path, data: bytes) -> Any:
    try:
        if data.startswith(b"PAR1"):
            return pa.parquet.read_table(pa.BufferReader(data))
        if not data.strip():
            raise FileFormatError("the file is empty", path=path)
        text = _decode(path, data)
        return pa.csv.read_csv(
            io.BytesIO(data),
            read_options=pa.csv.ReadOptions(use_threads=False),  # else an error cannot name its row
            parse_options=pa.csv.ParseOptions(delimiter=_delimiter(text), newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                strings_can_be_null=True,
                null_values=["", "nan", "NaN"],
                column_types={name: pa.string() for name in _NAMES},
            ),
        )
    except pa.ArrowException as error:
        raise FileFormatError(f"neither CSV, JSON lines nor Parquet: {error}", path=path) from error


def _delimiter(text: str) -> str:
    """What parts the columns: the commonest of comma, tab and semicolon in the heading."""
    heading = text.partition("\n")[0]
    return max(",\t;", key=heading.count)


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"not UTF-8 text (byte {error.start})", path=path) from error
