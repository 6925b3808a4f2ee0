"""More people than the arena takes: votes stay quick, the rest are told to wait, and all leaves no trace.

    python -m perf.flood [--clients 1000] [--votes 2000] [--rate 100] [--max-streams 900]

Starts an arena on loopback with battles that wait for their votes, opens a stream per client, then votes at the
given rate while the streams are open. Prints the votes' latency, how many were turned away with a busy page, and
whether the arena is free again afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

from arena.store.records import Contestant, NewBattle
from arena.store.store import Store
from arena.types import Answer, AnswerState, Mode
from arena.ui.voters import Voters
from perf import fuzz
from tests.e2e.arena_process import ArenaProcess

SECRET = "a secret for the flood alone"


def battles_in(folder: Path, number: int) -> list[tuple[str, str]]:
    """(cookie, battle) pairs, each with a voter of its own and both answers given."""
    voters = Voters(SECRET.encode())
    pairs = []
    with Store.open(None, storage_dir=folder, elo_step=lambda a, b, outcome: (a, b)) as store:
        a, b = store.register_contestants([Contestant("alpha"), Contestant("beta")]).result()
        for _ in range(number):
            cookie = voters.set_cookie(voters.new()).partition(";")[0]
            battle = store.create_battle(NewBattle(voters.recognize(cookie) or "", Mode.ANONYMOUS, a.id, b.id)).result()
            turn = store.append_turn(battle.id, "question").result()
            said = Answer("answer", AnswerState.COMPLETE)
            store.finish_turn(battle.id, turn, said, said).result()
            pairs.append((cookie, battle.id))
    return pairs


async def request(arena: ArenaProcess, head: str, body: bytes = b"") -> int:
    """One request on a connection of its own; returns the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", arena.port)
    try:
        lines = f"{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(lines.encode() + body)
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


async def watch(arena: ArenaProcess, statuses: Counter[int], told: asyncio.Barrier, over: asyncio.Event) -> None:
    """Hold a stream open until it is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", arena.port)
    writer.write(b"GET /arena/events HTTP/1.1\r\nHost: x\r\n\r\n")
    statuses[int((await reader.readline()).split()[1])] += 1
    await told.wait()
    reading = asyncio.create_task(reader.read())
    await over.wait()
    reading.cancel()
    writer.close()


async def flood(arena: ArenaProcess, pairs: list[tuple[str, str]], clients: int, rate: float) -> None:
    """Open the streams, vote at the rate, look at the page, close, and print."""
    streams: Counter[int] = Counter()
    over = asyncio.Event()
    told = asyncio.Barrier(clients + 1)
    watching = [asyncio.create_task(watch(arena, streams, told, over)) for _ in range(clients)]
    await told.wait()
    print(f"streams: {clients} asked for, {streams[200]} open, {streams[503]} told to wait")
    page = await request(arena, "GET / HTTP/1.1")
    latencies: list[float] = []
    votes: Counter[int] = Counter()

    async def vote(cookie: str, battle: str) -> None:
        began = time.perf_counter()
        body = json.dumps({"battle": battle, "verdict": "tie"}).encode()
        votes[await request(arena, f"POST /arena/vote HTTP/1.1\r\nCookie: {cookie}", body)] += 1
        latencies.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as tasks:
        for cookie, battle in pairs:
            tasks.create_task(vote(cookie, battle))
            await asyncio.sleep(1 / rate)
    cuts = statistics.quantiles(latencies, n=100)
    print(f"votes: {dict(votes)} at {rate:g}/s, p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms")
    over.set()
    await asyncio.gather(*watching)
    await asyncio.sleep(2)
    print(f"page while full: {page}, afterwards: {await request(arena, 'GET / HTTP/1.1')}")


def main() -> None:
    """Print one line per promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--votes", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--max-streams", type=int, default=900)
    chosen = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the server inherits it
    with tempfile.TemporaryDirectory() as folder:
        pairs = battles_in(Path(folder), chosen.votes)
        arena = fuzz.start(Path(folder), secret=SECRET, max_streams=str(chosen.max_streams))
        try:
            asyncio.run(flood(arena, pairs, chosen.clients, chosen.rate))
        finally:
            arena.stop()


if __name__ == "__main__":
    main()
