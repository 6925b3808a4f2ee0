"""Whether a page can tell the faster model by how its answer came, over real HTTP from a real arena.

    python -m perf.timing_http [--battles 2000] [--at-once 150] [--seed 1]

The same guessers and the same clues as `perf.timing`, which skips time and sees no network. Here one process serves
the arena's page over eight mock models of 5 to 200 tokens a second, another asks as the page asks, notes when each
server-sent event came and how much of either side it brought, and only afterwards looks into the database for who was
who. Both answers of a battle have the same length.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from arena.types import Chunk, Conversation, Decoding, Finish
from perf.promises import tell
from perf.timing import FASTEST, PROMISED, SLOWEST, Mock, Seen, chunks_of, told
from perf.web import Wire, free_port, wait_for

MODELS = 8
SHORTEST, LONGEST = 80, 500


@dataclass(frozen=True, slots=True)
class Model:
    """A mock that keeps its pace in every battle; how long its answer is, the question says."""

    name: str
    rate: float

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        """The answer, drawn from the question and the name."""
        asked = conversation[-1].content
        rng, length = Random(asked + self.name), int(re.findall(r"\d+", asked)[0])
        thinks = rng.uniform(0.2, 4) if rng.random() < 0.3 else 0.0
        unsteady = rng.choice((0.0, 0.3, 0.9))
        mock = Mock(chunks_of(rng, length), self.rate, rng.uniform(0, 2), unsteady, thinks, rng.getrandbits(32))
        async for event in mock.stream(conversation, decoding):
            yield event

    async def close(self) -> None:
        """Holds nothing."""


def models() -> Mapping[str, Model]:
    """From the slowest to the fastest, by the same factor each."""
    rates = np.geomspace(SLOWEST, FASTEST, MODELS)
    return {f"mock-{number}": Model(f"mock-{number}", float(rate)) for number, rate in enumerate(rates)}


def serve(storage: Path, port: int) -> None:
    """The arena's page over the mocks; until it is ended."""
    from arena.config import Catalog, Contestant, Settings
    from arena.engines.base import Engine
    from arena.service import Arena, open_store
    from arena.service.fleet import Fleet
    from arena.service.opening import masker_of
    from arena.ui.app import launch

    engines: dict[str, Engine] = dict(models())
    catalog = Catalog(tuple(Contestant(name=name, engine="fake") for name in engines))
    settings = Settings(
        storage=storage, seed=1, host="127.0.0.1", port=port, asks_per_minute=0, address_share=0, max_battles=1000,
        max_streams=5000,
    )  # fmt: skip

    def make() -> Arena:
        return Arena(settings, catalog, open_store(settings), Fleet(catalog, engines), masker=masker_of(catalog))

    launch(make, prevent_thread_lock=True).block_thread()


async def watch(wire: Wire, cookie: str, question: str) -> tuple[str, Seen]:
    """One battle as a page sees it: its id, and when how much had come; who is faster is not known yet."""
    asked = time.perf_counter()
    battle = await wire.begin(cookie, question)
    rows = [(0.0, 0, 0)]
    async for a, b in wire.frames(cookie, battle):
        rows.append((time.perf_counter() - asked, len(a), len(b)))
    at, *shown = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return battle, Seen(at, (shown[0], shown[1]), (shown[0][-1:], shown[1][-1:]), a_faster=False)


async def browse(port: int, count: int, at_once: int, seed: int) -> dict[str, Seen]:
    """So many battles, some at once, each of a voter of its own; by id."""
    wire, rng = Wire(port), Random(seed)
    gate, seen = asyncio.Semaphore(at_once), dict[str, Seen]()

    async def one(number: int) -> None:
        async with gate:
            question = f"Расскажи знаков на {rng.randrange(SHORTEST, LONGEST)}, вопрос {number}."
            battle, as_seen = await watch(wire, await wire.cookie(), question)
            seen[battle] = as_seen
            print(f"\r{len(seen)} of {count} battles", end="", file=sys.stderr, flush=True)

    await asyncio.gather(*(one(number) for number in range(count)))
    print(file=sys.stderr)
    return seen


def faster(database: Path) -> Mapping[str, bool]:
    """By battle, whether A's model is the faster one."""
    rate = {name: model.rate for name, model in models().items()}
    asked = (
        "SELECT battles.id, a.name, b.name FROM battles"
        " JOIN contestants a ON a.id = battles.contestant_a JOIN contestants b ON b.id = battles.contestant_b"
    )
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        return {battle: rate[a] > rate[b] for battle, a, b in db.execute(asked)}


def main() -> int:
    """Print one line per guesser; 1 when the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--battles", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(Path(chosen.serve), chosen.port)
        return 0
    with tempfile.TemporaryDirectory(prefix="timing-") as room:
        port, log = free_port(), Path(room) / "log"
        command = [sys.executable, "-m", "perf.timing_http", "--serve", room, "--port", str(port)]
        with log.open("w") as out:
            server = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            wait_for(port, server, log)
            seen = asyncio.run(browse(port, chosen.battles, chosen.at_once, chosen.seed))
            truth = faster(Path(room) / "arena.db")
        finally:
            server.terminate()
            server.wait(20)
    known = [Seen(one.at, one.shown, one.edges, truth[battle]) for battle, one in seen.items()]
    whole = sum(int(one.shown[0][-1] == one.shown[1][-1] > 0) for one in known)
    print(json.dumps({"battles": len(known), "both sides whole and of one length": whole}))
    held = True
    for guesser, found in told(known, chunks=False).items():
        held &= tell(
            f"over HTTP no pace tells the faster side ({guesser})", asked=f"≤ {PROMISED:.0%}", measured=str(found),
            size=f"{len(known)} battles", held=found.share <= PROMISED,
        )  # fmt: skip
    return int(not held)


if __name__ == "__main__":
    raise SystemExit(main())
