"""The page: layout, look and translation of what the service says; no rule of the arena lives here."""

from arena.ui.stubs import skip_stubs

skip_stubs()  # before any module here imports Gradio
