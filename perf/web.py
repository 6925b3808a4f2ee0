"""What a browser would see with many battles streaming at once, over HTTP.

    python perf/web.py [--battles 1 50 100] [--rate 40] [--seconds 10] [--warm 2] [--spread 10]

One process serves the arena's page over engines that keep a timetable (first token after half a second,
then `--rate` tokens a second); another plays the browsers: it sends what the page sends and reads what the
page reads. First token: how much later than the timetable's the first text arrives, counted from the click.
Lag: how far the text of each update is behind its model's timetable on arrival, everything counted: the distance
that hides which side is faster, the pace of frames, the queue. Both processes read one monotonic clock. A frame's
cost is the server's processor time. All battles are asked in the same instant; with `--spread` one after another,
evenly over so many seconds, and again as soon as each has ended: first tokens then count from the second round on,
when all others stream.
A stream is dropped when its last word never comes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from perf.metronome import FIRST, Metronome  # noqa: E402

_WORD, _BEGAN = re.compile(r"w(\d{5})"), re.compile(r"t(\d{8})")
_MARKUP = ("**bold** ", "`a<b` ", "x < y ", "<i>tag</i> ", "$a^2$ ", "\n\n1. ", "[link](http://localhost/) ")


def stamped(number: int, began: float) -> str:
    """A word that counts itself, the first with its answer's beginning; every sixth has some Markdown before it.

    So the answers hold what answers are made of, and making them harmless costs what it does.
    """
    stamp = f"t{int(began * 1000) % 10**8:08d} " if number == 0 else ""
    markup = _MARKUP[number // 6 % len(_MARKUP)] if number % 6 == 5 else ""
    return f"{stamp}{markup}w{number:05d} "


def main() -> None:
    """Start the server for each number of battles, let the other process ask, print a row."""
    arguments = _arguments()
    if arguments.serve:
        serve(arguments)
    elif arguments.client:
        print(json.dumps(asyncio.run(browse(arguments))))
    else:
        print(
            "| battles | first token added p50 ms | p99 | lag p50 ms | p99 | updates/s | dropped | ms a frame | cores |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for count in arguments.battles:
            print(measure(count, arguments), flush=True)


def measure(count: int, arguments: argparse.Namespace) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory(prefix="web-") as room:
        port = free_port()
        common = [sys.executable, __file__, "--rate", str(arguments.rate), "--seconds", str(arguments.seconds)]
        log = Path(room) / "log"
        with log.open("w") as out:
            server = subprocess.Popen([*common, "--serve", room, "--port", str(port)], stdout=out, stderr=out)
        try:
            wait_for(port, server, log)
            run = [*common, "--client", str(count), "--port", str(port), "--warm", str(arguments.warm)]
            run += ["--pid", str(server.pid), "--repeat", str(max(1, arguments.least // count))]
            run += ["--spread", str(arguments.spread)]
            told = json.loads(subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout)
        finally:
            server.terminate()
            server.wait(20)
    firsts, lags = told["firsts"], told["lags"]
    figures = (_at(firsts, 0.5), _at(firsts, 0.99), _at(lags, 0.5), _at(lags, 0.99), len(lags) / told["seconds"])
    cells = " | ".join(f"{figure:.0f}" for figure in figures)
    cost = 2000 * told["cores"] * told["seconds"] / len(lags)  # a frame brings an update of both sides
    return f"| {count} | {cells} | {told['dropped']} | {cost:.2f} | {told['cores']:.2f} |"


def serve(arguments: argparse.Namespace) -> None:
    """The arena's page over three engines that keep time; until it is ended."""
    from arena.cli.serve import look_for_garbage_among_what_is_new
    from arena.config import Catalog, Contestant, Settings
    from arena.engines.base import Engine
    from arena.service import Arena, open_store
    from arena.service.fleet import Fleet
    from arena.service.opening import masker_of
    from arena.ui.app import launch

    catalog = Catalog(tuple(Contestant(name=name, engine="fake") for name in ("one", "two", "three")))
    engines: dict[str, Engine] = {
        entry.name: Metronome(arguments.rate, arguments.seconds, stamped) for entry in catalog.enabled
    }
    settings = Settings(
        storage=Path(arguments.serve), seed=1, host="127.0.0.1", port=arguments.port, asks_per_minute=0,
        address_share=0, max_battles=1000, max_streams=5000,
    )  # fmt: skip
    make = lambda: Arena(settings, catalog, open_store(settings), Fleet(catalog, engines), masker=masker_of(catalog))  # noqa: E731
    demo = launch(make, prevent_thread_lock=True)
    look_for_garbage_among_what_is_new()
    demo.block_thread()


# ---------------------------------------------------------------- the browsers


@dataclass
class Told:
    """What all browsers saw, in milliseconds."""

    firsts: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    dropped: int = 0


