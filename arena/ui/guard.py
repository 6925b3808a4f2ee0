"""The gate before Gradio: known routes only, requests of sane form, the voter's cookie, the page's frame.

An ASGI middleware. Gradio answers 500 to nonsense, takes uploads where no upload exists and sets no
cookie; this lets through what the page itself sends and turns the rest into 4xx. Of the answers, it
only touches the page itself (language, title, our script's data) and every answer's headers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.ui.texts import TEXTS, say
from arena.ui.voters import Voters, language_of_request

MAX_BODY = 512 * 1024
"""Bytes of a Gradio event: the longest allowed prompt fits many times over."""

_OPEN = re.compile(
    r"/(?:$|config$|theme\.css$|favicon\.ico$|manifest\.json$|healthz$|metrics$|robots\.txt$"
    r"|arena/|assets/|static/|svelte/|login/|logout$|oauth/"
    r"|gradio_api/(?:queue/(?:join|data)$|heartbeat/|startup-events$|info$|reset$|cancel$|app_id$|component_server$)"
    r"|gradio_api/(?:run|call)/)"
)
_EVENTS = re.compile(r"/gradio_api/(?:queue/join|run/|call/|reset|cancel|component_server)")

POLICY = "; ".join(
    (
        "default-src 'self'",
        # Gradio's page forces both: inline boot scripts, and `new Function` for every `js=` of an event.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",  # Svelte and KaTeX set style attributes
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)


class Guard:
    """Wraps the whole application."""

    def __init__(
        self, app: ASGIApp, *, voters: Voters, language: str = "auto", in_frame: bool = False, root_path: str = ""
    ) -> None:
        self._app, self._voters, self._language = app, voters, language
        self._root_path = root_path.rstrip("/")
        framed = (
            "frame-ancestors 'self' https://huggingface.co https://*.hf.space" if in_frame else "frame-ancestors 'self'"
        )
        self._headers = (
            ("content-security-policy", f"{POLICY}; {framed}"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(self._root_path) or "/"
        if refusal := _refused(scope, path):
            await refusal(scope, receive, self._with_headers(send, ()))
            return
        if scope["method"] == "POST" and _EVENTS.match(path):
            body = await _read(receive, MAX_BODY)
            if body is None or not _sane(body):
                await _no(400, "this request is not one that the page sends")(
                    scope, receive, self._with_headers(send, ())
                )
                return
            receive = _replay(body, receive)
        if path == "/" and scope["method"] == "GET":
            await self._page(scope, receive, send)
            return
        await self._app(scope, receive, self._with_headers(send, ()))

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page itself: give a new browser its voter, and the page its language and data."""
        headers = Headers(scope=scope)
        cookie = headers.get("cookie")
        language = language_of_request(cookie, headers.get("accept-language"), self._language)
        known = self._voters.recognize(cookie)
        extra = () if known else (("set-cookie", self._voters.set_cookie(self._voters.new())),)
        start: Message = {}
        body = b""
        send = self._with_headers(send, (*extra, ("cache-control", "no-store")))

        async def hold(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                page = _dressed(body.decode(errors="replace"), language).encode()
                kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                await send({**start, "headers": [*kept, (b"content-length", str(len(page)).encode())]})
                await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, hold)

    def _with_headers(self, send: Send, extra: Iterable[tuple[str, str]]) -> Send:
        added = [(name.encode(), value.encode()) for name, value in (*self._headers, *extra)]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        return sending


def _refused(scope: Scope, path: str) -> Response | None:
    if not _OPEN.match(path) or ".." in path:
        return _no(404, "there is nothing here")
    if scope["method"] not in ("GET", "HEAD", "POST", "OPTIONS"):
        return _no(405, "this is not done here")
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        return _no(413, f"a request has at most {MAX_BODY} bytes")
    return None


def _no(status: int, text: str) -> Response:
    return PlainTextResponse(text, status)


async def _read(receive: Receive, limit: int) -> bytes | None:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body"):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body that was read ahead, then whatever comes."""
    handed = False

    async def again() -> Message:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _sane(body: bytes) -> bool:
    """A JSON object in UTF-8 without lone surrogates; Gradio answers 500 to anything else."""
    try:
        data = json.loads(body)
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict)


_GRADIO_META = re.compile(r'\s*<meta (?:property="og:|name="twitter:)[^>]*/>')


def _dressed(page: str, language: str) -> str:
    """Gradio's page in the voter's language, without its own advertisement."""
    texts = {
        key: pair[language == "en"] for key, pair in TEXTS.items() if key.startswith(("error_", "undo", "feedback"))
    }
    data = json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c")
    head = (
        f'<meta name="description" content="{escape(say(language, "tagline"))}" />'
        f'<script type="application/json" id="arena-texts">{data}</script>'
        f"<script>for (const key of ['language', 'languages']) Object.defineProperty(navigator, key, "
        f"{{get: () => key === 'language' ? '{language}' : ['{language}']}});</script>"
    )
    page = _GRADIO_META.sub("", page.replace('lang="en"', f'lang="{language}"', 1))
    return page.replace("<head>", "<head>" + head, 1)
