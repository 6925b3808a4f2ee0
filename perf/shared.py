"""Two arenas over one PostgreSQL: one vote is one vote, and both show the same ratings at once.

    python -m perf.shared [--votes 20000] [--clients 32]

Starts a PostgreSQL of its own on a Unix socket (never as root) and two `app.py` on loopback. Every vote is sent to both
arenas at the same moment: half of them with the same verdict, half with opposite ones, of which one alone may be
accepted. Then both boards must tell the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "store"))

from postgres_server import PostgresServer, Unavailable

from arena.store.records import VoteFilter
from arena.store.store import Store
from arena.types import Verdict
from perf import visitor
from perf.promises import tell
from perf.stage import SECRET, Ballot, Line, ballots_in
from tests.e2e.arena_process import ArenaProcess

OTHER = {Verdict.MODEL_A: Verdict.MODEL_B, Verdict.MODEL_B: Verdict.MODEL_A}
"""Verdicts that contradict; a tie is sent to both arenas alike."""

AGREE_SECONDS, PATIENCE = 1.0, 30.0


async def race(arenas: tuple[ArenaProcess, ArenaProcess], ballots: Iterator[Ballot], seen: Counter[str]) -> None:
    """One client: cast each vote at both arenas at once."""
    one, other = (Line(arena.port) for arena in arenas)
    for ballot in ballots:
        against = replace(ballot, verdict=OTHER.get(ballot.verdict, ballot.verdict))
        statuses = await asyncio.gather(one.vote(ballot), other.vote(against))
        contradict = against.verdict is not ballot.verdict
        seen["right" if sorted(statuses) == ([200, 409] if contradict else [200, 200]) else str(statuses)] += 1
    one.close()
    other.close()


def board(arena: ArenaProcess) -> list[tuple[str, float, int]]:
    """Names, ratings and numbers of battles as an arena tells them."""
    with urllib.request.urlopen(f"{arena.address}/arena/board.json", timeout=30) as answer:
        rows = json.load(answer)["models"]
    return sorted((row["model"], row["rating"], row["battles"]) for row in rows)


def until_agreed(arenas: tuple[ArenaProcess, ArenaProcess], votes: int) -> float:
    """Seconds until both boards hold all votes and are the same."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        one, other = map(board, arenas)
        if one == other and votes in (battles for _, _, battles in one):
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError(f"the boards differ: {one} and {other}, of {votes} votes")


def share(folder: Path, url: str, votes: int, clients: int) -> bool:
    """Run it on this database; prints the lines."""
    ballots = ballots_in(folder / "preparation", votes, url, voters_each=20)
    arenas = tuple(visitor.start(folder / name, database=url, secret=SECRET) for name in ("one", "two"))
    assert len(arenas) == 2
    seen: Counter[str] = Counter()

    async def run() -> None:
        left = iter(ballots)
        await asyncio.gather(*(race(arenas, left, seen) for _ in range(clients)))  # type: ignore[arg-type]

    try:
        asyncio.run(run())
        took = until_agreed(arenas, votes)  # type: ignore[arg-type]
    finally:
        for arena in arenas:
            arena.stop()
    with Store.open(url, storage_dir=folder / "preparation", elo_step=lambda a, b, outcome: (a, b)) as store:
        stored = [one.battle_id for one in store.votes(VoteFilter(counting_only=False))]
        problems = store.check().problems
    size = f"{votes} votes at two arenas at once, {clients} clients"
    right = (seen["right"], len(stored), len(set(stored)), problems) == (votes, votes, votes, ())
    held = (
        tell("one vote is one vote on a shared PostgreSQL", asked=f"{votes} stored",
             measured=f"{len(stored)} stored, {seen['right']} answered rightly", size=size, held=right),
        tell("both arenas show the same ratings", asked="1 s", measured=f"{took:.2f} s", size=size,
             held=took <= AGREE_SECONDS),
    )  # fmt: skip
    return all(held)


def main() -> int:
    """Print the lines; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=32)
    chosen = parser.parse_args()
    try:
        server = PostgresServer()
    except Unavailable as reason:
        print(f"no PostgreSQL: {reason}")
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="arena-shared-") as name:
            return int(not share(Path(name), server.new_database(), chosen.votes, chosen.clients))
    finally:
        server.stop()


if __name__ == "__main__":
    raise SystemExit(main())
