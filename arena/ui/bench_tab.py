"""The benchmarks' tab: tables per task, plots beside the rating, and the samples behind a score.

Names stand here by design, so nothing of it is loaded before the tab is opened. The page's address
says what is shown; a link of the tab changes the address and asks for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import gradio as gr

from arena.benchmarks.desk import BenchDesk, TaskTable
from arena.service import Arena
from arena.ui import bench_render, charts
from arena.ui.bench_render import Wanted
from arena.ui.texts import say
from arena.ui.voters import language_of_request

AGAINST_RATING, AGAINST_LENGTH, CATEGORIES = "rating", "length", "categories"


class BenchTab:
    """Layout and handler."""

    def __init__(self, arena: Arena, i18n: gr.I18n) -> None:
        self._arena = arena
        self._desk = BenchDesk(arena.store, arena.settings.storage)
        with gr.Column(elem_classes="benchmarks"):
            self.body = gr.HTML(elem_id="bench-body")
            self.kind = gr.Radio(
                [], label=i18n("plots"), elem_id="bench-plots", elem_classes=["chips", "plots"], visible=False
            )
            self.column = gr.Dropdown([], label=i18n("bench_column"), elem_id="bench-column", visible=False)
            self.plot = gr.Plot(elem_id="bench-plot", show_label=False, visible=False)
            self.query = gr.Textbox(visible="hidden", elem_id="bench-query", label="query", show_label=False)
            self.go = gr.Button("go", elem_id="bench-go", visible="hidden")

    def connect(self, opened: Any) -> None:
        """Wire the opening of the tab (an event), its links and the choice of a plot."""
        common: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
        last = common | {"trigger_mode": "always_last"}  # what is asked while the page waits is asked after it
        shown, asked = [self.body, self.kind, self.column, self.plot], [self.query, self.kind, self.column]
        for event in (opened, self.go.click, self.kind.input, self.column.input):
            event(self.show, asked, shown, js="(query, kind, column) => [location.search, kind, column]", **last)

    async def show(self, request: gr.Request, query: str, kind: str | None, column: str | None) -> list[Any]:
        """What the address asks for, as of now."""
        language = language_of_request(request.headers, self._default)
        return await asyncio.to_thread(self._painted, Wanted.read(query), kind or "", column or "", language)

    @property
    def _default(self) -> str:
        return self._arena.settings.language

    def _painted(self, wanted: Wanted, kind: str, column: str, language: str) -> list[Any]:
        names = self._desk.tasks()
        if wanted.task not in {name.task for name in names}:
            wanted = Wanted(names[0].task)
        menu = bench_render.tasks(names, wanted, language)
        if wanted.model:
            page = self._desk.page(wanted.task, wanted.model, wanted.begin, bench_render.PAGE)
            return [menu + bench_render.samples(page, wanted, language), *_nothing()]
        board = self._arena.boards.view().board
        ratings = {row.model: row.rating for row in board.rows if row.rating is not None}
        view = self._desk.table(wanted.task, ratings)
        assert view is not None  # its name is among the tasks
        quotes = wanted.quotes(view.sources, len(view.entries))
        view = replace(view, entries=tuple(one for one in view.entries if one.source is None or one.source in quotes))
        body = menu + bench_render.table(view, quotes, wanted, language)
        return [body, *_plots(view, kind, column, language)]


def _plots(view: TaskTable, kind: str, column: str, language: str) -> list[Any]:
    """The plots that this table has something for, the columns to choose from, and the chosen one drawn."""
    length = view.length
    scores = {
        AGAINST_RATING: view.scores_of([entry for entry in view.entries if entry.rating is not None]),
        AGAINST_LENGTH: view.scores_of([entry for entry in view.entries if length and length in entry.figures]),
    }
    kinds = [CATEGORIES] * bool(view.entries and view.categories) + [key for key, found in scores.items() if found]
    if not kinds:
        return _nothing()
    chosen = kind if kind in kinds else kinds[0]
    choices = [(say(language, f"bench_plot_{key}"), key) for key in kinds]
    offered = gr.update(choices=choices, value=chosen, visible=True)
    if chosen == CATEGORIES:
        return [offered, _hidden(), gr.update(value=charts.radar(view, language), visible=True)]
    columns = scores[chosen]
    shown = column if column in columns else columns[0]
    draw = charts.score_and_rating if chosen == AGAINST_RATING else charts.score_and_length
    named = [(bench_render.named(one, language), one) for one in columns]
    return [
        offered,
        gr.update(choices=named, value=shown, visible=len(named) > 1),
        gr.update(value=draw(view, shown, language), visible=True),
    ]


def _nothing() -> list[Any]:
    """No plot, and nothing to choose."""
    return [_hidden(), _hidden(), _hidden()]


def _hidden() -> Any:
    return gr.update(visible=False)
