"""Kill -9 of the whole server, over and over, while people vote: what was acknowledged is kept.

    python -m perf.crashes [--votes 100000] [--kills 200] [--clients 64] [--minutes 60] [--seed 6]

Starts `app.py` on loopback with battles that wait for their votes. Clients vote over HTTP; the server is
killed at random moments, under load, without load and while it starts, and started again. A client repeats a
vote until it is acknowledged. Afterwards every acknowledged vote must stand once and as it was given.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from arena.store.records import VoteFilter
from arena.store.store import Store
from arena.types import Verdict
from perf import visitor
from perf.promises import spread, tell
from perf.stage import SECRET, Ballot, Line, ballots_in
from tests.e2e.arena_process import ArenaProcess

RETRY_SECONDS = 0.2
"""A client whose vote was not acknowledged tries again after so long."""

KINDS = ("load", "load", "load", "load", "idle", "load", "load", "load", "load", "start")
"""Moments of the kill, in turn: under load, with nobody voting, and before the server has begun to answer."""


@dataclass
class Vote:
    """What the clients know: votes acknowledged, and by when; who may vote now."""

    left: Iterator[Ballot]
    acknowledged: dict[str, Verdict] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    last: float = 0.0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0


class Held(NamedTuple):
    """Which promises were kept: the votes, and the waits for the next one."""

    kept: bool
    idle: bool
    load: bool


async def client(vote: Vote, port: int) -> None:
    """Cast votes until none is left, each until it is acknowledged."""
    line = Line(port)
    for ballot in vote.left:
        while True:
            await vote.open.wait()
            vote.under_way += 1
            try:
                status = await line.vote(ballot)
            except ConnectionError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            finally:
                vote.under_way -= 1
            vote.statuses[status] += 1
            if status == 200:
                vote.acknowledged[ballot.battle] = ballot.verdict
                vote.last = time.monotonic()
                break
            await asyncio.sleep(RETRY_SECONDS)
    line.close()


async def probe(vote: Vote, port: int, ballot: Ballot) -> None:
    """One vote of one client, while nobody else votes."""
    line = Line(port)
    while True:
        try:
            if await line.vote(ballot) == 200:
                vote.acknowledged[ballot.battle] = ballot.verdict
                vote.last = time.monotonic()
                line.close()
                return
        except ConnectionError:
            await asyncio.sleep(0.02)


async def drill(
    folder: Path,
    ballots: list[Ballot],
    kills: int,
    clients: int,
    minutes: float,
    seed: int,
    kinds: Sequence[str] = KINDS,
) -> Held:
    """Vote and kill until both have come to their end."""
    draw, last = random.Random(seed), time.monotonic() + minutes * 60
    spare = iter(ballots[:kills])  # for the kills after which nobody else votes
    vote = Vote(iter(ballots[kills:]))
    waits: dict[str, list[float]] = {"load": [], "idle": []}
    work: list[float] = []
    each = max(1, (len(ballots) - kills) // (kills + 1))
    vote.open.set()
    arena = visitor.start(folder, secret=SECRET)
    tasks = [asyncio.create_task(client(vote, arena.port)) for _ in range(clients)]
    try:
        for number in range(kills):
            if time.monotonic() > last or over(tasks):
                kills = number
                break
            kind = kinds[number % len(kinds)]
            before = len(vote.acknowledged)
            share = draw.randint(max(1, each // 2), max(1, each))
            await until(lambda enough=before + share: len(vote.acknowledged) >= enough or over(tasks))
            await asyncio.sleep(draw.random() * 0.05)
            if kind == "idle":
                vote.open.clear()
                await until(lambda: not vote.under_way)
            arena.kill()
            died = time.monotonic()
            arena = again(folder, arena.port)
            if kind == "start":
                await asyncio.sleep(draw.random() * 4)
                arena.kill()
                died = time.monotonic()
                arena = again(folder, arena.port)
            if kind == "idle":
                await probe(vote, arena.port, next(spare))
            else:
                await until(lambda moment=died: vote.last >= moment or over(tasks))
            work.append(arena.processor_seconds())
            waits["idle" if kind == "idle" else "load"].append(vote.last - died)
            vote.open.set()
            if number % 5 == 4:
                print(
                    f"{number + 1} kills, {len(vote.acknowledged)} votes; idle {spread(waits['idle'])}; "
                    f"load {spread(waits['load'])}",
                    flush=True,
                )
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*tasks), max(60.0, last - time.monotonic()))
    finally:
        for task in tasks:
            task.cancel()
        arena.stop()
    print(f"processor time of the server from its start to its first vote: {spread(work)}")
    return report(folder, vote, waits, kills)


async def until(condition: Callable[[], bool]) -> None:
    """Return when it is so; the condition is another process's doing."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def over(tasks: list[asyncio.Task[None]]) -> bool:
    """Whether nobody votes any more."""
    return all(task.done() for task in tasks)


def again(folder: Path, port: int) -> ArenaProcess:
    """The arena started anew on the same data and port."""
    return ArenaProcess(
        folder, profile="fuzz", models=folder / "models.yaml", port=port, secret=SECRET, **visitor.QUIET
    )


def report(folder: Path, vote: Vote, waits: dict[str, list[float]], kills: int) -> Held:
    """Look into what is stored, and print a line per promise."""
    with Store.open(None, storage_dir=folder, elo_step=lambda a, b, outcome: (a, b)) as store:
        problems = store.check().problems
        stored = [(one.battle_id, one.verdict) for one in store.votes(VoteFilter(counting_only=False))]
    kept = dict(stored)
    lost = sum(battle not in kept for battle in vote.acknowledged)
    changed = sum(kept.get(battle, verdict) is not verdict for battle, verdict in vote.acknowledged.items())
    twice = len(stored) - len(kept)
    with closing(sqlite3.connect(folder / "arena.db")) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
    size = f"{len(vote.acknowledged)} votes, {kills} kills"
    print(f"answers: {dict(vote.statuses)}; problems: {problems or 'none'}")
    return Held(
        tell("a killed server loses, doubles and changes no acknowledged vote", asked="0 / 0 / 0, integrity ok",
             measured=f"{lost} / {twice} / {changed}, integrity {sound}", size=size,
             held=(lost, twice, changed, sound, problems) == (0, 0, 0, "ok", ())),
        tell("voting again after a kill, nobody else voting", asked="5 s", measured=spread(waits["idle"]),
             size=f"{len(waits['idle'])} kills", held=max(waits["idle"], default=0) <= 5),
        tell("voting again after a kill, under load", asked="8 s", measured=spread(waits["load"]),
             size=f"{len(waits['load'])} kills", held=max(waits["load"], default=0) <= 8),
    )  # fmt: skip


def main() -> int:
    """Print the lines; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=60, help="no kill after so many; what was done is told")
    parser.add_argument("--seed", type=int, default=6)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arena-crashes-") as name:
        ballots = ballots_in(Path(name), chosen.votes, voters_each=200)
        held = asyncio.run(drill(Path(name), ballots, chosen.kills, chosen.clients, chosen.minutes, chosen.seed))
    return int(not all(held))


if __name__ == "__main__":
    raise SystemExit(main())
