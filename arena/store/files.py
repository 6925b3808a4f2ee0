"""Battle files that people have: CSV, JSON Lines, JSON and Parquet become rows, rows become comparisons.

Knows the columns of the field's public battle sets and nothing of the database. Whatever cannot
be understood is refused with its line; nothing is guessed.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from arena.errors import FileFormatError
from arena.types import Comparison, Verdict

Row = Mapping[str, Any]

SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".json", ".parquet")
"""The kinds of file that can be read."""

WINNERS: Mapping[str, Verdict] = {
    "model_a": Verdict.MODEL_A,
    "model_b": Verdict.MODEL_B,
    "tie": Verdict.TIE,
    "tie (bothbad)": Verdict.BOTH_BAD,
    "both_bad": Verdict.BOTH_BAD,
    "left": Verdict.MODEL_A,
    "right": Verdict.MODEL_B,
}
"""How a `winner` may be written; `left` and `right` are the sides of files with those columns."""

NOBODY = "imported"
"""The voter of rows that name none: many people, whom nobody can tell apart."""

MODEL_COLUMNS = (("model_a", "model_b"), ("left", "right"))

VOTER_COLUMNS = ("judge", "worker")
"""Who voted: the field's battle sets call them judges, crowd-sourced files workers; the first that is filled counts."""

STYLE_COLUMNS: Mapping[str, tuple[str, str]] = {
    "tokens": ("sum_assistant_a_tokens", "sum_assistant_b_tokens"),
    "characters": ("character_count_a", "character_count_b"),
    "headers": ("header_count_a", "header_count_b"),
    "lists": ("list_count_a", "list_count_b"),
    "bold": ("bold_count_a", "bold_count_b"),
}
"""Style features and the columns that hold them, at the top level or inside `conv_metadata`."""

TAG_COLUMNS = ("language", "topic", "turn")
"""Columns that slices are cut by."""

_DATED = re.compile(r"(\d{4}-\d{2})-\d{2}")

YES = "yes"
"""The value of a tag that is either there or not."""

METADATA_COLUMN = "conv_metadata"

_ACTIVE = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@|%＝＋－＠])")
_BIGGEST_CELL = 64 * 2**20
"""Bytes: Python's own limit of 128 KB is less than a long conversation."""
_HEAVIEST = 1e9
"""The most that a row may weigh: squares of weights are summed."""
_HALF = re.compile(r"[\ud800-\udfff]")
"""Half a character, which JSON may hold and no database or terminal takes."""


