"""Nonsense at every door, and votes that nobody may cast, against a real arena over HTTP.

    python -m perf.fuzz [--calls 10000] [--seed 1] [--votes 10000] [--upload-mb 1024]

Starts an arena with scripted contestants on loopback and prints one line per promise: answers of 5xx (none but
an intended 503), forged votes accepted (none), bytes by which uploads made the disk grow. Every call is drawn from
a seeded generator, so that a finding can be repeated.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import socket
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perf.promises import tell
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


def send(arena: ArenaProcess, call: Call, timeout: float = 20.0) -> Reply:
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


# ---------------------------------------------------------------- nonsense

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
    if rng.random() < 0.3:
        headers["Cookie"] = rng.choice(
            ("arena_voter=a.b", "=;;=,", "arena_voter", "é=ü; " + cookie, "x" * 3000, "a=\x01")
        )
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


# ---------------------------------------------------------------- people


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
    with closing(http.client.HTTPConnection("127.0.0.1", arena.port, timeout=30)) as line:
        line.request("GET", f"/gradio_api/queue/data?session_hash={session}", headers={"Cookie": cookie})
        return line.getresponse().read().decode()


def ask(arena: ArenaProcess, cookie: str, event: int, data: list[Any], session: str) -> str:
    """Ask, wait for both answers, and return the battle's id."""
    text = play(arena, cookie, event, data, session)
    battle = _battle_in(text)
    assert battle, text[:500]
    with closing(http.client.HTTPConnection("127.0.0.1", arena.port, timeout=30)) as line:
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


# ---------------------------------------------------------------- forgery


@dataclass(frozen=True)
class Town:
    """An arena with one battle of every kind, owned by one voter; another voter looks on."""

    owner: str
    stranger: str
    voted: str
    retracted: str
    votable: str
    named: str
    direct: str


def settle(arena: ArenaProcess) -> Town:
    """Play one battle into every state in which a forged vote may be tried."""
    owner, stranger = newcomer(arena), newcomer(arena)
    first, named, direct = number_of(arena, "ask"), number_of(arena, "ask_6"), number_of(arena, "ask_12")
    blind = [ask(arena, owner, first, [f"question {n}", ""], f"town{n}") for n in range(3)]
    assert vote(arena, owner, blind[0]).status == 200
    assert vote(arena, owner, blind[1]).status == 200
    assert send(arena, as_json(owner, {"battle": blind[1]}, "/arena/undo")).status == 200
    for offer, session in (("offer_names", "named"), ("offer_names_1", "direct")):
        play(arena, owner, number_of(arena, offer), [], session)
    return Town(
        owner,
        stranger,
        blind[0],
        blind[1],
        blind[2],
        ask(arena, owner, named, ["named", "", "alpha", "beta"], "named"),
        ask(arena, owner, direct, ["direct", "", "alpha"], "direct"),
    )


VERDICTS = ("model_a", "model_b", "tie", "both_bad")


def forgery(rng: random.Random, town: Town, events: int) -> Call:
    """A vote that may not count: another's, forged, after the reveal, with names known, or through Gradio's doors."""
    verdict = rng.choice(VERDICTS)
    battles = (town.voted, town.retracted, town.votable, town.named, town.direct)
    near = forged(rng, town.owner, town.stranger)
    kind = rng.randrange(5)
    if kind == 0:  # not the owner, any battle
        cookie = rng.choice((town.stranger, near, ""))
        return as_json(cookie, {"battle": rng.choice(battles), "verdict": verdict}, "/arena/vote")
    if kind == 1:  # the owner, but the battle takes no vote (the verdict that stands is answered, and changes nothing)
        return as_json(
            town.owner, {"battle": rng.choice((*battles[:2], *battles[3:])), "verdict": verdict}, "/arena/vote"
        )
    if kind == 2:  # numbers that were never given out
        battle = rng.choice(
            (town.votable[:-1], town.votable.swapcase(), town.votable + " ", "x" * 22, "", "\x00", "' OR 1")
        )
        return as_json(town.owner, {"battle": battle, "verdict": verdict}, "/arena/vote")
    cookie = rng.choice((town.stranger, near, town.owner))
    if kind == 3:  # every event of the queue with everything a vote needs
        values = [town.votable, verdict, town.votable, verdict, "alpha", "beta"]
        body = {"data": values[: rng.randrange(7)], "fn_index": rng.randrange(events + 3), "session_hash": "forger"}
        return as_json(cookie if cookie != town.owner else town.stranger, body, JOIN)
    name = rng.choice(("vote", "ask", "show", "show_1", "undo", "js_fn", "predict"))
    door = rng.choice(
        (f"/gradio_api/run/{name}", f"/gradio_api/call/{name}", f"/gradio_api/api/{name}", f"/arena/{name}x")
    )
    return as_json(cookie, {"data": [town.votable, verdict], "battle": town.votable, "verdict": verdict}, door)


