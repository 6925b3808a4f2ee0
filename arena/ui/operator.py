"""The operator's door, and what all pages behind it do alike: refuse in words, ask for a name, answer.

Who shows the token comes in, whoever guesses is made to wait. It knows requests and one token; what lies behind the
door is others' business.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from arena.ui.rates import Disguise
from arena.ui.texts import say
from arena.ui.voters import language_of_request

WRONG_TOKENS = 10
"""So many wrong tokens may come from one address in a minute; then it is told to wait. The right one never is: where no
address is known, all who guess are one, and would shut the operator out."""
_MINUTE = 60.0
_ADDRESSES = 10_000


class Doorkeeper:
    """Checks bearer tokens against one; without one of its own the door stays shut."""

    def __init__(self, token: str | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._digest = None if token is None else _digest(token)
        self._clock = clock
        self._disguise = Disguise(clock)
        self._wrong: dict[str, deque[float]] = {}

    @property
    def has_key(self) -> bool:
        """Whether the door can be opened at all."""
        return self._digest is not None

    def refusal(self, request: Request) -> int | None:
        """None when the request may pass, else the status to refuse it with: 403, or 429 after too many tries."""
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(_digest(shown.strip()), self._digest or b"")
        if scheme.lower() == "bearer" and right:
            return None
        told = request.scope.get("arena.address")  # behind a trusted proxy, who stands before it
        sender = str(told) if told is not None else request.client.host if request.client else ""
        address = self._disguise(sender)
        if self._must_wait(address):
            return 429
        self._note(address)
        return 403

    def _must_wait(self, address: str) -> bool:
        tries = self._wrong.get(address)
        while tries and tries[0] <= self._clock() - _MINUTE:
            tries.popleft()
        return tries is not None and len(tries) >= WRONG_TOKENS

    def _note(self, address: str) -> None:
        if len(self._wrong) >= _ADDRESSES:
            self._wrong.pop(next(iter(self._wrong)))
        self._wrong.setdefault(address, deque()).append(self._clock())


class BehindTheDoor:
    """The manners of a page that only the operator sees; `language` is the arena's own, "auto" for the browser's."""

    def __init__(self, door: Doorkeeper, language: str) -> None:
        self._door, self._own_language = door, language

    def refused(self, request: Request) -> Response | None:
        """None for the operator, else the refusal in the reader's language."""
        status = self._door.refusal(request)
        if status is None:
            return None
        key = "operator_wrong" if status == 403 else "operator_wait"
        return JSONResponse({"error": say(self.language(request), key)}, status)

    def language(self, request: Request) -> str:
        """What the reader reads."""
        return language_of_request(request.headers, self._own_language)

    def answer(self, html: str, said: str = "") -> Response:
        """The page as it is now, and a word about what was done."""
        return JSONResponse({"html": html, "said": said}, headers={"Cache-Control": "no-store"})


async def named(request: Request, what: str) -> str | None:
    """The name that the body gives under `what`, None when it gives none."""
    try:
        body: Any = await request.json()
    except (ValueError, RecursionError):
        return None
    name = body.get(what) if isinstance(body, dict) else None
    return name if isinstance(name, str) and name else None


def door(language: str, page: str, place: str) -> str:
    """What everybody may see of a page: a field for the token, and an empty place."""
    return (
        f'<form id="{page}-door"><h2>{say(language, _TITLES[page])}</h2><p>{say(language, f"{page}_closed")}</p>'
        '<input type="text" name="username" value="operator" autocomplete="username" hidden>'
        f"<label>{say(language, 'operator_token')}"
        '<input type="password" name="token" autocomplete="current-password" required></label>'
        f'<button type="submit">{say(language, "operator_open")}</button><p role="alert"></p></form>'
        f'<div id="{place}" hidden></div>'
    )


_TITLES = {"operator": "tab_models", "integrity": "tab_integrity"}


def _digest(token: str) -> bytes:
    """Of one length for every token, so that the comparison tells nothing about it."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
