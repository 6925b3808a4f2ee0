"""A battle's answers while they are being written: one server-sent-events stream for each page that looks on.

Beside Gradio, whose queue builds every component of an event anew for each frame: 9 ms of processor time a
frame, so that 25 battles were 10 s behind. Here a frame costs what is new in it. It knows what a page has already been
told of a view; how a view looks, the battle's tab says.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from arena.errors import ArenaError
from arena.service import Arena, BattleView
from arena.types import SIDES, Mode
from arena.ui import render
from arena.ui.markdown import GrowingMarkdown
from arena.ui.voters import Voters, language_of_request

RETRY_MILLISECONDS = 1000
"""How long a page waits before it looks again when the line broke; the battle waits ten times as long for it."""


Page = Callable[[BattleView, str], Any]
"""All that stands still while answers come, for a view and a language, as the page's script hands it to Gradio."""


class Frames:
    """The route over one arena; `pages` draw a battle's tab."""

    def __init__(self, arena: Arena, voters: Voters, pages: Mapping[Mode, Page]) -> None:
        self._arena, self._voters, self._pages = arena, voters, pages

    def all(self) -> list[Route]:
        """What to hand to the server."""
        return [Route("/arena/battle/{battle}", self._battle, methods=["GET"])]

    async def _battle(self, request: Request) -> Response:
        """The battle's frames for its owner, for as long as its answers are being written."""
        cookie, battle = request.headers.get("cookie"), request.path_params["battle"]
        language = language_of_request(request.headers, self._arena.settings.language)
        voter = self._voters.recognize(cookie)
        try:
            if voter is None:
                raise ArenaError("no voter")
            page = self._pages[self._arena.view(voter, battle).mode]
        except ArenaError:
            return JSONResponse({"error": "unknown_battle"}, 404)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        lines = self._lines(voter, battle, Painter(language, page))
        return StreamingResponse(lines, media_type="text/event-stream", headers=headers)

    async def _lines(self, voter: str, battle: str, painter: Painter) -> AsyncIterator[str]:
        yield f"retry: {RETRY_MILLISECONDS}\n\n"
        async with aclosing(self._arena.watch(voter, battle)) as views:
            async for view in views:
                if frame := painter.frame(view):
                    yield f"data: {json.dumps(frame, ensure_ascii=False, separators=(',', ':'))}\n\n"
        yield "event: over\ndata: {}\n\n"


class Painter:
    """What one page has yet to be told of a view.

    A frame holds, by side: `head`, the title as HTML; `more`, Markdown that goes on from what is shown; `all`, Markdown
    in its place; and `page`, everything else, when the battle has come to another pass. What did not change is not
    there.
    """

    def __init__(self, language: str, page: Page) -> None:
        self._language, self._page = language, page
        self._pass: object = None
        self._growing = {side: GrowingMarkdown() for side in SIDES}
        self._shown: dict[tuple[str, str], str] = {}

    def frame(self, view: BattleView) -> dict[str, Any]:
        """The next frame; empty when there is nothing new."""
        frame: dict[str, Any] = {}
        come_to = view.status, view.reveal, len(view.turns)
        if come_to != self._pass:
            self._pass, frame["page"] = come_to, self._page(view, self._language)
        for side in SIDES:
            head = render.side_head(view, side, self._language)
            text = render.answer(view, side, self._language, self._growing[side].shown)
            if head != self._remember(side, "head", head):
                frame.setdefault("head", {})[side] = head
            before = self._remember(side, "text", text)
            if text != before:
                more = bool(before) and text.startswith(before)
                frame.setdefault("more" if more else "all", {})[side] = text[len(before) :] if more else text
        return frame

    def _remember(self, side: str, part: str, value: str) -> str:
        """What was shown before."""
        before, self._shown[side, part] = self._shown.get((side, part), ""), value
        return before
