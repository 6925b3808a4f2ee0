"""The leaderboard's downloads: the table, the plot and the comparison that the page's address names.

A handler only translates: the address to a choice, the boards that answer it to a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import plotly.graph_objects as go
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arena.ui import board_files, charts
from arena.ui.board_files import File, Rows
from arena.ui.board_views import METHODS, PLOTS, BoardViews, Choice, Seen
from arena.ui.texts import say
from arena.ui.voters import language_of_request

Make = Callable[[Choice, str, str], File | None]
"""From a choice, a form and a language to a file; None where there is no such thing."""


class BoardRoutes:
    """Handlers over one arena's boards."""

    def __init__(self, views: BoardViews, default_language: str) -> None:
        self._views, self._default = views, default_language

    def all(self) -> list[Route]:
        """What to hand to the server."""
        return [
            Route(f"/arena/{name}.{{format}}", self._handler(name, make), methods=["GET"])
            for name, make in (("board", self._board), ("plot", self._plot), ("compare", self._compare))
        ]

    def _handler(self, name: str, make: Make) -> Callable[[Request], object]:
        async def handle(request: Request) -> Response:
            choice, form = Choice.of(request.query_params), request.path_params["format"]
            language = language_of_request(request.headers, self._default)
            known = self._known(choice) and choice.track == request.query_params.get("track", choice.track)
            file = await asyncio.to_thread(make, choice, form, language) if known else None
            if file is None:
                return JSONResponse({"error": "error", "detail": "no such board"}, 404)
            kept = f"arena-{choice.plot if name == 'plot' else name}.{form}"
            return Response(
                file[0], media_type=file[1], headers={"Content-Disposition": f'attachment; filename="{kept}"'}
            )

        return handle

    def _known(self, choice: Choice) -> bool:
        return choice.slice in self._views.slices() and choice.method in METHODS and choice.plot in PLOTS

    def _board(self, choice: Choice, form: str, language: str) -> File | None:
        seen = self._views.seen(choice)
        if seen.view is None:
            return None
        board = seen.view.board
        if form == "csv":
            return board_files.as_csv(board_files.board_rows(board))
        if form == "json":
            return board_files.as_json(board.to_json())
        plots = [charts.forest(board, language), charts.wins(board, language), charts.counts(board, language)]
        return board_files.as_html(plots, "Arena") if form == "html" else None

    def _plot(self, choice: Choice, form: str, language: str) -> File | None:
        seen = self._views.seen(choice)
        if seen.view is None or form not in ("csv", "json", "html"):
            return None
        if form == "html":
            return board_files.as_html([drawn(self._views, seen, language)], "Arena")
        rows = self._plotted(seen)
        return board_files.as_csv(rows) if form == "csv" else board_files.as_json(rows)

    def _plotted(self, seen: Seen) -> Rows:
        """What the plot is drawn from."""
        assert seen.view is not None
        board, plot = seen.view.board, seen.choice.plot
        if plot == "tracks":
            return board_files.interval_rows(self._views.side_by_side())
        if plot == "history":
            return board_files.history_rows(self._views.history(seen.view.track))
        if plot == "style":
            return board_files.style_rows(self._views.style_board(seen.choice.slice))
        if plot in ("wins", "counts"):
            return board_files.matrix_rows(board, plot)
        return board_files.interval_rows([(seen.choice.track, seen.view)])

    def _compare(self, choice: Choice, form: str, language: str) -> File | None:
        pair = self._views.pair(self._views.seen(choice).choice)
        if pair is None or form not in ("csv", "json"):
            return None
        rows = board_files.pair_rows(pair)
        if form == "csv":
            return board_files.as_csv(rows)
        names = ("a", "b", "better", "difference", "low", "high", "votes_needed")
        return board_files.as_json({name: getattr(pair, name) for name in names} | {"battles": rows})


def drawn(views: BoardViews, seen: Seen, language: str) -> go.Figure:
    """The one plot that is looked at; the others are drawn when they are."""
    assert seen.view is not None
    board, choice = seen.view.board, seen.choice
    match choice.plot:
        case "history":
            return charts.history(views.history(seen.view.track), board, language, (choice.a, choice.b))
        case "tracks":
            return charts.tracks([(name, view.board) for name, view in views.side_by_side()], language)
        case "style":
            found = views.style_board(choice.slice)
            if found is None or found.style is None:
                return charts.nothing(say(language, views.style_lack(choice.slice)), language)
            return charts.style(found.style, board.scale, language)
        case "wins":
            return charts.wins(board, language)
        case "counts":
            return charts.counts(board, language)
        case _:
            return charts.forest(board, language)
