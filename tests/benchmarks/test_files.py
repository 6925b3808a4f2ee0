"""Files of others are read by content, and a fault is named with its place."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.benchmarks.files import Table, as_text, read_jsonl, read_records, stem
from arena.errors import FileFormatError

ROWS = "model,index,note\nalpha,1,\nбета,2,x\n"


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_table_reads_the_same_plain_and_compressed_whatever_its_name(
    tmp_path: Path, squeeze: Callable[[bytes], bytes]
) -> None:
    """The kind and the compression are told by content."""
    path = tmp_path / "rows.data"
    path.write_bytes(squeeze(ROWS.encode()))
    table = Table.read(path, required=["model"])
    assert table.text("model") == ["alpha", "бета"]
    assert table.text("note") == ["", "x"]
    assert np.array_equal(table.numbers("index"), [1.0, 2.0])


def test_parquet_and_json_lines_give_the_same_columns(tmp_path: Path) -> None:
    """One reader for every kind of table."""
    pq.write_table(pa.table({"model": ["a", "b"], "n": [1, None]}), tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text('{"model": "a", "n": 1}\n\n{"model": "b", "n": null}\n')
    for name in ("t.parquet", "t.jsonl"):
        table = Table.read(tmp_path / name)
        assert table.codes("model")[0] == ["a", "b"]
        assert np.isnan(table.numbers("n")[1])
        assert [row["model"] for row in read_records(tmp_path / name)] == ["a", "b"]


def test_a_line_separator_inside_an_answer_does_not_end_its_line(tmp_path: Path) -> None:
    """U+2028 stands in real answers and is no line feed."""
    path = tmp_path / "answers.jsonl"
    path.write_text('{"response": "one\u2028two"}\n', encoding="utf-8")
    assert [record["response"] for _, record in read_jsonl(path)] == ["one\u2028two"]


def test_a_missing_column_is_named_with_the_columns_that_are_there(tmp_path: Path) -> None:
    """The message says what to mend."""
    (tmp_path / "t.csv").write_text(ROWS)
    with pytest.raises(FileFormatError, match=r"no column winner; the file has: model, index, note"):
        Table.read(tmp_path / "t.csv", required=["winner"])


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    """File and line stand in the message."""
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(FileFormatError, match=r"t\.jsonl:2: not valid JSON"):
        read_records(tmp_path / "t.jsonl")


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b broken", b"\xff\xfe\x00not text"])
def test_a_file_that_is_no_table_is_an_error_of_ours(tmp_path: Path, data: bytes) -> None:
    """Never a traceback of a library."""
    (tmp_path / "t").write_bytes(data)
    with pytest.raises(FileFormatError):
        Table.read(tmp_path / "t")


def test_ids_stay_themselves_when_a_gap_turned_their_column_into_floats() -> None:
    """81.0 is the id 81; nothing is the empty text."""
    assert [as_text(value) for value in (81.0, 81, "81", None, float("nan"), 0.5)] == ["81", "81", "81", "", "", "0.5"]


def test_a_models_dots_are_not_taken_for_suffixes() -> None:
    """Qwen2.5 is not Qwen2."""
    assert stem(Path("a/Qwen2.5-7B.jsonl.gz")) == "Qwen2.5-7B"
    assert stem(Path("t-lite-instruct-0.1")) == "t-lite-instruct-0.1"
