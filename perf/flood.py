"""More people than the arena takes: votes stay quick, the rest are told to wait, and all leaves no trace.

    python -m perf.flood [--clients 1000] [--votes 2000] [--rate 100] [--max-streams 900]

Starts an arena on loopback with battles that wait for their votes. One process holds a stream per client, another
votes at the given rate, first with nobody watching, then with all of them, so that neither waits for the other and one
run gives the ratio. Prints latencies, how soon every twentieth page heard of each vote, what each process used of the
processors (the load must not be the bottleneck), who was turned away with which page, and whether the arena is free
again afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from arena.ui.guard import BUSY_SECONDS
from arena.ui.texts import LANGUAGES, say
from perf import visitor
from perf.promises import tell
from perf.stage import SECRET, Ballot, Line, ballots_in
from perf.visitor import Call, send
from tests.e2e.arena_process import ArenaProcess

ASKED_P99, ASKED_NEWS = 0.25, 1.0
HEARD = 20
"""Of so many pages one notes what it is told and when."""

SETTLED_SECONDS = 3.0
"""After the streams are open and before the first vote: what opening them costs is no vote's wait."""

_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Voted:
    """What the voting process saw: seconds each vote took, when each was acknowledged (monotonic), answers by status,
    its share of a processor."""

    latencies: list[float]
    ends: list[float]
    statuses: Counter[int]
    share: float

    def quantile(self, part: int) -> float:
        """The latency that so many hundredths of the votes stayed under."""
        return statistics.quantiles(self.latencies, n=100)[part - 1]


def watching(port: int, clients: int, line: Connection) -> None:
    """A process that holds so many streams open until it is told; sends statuses, then its share of a processor and
    when some of the pages heard of which version."""

    async def listen(reader: asyncio.StreamReader) -> None:
        news = list[tuple[float, int]]()
        heard.append(news)
        while line := await reader.readline():
            if line.startswith(b"data: "):
                news.append((time.monotonic(), json.loads(line[6:])["version"]))

    async def one(number: int, statuses: Counter[int]) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /arena/events HTTP/1.1\r\nHost: x\r\nAccept-Language: en\r\n\r\n")
        statuses[int((await reader.readline()).split()[1])] += 1
        readers.append(asyncio.create_task(reader.read() if number % HEARD else listen(reader)))
        return writer

    async def hold() -> None:
        statuses: Counter[int] = Counter()
        writers = [await one(number, statuses) for number in range(clients)]
        began, used = time.monotonic(), time.process_time()
        line.send(statuses)
        await asyncio.to_thread(line.recv)
        line.send(((time.process_time() - used) / (time.monotonic() - began), heard))
        for reader in readers:
            reader.cancel()
        for writer in writers:
            writer.close()

    readers: list[asyncio.Task[Any]] = []
    heard: list[list[tuple[float, int]]] = []
    asyncio.run(hold())


def voting(port: int, ballots: list[Ballot], rate: float, line: Connection) -> None:
    """A process that casts these votes at this rate, each on a connection of its own; sends a `Voted`."""

    async def one(ballot: Ballot) -> None:
        began = time.perf_counter()
        connection = Line(port)
        statuses[await connection.vote(ballot)] += 1
        latencies.append(time.perf_counter() - began)
        ends.append(time.monotonic())
        connection.close()

    async def all_of_them() -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number, ballot in enumerate(ballots):
                await asyncio.sleep(began + number / rate - time.monotonic())
                tasks.create_task(one(ballot))

    latencies, ends = list[float](), list[float]()
    statuses: Counter[int] = Counter()
    began, used = time.monotonic(), time.process_time()
    asyncio.run(all_of_them())
    line.send(Voted(latencies, ends, statuses, (time.process_time() - used) / (time.monotonic() - began)))


