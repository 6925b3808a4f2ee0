"""A start reads no sources of Gradio: its stubs for editors stay as they are installed."""

from __future__ import annotations

import subprocess
import sys

WHO = "import arena.ui.look, gradio.component_meta as meta; print(meta.create_or_modify_pyi.__module__)"


def test_importing_the_page_rewrites_no_stubs() -> None:
    """Whichever module of the page comes first."""
    done = subprocess.run([sys.executable, "-c", WHO], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "arena.ui.stubs"
