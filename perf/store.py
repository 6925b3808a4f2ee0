"""What the store costs: votes per second, commit to acknowledgement, start and rebuild at ten million votes.

    python perf/store.py [--votes 10000000] [--models 50,200] [--seconds 10] [--database URL] [--folder DIR]

Prints one line per figure. Synthetic votes, made in SQL; nothing outside the folder is touched.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sqlite3
import statistics
import tempfile
import time
from array import array
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from arena.ratings import elo
from arena.ratings.comparisons import Comparisons
from arena.store import tables
from arena.store.records import Contestant, NewBattle
from arena.store.store import Store
from arena.types import BattleStatus, Mode, Verdict

CLIENTS = 64
LANGUAGES, TOPICS = ("ru", "en"), ("code", "math", "cooking", "travel")


def elo_step(rating_a: float, rating_b: float, outcome: float) -> tuple[float, float]:
    """Online Elo as the arena computes it."""
    gain = elo.step(rating_a, rating_b, outcome)
    return rating_a + gain, rating_b - gain


def elo_fold(ratings: list[float], a: array[int], b: array[int], outcomes: array[float]) -> None:
    """The same for many comparisons in order."""
    sides = (np.frombuffer(side, np.int64) for side in (a, b))
    rows = Comparisons(("",) * len(ratings), *sides, np.frombuffer(outcomes))
    ratings[:] = elo.fold(rows, ratings=ratings).ratings.tolist()


def say(what: str, figure: str) -> None:
    """One line of the report."""
    print(f"{what:<68} {figure}", flush=True)


def opened(folder: Path, url: str | None = None) -> Store:
    """The store under test."""
    return Store.open(url, storage_dir=folder, elo_step=elo_step, elo_fold=elo_fold)


async def ready_battles(store: Store, models: int, count: int) -> list[tuple[str, str]]:
    """Battles that wait for a vote, with their voters."""
    await store.register_contestants([Contestant(f"model-{i:03}") for i in range(models)])
    ids = [one.id for one in store.contestants()]
    made: list[tuple[str, str]] = []
    for start in range(0, count, 2000):
        span = range(start, min(start + 2000, count))
        new = [
            NewBattle(f"voter-{i % 500}", Mode.ANONYMOUS, ids[i % models], ids[(i * 7 + 1 + i // models) % models])
            for i in span
        ]
        fit = [battle for battle in new if battle.contestant_a != battle.contestant_b]
        battles = await asyncio.gather(*[store.create_battle(battle) for battle in fit])
        await asyncio.gather(*[store.set_battle_status(battle.id, BattleStatus.VOTABLE) for battle in battles])
        made += [(battle.id, battle.voter) for battle in battles]
    return made


async def voting(store: Store, battles: list[tuple[str, str]], clients: int) -> tuple[float, list[float]]:
    """Votes per second and every latency, with so many clients that each wait for their acknowledgement."""
    waiting, latencies = iter(battles), []

    async def client() -> None:
        for battle_id, voter in waiting:
            began = time.perf_counter()
            await store.cast_vote(battle_id, voter, Verdict.MODEL_A)
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(clients)])
    return len(battles) / (time.perf_counter() - began), latencies


async def steady(store: Store, battles: list[tuple[str, str]], rate: float) -> list[float]:
    """Latencies of votes that arrive at a steady rate."""
    latencies: list[float] = []

    async def one(battle_id: str, voter: str) -> None:
        began = time.perf_counter()
        await store.cast_vote(battle_id, voter, Verdict.TIE)
        latencies.append(time.perf_counter() - began)

    tasks = []
    for battle_id, voter in battles:
        tasks.append(asyncio.create_task(one(battle_id, voter)))
        await asyncio.sleep(1 / rate)
    await asyncio.gather(*tasks)
    return latencies


def quantiles(seconds: list[float]) -> str:
    """Median and 99th percentile in milliseconds."""
    ordered = sorted(seconds)
    return f"p50 {statistics.median(ordered) * 1e3:.2f} ms, p99 {ordered[int(len(ordered) * 0.99)] * 1e3:.2f} ms"


def measure_writes(folder: Path, url: str | None, count: int) -> None:
    """Throughput with many clients, latency of one and of a hundred votes per second."""

    async def run() -> None:
        with opened(folder, url) as store:
            battles = await ready_battles(store, 200, count + 1500)
            per_second, latencies = await voting(store, battles[:count], CLIENTS)
            say(f"votes per second, {CLIENTS} clients, 200 models", f"{per_second:,.0f} ({quantiles(latencies)})")
            _, alone = await voting(store, battles[count : count + 500], 1)
            say("commit to acknowledgement, one client", quantiles(alone))
            say("the same at 100 votes per second", quantiles(await steady(store, battles[count + 500 :][:1000], 100)))

    asyncio.run(run())


def fill(path: Path, votes: int, models: int) -> None:
    """Synthetic votes straight into the file: every pair, a quarter ties, slices by language and topic."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"""
            PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA cache_size=-65536;
            INSERT INTO voters SELECT value, 'voter-' || value, 0 FROM {_series(5000)};
            INSERT INTO votes ({", ".join(column.name for column in tables.votes.c)})
            SELECT n, printf('%016x', n * 2654435761), 1 + n % 5000, a, 1 + (a - 1 + gap) % {models},
                   CASE WHEN r % 4 = 3 THEN 2 + (r / 4) % 2 WHEN r % 97 < 48 + a % 9 THEN 0 ELSE 1 END,
                   1.0, 1 + (n / 7) % 8, 1.79e9 + n * 0.1, 1000, 1000, 0, 0, NULL, NULL, NULL, NULL,
                   500 + r % 997, r % 5, r % 11, r % 7, 500 + r % 991, r % 3, r % 13, r % 6
            FROM (SELECT value AS n, 1 + value * 7919 % {models} AS a,
                         1 + value * 104729 / 13 % {models - 1} AS gap, value * 15485863 / 11 AS r
                  FROM {_series(votes)});
            UPDATE counters SET value = {votes};
            """
        )


def _series(count: int) -> str:
    """Numbers from one to `count` as a table expression."""
    step = f"SELECT 1 UNION ALL SELECT value + 1 FROM s WHERE value < {count}"
    return f"(WITH RECURSIVE s(value) AS ({step}) SELECT value FROM s)"


def make_slices(store: Store, models: int) -> None:
    """Eight slice sets: two languages by four topics, numbered from one."""
    store.register_contestants([Contestant(f"model-{i:03}") for i in range(models)]).result()
    from arena.store.counting import slice_set

    for language in LANGUAGES:
        for topic in TOPICS:
            store._write(partial(slice_set, names=(f"language={language}", f"topic={topic}"))).result()


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure_scale(folder: Path, votes: int, models: int) -> None:
    """Start and rebuild with so many votes stored."""
    with opened(folder) as store:
        make_slices(store, models)
    say(
        f"(making {votes:,} votes over {models} models)",
        f"{timed(lambda: fill(folder / 'arena.db', votes, models)):.1f} s",
    )
    with opened(folder) as store:
        processor = time.process_time()
        took = timed(lambda: store.rebuild())
        figure = f"{took:.2f} s ({time.process_time() - processor:.2f} s of processor time)"
        say(f"rebuild of counts and Elo from {votes:,} votes, {models} models", figure)

    def start() -> None:
        with opened(folder) as store:
            store.contestants(), store.pair_counts(), store.elo_state(), store.board_version()

    say(
        f"open, read the board, close: {votes:,} votes, {models} models",
        f"{statistics.median(timed(start) for _ in range(9)) * 1e3:.1f} ms",
    )
    size = (folder / "arena.db").stat().st_size
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say("size of the file; most memory of this process", f"{size / 2**30:.2f} GiB; {memory:.0f} MiB")


def main() -> None:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=10_000_000)
    parser.add_argument("--models", default="50,200")
    parser.add_argument("--writes", type=int, default=20_000)
    parser.add_argument("--database")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="arena-perf-") as name:
        folder = Path(name)
        measure_writes(folder / "writes", options.database, options.writes)
        for models in map(int, options.models.split(",")) if options.votes else ():
            measure_scale(folder / f"scale-{models}", options.votes, models)


if __name__ == "__main__":
    main()
