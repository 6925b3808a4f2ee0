"""Requests that make no sense, at every door of an arena.

They are drawn from a seeded generator, so that each can come again.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from perf.visitor import JOIN, Call, Reply, newcomer, send
from tests.e2e.arena_process import ArenaProcess

TEXTS = (
    "",
    " ",
    "привет",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud83d",
    "\u202e\u202dabc\u2066",
    "\ufeff",
    "😀" * 50,
    "%s%n%x",
    "../../etc/passwd",
    "'; DROP TABLE votes;--",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "x" * 10_000,
    "\r\nX-A: b",
)
NUMBERS = (0, -1, 1, 13, 999, 2**31, 2**63, -(2**63), 2**64, 10**300, 1.5, float("nan"), float("inf"), 1e308)
PATHS = (
    "/",
    "/config",
    "/theme.css",
    "/favicon.ico",
    "/manifest.json",
    "/healthz",
    "/metrics",
    "/robots.txt",
    "/arena/vote",
    "/arena/undo",
    "/arena/feedback",
    "/arena/forget",
    "/arena/events",
    "/arena/export.csv",
    "/arena/export.exe",
    "/arena/board.csv",
    "/arena/board.json?track=human&slice=%00",
    "/arena/board.html?method=elo&track=nobody",
    "/assets/index.js",
    "/assets/../../etc/passwd",
    "/assets/%2e%2e/%2e%2e/etc/passwd",
    "/static/%00",
    "/static/" + "x" * 300,
    "/svelte/..%2f..%2fetc",
    "/svelte/x",
    "/login",
    "/login/huggingface",
    "/logout",
    "/user",
    "/token",
    "/monitoring",
    "/runs",
    "/pwa_icon",
    "/openapi.json",
    "/docs",
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/gradio_api/startup-events",
    "/gradio_api/app_id",
    "/gradio_api/queue/data",
    "/gradio_api/queue/data?session_hash=x",
    "/gradio_api/queue/data?session_hash=%00",
    "/gradio_api/queue/status",
    "/gradio_api/heartbeat/x",
    "/gradio_api/heartbeat/%ff",
    "/gradio_api/upload",
    "/gradio_api/upload_progress?upload_id=1",
    "/gradio_api/cancel",
    "/gradio_api/reset",
    "/gradio_api/run/ask",
    "/gradio_api/run/predict",
    "/gradio_api/api/ask",
    "/gradio_api/call/ask",
    "/gradio_api/call/ask/x",
    "/gradio_api/call/v2/show",
    "/gradio_api/component_server",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file=../models.yaml",
    "/gradio_api/proxy=http://127.0.0.1/",
    "/gradio_api/stream/x",
    "/gradio_api/stream/a/b/c/playlist.m3u8",
    "/gradio_api/process_recording",
    "/gradio_api/vibe-edit/",
    "/gradio_api/deep_link",
    "/gradio_api/dev/reload",
    "/gradio_api/run-history/connect",
    "//etc/passwd",
    "/%00",
    "/%ff%fe",
    "/arena/%0d%0aX:1",
    "/" + "a" * 5000,
    "/config?__theme=" + "x" * 5000,
    "/custom_component/x/y/z/w",
    "*",
    "/\\x",
)
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW")


def nonsense(rng: random.Random, cookie: str) -> Iterator[Call]:
    """Calls without end: half are events that are nearly right, the others knock at every other door."""
    while True:
        headers = _headers(rng, cookie)
        if rng.random() < 0.5:
            yield Call("POST", JOIN, headers, _broken(rng, _event(rng)))
        else:
            path = rng.choice(PATHS)
            method = rng.choice(METHODS) if rng.random() < 0.4 else rng.choice(("GET", "POST"))
            yield Call(method, path, headers, _broken(rng, _posted(rng)) if method == "POST" else b"")


def _event(rng: random.Random) -> dict[str, Any]:
    """An event of the page with one thing or another wrong with it, or nothing."""
    event: dict[str, Any] = {
        "data": [_value(rng) for _ in range(rng.choice((0, 1, 1, 2, 3, 4, 6)))],
        "fn_index": rng.choice((*range(64), *NUMBERS, None, "0", [], True)),
        "session_hash": rng.choice(("abc", "fuzz", "", None, 5, [], "x" * 5000, *TEXTS)),
        "trigger_id": rng.choice((None, 0, 48, -1, "x", 2**80, {})),
        "event_data": rng.choice((None, {}, [], "x", {"index": [1e308]}, 7)),
    }
    for key in list(event):
        if rng.random() < 0.08:
            del event[key]
    if rng.random() < 0.1:
        event |= {"batched": True, "simple_format": "yes", "event_id": _value(rng), "oauth_token": _value(rng)}
    return event


def _posted(rng: random.Random) -> Any:
    keys = ("battle", "verdict", "reasons", "comment", "session_hash", "data", "fn_index", "event_id", "component_id")
    return {key: _value(rng) for key in rng.sample(keys, rng.randrange(len(keys)))}


def _value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(8 if depth < 3 else 5)
    if kind < 3:
        return rng.choice(TEXTS)
    if kind == 3:
        return rng.choice(NUMBERS)
    if kind == 4:
        return rng.choice((None, True, False, "tie", "model_a", "alpha"))
    if kind == 5:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {rng.choice(TEXTS): _value(rng, depth + 1) for _ in range(rng.randrange(4))}


def _broken(rng: random.Random, value: Any) -> bytes:
    """The value as JSON, or what remains of it."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    whole = text.encode("utf-8", "surrogatepass")
    kind = rng.random()
    if kind < 0.6:
        return whole
    if kind < 0.7:
        return whole[: rng.randrange(len(whole) + 1)]
    if kind < 0.75:
        return b"[" * 100_000
    if kind < 0.77:
        return json.dumps({"data": ["я" * 1_000_000, ""], "fn_index": 0, "session_hash": "big"}).encode()
    if kind < 0.8:
        return b'{"fn_index": ' + b"9" * 5000 + b"}"
    return rng.choice((b"", b"null", b"[]", b'"x"', b"\xff\xfe", b"\x00" * 64, rng.randbytes(200), whole + b"}"))


