"""What README promises is there: its options, its commands, its tree, its pictures, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.cli.commands import app
from arena.config import Settings, keys_table, load_catalog, options_table
from docs.readme import FILES, files_page

ROOT = Path(__file__).resolve().parent.parent
READMES = {"en": ROOT / "README.md", "ru": ROOT / "README.ru.md"}


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(("mark", "table"), [("options", options_table), ("keys", keys_table)])
def test_the_tables_are_the_programs_own(mark: str, table: Callable[[str], str], language: str) -> None:
    """Every option with its variable, default and meaning, every key of models.yaml; `make readme` writes them."""
    text = READMES[language].read_text(encoding="utf-8")
    found = re.search(rf"<!-- {mark} -->\s*(.*?)\s*<!-- /{mark} -->", text, re.DOTALL)
    assert found is not None
    assert found[1].splitlines() == table(language).splitlines()


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_catalogue_shown_can_be_read(language: str, tmp_path: Path) -> None:
    """Copied as it stands, also the one in front of a multi-node vLLM."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", READMES[language].read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert "base_url: http://FIRST:8000/v1" in blocks[-1]
    (tmp_path / "answers").mkdir()
    for name in ("last-week.jsonl", "question.jsonl"):
        (tmp_path / "answers" / name).touch()
    for block in blocks:
        (tmp_path / "models.yaml").write_text(block, encoding="utf-8")
        assert load_catalog(tmp_path / "models.yaml", "gpu").enabled


def test_every_variable_is_listed() -> None:
    """No setting is a secret of the code."""
    text = READMES["en"].read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`ARENA_{name.upper()}`" not in text] == []


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_command_shown_exists(language: str) -> None:
    """Each `python -m arena …` line is understood by the program's own help."""
    text = READMES[language].read_text(encoding="utf-8")
    lines = re.findall(r"^python -m arena ([^#\n]+)", text, re.MULTILINE)
    commands = {words[0] for line in lines for part in line.split("|") if (words := part.split())}
    assert {"serve", "leaderboard", "votes", "backup", "restore", "doctor", "models", "bench"} <= commands
    for command in sorted(commands):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command


@pytest.mark.parametrize("language", ["en", "ru"])
def test_options_of_shown_commands_exist(language: str) -> None:
    """An option in an example is an option of that command."""
    text = READMES[language].read_text(encoding="utf-8")
    for line in re.findall(r"^python -m arena ([^#\n]+)", text, re.MULTILINE):
        words = line.split()
        shown = CliRunner().invoke(app, [*[word for word in words if re.fullmatch(r"[a-z]+", word)][:2], "--help"])
        helped = shown.output if shown.exit_code == 0 else CliRunner().invoke(app, [words[0], "--help"]).output
        for option in re.findall(r"--[a-z-]+", line):
            assert option in helped, f"{option} in {line}"


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_tree_shows_what_is_there(language: str) -> None:
    """Every path of the tree exists, and no package of arena/ is left out."""
    text = READMES[language].read_text(encoding="utf-8")
    tree = re.findall(r"^([\w./]+)\s{2,}\S", text, re.MULTILINE)
    assert [path for path in tree if not (ROOT / path).exists()] == []
    packages = {path.parent.name for path in (ROOT / "arena").glob("*/__init__.py")}
    assert {name for name in packages if f"arena/{name}/" not in tree} == set()


@pytest.mark.parametrize("language", ["en", "ru"])
def test_pictures_and_links_are_there(language: str) -> None:
    """A link to a file of ours leads to a file."""
    text = READMES[language].read_text(encoding="utf-8")
    local = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_contents_of_decisions_lead_to_its_entries() -> None:
    """By the names that a hub gives to headings: small letters, hyphens for spaces, no punctuation."""
    text = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    names = [re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in re.findall(r"^## (.+)$", text, re.M)]
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert len(links) >= 30
    assert [link for link in links if link not in names] == []


def test_the_make_targets_shown_exist() -> None:
    """`make run` and its like are targets."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for readme in READMES.values():
        shown = set(re.findall(r"(?:^|`)make ([a-z]+)\b", readme.read_text(encoding="utf-8"), re.MULTILINE))
        assert {"run", "test"} <= shown
        assert {word for word in shown if word not in targets} == set()


def test_the_project_speaks_of_itself_alone() -> None:
    """No path or host of the machines it was written on."""
    for path in [*ROOT.glob("*.md"), ROOT / "models.yaml", *ROOT.glob("arena/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        assert "/work/" not in text, path
        assert "/tmp/venv" not in text, path


def test_the_page_of_files_is_the_modules_own() -> None:
    """`make readme` writes it anew when a module came, went or says something else of itself."""
    assert files_page() == FILES.read_text("utf-8")
