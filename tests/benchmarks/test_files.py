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

from arena.benchmarks.files import Table, as_text, jsonl_files, read_jsonl, read_records, stem
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


@pytest.mark.parametrize("parted", [",", "\t", ";"])
def test_a_table_of_text_is_parted_by_what_its_heading_is_parted_by(tmp_path: Path, parted: str) -> None:
    """Comma, tab or semicolon, with Windows line ends and a byte order mark."""
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + ROWS.replace(",", parted).replace("\n", "\r\n").encode())
    table = Table.read(tmp_path / "t.csv", required=["model", "index", "note"])
    assert table.text("model") == ["alpha", "бета"]


def test_a_models_name_is_text_whatever_it_looks_like(tmp_path: Path) -> None:
    """1.0 and true are names, not a number and a yes."""
    (tmp_path / "t.csv").write_text("model_a,model_b,winner\n1.0,true,tie\n")
    table = Table.read(tmp_path / "t.csv")
    assert table.text("model_a") + table.text("model_b") == ["1.0", "true"]


def test_a_categorical_column_with_gaps_reads_as_its_texts(tmp_path: Path) -> None:
    """As pandas writes it."""
    column = pa.chunked_array([pa.array(["a", None]).dictionary_encode(), pa.array(["b", "a"]).dictionary_encode()])
    pq.write_table(pa.table({"model": column}), tmp_path / "t.parquet")
    texts, code = Table.read(tmp_path / "t.parquet").codes("model")
    assert [texts[number] for number in code] == ["a", "", "b", "a"]


def test_a_row_with_too_few_cells_is_named_by_its_number(tmp_path: Path) -> None:
    """Row 3 of the file, heading included."""
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(FileFormatError, match="Row #3: Expected 2 columns, got 1"):
        Table.read(tmp_path / "t.csv")


def test_a_column_that_stands_twice_is_refused_only_where_it_is_needed(tmp_path: Path) -> None:
    """Two notes disturb nobody; of two columns of models either could be meant."""
    (tmp_path / "t.csv").write_text("model,note,note\nm,x,y\n")
    assert Table.read(tmp_path / "t.csv", required=["model"]).text("model") == ["m"]
    with pytest.raises(FileFormatError, match="column 'note' stands twice"):
        Table.read(tmp_path / "t.csv", required=["note"])


def test_backups_and_hidden_files_are_no_data(tmp_path: Path) -> None:
    """Editors and copies from a Mac leave them beside the real ones."""
    for name in ("a.jsonl", "b.jsonl.gz", "deep/c.jsonl.zst", "a.jsonl~", "a.jsonl.bak", "._a.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in jsonl_files(tmp_path)] == ["a.jsonl", "b.jsonl.gz", "c.jsonl.zst"]
