"""A start reads no sources of Gradio: its stubs for editors stay as they are installed."""

from __future__ import annotations

import gradio.component_meta

import arena.ui.look  # noqa: F401  # imports Gradio, as any module of the page does


def test_importing_the_page_rewrites_no_stubs() -> None:
    """Whichever module of the page came first in this process: before it nothing had imported Gradio."""
    assert gradio.component_meta.create_or_modify_pyi.__module__ == "arena.ui.stubs"
