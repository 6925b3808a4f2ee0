"""Rating a file: golden results of others, options, and what is refused."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from arena.cli.leaderboard import leaderboard
from arena.errors import ConfigError, FileFormatError
from arena.offline import Method, Rating, anchor_of, rate_file
from arena.ratings.leaderboard import Anchor

HEADER = "model_a,model_b,winner,language\n"
SMALL = HEADER + "x,y,model_a,ru\nx,y,tie (bothbad),ru\nz,x,model_b,en\nz,y,tie,en\ny,z,model_b,en\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "battles.csv"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def published(shared: Callable[[str], Path]) -> Path:
    return shared("ratings")


def golden(path: Path, algorithm: str) -> Mapping[str, float]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["item"]: float(row["score"]) for row in csv.DictReader(file) if row["algorithm"] == algorithm}


@pytest.mark.parametrize("name", ["simple", "food", "llmfao"])
def test_published_elo_is_reproduced(published: Path, name: str) -> None:
    """K = 4 from 1000 in file order gives the golden ratings to 1e-9."""
    board = rate_file(published / f"{name}.csv.gz", Rating(Method.ELO))
    expected = golden(published / f"{name}-golden.csv", "elo")
    assert {row.model: row.rating for row in board.rows} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["simple", "food", "llmfao"])
def test_published_bradley_terry_is_reproduced(published: Path, name: str) -> None:
    """Strengths that sum to one equal the golden ones to 1e-9."""
    board = rate_file(published / f"{name}.csv.gz")
    expected = golden(published / f"{name}-golden.csv", "bradley_terry")
    assert {row.model: row.strength for row in board.rows} == pytest.approx(expected, abs=1e-9)


def test_the_board_says_what_it_is_relative_to(small: Path) -> None:
    """Start and scale move the points and not the strengths."""
    plain, moved = rate_file(small), rate_file(small, Rating(start=1500, scale=200))
    for row in plain.rows:
        other = moved.row(row.model)
        assert other.rating == pytest.approx(1500 + ((row.rating or 0) - 1000) / 2)
        assert other.strength == pytest.approx(row.strength)
    assert moved.parameters["start"] == 1500


def test_a_slice_is_rated_alone(small: Path) -> None:
    """Only the battles with the tag count."""
    assert rate_file(small, Rating(slice={"language": "en"})).votes == 3


def test_an_empty_slice_is_refused(small: Path) -> None:
    """Rather than an empty board: a mistyped one with those that were meant, or that there are."""
    with pytest.raises(ConfigError, match=r"no slice 'language=fr' \(did you mean language=(en|ru)"):
        rate_file(small, Rating(slice={"language": "fr"}))
    code, said = cli("--votes", small, "--slice", "nope")
    assert (code, said) == (2, "arena: there is no slice 'nope' (it has language=en, language=ru)\n")


def test_two_slices_may_have_no_battle_in_common(tmp_path: Path) -> None:
    """Then neither is called unknown."""
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner,language,turn\nx,y,tie,en,1\nx,y,tie,ru,2\n", "utf-8")
    with pytest.raises(FileFormatError, match="no battles of this slice"):
        rate_file(path, Rating(slice={"language": "en", "turn": "2"}))


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    """The error says where the file cannot be understood."""
    path = tmp_path / "bad.csv"
    path.write_text(SMALL + "x,y,nobody,ru\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"bad\.csv:7"):
        rate_file(path)


def test_an_unknown_anchor_is_refused(small: Path) -> None:
    """A name that is not in the file cannot hold the scale."""
    with pytest.raises(ConfigError, match="anchor 'w'"):
        rate_file(small, Rating(anchor=Anchor("w", 1000)))


def test_an_anchor_is_read_from_text() -> None:
    """The last equals sign parts name and rating."""
    assert anchor_of("a=b=1200") == Anchor("a=b", 1200)


@pytest.mark.parametrize("text", ["x", "=1000", "x=", "x=much", "x=nan"])
def test_an_anchor_that_cannot_be_read_is_refused(text: str) -> None:
    """With the form that is expected."""
    with pytest.raises(ConfigError, match="NAME=1000"):
        anchor_of(text)


def cli(*arguments: str | Path) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(leaderboard)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_json_has_one_entry_per_model_from_best_to_worst(small: Path) -> None:
    """With the keys that other programs rely on."""
    code, output = cli("--votes", small, "--json")
    models = json.loads(output)["models"]
    keys = {"model", "rating", "ci_low", "ci_high", "rank_low", "rank_high", "battles", "strength", "identified"}
    assert code == 0
    assert [model["model"] for model in models] == ["x", "z", "y"]
    assert all(keys <= set(model) for model in models)
    assert sum(model["strength"] for model in models) == pytest.approx(1)


def test_the_table_shows_every_model(small: Path) -> None:
    """With its rating; Elo warns that order matters."""
    code, output = cli("--votes", small, "--method", "elo", "--k", "32")
    assert code == 0
    assert all(name in output for name in "xyz")
    assert "order of votes" in output


def test_a_mistake_ends_with_a_sentence_and_code_2(small: Path) -> None:
    """No traceback reaches the terminal."""
    code, output = cli("--votes", small, "--anchor", "x")
    assert code == 2
    assert "NAME=1000" in output
    assert "Traceback" not in output


STYLED = (
    "model_a,model_b,winner,sum_assistant_a_tokens,sum_assistant_b_tokens,header_count_a,header_count_b,"
    "list_count_a,list_count_b,bold_count_a,bold_count_b,emoji_a,emoji_b\n"
)


@pytest.fixture
def styled(tmp_path: Path) -> Path:
    draw = random.Random(5)
    lines = []
    for _ in range(400):
        a, b = draw.sample("xyz", 2)
        amounts = [
            str(draw.randrange(1, 300)),
            str(draw.randrange(1, 300)),
            *(str(draw.randrange(9)) for _ in range(8)),
        ]
        lines.append(",".join([a, b, draw.choice(["model_a", "model_b", "tie"]), *amounts]))
    path = tmp_path / "styled.csv"
    path.write_text(STYLED + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("variant", ["ours", "fastchat", "arena-hard-v2"])
def test_style_control_from_the_terminal(styled: Path, variant: str) -> None:
    """Coefficients of the four style features come with their intervals."""
    code, output = cli("--votes", styled, "--style-control", "--variant", variant, "--json")
    assert code == 0
    coefficients = json.loads(output)["style"]["coefficients"]
    assert [found["feature"] for found in coefficients] == ["tokens", "headers", "lists", "bold"]
    assert all(found["low"] < found["value"] < found["high"] for found in coefficients)


def test_any_named_column_can_be_controlled_for(styled: Path) -> None:
    """NAME stands for the columns NAME_a and NAME_b."""
    code, output = cli("--votes", styled, "--style-control", "--feature", "emoji", "--feature", "tokens")
    assert code == 0
    assert "emoji" in output


def test_style_control_without_style_columns_is_refused(small: Path) -> None:
    """The sentence names the feature that is missing."""
    code, output = cli("--votes", small, "--style-control")
    assert code == 2
    assert "tokens" in output


@pytest.mark.parametrize("options", [("--method", "elo", "--style-control"), ("--ties", "davidson", "--style-control")])
def test_methods_that_do_not_go_together_are_refused(styled: Path, options: tuple[str, ...]) -> None:
    """Rather than silently ignoring one of them."""
    code, output = cli("--votes", styled, *options)
    assert code == 2
    assert "style control" in output


def test_a_tie_model_from_the_terminal(small: Path) -> None:
    """The board states the model and the strength it found."""
    code, output = cli("--votes", small, "--ties", "davidson", "--json")
    parameters = json.loads(output)["parameters"]
    assert code == 0
    assert parameters["ties"] == "davidson"
    assert parameters["tie_strength"] > 0


def test_two_models_are_compared_from_the_terminal(styled: Path) -> None:
    """As a sentence and as JSON, both with the interval of their difference."""
    code, output = cli("--votes", styled, "--compare", "x", "y")
    assert code == 0
    assert "x is stronger than y with a probability of" in output
    said = " ".join(output.split())
    code, output = cli("--votes", styled, "--compare", "x", "y", "--json")
    found = json.loads(output)["compare"]
    assert found["low"] < found["difference"] < found["high"]
    interval = f"{found['difference']:+.1f} points, 95% interval {found['low']:+.1f} … {found['high']:+.1f}"
    assert interval in said
    ratings = {model["model"]: model["rating"] for model in json.loads(output)["models"]}
    assert found["difference"] == pytest.approx(ratings["x"] - ratings["y"])


@pytest.mark.parametrize("options", [("x", "nobody"), ("x", "x"), ("x", "y", "--method", "elo")])
def test_what_cannot_be_compared_is_refused(styled: Path, options: tuple[str, ...]) -> None:
    """An unknown model, one with itself, or by a method without intervals."""
    code, output = cli("--votes", styled, "--compare", *options)
    assert code == 2
    assert "--compare" in output


def test_whoever_is_not_on_the_board_is_named_with_those_that_were_meant(tmp_path: Path) -> None:
    """A piece of a name is enough for a hint; of an anchor, by which models are compared, nobody asked."""
    path = tmp_path / "battles.csv"
    lines = "vikhr-nemo-12b-r,T-lite,model_a\nT-lite,vikhr-nemo-12b,tie\nvikhr-nemo-12b,vikhr-nemo-12b-r,model_b\n"
    path.write_text("model_a,model_b,winner\n" + lines, encoding="utf-8")
    code, said = cli("--votes", path, "--compare", "nemo", "T-lite")
    assert code == 2
    assert "there is no contestant 'nemo'" in said
    assert "did you mean vikhr-nemo-12b or vikhr-nemo-12b-r?" in said
    assert "anchor" not in said
    assert "T-lite" in cli("--votes", path, "--compare", "T-lite", "T-Lihgt")[1]


@pytest.mark.parametrize(("columns", "whole"), [(88, True), (64, False)])
def test_a_narrow_terminal_leaves_out_columns_and_breaks_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, whole: bool
) -> None:
    """A long name stands in one line while lesser figures can go; narrower still, it goes on after a hyphen."""
    long, path = "vikhr-nemo-12b-instruct-r-21-09-24", tmp_path / "battles.csv"
    path.write_text(f"model_a,model_b,winner\n{long},[b]x,model_a\n[b]x,{long},model_a\n", encoding="utf-8")
    monkeypatch.setenv("COLUMNS", str(columns))
    code, said = cli("--votes", path)
    assert code == 0
    assert max(map(len, said.splitlines())) <= columns
    assert "too narrow for: " in said
    assert "[b]x" in said, "a name is no markup"
    assert (long in said) is whole
    assert all(piece in said for piece in ("vikhr-nemo-", "instruct-", "21-09-24"))


def test_any_tag_cuts_a_slice(small: Path) -> None:
    """Language has its own option; the others are named."""
    code, output = cli("--votes", small, "--slice", "language=ru", "--json")
    assert code == 0
    assert json.loads(output)["votes"] == 2
    assert cli("--votes", small, "--slice", "language")[0] == 2


def test_a_column_of_weights_multiplies_every_vote(tmp_path: Path) -> None:
    """Three halves and two wholes; a row without its weight is refused with its line."""
    path = tmp_path / "weighed.csv"
    path.write_text("model_a,model_b,winner,share\n" + "x,y,model_a,0.5\n" * 3 + "x,y,model_b,1\n" * 2, "utf-8")
    board = rate_file(path, Rating(weights="share"))
    assert board.row("x").strength == pytest.approx(1.5 / 3.5)
    assert cli("--votes", path, "--weights", "share")[0] == 0
    path.write_text("model_a,model_b,winner,share\nx,y,model_a,\n", "utf-8")
    with pytest.raises(FileFormatError, match=r":2.*share"):
        rate_file(path, Rating(weights="share"))


@pytest.mark.parametrize(
    ("slice", "votes"),
    [("turn=first", 2), ("turn=1", 2), ("turn=later", 1), ("month=2026-11", 2), ("month=2025-01", 1), ("hard", 1),
     ("masked", 1), ("-masked", 2)],
)  # fmt: skip
def test_an_exports_slices_are_those_of_the_page(tmp_path: Path, slice: str, votes: int) -> None:
    """By the names that the page's address has, whatever columns stand beside them."""
    path = tmp_path / "export.csv"
    path.write_text(
        "model_a,model_b,winner,turn,tstamp,masked,slices\n"
        'x,y,model_a,1,1795660506.4,False,"[""length=short"", ""turn=first""]"\n'
        'y,x,model_a,1,2025-01-31T10:00:00,True,"[""turn=first"", ""hard""]"\n'
        'y,x,tie,2,1795660507,False,"[""turn=later""]"\n',
        encoding="utf-8",
    )
    code, output = cli("--votes", path, f"--slice={slice}", "--json")
    assert code == 0, output
    assert json.loads(output)["votes"] == votes


