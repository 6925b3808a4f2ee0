"""Measures local serving against its peers in one run on this machine: prints one table of ratios.

    python perf/serving.py [--model DIR] [--requests 1 4 16 64] [--tokens 64] [--json FILE]

Peers: (1) our worker, (2) one `generate` in a thread per request (FastChat's way),
(3) `transformers serve --continuous-batching`. Same checkpoint, same prompts, greedy, same number
of tokens, one CPU thread each, all over HTTP, read by the same client in a process of its own. For
each: time to first token, tokens per second per stream and in all. Then what our own client and
the web process add on top of the worker. Without `--model` a random checkpoint of the demo's shape
is built. Never part of the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests" / "engines"))

from arena.engines.openai import OpenAIEngine
from arena.engines.worker.spec import WorkerSpec
from arena.types import Decoding, Finish, Message, Role

ROOT = Path(__file__).resolve().parents[1]
TOPICS = ("Париж", "Рим", "winter", "bread", "two plus two", "a short poem", "погода", "the moon")


@dataclass(frozen=True)
class Server:
    """A peer that listens: how to reach it and what to call its model."""

    name: str
    model: str
    uds: str | None = None
    port: int | None = None


@dataclass(frozen=True)
class Stream:
    """One answer as the client saw it, in seconds since its request was sent."""

    first: float
    whole: float
    tokens: int


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    server: str
    requests: int
    first_p50_ms: float
    first_p99_ms: float
    per_stream: float
    total: float


def main() -> None:
    """Measure everything and print it."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="serving-") as room:
        model = arguments.model or _demo_shaped(Path(room) / "model")
        rows = [row for peer in arguments.peers for row in measure(peer, model, Path(room), arguments)]
        _print(rows)
        if "worker" in arguments.peers:
            _print_overhead(model, Path(room), arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def measure(peer: str, model: Path, room: Path, arguments: argparse.Namespace) -> list[Row]:
    """All request counts against one peer, best of `--repeat` runs each."""
    with _serving(peer, model, room) as server:
        warm_up(server)
        rows = []
        for count in arguments.requests:
            runs = [client(server, count, arguments.tokens) for _ in range(arguments.repeat)]
            rows.append(max((row_of(server, count, run) for run in runs), key=lambda row: row.total))
            print(rows[-1], file=sys.stderr, flush=True)
        return rows


def warm_up(server: Server) -> None:
    """Ask until it answers: some listen before their model is loaded."""
    for _ in range(20):
        with contextlib.suppress(subprocess.CalledProcessError):
            client(server, 2, 8)
            return
        time.sleep(1)
    raise SystemExit(f"{server.name} does not answer")


def row_of(server: Server, count: int, streams: Sequence[Stream]) -> Row:
    first = [stream.first * 1000 for stream in streams]
    flowing = [(s.tokens - 1) / (s.whole - s.first) for s in streams if s.whole > s.first and s.tokens > 1]
    total = sum(s.tokens for s in streams) / max(s.whole for s in streams)
    return Row(server.name, count, share(first, 0.5), share(first, 0.99), statistics.median(flowing or [0]), total)


def share(values: Sequence[float], share: float) -> float:
    """The value that so large a share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@contextlib.contextmanager
def _serving(peer: str, model: Path, room: Path) -> Iterator[Server]:
    uds, port = str(room / f"{peer}.sock"), free_port()
    spec = WorkerSpec(str(model), quantization=_quantization(), max_batch=64)
    python = sys.executable
    commands = {
        "worker": [python, "-m", "arena.engines.worker", "--spec-json", spec.to_json(), "--socket", uds],
        "threads": [python, str(ROOT / "perf" / "thread_per_request.py"), str(model), uds],
        "transformers": [str(Path(python).with_name("transformers")), "serve", str(model), *_their_options(port)],
    }
    server = Server(peer, str(model), port=port) if peer == "transformers" else Server(peer, "local", uds=uds)
    with listening(server, commands[peer], room / f"{peer}.log"):
        yield server


def _their_options(port: int) -> list[str]:
    """The settings of `transformers serve`; on a CPU it sizes its cache by GPU memory unless told otherwise."""
    common = ["--continuous-batching", "--device", "cuda:0" if has_gpu() else "cpu", "--port", str(port)]
    cache = ["--cb-num-blocks", "2048", "--cb-block-size", "32", "--cb-max-batch-tokens", "512"]
    return common if has_gpu() else common + cache


@contextlib.contextmanager
def listening(server: Server, command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server process that accepts connections; killed at the end of the block."""
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    with log.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            wait_for(server, process, log)
            yield process
        finally:
            process.kill()


def wait_for(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), connected(server):
            time.sleep(0.2)
            return
        time.sleep(0.1)
    raise SystemExit(f"{server.name} does not listen:\n{log.read_text(errors='replace')[-2000:]}")


def connected(server: Server) -> socket.socket:
    if server.uds:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(server.uds)
        return connection
    return socket.create_connection(("127.0.0.1", server.port or 0))


def client(server: Server, count: int, tokens: int) -> list[Stream]:
    """`count` requests at once, from a process that does nothing else."""
    command = [sys.executable, __file__, "--client", json.dumps(asdict(server)), str(count), str(tokens)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [Stream(**stream) for stream in json.loads(done.stdout)]


async def _requests(server: Server, count: int, tokens: int) -> list[Stream]:
    return list(await asyncio.gather(*(_raw(server, n, tokens) for n in range(count))))


async def _raw(server: Server, number: int, tokens: int) -> Stream:
    """One streamed request with nothing between the socket and the clock."""
    body = json.dumps(
        {
            "model": server.model,
            "messages": [{"role": "user", "content": _question(number)}],
            "stream": True,
            "temperature": 0,
            "max_tokens": tokens,
        }
    ).encode()
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: w\r\n{kind}"
    began = time.perf_counter()
    if server.uds:
        reader, writer = await asyncio.open_unix_connection(server.uds)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)
    first = last = 0.0
    status = await reader.readline()
    if b" 200 " not in status:
        raise SystemExit(f"{server.name} answered {status!r}")
    while line := await reader.readline():
        if line.startswith(b"data: {") and b'"content":' in line.replace(b'"content":""', b""):
            last = time.perf_counter()
            first = first or last
    writer.close()
    return Stream(first - began, last - began, tokens)


def _print_overhead(model: Path, room: Path, arguments: argparse.Namespace) -> None:
    """What our client adds to the worker's first token, one answer alone and fifty pairs at once."""
    with _serving("worker", model, room) as server:
        warm_up(server)
        print("\n| first token, ms | streams | raw socket p50 | our client p50 | raw p99 | our client p99 |")
        print("|---|---|---|---|---|---|")
        for count, times in ((1, 20), (100, 1)):
            raw = [
                s.first * 1000 for _ in range(times) for s in asyncio.run(_requests(server, count, arguments.tokens))
            ]
            ours = [s.first * 1000 for s in asyncio.run(_ours(server, count, times, arguments.tokens))]
            figures = (share(raw, 0.5), share(ours, 0.5), share(raw, 0.99), share(ours, 0.99))
            print(f"| | {count} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |", flush=True)


async def _ours(server: Server, count: int, times: int, tokens: int) -> list[Stream]:
    from arena.engines.limits import Gate

    engine = OpenAIEngine("local", "http://worker/v1", uds=server.uds, think_tags=None, gate=Gate(10_000))
    streams: list[Stream] = []
    for _ in range(times):
        streams += await asyncio.gather(*(_one_of_ours(engine, n, tokens) for n in range(count)))
    await engine.close()
    return streams


async def _one_of_ours(engine: OpenAIEngine, number: int, tokens: int) -> Stream:
    began, first = time.perf_counter(), 0.0
    answer: AsyncIterator[object] = engine.stream(
        (Message(Role.USER, _question(number)),), Decoding(temperature=0, max_tokens=tokens)
    )
    async for item in answer:
        if not isinstance(item, Finish):
            first = first or time.perf_counter()
    return Stream(first - began, time.perf_counter() - began, tokens)


def _question(number: int) -> str:
    return f"Tell me about {TOPICS[number % len(TOPICS)]}, number {number}."


def _print(rows: Sequence[Row]) -> None:
    worker = {row.requests: row.total for row in rows if row.server == "worker"}
    print("| server | requests | first token p50 ms | p99 ms | tokens/s per stream | tokens/s in all | ours is |")
    print("|---|---|---|---|---|---|---|")
    for row in sorted(rows, key=lambda row: row.requests):
        ratio = f"{worker[row.requests] / row.total:.2f}x" if row.requests in worker else ""
        print(
            f"| {row.server} | {row.requests} | {row.first_p50_ms:.0f} | {row.first_p99_ms:.0f} | "
            f"{row.per_stream:.1f} | {row.total:.0f} | {ratio} |"
        )


def _demo_shaped(directory: Path) -> Path:
    from checkpoints import build

    shape = {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 3, "vocab_size": 1792}
    return build(directory, "qwen2", context=2048, endless=True, **shape)


def _quantization() -> str:
    return "bf16" if has_gpu() else "fp32"


def has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="checkpoint that never ends its answers early")
    parser.add_argument("--requests", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", nargs="+", default=["worker", "threads", "transformers"])
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        peer, count, tokens = Server(**json.loads(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
        print(json.dumps([asdict(stream) for stream in asyncio.run(_requests(peer, count, tokens))]))
    else:
        main()