def disarm(cell: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula; `restore` takes it away."""
    return "'" + cell if _ACTIVE.match(cell) else cell


def restore(cell: str) -> str:
    """The text that `disarm` was given; other text comes back as it is."""
    return cell[1:] if cell.startswith("'") and _ACTIVE.match(cell) else cell


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Every row of a battle file with its line (its ordinal in JSON arrays and Parquet), columns by name.

    Raises `FileFormatError` for an unknown kind of file, a missing file, text that is not UTF-8,
    a row of another width than the header, or JSON that is not an object.
    """
    name = path.name.lower()
    if not name.endswith(SUFFIXES):
        raise FileFormatError(f"unknown kind of file; use one of {', '.join(SUFFIXES)}", path=path)
    if name.endswith(".parquet"):
        return _parquet_rows(path)
    if name.endswith(".json"):
        return _json_array_rows(path)
    return _json_lines_rows(path) if ".jsonl" in name else _csv_rows(path)


def read_comparisons(
    path: Path,
    *,
    features: Sequence[str] = (),
    inverse_propensity: bool = False,
    weights: str | None = None,
    on_skip: Callable[[int, str], None] | None = None,
) -> Iterator[Comparison]:
    """Comparisons of a battle file in its order, ready for rating.

    Needs `model_a, model_b, winner` or `left, right, winner`; takes the voter from `judge` or `worker`, and `weight`
    and the style columns, where there are any. `features` names further covariates, each held by columns `NAME_a`
    and `NAME_b`. With `inverse_propensity` a row weighs 1/`propensity`, as if every pair had been equally likely to
    be drawn; `weights` names a column that every vote's weight is multiplied with, `dedupe_weight` of an export say.
    A model compared with itself says nothing about anybody: `on_skip(line, reason)` hears of it.
    Raises `FileFormatError` naming the line of the first row that cannot be understood.
    """
    covariates = {**STYLE_COLUMNS, **{name: (f"{name}_a", f"{name}_b") for name in features}}
    for line, row in read_rows(path):
        try:
            comparison = comparison_of(
                row, covariates, needed=features, inverse_propensity=inverse_propensity, weights=weights
            )
        except ValueError as error:
            raise FileFormatError(str(error), path=path, line=line) from None
        if comparison.model_a != comparison.model_b:
            yield comparison
        elif on_skip is not None:
            on_skip(line, f"{comparison.model_a} is compared with itself")


def comparison_of(
    row: Row,
    covariates: Mapping[str, tuple[str, str]] = STYLE_COLUMNS,
    *,
    needed: Sequence[str] = (),
    inverse_propensity: bool = False,
    weights: str | None = None,
) -> Comparison:
    """One row as a comparison. Raises `ValueError` saying what is wrong with the row."""
    model_a, model_b = models_of(row)
    verdict = verdict_of(row)
    return Comparison(
        model_a,
        model_b,
        verdict.outcome,
        weight_of(row)
        / (propensity_of(row) if inverse_propensity else 1.0)
        * (1.0 if weights is None else _further_weight(row, weights)),
        features=dict(_features_of(row, covariates, needed)),
        voter=voter if (voter := voter_of(row)) != NOBODY else None,
        both_bad=verdict is Verdict.BOTH_BAD,
        tags=_tags_of(row),
    )


def models_of(row: Row) -> tuple[str, str]:
    """The names of both models. Raises `ValueError` when a column or a name is missing."""
    for columns in MODEL_COLUMNS:
        if columns[0] in row and columns[1] in row:
            return _name(row, columns[0]), _name(row, columns[1])
    raise ValueError(f"columns model_a and model_b (or left and right) are needed; {_there(row)}")


def voter_of(row: Row) -> str:
    """Whose vote it is; `NOBODY` where the file does not say."""
    named = (row[column] for column in VOTER_COLUMNS if row.get(column) not in (None, ""))
    return str(next(named, NOBODY))


def verdict_of(row: Row) -> Verdict:
    """What `winner` says. Raises `ValueError` for anything but the known spellings."""
    if "winner" not in row:
        raise ValueError(f"column winner is needed; {_there(row)}")
    winner = row["winner"]
    verdict = WINNERS.get(winner) if isinstance(winner, str) else None
    if verdict is None:
        raise ValueError(f"winner {winner!r} is not one of {', '.join(WINNERS)}")
    return verdict


def weight_of(row: Row) -> float:
    """The row's weight, 1 where none is given. Raises `ValueError` unless it is above 0 and at most 1e9."""
    value = row.get("weight")
    weight = 1.0 if value is None or value == "" else _amount(value, "weight")
    if weight == 0:
        raise ValueError("weight 0 means that the row does not count: remove the row")
    if weight > _HEAVIEST:
        raise ValueError(f"weight {value!r} is above {_HEAVIEST:.0e}: one row would be the whole board")
    return weight


def propensity_of(row: Row) -> float:
    """The probability with which the row's pair was drawn. Raises `ValueError` where there is none."""
    value = row.get("propensity")
    if value is None or value == "":
        raise ValueError("weighing by inverse propensity needs the column propensity")
    share = _amount(value, "propensity")
    if not 0 < share <= 1:
        raise ValueError(f"propensity {value!r} is not a probability above 0")
    return share


def _tags_of(row: Row) -> dict[str, str]:
    """What slices are cut by: columns, and the arena's own `slices` (`hard`, `turn=first`), whose value may be YES."""
    tags = {name: str(row[name]) for name in TAG_COLUMNS if row.get(name)}
    if str(row.get("masked", "")).strip().lower() in ("true", "1"):
        tags["masked"] = YES
    if month := _month_of(row.get("tstamp")):
        tags["month"] = month
    for slice in _listed(row.get("slices")):
        name, _, value = str(slice).partition("=")
        if value and name in tags:  # the column `turn` numbers what `turn=first` names
            tags[f"{name}={value}"] = YES
        else:
            tags[name] = value or YES
    return tags


def _month_of(moment: Any) -> str:
    """The month (UTC) of Unix seconds or of an ISO date, as in `month=2026-11`; empty where it is neither."""
    if isinstance(moment, str) and (dated := _DATED.match(moment)):
        return dated[1]
    try:
        return time.strftime("%Y-%m", time.gmtime(float(moment)))
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def _listed(value: Any) -> Sequence[Any]:
    """A list, or a list as JSON text; nothing where it is neither."""
    if isinstance(value, str) and value.startswith("["):
        value = json.loads(value)
    return value if isinstance(value, list) else ()


def _further_weight(row: Row, column: str) -> float:
    if row.get(column) in (None, ""):
        raise ValueError(f"column {column} is needed: a weight for every row")
    return weight_of({"weight": row[column]})


def _features_of(
    row: Row, covariates: Mapping[str, tuple[str, str]], needed: Sequence[str]
) -> Iterator[tuple[str, tuple[float, float]]]:
    nested = _metadata(row)
    for name, (column_a, column_b) in covariates.items():
        source = row if column_a in row else nested
        amount_a, amount_b = source.get(column_a), source.get(column_b)
        empty_a, empty_b = amount_a in (None, ""), amount_b in (None, "")
        if empty_a != empty_b or (empty_a and name in needed):
            raise ValueError(f"feature {name} needs both columns {column_a} and {column_b}")
        if not empty_a:
            yield name, (_amount(amount_a, column_a), _amount(amount_b, column_b))


def _metadata(row: Row) -> Row:
    value = row.get(METADATA_COLUMN)
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    return value if isinstance(value, Mapping) else {}


def _amount(value: Any, column: str) -> float:
    """A number ≥ 0; a mapping of counts (one per kind of list or header) is summed."""
    if isinstance(value, Mapping):
        return sum(_amount(part, column) for part in value.values() if part is not None)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{column} {value!r} is not a number") from None
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{column} {value!r} is not a finite number of at least 0")
    return number


def _name(row: Row, column: str) -> str:
    value = row[column]
    name = "" if value is None or isinstance(value, float | bool | Mapping | list) else str(value)
    if not name.strip() or _HALF.search(name):
        raise ValueError(f"{column} {value!r} is not a model's name")
    return name


def _there(row: Row) -> str:
    return f"there are: {', '.join(row)}"[:300]


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    """The file as UTF-8 text, unpacked when its name ends in .gz; failures to read name the file."""
    try:
        opener = gzip.open if path.suffix.lower() == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise FileFormatError(f"cannot be read: {error}", path=path) from error


def _csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of a table of text, parted by the commonest of comma, semicolon (Excel's in Russian) and tab."""
    csv.field_size_limit(min(_BIGGEST_CELL, sys.maxsize))
    line = 1
    with _text(path) as file:
        try:
            heading = file.readline()
            file.seek(0)
            reader = csv.reader(file, strict=True, delimiter=max(",;\t", key=heading.count))
            header, empty = _header(next(reader, []), path), True
            for cells in reader:
                line, start = reader.line_num, line + 1
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise FileFormatError(f"{len(cells)} cells under {len(header)} columns", path=path, line=start)
                empty = False
                yield start, dict(zip(header, map(restore, cells), strict=True))
            if empty:
                _require_battles(header, path)
        except csv.Error as error:
            raise FileFormatError(f"not valid CSV: {error}", path=path, line=reader.line_num) from error
        except UnicodeDecodeError as error:
            raise FileFormatError("not UTF-8; save the file as UTF-8", path=path, line=line + 1) from error


def _header(cells: list[str], path: Path) -> list[str]:
    if not any(cells):
        raise FileFormatError("the file is empty; a header line is needed", path=path, line=1)
    twice = {cell for cell in cells if cells.count(cell) > 1}
    if twice:
        raise FileFormatError(f"column {min(twice)!r} stands twice", path=path, line=1)
    return cells


def _require_battles(header: list[str], path: Path) -> None:
    """A file without a row is an export of no votes, or no file of votes at all."""
    if "winner" not in header or not any(set(pair) <= set(header) for pair in MODEL_COLUMNS):
        needed = "columns model_a and model_b (or left and right) and winner are needed"
        raise FileFormatError(f"{needed}; {_there(dict.fromkeys(header))}", path=path, line=1)


def _json_lines_rows(path: Path) -> Iterator[tuple[int, Row]]:
    line = 0
    with _text(path) as file:
        try:
            # Split at \n alone: JSON may hold U+2028 and its like unescaped.
            for line, text in enumerate(file, start=1):
                if text.strip():
                    yield line, _json_object(text, path, line)
        except UnicodeDecodeError as error:
            raise FileFormatError("not UTF-8; save the file as UTF-8", path=path, line=line + 1) from error


def _json_object(text: str, path: Path, line: int) -> Row:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"not valid JSON: {error}", path=path, line=line) from error
    if not isinstance(value, dict):
        raise FileFormatError("a JSON object is needed on every line", path=path, line=line)
    return value


def _json_array_rows(path: Path) -> Iterator[tuple[int, Row]]:
    with _text(path) as file:
        try:
            items = json.load(file)
        except (ValueError, RecursionError) as error:
            raise FileFormatError(f"not valid JSON: {error}", path=path) from error
    if not isinstance(items, list):
        raise FileFormatError("an array of battles is needed", path=path)
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise FileFormatError("every battle must be a JSON object", path=path, line=number)
        yield number, item


def _parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    import pyarrow.lib as arrow  # costs 100 ms: only who reads Parquet pays
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(path) as file:  # type: ignore[no-untyped-call]
            number = 0
            for batch in file.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (arrow.ArrowInvalid, OSError) as error:
        raise FileFormatError(f"cannot be read as Parquet: {error}", path=path) from error
