"""`python -m arena models` in a terminal and in a script."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

from arena.cli.commands import app

CONFIG = {
    "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 128,
    "vocab_size": 100, "max_position_embeddings": 512,
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A catalogue of one local checkpoint in two precisions and a disabled fake."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    save_file({"layers.0.mlp.up_proj.weight": np.zeros((128, 64), np.float16)}, tmp_path / "model.safetensors")
    file = tmp_path / "models.yaml"
    file.write_text(
        "contestants:\n"
        f"  - {{name: Small, model: {tmp_path}, quantization: [bf16, nf4], context: 256}}\n"
        "  - {name: Sleeper, engine: fake, enabled: false, note: rests}\n"
    )
    return file


def run(*arguments: object) -> Result:
    wide = {"COLUMNS": "300"}  # a folder of tests may have a long name, and lines break where the terminal ends
    return CliRunner().invoke(app, ["models", *map(str, arguments)], env=wide)


def test_the_table_shows_what_each_takes_and_whether_it_fits(file: Path) -> None:
    """Disabled entries are counted, and shown on demand with their note."""
    shown = run("--models", file, "--vram", 24)
    assert shown.exit_code == 0
    assert "Small (nf4)" in shown.output
    assert "24.0 GiB" in shown.output
    assert "Sleeper" not in shown.output
    assert "beside Small (nf4): each of the others" in shown.output
    assert "beside Small (nf4)" not in run("--models", file, "--vram", 0.1).output
    assert "Sleeper (disabled): rests" in run("--models", file, "--vram", 24, "--all").output


def test_json_is_one_object_for_scripts(file: Path) -> None:
    """With and without the word list."""
    found = json.loads(run("--models", file, "--vram", 24, "--json").stdout)
    assert [model["name"] for model in found["models"]] == ["Small (bf16)", "Small (nf4)", "Sleeper"]
    assert found["models"][0]["beside"] == ["Small (nf4)"]
    assert json.loads(run("list", "--models", file, "--vram", 24, "--json").stdout) == found


def test_check_ticks_what_is_there(file: Path) -> None:
    """Exit status 0, one row for each entry."""
    checked = run("check", "--models", file)
    assert checked.exit_code == 0
    assert checked.output.count("complete checkpoint") == 2


@pytest.mark.torch
def test_check_loads_a_named_model_and_tries_it(tmp_path: Path) -> None:
    """A real tiny checkpoint goes through the same worker as in battles."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "engines"))
    from checkpoints import build

    file = tmp_path / "models.yaml"
    folder = build(tmp_path / "tiny", "qwen2")
    file.write_text(f"contestants: [{{name: Tiny, model: {folder}, quantization: fp32, concurrency: 2}}]")
    checked = run("check", "Tiny", "--models", file, "--json")
    ticks = {tick["what"]: tick["ok"] for tick in json.loads(checked.stdout)["checks"]["Tiny"]}
    assert ticks["checkpoint"] is True
    assert ticks["loads"] is True
    assert ticks["gives its memory back"] is True
    assert "gives its memory back" not in run("check", "Tiny", "--no-load", "--models", file).output


def test_check_crosses_what_is_not_and_exits_1(file: Path) -> None:
    """A script can rely on it."""
    file.write_text("contestants: [{name: e, engine: openai, base_url: 'http://127.0.0.1:9/v1', model: m}]")
    checked = run("check", "e", "--models", file, "--json")
    assert checked.exit_code == 1
    assert json.loads(checked.stdout)["checks"]["e"][0]["ok"] is False


def test_a_wrong_name_or_file_is_one_line_and_exit_2(file: Path) -> None:
    """No traceback."""
    wrong = run("check", "small (nf5)", "--models", file)
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "did you mean Small (nf4)?" in wrong.stderr
    assert run("--models", "none.yaml").exit_code == 2
