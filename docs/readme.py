"""Writes the tables of options and of models.yaml's keys into both READMEs: `make readme`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from arena.config import keys_table, options_table

ROOT = Path(__file__).parent.parent


def write(file: Path, language: Literal["en", "ru"]) -> None:
    """Replace what stands between the marks of each table."""
    text = file.read_text(encoding="utf-8")
    for mark, table in (("options", options_table(language)), ("keys", keys_table(language))):
        whole = f"<!-- {mark} -->\n{table}\n<!-- /{mark} -->"
        text = re.sub(rf"<!-- {mark} -->.*<!-- /{mark} -->", lambda _, whole=whole: whole, text, flags=re.DOTALL)  # type: ignore[misc]
    file.write_text(text, "utf-8")


if __name__ == "__main__":
    write(ROOT / "README.md", "en")
    write(ROOT / "README.ru.md", "ru")
