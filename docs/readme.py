"""Writes the table of options into both READMEs: `make readme`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from arena.config import options_table

ROOT = Path(__file__).parent.parent


def write(file: Path, language: Literal["en", "ru"]) -> None:
    """Replace what stands between the two marks."""
    text = file.read_text(encoding="utf-8")
    table = f"<!-- options -->\n{options_table(language)}\n<!-- /options -->"
    file.write_text(re.sub(r"<!-- options -->.*<!-- /options -->", lambda _: table, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    write(ROOT / "README.md", "en")
    write(ROOT / "README.ru.md", "ru")
