"""The gate before Gradio: known routes only, requests of sane form and pace, the voter's cookie, the page's frame.

An ASGI middleware. Gradio answers 500 to nonsense, takes uploads where no upload exists and sets no
cookie; this lets through what the page itself sends and turns the rest into 4xx. Of the answers, it
only touches the page itself (language, title, our script's data) and every answer's headers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from html import escape

from starlette.datastructures import Headers, QueryParams
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.config import Settings
from arena.ui.forms import Forms, Malformed
from arena.ui.presence import Presence
from arena.ui.proxies import Address, Proxies
from arena.ui.rates import Act, Rates
from arena.ui.render import plain_page
from arena.ui.sign_in import account_of
from arena.ui.texts import TEXTS, number, say
from arena.ui.voters import Voters, language_of_request

log = logging.getLogger(__name__)

LEAST_BODY = 512 * 1024
"""Bytes of a Gradio event; more where the operator allows longer messages."""

LONGEST_PATH, LONGEST_QUERY = 240, 4096
"""Characters of an address; no page of ours has longer ones."""
BUSY_SECONDS = 10
"""After so long a page that was turned away tries again."""
DRAIN_BYTES, DRAIN_SECONDS = 4 * 1024 * 1024, 2.0

_READ = re.compile(
    r"/(?:$|config$|theme\.css$|favicon\.ico$|manifest\.json$|healthz$|metrics$|robots\.txt$"
    r"|arena/|assets/|static/|svelte/|gradio_api/(?:queue/data$|heartbeat/[\w-]{1,64}$|startup-events$|app_id$))"
)
_WRITTEN = re.compile(r"/(?:arena/|gradio_api/queue/join$)")
_SIGN_IN = re.compile(r"/(?:login/(?:huggingface|callback)$|logout$)")
_STREAM = re.compile(r"/(?:arena/events$|arena/battle/|gradio_api/(?:queue/data$|heartbeat/))")
_BALLOT = "/arena/vote"
_VOTE = re.compile(r"/arena/(?:vote|undo|feedback|forget)$")
_EVENT, _LINE, _HEARTBEAT = "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/heartbeat/"

POLICY = "; ".join(
    (
        "default-src 'self'",
        # Gradio's page forces both: inline boot scripts, and `new Function` for every `js=` of an event.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",  # Svelte and KaTeX set style attributes
        "img-src 'self' data: blob:",  # Plotly makes a PNG out of an SVG behind such an address of the page's own
        "font-src 'self' data:",  # KaTeX, as Gradio bundles it, carries its smallest font in its stylesheet
        "connect-src 'self'",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)


class Guard:
    """Wraps the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        voters: Voters,
        forms: Forms,
        presence: Presence,
        settings: Settings,
        in_frame: bool = False,
        sign_in: bool = False,
    ) -> None:
        self._app, self._voters, self._forms, self._sign_in = app, voters, forms, sign_in
        self._presence = presence
        self._must_sign_in = settings.sign_in == "required"
        self._language, self._root_path = settings.language, settings.root_path.rstrip("/")
        self._longest = settings.max_prompt_chars
        self._most_bytes = max(LEAST_BODY, 4 * settings.max_prompt_chars + 65_536)
        self._rates, self._proxies = Rates(settings), Proxies(settings.trusted_proxies, in_space=in_frame)
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
        scope, path = self._inner(scope)
        scope, address = self._proxies.believed(scope)
        scope["arena.address"] = str(address or "")
        headers = Headers(scope=scope)
        voter = self._voters.recognize(headers.get("cookie"))
        language = language_of_request(headers, self._language)
        plain = self._with_headers(send, ())
        if refusal := self._refused(scope, path, language) or self._too_fast(path, scope, voter, address, language):
            await _drained(receive)
            await refusal(scope, receive, plain)
        elif self._must_sign_in and path == _BALLOT and not self._voters.signed_in(headers.get("cookie")):
            await _drained(receive)
            await _no(403, say(language, "error_sign_in"), code="sign_in")(scope, receive, plain)
        elif path == _EVENT and scope["method"] == "POST":
            await self._event(scope, receive, plain, voter, address, language)
        elif path == "/" and scope["method"] == "GET":
            await self._page(scope, receive, send, voter, language)
        elif _STREAM.match(path):
            with self._rates.stream(voter, address) as free, self._listening(path, scope, free):
                await (self._app if free else _busy(language))(scope, receive, plain)
        else:
            await self._app(scope, receive, plain)

    def _inner(self, scope: Scope) -> tuple[Scope, str]:
        """The path behind the one that a proxy publishes, which some proxies take away and others leave.

        Ours may begin like it (`/arena/vote` under `/arena`): where it was taken away it is put back, or the
        application would take it away once more.
        """
        path: str = scope["path"]
        inner = path.removeprefix(self._root_path) or "/"
        if inner != path and not _READ.match(inner) and inner != _EVENT and _READ.match(path):
            return {**scope, "path": self._root_path + path}, path
        return scope, inner

    def _listening(self, path: str, scope: Scope, free: bool) -> AbstractContextManager[None]:
        """What an open line proves of its page."""
        if free and path == _LINE:
            return self._presence.line(QueryParams(scope["query_string"]).get("session_hash", ""))
        if free and path.startswith(_HEARTBEAT):
            return self._presence.line(path.removeprefix(_HEARTBEAT))
        return nullcontext()

    def _refused(self, scope: Scope, path: str, language: str) -> Response | None:
        """What nobody needs, whoever sends it."""
        method = scope["method"]
        known = _READ.match(path) or path == _EVENT or (self._sign_in and _SIGN_IN.match(path))
        strange = ".." in path or "\\" in path or "//" in path or not path.isprintable()
        if not known or strange or len(path.encode(errors="replace")) > LONGEST_PATH:
            return self._nowhere(scope, language)
        if method not in ("GET", "HEAD", "POST", "OPTIONS") or (method == "POST" and not _WRITTEN.match(path)):
            return _no(405, "this is not done here")
        if len(scope.get("query_string", b"")) > LONGEST_QUERY:
            return _no(414, "this address is too long")
        length = Headers(scope=scope).get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > self._most_bytes:
            return _no(413, say(language, "error_too_long"))
        return None

    def _nowhere(self, scope: Scope, language: str) -> Response:
        """A page for a person, a line for a program."""
        if _by_a_person(scope):
            page = plain_page(say(language, "nowhere"), "", language, home=f"{self._root_path}/")
            return HTMLResponse(page, 404)
        return _no(404, "there is nothing here")

    def _too_fast(
        self, path: str, scope: Scope, voter: str | None, address: Address | None, language: str
    ) -> Response | None:
        """Votes, new voters and pages of an arena that is full; events are weighed when they are read."""
        if path == "/" and self._rates.crowded():
            return _busy(language)
        act: Act | None = None
        if scope["method"] == "POST" and _VOTE.match(path):
            act = "vote"
        elif path == "/" and voter is None:
            act = "arrival"
        return self._paced(act, scope, voter, address, language) if act else None

    def _paced(
        self, act: Act, scope: Scope, voter: str | None, address: Address | None, language: str
    ) -> Response | None:
        wait = math.ceil(self._rates.wait(act, voter, address))
        if not wait:
            return None
        text = say(language, "error_too_fast", seconds=wait)
        if _by_a_person(scope):
            page = plain_page(say(language, "too_fast"), f"<p>{text}</p>", language, home=f"{self._root_path}/")
            return HTMLResponse(page, 429, {"Retry-After": str(wait)})
        return _no(429, text, code="too_fast", wait=wait)

    async def _event(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        voter: str | None,
        address: Address | None,
        language: str,
    ) -> None:
        """An event of the page: only in its own form, and not faster than a person."""
        body = await _read(receive, self._most_bytes)
        if body is None:
            await _drained(receive)
            await _no(413, say(language, "error_too_long"))(scope, receive, send)
            return
        try:
            event = self._forms.read(body)
        except Malformed as fault:
            await _no(400, str(fault))(scope, receive, send)
            return
        if event.asks and voter is None:
            await _no(403, say(language, "error_cookies"), code="cookies")(scope, receive, send)
            return
        if len(event.message.strip()) > self._longest or "\x00" in event.message:
            longest = number(self._longest, language)
            refused = (
                _no(400, say(language, "error_prompt_refused"))
                if "\x00" in event.message
                else _no(413, say(language, "error_prompt_too_long", limit=longest))
            )
            await refused(scope, receive, send)
            return
        if refusal := self._paced("ask" if event.asks else "event", scope, voter, address, language):
            await refusal(scope, receive, send)
            return
        scope = {**scope, "headers": _as_json(scope, len(event.body))}
        try:
            await self._app(scope, _replay(event.body, receive), send)
        except Exception:
            log.exception("Gradio could not take an event")
            await _no(400, "this request is not one that the page sends")(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send, voter: str | None, language: str) -> None:
        """The page itself: give a new browser its voter, and the page its language and data."""
        code = self._given(scope, voter)
        https = scope["scheme"] == "https"
        extra = (("set-cookie", self._voters.set_cookie(code, https=https)),) if code else ()
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

    def _given(self, scope: Scope, voter: str | None) -> str | None:
        """The code that a page's browser is given: a newcomer's, its account's, or a new one when it signed out."""
        cookie = Headers(scope=scope).get("cookie")
        account = account_of(scope) if self._sign_in else None
        if account is not None:
            code = self._voters.of_account(account)
            return None if self._voters.code(cookie) == code else code
        return None if voter and not self._voters.signed_in(cookie) else self._voters.new()

    def _with_headers(self, send: Send, extra: Iterable[tuple[str, str]]) -> Send:
        added = [(name.encode(), value.encode()) for name, value in (*self._headers, *extra)]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        return sending


