"""Battle files that people have are read as they are meant, or refused with their line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.errors import FileFormatError
from arena.store.files import disarm, read_comparisons, read_rows, restore
from arena.types import Comparison


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(FileFormatError) as caught:
        list(read_comparisons(path))
    return str(caught.value)


def test_every_winner_is_understood(tmp_path: Path) -> None:
    """All spellings of a winner give the outcome of side A, and only both-bad is marked as such."""
    winners = ["model_a", "model_b", "tie", "tie (bothbad)", "both_bad"]
    path = write(tmp_path / "v.csv", "model_a,model_b,winner\n" + "".join(f"x,y,{winner}\n" for winner in winners))
    read = list(read_comparisons(path))
    assert [row.outcome for row in read] == [1.0, 0.0, 0.5, 0.5, 0.5]
    assert [row.both_bad for row in read] == [False, False, False, True, True]


def test_left_and_right_are_sides_too(tmp_path: Path) -> None:
    """Files with columns left, right and winner, and any others beside them, are battles."""
    path = write(tmp_path / "v.csv", "id,left,right,winner\n1,Чай,Кофе,left\n2,Чай,Кофе,right\n3,Чай,Кофе,tie\n")
    assert [(row.model_a, row.model_b, row.outcome) for row in read_comparisons(path)] == [
        ("Чай", "Кофе", 1.0),
        ("Чай", "Кофе", 0.0),
        ("Чай", "Кофе", 0.5),
    ]


@pytest.mark.parametrize("parted", [",", ";", "\t"])
def test_a_table_saved_by_a_spreadsheet_is_read(tmp_path: Path, parted: str) -> None:
    """Excel parts by semicolons in Russian, begins with a byte order mark and ends lines as Windows does."""
    text = "\ufeffnote,left,right,winner\r\n«а, б; в»,Чай,Кофе,left\r\n"
    head, row = text.splitlines(keepends=True)
    quoted = '"«а, б; в»"' + row.removeprefix("«а, б; в»").replace(",", parted)
    path = tmp_path / "v.csv"
    path.write_bytes((head.replace(",", parted) + quoted).encode())
    ((line, found),) = read_rows(path)
    assert (line, found) == (2, {"note": "«а, б; в»", "left": "Чай", "right": "Кофе", "winner": "left"})


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".json", ".parquet"])
def test_every_kind_of_file_says_the_same(tmp_path: Path, suffix: str) -> None:
    """One set of battles reads equally from every kind of file."""
    rows = [
        {"model_a": "x", "model_b": "y", "winner": "model_a", "weight": 2.0, "judge": "v1", "language": "ru"},
        {"model_a": "y", "model_b": "z", "winner": "tie", "weight": 1.0, "judge": "v2", "language": "en"},
    ]
    path = tmp_path / f"votes{suffix}"
    csv_text = ",".join(rows[0]) + "\n" + "".join(",".join(map(str, row.values())) + "\n" for row in rows)
    if suffix == ".csv":
        write(path, csv_text)
    elif suffix == ".csv.gz":
        path.write_bytes(gzip.compress(csv_text.encode()))
    elif suffix == ".jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == ".json":
        write(path, json.dumps(rows))
    else:
        parquet.write_table(arrow.Table.from_pylist(rows), path)
    assert list(read_comparisons(path)) == [
        Comparison("x", "y", 1.0, 2.0, voter="v1", tags={"language": "ru"}),
        Comparison("y", "z", 0.5, 1.0, voter="v2", tags={"language": "en"}),
    ]


@pytest.mark.parametrize(
    ("body", "line", "word"),
    [
        ("x,y,model_a,1\nx,y,Model_A,1\n", 3, "winner"),
        ("x,y,,1\n", 2, "winner"),
        ("x,y,model_a,1\n,y,tie,1\n", 3, "model_a"),
        ("x,y,tie,minus one\n", 2, "weight"),
        ("x,y,tie,-1\n", 2, "weight"),
        ("x,y,tie,nan\n", 2, "weight"),
        ("x,y,tie,inf\n", 2, "weight"),
        ("x,y,tie,0\n", 2, "weight"),
        ("x,y,tie,1e300\n", 2, "weight"),
        ("x,y,tie,1\nx,y\n", 3, "columns"),
        ('"two\nlines",y,tie,1\nx,y,won,1\n', 4, "winner"),
        ('x,y,tie,1\nx,"y,tie,1\n', 3, "CSV"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path: Path, body: str, line: int, word: str) -> None:
    """What cannot be understood names the file, the line where the row begins, and what is wrong."""
    path = write(tmp_path / "v.csv", "model_a,model_b,winner,weight\n" + body)
    message = refusal(path)
    assert message.startswith(f"{path}:{line}: ")
    assert word in message


@pytest.mark.parametrize("text", ["", "\n", "model_a,winner\nx,tie\n", "model_a,model_b\nx,y\n", "a,a\n1,2\n"])
def test_a_file_without_the_needed_columns_is_refused(tmp_path: Path, text: str) -> None:
    """An empty file, a missing column or one that stands twice is a fault of the file."""
    assert "v.csv" in refusal(write(tmp_path / "v.csv", text))


@pytest.mark.parametrize("heading", ["a,b", "model_a,winner", "left,right", "a,b\n\n"])
def test_a_heading_alone_is_read_too(tmp_path: Path, heading: str) -> None:
    """No row is missing where the columns are those of votes; others are no file of votes."""
    with pytest.raises(FileFormatError, match=r"v\.csv:1: columns .* are needed; there are: "):
        list(read_rows(write(tmp_path / "v.csv", f"{heading}\n")))
    assert list(read_rows(write(tmp_path / "v.csv", "left,right,winner\n"))) == []


def test_a_missing_column_is_told_beside_those_that_are_there(tmp_path: Path) -> None:
    """Columns in other letters or behind a space are seen at once."""
    assert "there are: Model_A, Model_B, winner" in refusal(
        write(tmp_path / "v.csv", "Model_A,Model_B,winner\nx,y,tie\n")
    )
    assert "there are: model_a, model_b, outcome" in refusal(
        write(tmp_path / "w.csv", "model_a,model_b,outcome\nx,y,1\n")
    )


def test_half_a_character_is_no_models_name(tmp_path: Path) -> None:
    """JSON may hold one, and neither a database nor a terminal takes it."""
    path = write(tmp_path / "v.jsonl", '{"model_a": "x\\ud800", "model_b": "y", "winner": "tie"}\n')
    assert "v.jsonl:1: model_a" in refusal(path)


def test_broken_containers_are_refused(tmp_path: Path) -> None:
    """Truncated gzip, text in another encoding, JSON that is none and unknown suffixes are told apart."""
    half = tmp_path / "half.csv.gz"
    half.write_bytes(gzip.compress(b"model_a,model_b,winner\nx,y,tie\n" * 9)[:-12])
    spoiled = tmp_path / "spoiled.csv.gz"
    spoiled.write_bytes(gzip.compress(b"model_a,model_b,winner\n")[:10] + b"\xff" * 40)
    assert "cannot be read" in refusal(spoiled)
    latin = tmp_path / "latin.csv"
    latin.write_bytes("model_a,model_b,winner\nчай,y,tie\n".encode("cp1251"))
    assert "cannot be read" in refusal(half)
    assert "UTF-8" in refusal(latin)
    assert ":2: not valid JSON" in refusal(
        write(tmp_path / "v.jsonl", '{"model_a":"x","model_b":"y","winner":"tie"}\n{')
    )
    assert ":1: a JSON object" in refusal(write(tmp_path / "w.jsonl", "[1]\n"))
    assert "Parquet" in refusal(write(tmp_path / "v.parquet", "no"))
    assert "unknown kind" in refusal(write(tmp_path / "v.xlsx", ""))
    assert "cannot be read" in refusal(tmp_path / "absent.csv")


def test_style_columns_become_features(tmp_path: Path) -> None:
    """Style columns are read at the top level, and further covariates by name."""
    header = (
        "model_a,model_b,winner,sum_assistant_a_tokens,sum_assistant_b_tokens,bold_count_a,bold_count_b,links_a,links_b"
    )
    path = write(tmp_path / "v.csv", f"{header}\nx,y,tie,10,20,1,0,3,4\n")
    (row,) = read_comparisons(path, features=["links"])
    assert row.features == {"tokens": (10.0, 20.0), "bold": (1.0, 0.0), "links": (3.0, 4.0)}


def test_nested_style_metadata_is_summed(tmp_path: Path) -> None:
    """Counts inside conv_metadata, split by kind, are summed."""
    metadata = {
        "sum_assistant_a_tokens": 7,
        "sum_assistant_b_tokens": 9,
        "header_count_a": {"h1": 1, "h2": 2},
        "header_count_b": {"h1": 0, "h2": 0},
    }
    row = {"model_a": "x", "model_b": "y", "winner": "tie", "conv_metadata": metadata}
    (read,) = read_comparisons(write(tmp_path / "v.jsonl", json.dumps(row)))
    assert read.features == {"tokens": (7.0, 9.0), "headers": (3.0, 0.0)}


def test_half_a_feature_is_refused(tmp_path: Path) -> None:
    """A covariate of one side alone, or a named one that is absent, is a fault of the row."""
    path = write(tmp_path / "v.csv", "model_a,model_b,winner,bold_count_a\nx,y,tie,1\n")
    assert "bold_count_b" in refusal(path)
    with pytest.raises(FileFormatError, match="links_a"):
        list(read_comparisons(write(tmp_path / "w.csv", "model_a,model_b,winner\nx,y,tie\n"), features=["links"]))


def test_a_model_against_itself_is_passed_over(tmp_path: Path) -> None:
    """Such a row says nothing of anybody; whoever asks hears its line."""
    heard: list[tuple[int, str]] = []
    path = write(tmp_path / "v.csv", "model_a,model_b,winner\nx,x,tie\nx,y,tie\n")
    read = list(read_comparisons(path, on_skip=lambda line, reason: heard.append((line, reason))))
    assert len(read) == 1
    assert heard[0][0] == 2


@given(st.text())
def test_disarming_is_undone_exactly(text: str) -> None:
    """Whatever the text, no disarmed cell begins as a formula does, and restoring gives the text back."""
    cell = disarm(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert restore(cell) == text


@pytest.mark.parametrize("name", ["simple", "food", "llmfao"])
def test_published_battle_sets_are_read_whole(shared: Callable[[str], Path], name: str) -> None:
    """Every row of the real files is a comparison."""
    path = shared(f"ratings/{name}.csv.gz")
    assert len(list(read_comparisons(path))) == sum(1 for _ in read_rows(path)) > 10
