"""Plain HTTP beside Gradio: votes, undo, feedback, news of the board, export, a person's own data.

Votes are POST routes because a Gradio event is no integrity boundary: here each has a status code,
can be repeated without harm, and is answered only after the commit. A handler only translates.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from random import random
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from arena.errors import AlreadyVoted, ArenaError, BattleError, StoreError, StoreUnavailable, UnknownBattle
from arena.service import Arena
from arena.service.views import Preparation
from arena.types import Verdict
from arena.ui import render
from arena.ui.exports import Exports
from arena.ui.texts import say
from arena.ui.voters import Voters, language_of_request

MAX_BODY = 16_384
"""Bytes of a request to one of these routes."""
COMMENT_LIMIT = 2_000
"""Characters."""
REASONS = ("useful", "complete", "correct", "formatted", "language", "wrong", "shallow", "ignored", "wrong_language")

_STATUS = ((UnknownBattle, 404), (AlreadyVoted, 409), (StoreUnavailable, 503), (BattleError, 409))

Body = dict[str, Any]
Act = Callable[[str, Body], Awaitable[None]]


SPREAD, CROWD = 0.4, 500
"""Seconds over which the news reach a crowd of so many pages; few pages hear at once."""


class BadRequest(Exception):
    """The request is not of the form this route takes."""

    status, code = 400, "error"


class TooLarge(BadRequest):
    """The request is longer than anything the page sends."""

    status, code = 413, "too_long"


class Nobody(BadRequest):
    """The request has no cookie that we signed."""

    code = "cookies"


class Routes:
    """Handlers over one arena."""

    def __init__(self, arena: Arena, voters: Voters) -> None:
        self._arena, self._voters = arena, voters
        self._listeners = 0
        self._exports = Exports(arena.export)

    def all(self) -> list[Route]:
        """What to hand to the server."""
        return [
            Route("/arena/vote", self._posted(self._vote), methods=["POST"]),
            Route("/arena/undo", self._posted(self._undo), methods=["POST"]),
            Route("/arena/feedback", self._posted(self._feedback), methods=["POST"]),
            Route("/arena/events", self._events, methods=["GET"]),
            Route("/arena/my-data", self._my_data, methods=["GET"]),
            Route("/arena/forget", self._forget, methods=["POST"]),
            Route("/arena/export.{format}", self._export, methods=["GET"]),
        ]

    def _posted(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            voter = self._voters.recognize(request.headers.get("cookie"))
            try:
                if voter is None:
                    raise Nobody("no voter: load the page first, with cookies allowed")
                await act(voter, await _json_body(request))
            except BadRequest as fault:
                return JSONResponse({"error": fault.code, "detail": str(fault)}, fault.status)
            except ArenaError as fault:
                status = next((code for kind, code in _STATUS if isinstance(fault, kind)), 500)
                return JSONResponse({"error": fault.code}, status)
            return JSONResponse({"ok": True})

        return handle

    async def _vote(self, voter: str, body: Body) -> None:
        try:
            verdict = Verdict(_text(body, "verdict"))
        except ValueError:
            raise BadRequest(f"verdict must be one of {', '.join(Verdict)}") from None
        judged = _text(body, "judged", empty=True) if "judged" in body else None
        await self._arena.vote(voter, _text(body, "battle"), verdict, judged=judged)

    async def _undo(self, voter: str, body: Body) -> None:
        await self._arena.undo(voter, _text(body, "battle"))

    async def _feedback(self, voter: str, body: Body) -> None:
        reasons = body.get("reasons") or []
        if not isinstance(reasons, list) or any(reason not in REASONS for reason in reasons):
            raise BadRequest(f"reasons must be among {', '.join(REASONS)}")
        comment = _text(body, "comment", empty=True)
        if len(comment) > COMMENT_LIMIT:
            raise TooLarge(f"a comment has at most {COMMENT_LIMIT} characters")
        await self._arena.feedback(voter, _text(body, "battle"), reasons, comment)

    async def _events(self, request: Request) -> Response:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._news(), media_type="text/event-stream", headers=headers)

    async def _news(self) -> AsyncIterator[str]:
        """What a page should know, whenever it changes; a comment now and then tells that the line is open."""
        self._listeners += 1
        try:
            async for line in self._lines():
                yield line
        finally:
            self._listeners -= 1

    async def _lines(self) -> AsyncIterator[str]:
        told, place = "", random() * SPREAD  # each page has its own moment: a vote between a thousand would wait
        async for now in self._arena.news(lambda: asyncio.sleep(place * min(1.0, self._listeners / CROWD))):
            if now is None:
                yield ": still here\n\n"
                continue
            line = news_line(*now)
            if line != told:
                told = line
                yield line

    async def _my_data(self, request: Request) -> Response:
        """What is stored of the person who asks, and the code by which they can have it forgotten."""
        voter, language = self._asked_by(request)
        code = self._voters.forget_code(voter) if voter else None
        return HTMLResponse(render.my_data(code, language), headers={"Cache-Control": "no-store"})

    async def _forget(self, request: Request) -> Response:
        """Erase what the person who asks wrote: their page's own form says so, by their code and by nobody else's."""
        voter, language = self._asked_by(request)
        try:
            asked = parse_qs((await _short_body(request)).decode("ascii", "replace")).get("code", [""])[0]
        except TooLarge as fault:
            return JSONResponse({"error": fault.code, "detail": str(fault)}, fault.status)
        if voter is None or asked != self._voters.forget_code(voter):
            return HTMLResponse(render.my_data(None, language), 404)
        try:
            gone = await self._arena.forgetting.of(voter)
        except StoreError:
            return HTMLResponse(render.my_data(asked, language, note="my_data_again"), 503)
        page = HTMLResponse(render.forgotten(gone.battles, language))
        for cookie in self._voters.end_cookies():
            page.headers.append("set-cookie", cookie)
        return page

    def _asked_by(self, request: Request) -> tuple[str | None, str]:
        """Who asks for a page of its own, and in what language."""
        cookie = request.headers.get("cookie")
        language = language_of_request(request.headers, self._arena.settings.language)
        return self._voters.recognize(cookie), language

    async def _export(self, request: Request) -> Response:
        form = request.path_params["format"]
        if form not in ("csv", "jsonl", "parquet"):
            return JSONResponse({"error": "error", "detail": "formats: csv, jsonl, parquet"}, 404)
        path = await self._exports.file(form)
        return FileResponse(path, filename=f"arena-votes.{form}")


@lru_cache(maxsize=4)
def news_line(preparation: Preparation, version: int) -> str:
    """What every page is told of these, written once for all of them."""
    news = {
        "version": version,
        "done": preparation.done,
        "preparing": preparing(preparation),
        "alone": preparation.total < 2,
    }
    return f"data: {json.dumps(news, ensure_ascii=False)}\n\n"


def preparing(preparation: Preparation) -> dict[str, str] | None:
    """The line about models that are not ready, in both languages; None when all are."""
    if preparation.ready >= preparation.total:
        return None
    lines = {}
    for language in ("ru", "en"):
        left = preparation.seconds
        eta = "" if left is None else say(language, "preparing_eta", seconds=max(1, round(left)))
        lines[language] = say(language, "preparing", ready=preparation.ready, total=preparation.total, eta=eta)
    return lines


async def _short_body(request: Request) -> bytes:
    raw = b""
    async for piece in request.stream():
        raw += piece
        if len(raw) > MAX_BODY:
            raise TooLarge(f"a request has at most {MAX_BODY} bytes")
    return raw


async def _json_body(request: Request) -> Body:
    raw = await _short_body(request)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRequest("the body must be JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def _text(body: Body, key: str, *, empty: bool = False) -> str:
    value = body.get(key, "" if empty else None)
    if not isinstance(value, str) or any(0xD800 <= ord(char) <= 0xDFFF or char == "\x00" for char in value):
        raise BadRequest(f"{key} must be text")
    if not value and not empty:
        raise BadRequest(f"{key} is missing")
    return value
