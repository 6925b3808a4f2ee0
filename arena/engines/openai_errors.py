"""Turns what the OpenAI client and its transport raise into the arena's own errors.

Pure: an exception goes in, a `Failure` comes out. Some endpoints repeat the request in their refusal: no
message carries the key or what people asked, since messages are logged and kept, and none is long.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import openai

from arena.errors import AccessDenied, ContextOverflow, EndpointError, EngineError, EngineTimeout, RateLimited

_OVERFLOW = re.compile(
    r"context[ _-]?(length|window|size)|maximum (model|prompt|input) length|too many (input )?tokens|"
    r"(prompt|input|request|conversation)( \S+){0,4} (too long|too large|longer than|exceeds)",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(?:maximum context length|context (?:length|window|size)|max_model_len)\D{0,20}?(\d{3,})", re.IGNORECASE
)
_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_LONGEST_QUOTE = 300
"""Characters of an endpoint's words that go into a log line."""
_ECHO = 12
"""So many characters in a row that an endpoint and the conversation share are the conversation's."""
_SHORTEST = 3
"""Whole messages are recognised from so many characters on."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in the arena's words, whether trying again may help, and how long the endpoint asked to wait."""

    error: EngineError
    transient: bool = False
    retry_after: float | None = None


def translate(
    error: Exception, *, place: str, secrets: tuple[str, ...] = (), conversation: tuple[str, ...] = ()
) -> Failure:
    """What went wrong at `place` (the contestant's model and address); `conversation` is what was sent."""
    if isinstance(error, EngineError):
        return Failure(error, transient=isinstance(error, EndpointError) and error.status is None)
    if isinstance(error, TimeoutError):
        return Failure(EngineTimeout(f"{place}: no token within the allowed time"))
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__ or error
        return Failure(EndpointError(f"{place}: connection failed ({type(cause).__name__})"), transient=True)
    if isinstance(error, openai.APIError):
        return _answered(error, place, secrets, conversation)
    return Failure(EndpointError(f"{place}: the answer is not the expected event stream ({type(error).__name__})"))


def _answered(error: openai.APIError, place: str, secrets: tuple[str, ...], conversation: tuple[str, ...]) -> Failure:
    """The endpoint said itself what is wrong: as a status, or as an error event inside the stream."""
    status = _status(error)
    words = _words(error)
    said = _quote(words, secrets, conversation)
    if _is_overflow(error, status, words):
        limit = _LIMIT.search(words)
        overflow = ContextOverflow(f"{place}: {said}", limit=int(limit[1]) if limit else None)
        return Failure(overflow)
    if status in (401, 403):
        return Failure(AccessDenied(f"{place}: access denied ({status}): {said}", status=status))
    if status == 429:
        transient = error.code != "insufficient_quota"
        return Failure(RateLimited(f"{place}: too many requests: {said}", status=429), transient, _retry_after(error))
    if status is not None and 300 <= status < 400:
        message = f"{place}: redirected ({status}); redirects are not followed, put the final address into base_url"
        return Failure(EndpointError(message, status=status))
    transient = status is None or status in _TRANSIENT
    message = f"{place}: error {status or 'in the stream'}: {said}"
    return Failure(EndpointError(message, status=status), transient, _retry_after(error))


def _status(error: openai.APIError) -> int | None:
    if isinstance(error, openai.APIStatusError):
        return error.status_code
    return int(error.code) if error.code and re.fullmatch(r"[1-5]\d\d", error.code) else None


def _is_overflow(error: openai.APIError, status: int | None, said: str) -> bool:
    if error.code == "context_length_exceeded" or error.type == "exceed_context_size_error":
        return True
    return status in (None, 400, 413, 422) and _OVERFLOW.search(said) is not None


def _words(error: openai.APIError) -> str:
    """The endpoint's own words in one line."""
    said = error.body.get("message") if isinstance(error.body, Mapping) else None
    return " ".join(str(said or error.message).split())


def _quote(words: str, secrets: Iterable[str], conversation: Iterable[str]) -> str:
    """The endpoint's words without secrets and without what they repeat of the conversation, and short."""
    line = without(words, conversation)
    for secret in secrets:
        line = line.replace(secret, "***")
    return line if len(line) <= _LONGEST_QUOTE else line[:_LONGEST_QUOTE] + "…"


def without(line: str, texts: Iterable[str]) -> str:
    """The line with "…" for each run of `_ECHO` characters and more that one of the texts has too, and for whole
    short texts."""
    line = re.sub(r"\\u([0-9a-fA-F]{4})", lambda escaped: chr(int(escaped[1], 16)), line)
    pieces: set[str] = set()
    for text in (" ".join(text.split()) for text in texts):
        pieces.update(text[at : at + _ECHO] for at in range(max(1, len(text) - _ECHO + 1)))
    hidden = bytearray(len(line))
    for size in {len(piece) for piece in pieces if len(piece) >= _SHORTEST}:
        for at in range(len(line) - size + 1):
            if line[at : at + size] in pieces:
                hidden[at : at + size] = b"\x01" * size
    shown = "".join("\0" if hide else char for char, hide in zip(line, hidden, strict=True))
    return re.sub("\0+", "…", shown)


def _retry_after(error: openai.APIError) -> float | None:
    """Seconds from `Retry-After`, which is a number or a date (RFC 9110, section 10.2.3)."""
    if not isinstance(error, openai.APIStatusError):
        return None
    value = error.response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