def _no(status: int, text: str, *, code: str = "error", wait: int = 0) -> Response:
    """A refusal in the words that Gradio's page and our script show."""
    headers = {"Retry-After": str(wait)} if wait else {}
    return JSONResponse({"error": code, "detail": text}, status, headers)


def _by_a_person(scope: Scope) -> bool:
    """Whether the answer is shown as it is: a browser opens an address or sends a form, and no script asks."""
    return "text/html" in Headers(scope=scope).get("accept", "")


def _busy(language: str) -> Response:
    """The page of an arena that is full; it loads itself again."""
    title, text = say(language, "busy_title"), say(language, "busy", seconds=BUSY_SECONDS)
    refresh = f'<meta http-equiv="refresh" content="{BUSY_SECONDS}">'
    page = plain_page(title, f"<p>{text}</p>", language, head=refresh, home="")
    return HTMLResponse(page, 503, {"Retry-After": str(BUSY_SECONDS)})


def _as_json(scope: Scope, length: int) -> list[tuple[bytes, bytes]]:
    """The request's headers, true again of the body that was written anew."""
    told = (b"content-length", b"content-type", b"content-encoding", b"transfer-encoding")
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in told]
    return [*kept, (b"content-type", b"application/json"), (b"content-length", str(length).encode())]


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


async def _drained(receive: Receive) -> None:
    """Hear out what is refused, within reason: a client that is cut off while it sends never reads the answer."""
    heard = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while heard < DRAIN_BYTES:
                message = await receive()
                heard += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return


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


_GRADIO_META = re.compile(r'<meta (?:property="og:|name="twitter:)[^>]*/>\s*')


def _dressed(page: str, language: str) -> str:
    """Gradio's page in the voter's language, without its own advertisement."""
    texts = {
        key: pair[language == "en"]
        for key, pair in TEXTS.items()
        if key.startswith(("error_", "undo", "feedback", "link_", "copy_", "close"))
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