def voted(arena: ArenaProcess, ballots: list[Ballot], rate: float, how: str) -> Voted:
    """Have these votes cast, and print how it went."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=voting, args=(arena.port, ballots, rate, theirs))
    used, began = arena.processor_seconds(), time.monotonic()
    process.start()
    seen: Voted = ours.recv()
    process.join()
    took, used = time.monotonic() - began, arena.processor_seconds() - used
    print(
        f"{how}: {dict(seen.statuses)} at {rate:g}/s, p50 {seen.quantile(50) * 1e3:.0f} ms, "
        f"p99 {seen.quantile(99) * 1e3:.0f} ms; processor: server {used / took:.0%} "
        f"({used / len(ballots) * 1e3:.2f} ms a vote), voters {seen.share:.0%}",
        flush=True,
    )
    return seen


def delays(ends: list[float], heard: list[list[tuple[float, int]]]) -> list[float]:
    """Seconds from each vote's acknowledgement until a page heard of a board that holds it, for each of these pages.

    Votes are numbered as they are acknowledged; those of one commit may stand in another order, milliseconds apart.
    """
    found = []
    for (_, before), *news in heard:
        told = iter(news)
        at, version = next(told, (math.inf, 0))
        for number, end in enumerate(sorted(ends), start=before + 1):
            while version < number and at < math.inf:
                at, version = next(told, (math.inf, 0))
            found.append(max(0.0, at - end))
    return found


def flood(arena: ArenaProcess, ballots: list[Ballot], clients: int, rate: float, most: int) -> bool:
    """Vote alone, open the streams, vote among them, look at the page, close, and tell."""
    half = len(ballots) // 3
    alone = voted(arena, ballots[:half], rate, "votes with nobody watching")
    ours, theirs = _SPAWN.Pipe()
    watchers = _SPAWN.Process(target=watching, args=(arena.port, clients, theirs))
    watchers.start()
    statuses: Counter[int] = ours.recv()
    time.sleep(SETTLED_SECONDS)
    crowd = voted(arena, ballots[half:], rate, f"votes among {statuses[200]} watchers")
    busy = {language: send(arena, Call("GET", "/", {"Accept-Language": language})) for language in LANGUAGES}
    ours.send("over")
    share, heard = ours.recv()
    print(f"watchers used {share:.0%} of a processor")
    watchers.join()
    time.sleep(2)
    after = send(arena, Call("GET", "/")).status
    p99 = crowd.quantile(99)
    heard = [news for news in heard if news]  # who was turned away heard nothing
    late = statistics.quantiles(delays(crowd.ends, heard), n=100)
    size = f"{clients} clients, {len(crowd.latencies)} votes at {rate:g}/s"
    words = all(say(language, "busy", seconds=BUSY_SECONDS) in told.body.decode() for language, told in busy.items())
    return all(
        (
            tell(
                "a vote in a crowd, 99th percentile",
                asked="250 ms",
                measured=f"{p99 * 1e3:.0f} ms ({p99 / alone.quantile(99):.1f} times a vote with nobody watching)",
                size=size,
                held=p99 <= ASKED_P99 and crowd.statuses[200] == len(crowd.latencies),
            ),
            tell(
                "a vote by anybody is told to every open page",
                asked="1 s",
                measured=f"{late[49]:.2f} s (p50), {late[98]:.2f} (p99)",
                size=f"{len(crowd.latencies)} votes on {len(heard)} of {statuses[200]} pages",
                held=late[98] <= ASKED_NEWS,
            ),
            tell(
                "who comes too late is told how long to wait, in their language",
                asked=f"{clients - most} turned away, both languages, free afterwards",
                measured=f"{statuses[503]} turned away, page {busy['ru'].status}, words {words}, afterwards {after}",
                size=size,
                held=(statuses[503], busy["ru"].status, after, words) == (clients - most, 503, 200, True),
            ),
        )
    )


def main() -> int:
    """Print one line per promise; 1 when one was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--votes", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--max-streams", type=int, default=900)
    chosen = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the others inherit it
    with tempfile.TemporaryDirectory() as folder:
        ballots = ballots_in(Path(folder), chosen.votes, voters_each=10)
        arena = visitor.start(Path(folder), secret=SECRET, max_streams=str(chosen.max_streams))
        try:
            return int(not flood(arena, ballots, chosen.clients, chosen.rate, chosen.max_streams))
        finally:
            arena.stop()


if __name__ == "__main__":
    raise SystemExit(main())
