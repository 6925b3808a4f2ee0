"""The command line of benchmarks: options as documented, one JSON object, errors in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_files import write_csv, write_jsonl
from typer.testing import CliRunner

from arena.cli.bench import app
from arena.config import Settings
from arena.service.opening import open_store


def run(*arguments: object) -> Any:
    """The printed object."""
    result = CliRunner().invoke(app, [str(argument) for argument in [*arguments, "--json"]])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def battles(folder: Path) -> Path:
    """Four rows against a baseline."""
    rows = ("1,base,m,model_b", "2,base,m,model_a", "3,base,n,tie", "4,base,n,model_b")
    return write_csv(folder / "b.csv", "question_id,model_a,model_b,winner", *rows)


def test_arena_hard_takes_every_documented_option(tmp_path: Path) -> None:
    """Baseline, bootstrap, seed, interval, seed scheme, length control."""
    features = write_csv(
        tmp_path / "f.csv",
        "model,question_id,token_len",
        *[f"{model},{question},{10 * question + place}" for place, model in enumerate(("base", "m", "n"))
          for question in range(1, 5)],
    )  # fmt: skip
    found = run(
        "score", "arena-hard", "--battles", battles(tmp_path), "--baseline", "base", "--bootstrap", 20, "--seed", 7,
        "--ci", 90, "--seed-scheme", "per-round", "--length-control", features,
    )  # fmt: skip
    assert set(found) == {"task", "protocol", "models", "unscored", "notes"}
    assert [set(row) for row in found["models"]] == [
        {"model", "score", "ci_low", "ci_high", "avg_tokens", "battles"}
    ] * 3
    assert {row["model"]: row["avg_tokens"] for row in found["models"]} == {"base": 25, "m": 26, "n": 27}


def test_judgments_need_their_baseline(tmp_path: Path) -> None:
    """And battles and judgments exclude each other."""
    line = {"question_id": 1, "model": "m", "games": [{"score": "B>A"}, {"score": "A>B"}]}
    path = write_jsonl(tmp_path / "j" / "m.jsonl", [line]).parent
    assert run("score", "arena-hard", "--judgments", path, "--baseline", "b")["models"][0]["score"] == 100
    for wrong in (["--judgments", str(path)], ["--judgments", str(path), "--battles", str(battles(tmp_path))], []):
        assert CliRunner().invoke(app, ["score", "arena-hard", *wrong]).exit_code == 2


def test_without_json_a_table_is_printed(tmp_path: Path) -> None:
    """With the protocol above and what was not scored below."""
    result = CliRunner().invoke(app, ["score", "arena-hard", "--battles", str(battles(tmp_path))])
    assert result.exit_code == 0
    for word in ("baseline base", "bootstrap rounds of rows", "ci_low", "75.00", "unscored: 0"):
        assert word in result.stdout


def test_a_wrong_file_is_one_line_on_standard_error(tmp_path: Path) -> None:
    """Named, with status 2 and nothing on standard output."""
    path = write_csv(tmp_path / "x.csv", "a,b", "1,2")
    result = CliRunner().invoke(app, ["score", "arena-hard", "--battles", str(path), "--json"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "no column model_a" in result.stderr


@pytest.mark.parametrize("task", ["ifeval", "ru-ifeval"])
def test_instruction_flags_are_written_line_by_line(tmp_path: Path, task: str) -> None:
    """`model, key, strict[], loose[]`."""
    kinds = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    prompts = write_jsonl(tmp_path / "p.jsonl", [{"key": 5, "prompt": "Да?", **kinds}])
    responses = write_jsonl(tmp_path / "r.jsonl", [{"prompt": "Да?", "response": "да, но\nнет"}])
    flags = tmp_path / "flags.jsonl"
    found = run("score", task, "--prompts", prompts, "--responses", responses, "--flags", flags)
    assert found["task"] == task
    assert found["models"][0]["prompt_loose"] == 100
    assert json.loads(flags.read_text()) == {"model": "r", "key": 5, "strict": [False], "loose": [True]}


def test_mt_bench_verdicts_are_read_by_the_chosen_rule(tmp_path: Path) -> None:
    """`--verdict last` and the parsed values beside."""
    texts = write_jsonl(
        tmp_path / "v.jsonl", [{"proto": "single", "who": "m", "question_id": 1, "text1": "[[2]] [[9]]"}]
    )
    flags = tmp_path / "flags.jsonl"
    found = run("score", "mt-bench", "--verdicts", texts, "--verdict", "last", "--flags", flags)
    assert found["verdicts"] == [{"lang": None, "judge": None, "proto": "single", "parsed": 1, "unparsed": 0}]
    assert json.loads(flags.read_text())["out1"] == 9


def test_imported_results_are_kept_in_storage(tmp_path: Path) -> None:
    """For the page that shows them beside the rating."""
    results = tmp_path / "r.json"
    results.write_text(json.dumps({"results": {"toy": {"acc,none": 0.5}}}))
    found = run("import", "lm-eval", results, "--model", "m", "--storage", tmp_path / "store")
    assert found["models"] == [{"model": "m", "toy": 50}]
    with open_store(Settings.from_environment({}, storage=tmp_path / "store")) as store:
        assert [(kept.task, kept.model) for kept in store.scores()] == [("lm-eval", "m")]