async def browse(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask from so many pages, `--repeat` times; every page is open before the first asks."""

    async def in_turn(place: int, cookie: str) -> None:
        await asyncio.sleep(arguments.spread * place / len(cookies))
        for number in range(1 + arguments.repeat):
            await _battle(page, cookie, told, arguments, others_stream=number > 0)

    page = Wire(arguments.port)
    for _ in range(arguments.warm):
        await _battle(page, "", Told(), arguments)
    cookies = [await page.cookie() for _ in range(arguments.client)]
    told, began, used = Told(), time.perf_counter(), _cpu_of(arguments.pid)
    if arguments.spread:
        await asyncio.gather(*(in_turn(place, cookie) for place, cookie in enumerate(cookies)))
    for _ in range(0 if arguments.spread else arguments.repeat):
        await asyncio.gather(*(_battle(page, cookie, told, arguments) for cookie in cookies))
    seconds = time.perf_counter() - began
    cores = (_cpu_of(arguments.pid) - used) / seconds
    return {**vars(told), "seconds": seconds, "cores": cores}


async def _battle(
    page: Wire, cookie: str, told: Told, arguments: argparse.Namespace, *, others_stream: bool = True
) -> None:
    """One question and both answers, read as the page reads them: an event, and the ones that follow it."""
    first = 0.0
    last = {"a": -1, "b": -1}
    cookie = cookie or await page.cookie()
    began = time.perf_counter()
    async for texts in page.frames(cookie, await page.begin(cookie, "What is the time?")):
        now = time.perf_counter()
        if any(texts) and not first:
            first = now
            told.firsts += [(now - began - FIRST) * 1000] * others_stream
        for side, text in zip("ab", texts, strict=True):
            found = _WORD.findall(text[-80:])
            if not found or int(found[-1]) <= last[side]:
                continue
            last[side] = int(found[-1])
            stamp = _BEGAN.match(text)
            assert stamp is not None, "an answer begins with the time at which its model did"
            told.lags.append(now * 1000 % 10**8 - int(stamp[1]) - 1000 * (FIRST + last[side] / arguments.rate))
    told.dropped += sum(number != int(arguments.rate * arguments.seconds) - 1 for number in last.values())


class Wire:
    """The page's requests, with nothing between the socket and the clock."""

    def __init__(self, port: int) -> None:
        self._port = port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=60) as answer:
            config = json.load(answer)
        self._names = {part["id"]: part["props"].get("elem_id") or "" for part in config["components"]}
        self._events = config["dependencies"]

    async def cookie(self) -> str:
        """A voter of its own."""
        reader, writer = await self._send("GET", "/", b"", "")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
        return re.findall(r"(?i)set-cookie: ([^;]+);", head)[0]

    async def begin(self, cookie: str, prompt: str) -> str:
        """Ask in a new battle, as a click on Send does; its id."""
        values = {"anonymous-prompt": prompt, "anonymous-id": ""}
        return str((await self._run("anonymous-send", values, cookie))["anonymous-id"])

    async def frames(self, cookie: str, battle: str) -> AsyncIterator[tuple[str, str]]:
        """Both texts with every event that brings something of them, until the one that ends it."""
        reader, writer = await self._send("GET", f"/arena/battle/{battle}", b"", cookie)
        text = {"a": "", "b": ""}
        while (line := await reader.readline()) and line != b"event: over\n":
            frame = json.loads(line[6:]) if line.startswith(b"data: ") else {}
            text |= frame.get("all", {})
            for side, more in frame.get("more", {}).items():
                text[side] += more
            if frame:
                yield text["a"], text["b"]
        writer.close()

    async def _run(self, element: str, values: dict[str, Any], cookie: str) -> dict[str, Any]:
        """Click, and return what every component was told in the end."""
        event = self._clicked(element)
        session = secrets.token_hex(6)
        data = [values.get(self._names[number]) for number in event["inputs"]]
        body = json.dumps({"data": data, "fn_index": event["id"], "session_hash": session}).encode()
        reader, writer = await self._send("POST", "/gradio_api/queue/join", body, cookie)
        if b" 200 " not in (status := await reader.readline()):
            raise SystemExit(f"the page was answered {status!r}")
        writer.close()
        reader, writer = await self._send("GET", f"/gradio_api/queue/data?session_hash={session}", b"", cookie)
        message: dict[str, Any] = {"msg": ""}
        while message["msg"] != "process_completed":
            line = await reader.readline()
            message = json.loads(line[6:]) if line.startswith(b"data: ") else message
        writer.close()
        names = (self._names[number] for number in event["outputs"])
        return dict(zip(names, message["output"]["data"], strict=True))

    def _clicked(self, element: str) -> dict[str, Any]:
        for event in self._events:
            if any(self._names.get(number) == element and what == "click" for number, what in event["targets"]):
                return dict(event)
        raise SystemExit(f"the page has no {element}")

    async def _send(
        self, method: str, path: str, body: bytes, cookie: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 24)
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: close\r\nCookie: {cookie}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{head}\r\n".encode() + body)
        return reader, writer


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until the arena answers; its log when it does not start."""
    for _ in range(1200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise SystemExit(f"the arena does not start:\n{log.read_text()[-3000:]}")


def _cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--battles", type=int, nargs="+", default=[1, 50, 100])
    parser.add_argument("--rate", type=float, default=40.0, help="tokens per second of each stream")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--spread", type=float, default=0.0, help="seconds over which the battles begin")
    parser.add_argument("--warm", type=int, default=1, help="battles before the clock starts")
    parser.add_argument("--least", type=int, default=5, help="battles in all at least, where few run at once")
    for hidden in ("--serve", "--client", "--port", "--pid", "--repeat"):
        parser.add_argument(hidden, type=str if hidden == "--serve" else int, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
