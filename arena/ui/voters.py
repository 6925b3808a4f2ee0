"""Who is voting: a random code in a signed cookie, and nothing else about the person.

The cookie is `code.signature`, HttpOnly; `Lax` on an own server, `Secure` too behind HTTPS, `None; Secure;
Partitioned` inside a Space's frame. The raw header is written here because Starlette refuses `partitioned` on Python
before 3.14. It knows keys and cookies, not battles.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from itertools import product

from arena.service.forgetting import forget_code, keyed_digest

_OLD_COOKIE = "arena_voter"
"""What the cookie was called until 0.2.0, the same for every arena of a host: who has one still is who they were."""

_YEAR = 365 * 24 * 3600

_ACCOUNT = "hf~"
"""How the code of a voter who signed in begins; no random code has such a character."""


class Voters:
    """Issues and recognizes voters' codes."""

    def __init__(self, key: bytes, *, in_frame: bool = False, path: str = "") -> None:
        """`path` is where a proxy publishes the arena: another arena of the same host has voters of its own."""
        self._key = key
        self.cookie = "arena_voter_" + self._digest("name", "")[:8]
        """The cookie's name: arenas on two ports of one host, which browsers take for one, have one each."""
        self._in_frame, self._path = in_frame, path.rstrip("/") or "/"

    def new(self) -> str:
        """A code for a browser that has none."""
        return secrets.token_urlsafe(12)

    def of_account(self, account: str) -> str:
        """The code of everybody who signs in with this account: the same in every browser, and no way back to it."""
        return _ACCOUNT + self._digest("account", account)[:24]

    def code(self, cookie_header: str | None) -> str | None:
        """The code of a cookie that we signed: for this class and the guard only."""
        cookies = _cookies(cookie_header)
        return self._genuine(cookies.get(self.cookie)) or self._genuine(cookies.get(_OLD_COOKIE))

    def signed_in(self, cookie_header: str | None) -> bool:
        """Whether this voter is an account's."""
        return (self.code(cookie_header) or "").startswith(_ACCOUNT)

    def recognize(self, cookie_header: str | None) -> str | None:
        """The voter's pseudonym from a request's Cookie header; None without a cookie that we signed.

        The pseudonym is what is stored and exported; the cookie's code cannot be had back from it.
        """
        code = self.code(cookie_header)
        return self._digest("voter", code)[:16] if code else None

    def set_cookie(self, code: str, *, https: bool = False) -> str:
        """The Set-Cookie header that makes a browser this voter; one of a page by HTTPS goes by nothing else."""
        place = self._place() + ("; Secure" if https and not self._in_frame else "")
        return f"{self.cookie}={code}.{self._signature(code)}; Path={self._path}; Max-Age={_YEAR}; {place}"

    def end_cookies(self) -> tuple[str, ...]:
        """The Set-Cookie headers that make a browser nobody, at the paths where it may ever have been given a code."""
        places = product((self.cookie, _OLD_COOKIE), dict.fromkeys((self._path, "/")))
        return tuple(f"{name}=; Path={path}; Max-Age=0; {self._place()}" for name, path in places)

    def _place(self) -> str:
        return "HttpOnly; " + ("SameSite=None; Secure; Partitioned" if self._in_frame else "SameSite=Lax")

    def forget_code(self, voter: str) -> str:
        """What a voter quotes to be forgotten; neither the cookie nor the exported pseudonym can be had from it."""
        return forget_code(self._key, voter)

    def _genuine(self, value: str | None) -> str | None:
        code, _, signature = (value or "").partition(".")
        signed = hmac.compare_digest(signature.encode(), self._signature(code).encode())
        return code if code and signed else None

    def _signature(self, code: str) -> str:
        return self._digest("cookie", code)[:32]

    def _digest(self, use: str, code: str) -> str:
        return keyed_digest(self._key, use, code)


def language_of_request(headers: Mapping[str, str], default: str = "auto") -> str:
    """`ru` or `en`: what the voter switched to, else the operator's choice, else the browser's first."""
    chosen = _cookies(headers.get("cookie")).get("arena_language")
    if chosen in ("ru", "en"):
        return chosen
    if default in ("ru", "en"):
        return default
    for part in headers.get("accept-language", "").split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in ("ru", "be", "uk", "kk"):
            return "ru"
        if tag:
            return "en"
    return "ru"


def _cookies(header: str | None) -> dict[str, str]:
    """Names and values as browsers send them; one that is malformed hides no other, and of two the first counts."""
    found: dict[str, str] = {}
    for part in (header or "").split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name, value)
    return found
