"""The leaderboard's tab: filters, the table with drawn intervals, plots and downloads.

Names stand here by design, so nothing of it is loaded before the tab is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qs

import gradio as gr

from arena.errors import ArenaError
from arena.judge.desk import JudgeDesk
from arena.service import Arena, BoardView
from arena.service.boards import ONCE, offered
from arena.store.records import ALL
from arena.types import Track
from arena.ui import board_render, charts
from arena.ui.texts import say
from arena.ui.voters import language_of_request

COMBINED = "combined"
PLOTS = ("forest", "wins", "counts", "history")


class BoardTab:
    """Layout and handlers of the leaderboard."""

    def __init__(self, arena: Arena, judges: JudgeDesk, i18n: gr.I18n) -> None:
        self._arena, self._judges = arena, judges
        with gr.Column(elem_classes="board"):
            with gr.Row(elem_classes="filters"):
                self.track = gr.Dropdown([], label=i18n("filter_track"), elem_id="board-track", min_width=140)
                self.slice = gr.Dropdown([], label=i18n("filter_slice"), elem_id="board-slice", min_width=180)
                self.method = gr.Dropdown([], label=i18n("filter_method"), elem_id="board-method", min_width=180)
            self.table = gr.HTML(elem_id="board-table")
            self.refresh = gr.Button("refresh", elem_id="board-refresh", visible="hidden")
            self.query = gr.Textbox(visible="hidden", elem_id="board-query", label="query", show_label=False)
            self.kind = gr.Radio([], label=i18n("plots"), elem_id="board-plots", elem_classes=["chips", "plots"])
            self.plot = gr.Plot(elem_id="board-plot", show_label=False)
            gr.HTML(i18n("compare_html"), elem_classes="compare-title")
            with gr.Row(elem_classes="filters"):
                self.first = gr.Dropdown([], label=i18n("model_a_choice"), elem_id="compare-a", min_width=200)
                self.second = gr.Dropdown([], label=i18n("model_b_choice"), elem_id="compare-b", min_width=200)
            self.pair = gr.HTML(elem_id="compare")
            gr.HTML(i18n("export_html"), elem_classes="export")

    def connect(self, opened: Any) -> None:
        """Wire the filters and the opening of the tab (an event)."""
        common: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
        filters = [self.track, self.slice, self.method, self.kind]
        pair = [self.first, self.second]
        everything = [*filters, *pair, self.table, self.plot, self.pair]
        opened(self.open, [self.query], everything, js="() => location.search", **common)
        shown = [self.table, self.plot, self.pair]
        self.refresh.click(self.show, [*filters, *pair], shown, **common)
        told = "(...chosen) => arena.address(chosen)"
        choosers: list[Any] = [*filters, *pair]
        for one in choosers:
            one.input(self.show, [*filters, *pair], shown, js=told, **common)

    async def open(self, request: gr.Request, query: str) -> list[Any]:
        """The filters' choices in the voter's language, and the view that the page's address names."""
        language = self._language(request)
        wanted = {key: values[0] for key, values in parse_qs((query or "").removeprefix("?")).items()}
        boards = self._arena.boards
        slices = [ALL, *boards.slices()]
        names = [row.model for row in boards.view().board.rows]
        options = {
            "track": [(say(language, f"track_{track}"), track) for track in await asyncio.to_thread(self._tracks)],
            "slice": [(board_render.slice_name(name, language), name) for name in slices],
            "method": [(say(language, f"method_{method}"), method) for method in ("bt", "elo", ONCE)],
            "plot": [(say(language, f"plot_{plot}"), plot) for plot in PLOTS],
            "a": [(name, name) for name in names],
            "b": [(name, name) for name in names[1:] + names[:1]],
        }
        chosen = {
            key: wanted[key] if wanted.get(key) in {value for _, value in choices} else (choices or [("", "")])[0][1]
            for key, choices in options.items()
        }
        updates = [gr.update(choices=sorted_names(key, options[key]), value=chosen[key]) for key in options]
        return [*updates, *await asyncio.to_thread(self._painted, chosen, language)]

    def _tracks(self) -> list[str]:
        """Whose boards there are: people's, judges', and people's sharpened by a judge once one is admitted."""
        return [*map(str, Track), *([COMBINED] if self._judges.view().admitted else [])]

    async def show(
        self, request: gr.Request, track: str, slice: str, method: str, plot: str, first: str, second: str
    ) -> list[Any]:
        """The view that the filters ask for, as of now."""
        chosen = {"track": track, "slice": slice, "method": method, "plot": plot, "a": first, "b": second}
        return await asyncio.to_thread(self._painted, chosen, self._language(request))

    def _painted(self, chosen: Mapping[str, str], language: str) -> list[Any]:
        combined = chosen["track"] == COMBINED
        owner = Track.HUMAN if combined else Track(chosen["track"] or Track.HUMAN)
        part = ALL if combined else chosen["slice"] or ALL
        way = chosen["method"] or "bt"
        if combined or not offered(way, owner, part):
            way = "bt"
        boards = self._arena.boards
        view: BoardView = boards.view(owner, part, way)
        if combined:
            view = self._judges.combined(view) or view
        try:
            pair = board_render.pair(boards.compare(chosen["a"], chosen["b"], owner, part), language)
        except ArenaError:
            pair = ""
        note = self._combined_note(language) if combined else ""
        return [board_render.table(view, language) + note, self._drawn(chosen["plot"], view, language), pair]

    def _combined_note(self, language: str) -> str:
        names = ", ".join(self._judges.view().admitted[:1])
        return f'<p class="note">{say(language, "combined_note", judge=escape(names))}</p>'

    def _drawn(self, plot: str, view: BoardView, language: str) -> Any:
        """The one plot that is looked at; the others are drawn when they are."""
        if plot == "history":
            return charts.history(self._arena.boards.history(view.track), view.board, language)
        draw = {"wins": charts.wins, "counts": charts.counts}.get(plot, charts.forest)
        return draw(view.board, language)

    def _language(self, request: gr.Request) -> str:
        headers = request.headers
        return language_of_request(headers.get("cookie"), headers.get("accept-language"), self._arena.settings.language)


def sorted_names(key: str, choices: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Contestants by name; everything else in its own order."""
    return sorted(choices) if key in ("a", "b") else choices