def forged(rng: random.Random, owner: str, stranger: str) -> str:
    """A cookie that we never signed, near to one that we did."""
    name, _, value = owner.partition("=")
    code, _, signature = value.partition(".")
    strange = stranger.partition(".")[2]
    flipped = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    return (
        name
        + "="
        + rng.choice(
            (f"{code}.{strange}", f"{code}.{flipped}", f"{code}.", code, f".{signature}", f"{code}x.{signature}")
        )
    )


def forge(arena: ArenaProcess, calls: int, seed: int) -> tuple[int, Counter[int]]:
    """Try so many votes that may not count; returns how many changed what is stored, and the answers' statuses."""
    town, rng, events = settle(arena), random.Random(seed), len(events_of(arena))
    before = stored_votes(arena)
    statuses: Counter[int] = Counter()
    for _ in range(calls):
        statuses[send(arena, forgery(rng, town, events)).status] += 1
    accepted = len(set(stored_votes(arena)) ^ set(before))
    assert vote(arena, town.owner, town.votable).status == 200, "the battle's own voter is still let in"
    return accepted, statuses


def upload(arena: ArenaProcess, megabytes: int) -> tuple[int, int]:
    """Push a file at the upload door for as long as it takes it; returns the status and the growth in bytes."""
    places = (arena.storage, Path(tempfile.gettempdir()) / "gradio")
    before = sum(_weight(place) for place in places)
    status = 0
    with socket.create_connection(("127.0.0.1", arena.port), 20) as line:
        head = "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        line.sendall(f"{head}Content-Length: {megabytes << 20}\r\n\r\n--b\r\n".encode())
        try:
            for _ in range(megabytes):
                line.sendall(b"x" * (1 << 20))
        except OSError:
            pass  # refused before the end, as it should be
        try:
            answer = http.client.HTTPResponse(line)
            answer.begin()
            status = answer.status
        except (OSError, http.client.HTTPException):
            pass
    time.sleep(0.5)
    return status, sum(_weight(place) for place in places) - before


def _weight(place: Path) -> int:
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) if place.exists() else 0


def no_fault(arena: ArenaProcess, calls: int, seed: int) -> bool:
    """Tell how nonsense at every door is answered."""
    statuses, failures = assault(arena, calls, seed)
    print(f"fuzz: statuses {dict(sorted(statuses.items()))}")
    for call, reply in failures[:10]:
        print("   ", reply.status, call.method, call.path[:80], call.headers, call.body[:200], reply.body[:200])
    refused = statuses[400] + statuses[404] + statuses[405]
    return tell("nonsense at every door", asked="0 answers of 5xx but 503", measured=f"{len(failures)}",
                size=f"{calls} calls, {refused} refused", held=not failures and refused > calls / 2)  # fmt: skip


def no_forgery(arena: ArenaProcess, votes: int, seed: int) -> bool:
    """Tell how many votes were counted that may not be."""
    accepted, answers = forge(arena, votes, seed)
    print(f"forgery: statuses {dict(sorted(answers.items()))}")
    known = set(answers) <= {200, 400, 403, 404, 405, 409}
    return tell("forged votes accepted", asked="0", measured=str(accepted), size=f"{votes} tried",
                held=known and not accepted)  # fmt: skip


def no_trace(arena: ArenaProcess, megabytes: int) -> bool:
    """Tell what a pushed file leaves behind."""
    status, grown = upload(arena, megabytes)
    return tell("uploads leave nothing on the disk", asked="1 MB at most",
                measured=f"{grown} bytes, answer {status}", size=f"{megabytes} MB pushed",
                held=grown <= 1 << 20 and status in (0, 404, 413))  # fmt: skip


def main() -> int:
    """Print one line per promise; 1 when one was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--votes", type=int, default=10_000)
    parser.add_argument("--upload-mb", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arena = start(Path(folder))
        try:
            held = (
                no_fault(arena, chosen.calls, chosen.seed),
                no_forgery(arena, chosen.votes, chosen.seed),
                no_trace(arena, chosen.upload_mb),
            )
        finally:
            arena.stop()
    return int(not all(held))


if __name__ == "__main__":
    raise SystemExit(main())
