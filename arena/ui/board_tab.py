"""The leaderboard's tab: filters, the table with drawn intervals, plots, a comparison and downloads.

Names stand here by design, so nothing of it is loaded before the tab is opened.
"""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any
from urllib.parse import parse_qs

import gradio as gr

from arena.service import Arena, BoardView
from arena.ui import board_render
from arena.ui.board_routes import drawn
from arena.ui.board_views import COMBINED, METHODS, PLOTS, BoardViews, Choice, Seen
from arena.ui.names import model_name
from arena.ui.texts import say
from arena.ui.voters import language_of_request

KEEPABLE = ("forest", "wins", "counts")
"""Plots that change with the board alone, and not with a fit made aside."""

KEPT = 64
"""Views that are kept as they were painted: after a vote every open page asks for the same few."""

TELL = "(...chosen) => { arena.address(chosen); }"
"""Puts the view that is shown into the page's address."""


class BoardTab:
    """Layout and handlers of the leaderboard."""

    def __init__(self, arena: Arena, views: BoardViews, i18n: gr.I18n) -> None:
        self._arena, self._views = arena, views
        self._kept: dict[tuple[Choice, str], tuple[BoardView | None, list[Any]]] = {}
        with gr.Column(elem_classes="board"):
            with gr.Row(elem_classes="filters"):
                self.track = gr.Dropdown([], label=i18n("filter_track"), elem_id="board-track", min_width=140)
                self.slice = gr.Dropdown([], label=i18n("filter_slice"), elem_id="board-slice", min_width=180)
                self.method = gr.Dropdown([], label=i18n("filter_method"), elem_id="board-method", min_width=180)
                gr.HTML(i18n("board_find_html"), elem_id="board-finder")
            self.table = gr.HTML(elem_id="board-table")
            gr.HTML(i18n("board_files_html"), elem_classes="export")
            self.refresh = gr.Button("refresh", elem_id="board-refresh", visible="hidden")
            self.query = gr.Textbox(visible="hidden", elem_id="board-query", label="query", show_label=False)
            self.kind = gr.Radio([], label=i18n("plots"), elem_id="board-plots", elem_classes=["chips", "plots"])
            self.plot = gr.Plot(elem_id="board-plot", show_label=False)
            gr.HTML(i18n("plot_files_html"), elem_classes=["export", "plot-files"])
            gr.HTML(i18n("compare_html"), elem_classes="compare-title")
            with gr.Row(elem_classes=["filters", "compared"]):
                self.first = gr.Dropdown([], label=i18n("model_a_choice"), elem_id="compare-a", min_width=200)
                self.second = gr.Dropdown([], label=i18n("model_b_choice"), elem_id="compare-b", min_width=200)
            self.pair = gr.HTML(elem_id="compare")
            gr.HTML(i18n("export_html"), elem_classes="export")

    def connect(self, opened: Any) -> None:
        """Wire the filters and the opening of the tab (an event)."""
        common: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
        chosen: list[Any] = [self.track, self.slice, self.method, self.kind, self.first, self.second]
        shown = [self.track, self.slice, self.method, self.table, self.plot, self.pair]
        opening = opened(self.open, [self.query], [*chosen, *shown[3:]], js="() => location.search", **common)
        opening.then(None, chosen, None, js=TELL)
        table, plot = [part for part in shown if part is not self.plot], [self.plot]
        last = common | {"trigger_mode": "always_last"}  # what is asked while the page waits is asked after it
        self.refresh.click(self.show_table, chosen, table, **last).then(self.show_plot, chosen, plot, **common)
        gr.on([one.input for one in chosen], self.show, chosen, shown, **last).then(None, chosen, None, js=TELL)

    async def open(self, request: gr.Request, query: str) -> list[Any]:
        """The filters' choices in the voter's language, and the view that the page's address names."""
        wanted = {key: values[0] for key, values in parse_qs((query or "").removeprefix("?")).items()}
        return await asyncio.to_thread(self._opened, wanted, self._language(request))

    def _opened(self, wanted: dict[str, str], language: str) -> list[Any]:
        names = self._views.names()
        options = {
            "track": [(say(language, f"track_{track}"), track) for track in self._views.tracks()],
            "slice": [(board_render.slice_name(name, language), name) for name in self._views.slices()],
            "method": [(say(language, f"method_{method}"), method) for method in METHODS],
            "plot": [(say(language, f"plot_{plot}"), plot) for plot in PLOTS],
            "a": [(model_name(name, language), name) for name in names],
            "b": [(model_name(name, language), name) for name in names[1:] + names[:1]],
        }
        chosen = {
            key: wanted[key] if wanted.get(key) in {value for _, value in choices} else (choices or [("", "")])[0][1]
            for key, choices in options.items()
        }
        *filters, table, plot, pair = self._painted(Choice(**chosen), language)
        chosen |= {
            key: new["value"] for key, new in zip(("track", "slice", "method"), filters, strict=True) if "value" in new
        }
        updates = [gr.update(choices=_sorted(key, options[key]), value=chosen[key]) for key in options]
        return [*updates, table, plot, pair]

    async def show(
        self, request: gr.Request, track: str, slice: str, method: str, plot: str, first: str, second: str
    ) -> list[Any]:
        """The view that the filters ask for, as of now; a filter that cannot be had is set to what is shown."""
        asked = {"track": track, "slice": slice, "method": method, "plot": plot, "a": first, "b": second}
        choice = Choice.of({key: value for key, value in asked.items() if isinstance(value, str)})
        return await asyncio.to_thread(self._painted, choice, self._language(request))

    async def show_table(self, request: gr.Request, *asked: Any) -> list[Any]:
        """All but the plot: after a vote the table comes first, since a page takes its time to draw."""
        *filters, table, _, pair = await self.show(request, *asked)
        return [*filters, table, pair]

    async def show_plot(self, request: gr.Request, *asked: Any) -> Any:
        """The plot alone."""
        return (await self.show(request, *asked))[-2]

    def _painted(self, asked: Choice, language: str) -> list[Any]:
        seen = self._views.seen(asked)
        kept = self._kept.get((asked, language))
        if kept is not None and kept[0] is seen.view and asked.plot in KEEPABLE and not seen.waiting:
            return [*kept[1]]
        pair = self._views.pair(seen.choice)
        painted = [
            _set(asked.track, seen.choice.track),
            _set(asked.slice, seen.choice.slice),
            _set(asked.method, seen.choice.method),
            board_render.table(seen, language) + self._combined_note(seen, language),
            drawn(self._views, seen, language) if seen.view is not None else None,
            board_render.pair(pair, language, seen.choice.slice) if pair is not None else "",
        ]
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[asked, language] = seen.view, painted
        return [*painted]

    def _combined_note(self, seen: Seen, language: str) -> str:
        if seen.choice.track != COMBINED or seen.view is None:
            return ""
        names = escape(self._views.judge_admitted())
        return f'<p class="note">{say(language, "combined_note", judge=names)}</p>'

    def _language(self, request: gr.Request) -> str:
        return language_of_request(request.headers, self._arena.settings.language)


def _set(asked: str, shown: str) -> Any:
    """A filter is touched only where what is shown is not what was asked: it may be in somebody's hand."""
    return gr.update() if asked == shown else gr.update(value=shown)


def _sorted(key: str, choices: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Contestants by name; everything else in its own order."""
    return sorted(choices) if key in ("a", "b") else choices
