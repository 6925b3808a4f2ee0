"""The leaderboard's tab: filters, the table with drawn intervals, plots and downloads.

Names stand here by design, so nothing of it is loaded before the tab is opened.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from arena.service import Arena, BoardView
from arena.store.records import ALL
from arena.types import Track
from arena.ui import board_render, charts
from arena.ui.texts import say
from arena.ui.voters import language_of_request

PLOTS = ("forest", "wins", "counts", "history")


class BoardTab:
    """Layout and handlers of the leaderboard."""

    def __init__(self, arena: Arena, i18n: gr.I18n) -> None:
        self._arena = arena
        with gr.Column(elem_classes="board"):
            with gr.Row(elem_classes="filters"):
                self.track = gr.Dropdown([], label=i18n("filter_track"), elem_id="board-track", min_width=140)
                self.slice = gr.Dropdown([], label=i18n("filter_slice"), elem_id="board-slice", min_width=180)
                self.method = gr.Dropdown([], label=i18n("filter_method"), elem_id="board-method", min_width=180)
            self.table = gr.HTML(elem_id="board-table")
            self.refresh = gr.Button("refresh", elem_id="board-refresh", visible="hidden")
            with gr.Tabs(elem_classes="plots"):
                self.plots = {}
                for plot in PLOTS:
                    with gr.Tab(i18n(f"plot_{plot}"), id=plot, elem_id=f"plot-tab-{plot}"):
                        self.plots[plot] = gr.Plot(elem_id=f"plot-{plot}", show_label=False)
            gr.HTML(i18n("export_html"), elem_classes="export")

    def connect(self, opened: Any) -> None:
        """Wire the filters and the opening of the tab (an event)."""
        common: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
        filters = [self.track, self.slice, self.method]
        shown = [self.table, *self.plots.values()]
        opened(self.open, [], [*filters, *shown], **common)
        self.refresh.click(self.show, filters, shown, **common)
        for one in filters:
            one.input(self.show, filters, shown, **common)

    async def open(self, request: gr.Request) -> list[Any]:
        """The filters' choices in the voter's language, and the board of everything."""
        language = self._language(request)
        tracks = [(say(language, f"track_{track}"), str(track)) for track in Track]
        slices = [(say(language, "slice_all"), ALL)]
        slices += [(board_render.slice_name(name, language), name) for name in self._arena.boards.slices()]
        methods = [(say(language, f"method_{method}"), method) for method in ("bt", "elo")]
        choices = [
            gr.update(choices=tracks, value=str(Track.HUMAN)),
            gr.update(choices=slices, value=ALL),
            gr.update(choices=methods, value="bt"),
        ]
        return [*choices, *self._painted(Track.HUMAN, ALL, "bt", language)]

    async def show(self, track: str, slice: str, method: str, request: gr.Request) -> list[Any]:
        """The board that the filters ask for, as of now."""
        return self._painted(Track(track or Track.HUMAN), slice or ALL, method or "bt", self._language(request))

    def _painted(self, track: Track, slice: str, method: str, language: str) -> list[Any]:
        if slice != ALL:
            method = "bt"  # Elo is kept for whole tracks only
        view: BoardView = self._arena.boards.view(track, slice, method)
        history = self._arena.boards.history(track)
        return [
            board_render.table(view, language),
            charts.forest(view.board, language),
            charts.wins(view.board, language),
            charts.counts(view.board, language),
            charts.history(history, view.board, language),
        ]

    def _language(self, request: gr.Request) -> str:
        headers = request.headers
        return language_of_request(headers.get("cookie"), headers.get("accept-language"), self._arena.settings.language)
