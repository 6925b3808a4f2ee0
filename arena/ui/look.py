"""How the page looks: Gradio's theme in the arena's colours, our stylesheet and our script."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_STATIC = Path(__file__).parent / "static"
FONTS = ("Inter", "Noto Sans", "system-ui", "sans-serif")


def theme() -> gr.Theme:
    """Calm paper, system fonts (nothing is fetched), one radius."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.cyan,
        neutral_hue=gr.themes.colors.stone,
        font=FONTS,
        font_mono=("JetBrains Mono", "ui-monospace", "monospace"),
        radius_size=gr.themes.sizes.radius_lg,
    ).set(
        body_background_fill="#fbfaf7",
        body_background_fill_dark="#17171b",
        body_text_color="#1c1c21",
        body_text_color_dark="#ececf1",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#1f1f25",
        border_color_primary="#e6e3dc",
        border_color_primary_dark="#33333c",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
    )


def css() -> str:
    """The stylesheets."""
    return "\n".join(
        (_STATIC / name).read_text(encoding="utf-8")
        for name in ("arena.css", "operator.css", "integrity.css", "bench.css", "board.css")
    )


def head() -> str:
    """The scripts, inline: one request less, and nothing to cache wrongly."""
    scripts = (
        (_STATIC / name).read_text(encoding="utf-8")
        for name in ("arena.js", "operator.js", "integrity.js", "sorting.js", "bench.js", "board.js")
    )
    return "".join(f"<script>{script}</script>" for script in scripts)