def _headers(rng: random.Random, cookie: str) -> dict[str, str]:
    kinds = ("application/json", "text/plain", "multipart/form-data; boundary=x", "multipart/form-data", "", "a" * 300)
    headers = {"Content-Type": rng.choice(kinds[:1] * 6 + kinds[1:]), "Cookie": cookie}
    name = cookie.partition("=")[0]
    if rng.random() < 0.3:
        headers["Cookie"] = rng.choice((f"{name}=a.b", "=;;=,", name, "é=ü; " + cookie, "x" * 3000, "a=\x01"))
    strange = {
        "Accept-Language": ("ru", "x" * 2000, ";;,,q=", "кириллица"),
        "X-Forwarded-For": ("8.8.8.8", "not an address", "1.2.3.4, , ::1", "[::1]:80", "\u00ff"),
        "X-Forwarded-Host": ("evil.example", "a b", "]["),
        "X-Forwarded-Proto": ("https", "gopher", "http,https"),
        "Origin": ("null", "http://evil.example", "://"),
        "Content-Encoding": ("gzip", "br"),
        "Range": ("bytes=0-10", "bytes=9-1", "x"),
        "Content-Length": ("0", "-1", "99999999999999999999", "abc", "5"),
        "Transfer-Encoding": ("chunked",),
        "Referer": ("x", "http://[::1"),
        "If-None-Match": ("*", '"x"'),
    }
    for name in rng.sample(sorted(strange), rng.choice((0, 0, 1, 1, 2))):
        headers[name] = rng.choice(strange[name])
    return headers


def assault(arena: ArenaProcess, calls: int, seed: int) -> tuple[Counter[int], list[tuple[Call, Reply]]]:
    """Send so many calls; returns how often each status came, and every answer of 5xx with its call."""
    statuses: Counter[int] = Counter()
    failures = []
    for _, call in zip(range(calls), nonsense(random.Random(seed), newcomer(arena)), strict=False):
        try:
            reply = send(arena, call, timeout=1.0 if "Content-Length" in call.headers else 20.0)
        except TimeoutError:  # a body shorter than it was said to be: the server waits for the rest, as it should
            statuses[-1] += 1
            continue
        statuses[reply.status] += 1
        if reply.status >= 500 and reply.status != 503:
            failures.append((call, reply))
    return statuses, failures