def test_two_that_never_met_are_not_compared(tmp_path: Path) -> None:
    """The refusal says so, and not that one of them lacks what an anchor needs."""
    path = tmp_path / "battles.csv"
    path.write_text(HEADER + "a,b,tie,ru\nc,d,tie,ru\nd,e,model_a,ru\n", encoding="utf-8")
    assert "'a' and 'c' never met" in cli("--votes", path, "--compare", "a", "c")[1]
    assert "do not determine a rating of 'e'" in cli("--votes", path, "--compare", "d", "e")[1]


@pytest.mark.parametrize("option", [("--feature", "tokens"), ("--variant", "fastchat")])
def test_how_style_is_controlled_is_not_asked_in_vain(styled: Path, option: tuple[str, str]) -> None:
    """Without --style-control the board would be another one than was meant."""
    code, output = cli("--votes", styled, *option)
    assert (code, "add --style-control" in output) == (2, True)


def test_a_strangers_name_has_no_power_over_the_terminal(tmp_path: Path) -> None:
    """In the table and in the notes under it control characters are spelled out."""
    path = tmp_path / "battles.csv"
    path.write_text(HEADER + "\x1b[2Jred,b,model_a,ru\n", encoding="utf-8")
    code, output = cli("--votes", path)
    assert (code, output.count("\\x1b[2Jred"), "\x1b" in output) == (0, 2, False)


def test_the_head_of_a_board_reads_as_words(small: Path) -> None:
    """An anchor as its name and rating, a strength that was estimated without its sixteen figures."""
    said = " ".join(cli("--votes", small, "--anchor", "y=1100", "--ties", "davidson")[1].split())
    assert "anchor y at 1100.0" in said
    assert re.search(r"tie_strength \d+\.\d{1,4}\b", said)
