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
            self.plot = gr.Plot(elem_id="bench-plot", show_label=False, visible=False)
            self.query = gr.Textbox(visible="hidden", elem_id="bench-query", label="query", show_label=False)
            self.go = gr.Button("go", elem_id="bench-go", visible="hidden")

    def connect(self, opened: Any) -> None:
        """Wire the opening of the tab (an event), its links and the choice of a plot."""
        common: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
        shown, asked = [self.body, self.kind, self.plot], [self.query, self.kind]
        for event in (opened, self.go.click, self.kind.input):
            event(self.show, asked, shown, js="(query, kind) => [location.search, kind]", **common)

    async def show(self, request: gr.Request, query: str, kind: str | None) -> list[Any]:
        """What the address asks for, as of now."""
        headers = request.headers
        language = language_of_request(headers.get("cookie"), headers.get("accept-language"), self._default)
        return await asyncio.to_thread(self._painted, Wanted.read(query), kind or "", language)

    @property
    def _default(self) -> str:
        return self._arena.settings.language

    def _painted(self, wanted: Wanted, kind: str, language: str) -> list[Any]:
        names = self._desk.tasks()
        if wanted.task not in {name.task for name in names}:
            wanted = Wanted(names[0].task)
        menu = bench_render.tasks(names, wanted, language)
        if wanted.model:
            page = self._desk.page(wanted.task, wanted.model, wanted.begin, bench_render.PAGE)
            return [menu + bench_render.samples(page, wanted, language), _hidden(), _hidden()]
        board = self._arena.boards.view().board
        ratings = {row.model: row.rating for row in board.rows if row.rating is not None}
        view = self._desk.table(wanted.task, ratings)
        assert view is not None  # its name is among the tasks
        quotes = wanted.quotes(view.sources, len(view.entries))
        view = replace(view, entries=tuple(one for one in view.entries if one.source is None or one.source in quotes))
        body = menu + bench_render.table(view, quotes, wanted, language)
        return [body, *_plots(view, kind, language)]


def _plots(view: TaskTable, kind: str, language: str) -> list[Any]:
    """The plots that this table has something for, and the chosen one drawn."""
    there = {
        AGAINST_RATING: any(entry.rating is not None for entry in view.entries),
        AGAINST_LENGTH: view.length is not None,
        CATEGORIES: bool(view.categories),
    }
    keys = [key for key, has in there.items() if has] if view.main else []
    if not keys or not view.entries:
        return [_hidden(), _hidden()]
    chosen = kind if kind in keys else keys[-1]
    draw = {
        AGAINST_RATING: charts.score_and_rating, AGAINST_LENGTH: charts.score_and_length,
        CATEGORIES: charts.radar,
    }[chosen]  # fmt: skip
    choices = [(say(language, f"bench_plot_{key}"), key) for key in keys]
    return [
        gr.update(choices=choices, value=chosen, visible=True),
        gr.update(value=draw(view, language), visible=True),
    ]


def _hidden() -> Any:
    return gr.update(visible=False)
