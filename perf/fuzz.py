"""Nonsense at every door, and votes that nobody may cast, against a real arena over HTTP.

    python -m perf.fuzz [--calls 10000] [--seed 1] [--votes 10000] [--upload-mb 1024]

Starts an arena with scripted contestants on loopback and prints one line per promise: answers of 5xx (none but
an intended 503), forged votes accepted (none), bytes by which uploads made the disk grow. Every call is drawn from
a seeded generator, so that a finding can be repeated.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import tempfile
import time
from pathlib import Path

from perf.forgery import forge
from perf.nonsense import assault
from perf.promises import tell
from perf.visitor import start
from tests.e2e.arena_process import ArenaProcess


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
