"""A Space folder is complete: its configuration, what it needs, and a program that starts from it alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from arena.cli.commands import app
from arena.cli.space import ROOT, front_matter, requirements, write_space
from arena.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "space"
    write_space(target)
    return target


def test_the_readme_opens_with_what_a_space_needs(folder: Path) -> None:
    """Gradio as it is installed here, the page's file, signing in."""
    _, matter, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    read = yaml.safe_load(matter)
    assert (read["sdk"], read["app_file"], read["hf_oauth"]) == ("gradio", "app.py", True)
    assert read["sdk_version"] == version("gradio")
    assert read["python_version"] == "3.12"
    assert len(read["short_description"]) <= 60
    assert text.strip().startswith("# Arena")


def test_a_title_cannot_break_the_configuration() -> None:
    """Quotes, colons and line ends stay a title."""
    title = 'our "arena": best\nof all \\'
    read = yaml.safe_load(front_matter(title).split("---\n")[1])
    assert read["title"] == title.replace("\n", " ")
    assert read["sdk"] == "gradio"


def test_torch_is_what_zerogpu_offers_and_the_rest_is_as_here(folder: Path) -> None:
    """One line differs from the project's own requirements."""
    ours, theirs = ((place / "requirements.txt").read_text().splitlines() for place in (ROOT, folder))
    different = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    assert [b for _, b in different] == ["torch>=2.8,<2.12"]
    with pytest.raises(ConfigError, match="torch must stand in it once"):
        requirements("numpy\n")


def test_the_program_starts_from_the_folder_alone(folder: Path) -> None:
    """The copy imports itself, not the project it came from; its catalogue is valid."""
    code = "import arena, app; from arena.config import load_catalog; load_catalog('models.yaml', 'zerogpu'); " \
           "print(arena.__file__)"  # fmt: skip
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ARENA_", "PYTHONPATH"))}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(folder.resolve())


def test_spaces_comes_before_torch_where_the_gpu_is_lent(folder: Path) -> None:
    """ZeroGPU refuses a torch that was imported before it; stand-ins for both say in which order they came."""
    (folder / "spaces.py").write_text("print('spaces')")
    (folder / "torch.py").write_text("print('torch'); raise SystemExit")
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=folder,
        env={**os.environ, "SPACES_ZERO_GPU": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["spaces", "torch"]


def test_neither_caches_nor_data_nor_tests_are_copied(folder: Path) -> None:
    """Only what runs."""
    names = {path.name for path in folder.rglob("*")}
    assert not names & {"__pycache__", "tests", "perf", "storage", "arena.db", "secret"}
    for needed in ("arena.css", "arena.js", "operator.js", "LICENSE", "models.yaml"):
        assert needed in names


def test_a_folder_in_other_use_is_left_alone(tmp_path: Path) -> None:
    """Unless it is a fresh clone of the Space, or the operator insists."""
    (tmp_path / "thesis.tex").write_text("…")
    refused = CliRunner().invoke(app, ["space", str(tmp_path)])
    assert refused.exit_code == 2
    assert "thesis.tex" in refused.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.tex"]
    assert CliRunner().invoke(app, ["space", str(tmp_path), "--force"]).exit_code == 0
    clone = tmp_path / "clone"
    (clone / ".git").mkdir(parents=True)
    assert CliRunner().invoke(app, ["space", str(clone)]).exit_code == 0


def checkout(folder: Path, catalogue: str) -> Path:
    """As much of the project as a Space is made of, with another models.yaml."""
    (folder / "arena").mkdir(parents=True)
    shutil.copyfile(ROOT / "requirements.txt", folder / "requirements.txt")
    (folder / "models.yaml").write_text(catalogue)
    return folder


def test_files_that_the_catalogue_names_come_along(tmp_path: Path) -> None:
    """Recorded answers, their questions, a chat's template: without them the Space would refuse its own catalogue."""
    root = checkout(
        tmp_path / "project",
        "profiles:\n  cpu:\n    contestants:\n      - {name: a, engine: recorded, answers: kept/a.jsonl}\n"
        "      - {name: b, model: o/b, chat: {template: b.jinja}}\n    prompts: {dataset: kept/question.jsonl}\n",
    )
    (root / "kept").mkdir()
    for name in ("kept/a.jsonl", "kept/question.jsonl", "b.jinja"):
        (root / name).write_text(name)
    write_space(tmp_path / "space", root=root)
    for name in ("kept/a.jsonl", "kept/question.jsonl", "b.jinja"):
        assert (tmp_path / "space" / name).read_text() == name


def test_a_file_that_lies_elsewhere_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A path of this machine leads nowhere in a Space."""
    (tmp_path / "a.jsonl").write_text("")
    root = checkout(tmp_path / "project", "contestants: [{name: a, engine: recorded, answers: ../a.jsonl}]\n")
    with pytest.raises(ConfigError, match="outside of the project"):
        write_space(tmp_path / "space", root=root)
    assert not (tmp_path / "space").exists()


def test_the_project_is_not_written_over(tmp_path: Path) -> None:
    """Not even by force: its README and requirements would be the Space's."""
    root = checkout(tmp_path / "project", "contestants: []\n")
    with pytest.raises(ConfigError, match="the project itself"):
        write_space(root, force=True, root=root)
