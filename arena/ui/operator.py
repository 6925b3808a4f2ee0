"""The operator's door: who shows the token comes in, whoever guesses is made to wait.

It knows requests and one token; what lies behind the door is others' business.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable

from starlette.requests import Request

WRONG_TOKENS = 10
"""So many wrong tokens may come from one address in a minute; then even the right one waits."""
_MINUTE = 60.0
_ADDRESSES = 10_000


class Doorkeeper:
    """Checks bearer tokens against one; without one of its own the door stays shut."""

    def __init__(self, token: str | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._digest = None if token is None else _digest(token)
        self._clock = clock
        self._wrong: dict[str, deque[float]] = {}

    @property
    def has_key(self) -> bool:
        """Whether the door can be opened at all."""
        return self._digest is not None

    def refusal(self, request: Request) -> int | None:
        """None when the request may pass, else the status to refuse it with: 403, or 429 after too many tries."""
        told = request.scope.get("arena.address")  # behind a trusted proxy, who stands before it
        address = str(told) if told is not None else request.client.host if request.client else ""
        if self._must_wait(address):
            return 429
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(_digest(shown.strip()), self._digest or b"")
        if scheme.lower() == "bearer" and right:
            return None
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


def _digest(token: str) -> bytes:
    """Of one length for every token, so that the comparison tells nothing about it."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
