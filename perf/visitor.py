"""A visitor without a browser: an arena of scripted contestants on loopback, asked and voted over HTTP.

Requests are sent as they stand, without any of a client library's good manners, so that wrong ones can be sent too.
"""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.arena_process import ArenaProcess

QUIET = {"votes_per_minute": "0", "asks_per_minute": "0", "address_share": "0"}
"""Settings under which everything reaches the doors: the pace has a test of its own."""

MODELS = """
contestants:
  - {name: alpha, engine: fake, script: {text: "One answer.", tokens_per_second: 400}}
  - {name: beta, engine: fake, script: {text: "Another answer.", tokens_per_second: 400}}
"""

JOIN = "/gradio_api/queue/join"


@dataclass(frozen=True)
class Call:
    """One request, its bytes as they stand."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What came back; status 0 when the server closed the connection instead."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def start(folder: Path, text: str = MODELS, **options: str) -> ArenaProcess:
    """An arena of two scripted contestants that answers as soon as this returns."""
    folder.mkdir(parents=True, exist_ok=True)
    models = folder / "models.yaml"
    models.write_text(text)
    return ArenaProcess(folder, profile="fuzz", models=models, **(QUIET | options)).wait_until_ready(2)


PATIENCE = 120.0
"""Seconds to wait for an answer that must come: the machine may be busy with everything else."""


def send(arena: ArenaProcess, call: Call, timeout: float = PATIENCE) -> Reply:
    """Send a request without any of a client library's good manners; a stream is read for its first bytes only."""
    head = "".join(f"{name}: {value}\r\n" for name, value in call.headers.items())
    chunked, body = "Transfer-Encoding" in call.headers, call.body
    if chunked:
        body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    elif "Content-Length" not in call.headers and (body or call.method == "POST"):
        head += f"Content-Length: {len(call.body)}\r\n"
    start = f"{call.method} {call.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", arena.port), timeout) as line:
        try:
            line.sendall((start + head + "\r\n").encode("utf-8", "surrogatepass") + body)
            answer = http.client.HTTPResponse(line, method=call.method)
            answer.begin()
            streams = "event-stream" in answer.headers.get("content-type", "")
            return Reply(answer.status, answer.read1(512) if streams else answer.read(), dict(answer.headers))
        except (ConnectionError, http.client.HTTPException):
            return Reply(0)


def newcomer(arena: ArenaProcess) -> str:
    """A fresh voter's Cookie header, had the way a browser has it."""
    reply = send(arena, Call("GET", "/"))
    assert reply.status == 200, reply.status
    return next(value for name, value in reply.headers.items() if name.lower() == "set-cookie").partition(";")[0]


def events_of(arena: ArenaProcess) -> list[dict[str, Any]]:
    """The page's events, as its public configuration names them."""
    return list(json.loads(send(arena, Call("GET", "/config")).body)["dependencies"])


def number_of(arena: ArenaProcess, api_name: str) -> int:
    """The number of an event by its name."""
    return next(int(event["id"]) for event in events_of(arena) if event["api_name"] == api_name)


def as_json(cookie: str, value: Any, path: str) -> Call:
    """A POST as our own script sends it."""
    return Call("POST", path, {"Cookie": cookie, "Content-Type": "application/json"}, json.dumps(value).encode())


def play(arena: ArenaProcess, cookie: str, event: int, data: list[Any], session: str) -> str:
    """Send an event as the page does, and return all that its stream says."""
    joined = send(arena, as_json(cookie, {"data": data, "fn_index": event, "session_hash": session}, JOIN))
    assert joined.status == 200, joined
    with closing(http.client.HTTPConnection("127.0.0.1", arena.port, timeout=PATIENCE)) as line:
        line.request("GET", f"/gradio_api/queue/data?session_hash={session}", headers={"Cookie": cookie})
        return line.getresponse().read().decode()


def ask(arena: ArenaProcess, cookie: str, event: int, data: list[Any], session: str) -> str:
    """Ask, wait for both answers, and return the battle's id."""
    text = play(arena, cookie, event, data, session)
    battle = _battle_in(text)
    assert battle, text[:500]
    with closing(http.client.HTTPConnection("127.0.0.1", arena.port, timeout=PATIENCE)) as line:
        line.request("GET", f"/arena/battle/{battle}", headers={"Cookie": cookie})
        assert b"event: over" in line.getresponse().read()
    return battle


def _battle_in(stream: str) -> str:
    """The battle's id among what the stream paints: it is the first component of an event's outputs."""
    for line in stream.splitlines():
        if not line.startswith("data:"):
            continue
        data = (json.loads(line[5:]).get("output") or {}).get("data") or []
        if data and isinstance(data[0], str) and len(data[0]) == 22:
            return data[0]
    return ""


def vote(arena: ArenaProcess, cookie: str, battle: str, verdict: str = "model_a") -> Reply:
    """Vote as our script does."""
    return send(arena, as_json(cookie, {"battle": battle, "verdict": verdict}, "/arena/vote"))


def stored_votes(arena: ArenaProcess) -> list[tuple[str, int, bool]]:
    """Every vote in the database: its battle, verdict, and whether it was taken back."""
    with closing(sqlite3.connect(f"file:{arena.storage / 'arena.db'}?mode=ro", uri=True)) as db:
        return list(db.execute("SELECT battle_id, verdict, retracted_at IS NOT NULL FROM votes ORDER BY battle_id"))
