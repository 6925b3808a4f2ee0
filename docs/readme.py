"""Writes what documentation repeats of the code: both READMEs' tables, and docs/files.md (`make readme`)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Literal

from arena.config import keys_table, options_table

ROOT = Path(__file__).parent.parent
FILES = ROOT / "docs" / "files.md"
HEAD = """# Every file

What each module says of itself in its first sentence; `make readme` writes this page. Tests mirror `arena/`.
"""


def write(file: Path, language: Literal["en", "ru"]) -> None:
    """Replace what stands between the marks of each table."""
    text = file.read_text(encoding="utf-8")
    for mark, table in (("options", options_table(language)), ("keys", keys_table(language))):
        whole = f"<!-- {mark} -->\n{table}\n<!-- /{mark} -->"
        text = re.sub(rf"<!-- {mark} -->.*<!-- /{mark} -->", lambda _, whole=whole: whole, text, flags=re.DOTALL)  # type: ignore[misc]
    file.write_text(text, "utf-8")


def files_page() -> str:
    """One line per module of the program and of its measurements, by folder."""
    parts = [HEAD]
    for folder, found in groupby(_modules(), key=lambda path: path.parent):
        rows = "\n".join(f"| `{path.name}` | {_phrase(path)} |" for path in found)
        parts.append(f"## {folder.relative_to(ROOT)}/\n\n| file | what it is for |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _modules() -> Iterator[Path]:
    for top in ("arena", "perf"):
        found = (path for path in (ROOT / top).rglob("*.py") if not {".venv", "__pycache__"} & set(path.parts))
        yield from sorted(filter(_said, found), key=lambda path: (path.parent, path.name))


@cache
def _said(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


def _phrase(path: Path) -> str:
    text = _said(path).split("\n\n")[0].replace("\n", " ")
    first = re.split(r"(?<=[.!?])\s+(?=[A-ZА-Я`])", text, maxsplit=1)[0]
    return first.rstrip(":").replace("|", r"\|")


if __name__ == "__main__":
    write(ROOT / "README.md", "en")
    write(ROOT / "README.ru.md", "ru")
    FILES.write_text(files_page(), "utf-8")
