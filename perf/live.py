"""What the arena adds to its engines: first token and lag with many battles streaming at once.

    python perf/live.py [--battles 1 50 100] [--rate 40] [--seconds 5]

Engines keep a timetable (first token after half a second, then a steady rate), so everything measured
beyond that is the arena's own: opening the battle, the shared clock, the views that a page would
draw. Lag is how far behind the timetable the shown text is, in seconds of text. Without a browser and
without Gradio; measures the service on one loop, as one process serves it.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arena.config import Catalog, Contestant, Settings
from arena.engines.base import Engine
from arena.service import Arena, open_store
from arena.service.fleet import Fleet
from arena.service.opening import masker_of
from perf.metronome import FIRST, Metronome


def main() -> None:
    """Measure each number of battles in an arena of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--battles", type=int, nargs="+", default=[1, 50, 100])
    parser.add_argument("--rate", type=float, default=40.0, help="tokens per second of each stream")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    print("| battles | first token added p50 ms | p99 ms | lag p50 ms | p99 ms | one core used |")
    print("|---|---|---|---|---|---|")
    for count in arguments.battles:
        with tempfile.TemporaryDirectory(prefix="live-") as room:
            print(asyncio.run(_measure(Path(room), count, arguments.rate, arguments.seconds)), flush=True)


async def _measure(storage: Path, count: int, rate: float, seconds: float) -> str:
    catalog = Catalog(tuple(Contestant(name=name, engine="fake") for name in ("one", "two", "three")))
    engines: dict[str, Engine] = {entry.name: Metronome(rate, seconds) for entry in catalog.enabled}
    settings = Settings(storage=storage, seed=1)
    arena = Arena(settings, catalog, open_store(settings), Fleet(catalog, engines), masker=masker_of(catalog))
    await arena.start()
    began, used = time.perf_counter(), _cpu()
    rounds = max(1, 20 // count)
    seen: list[tuple[float, list[float]]] = []
    for _ in range(rounds):
        seen += await asyncio.gather(*(_battle(arena, f"voter-{n}", rate) for n in range(count)))
    share = (_cpu() - used) / (time.perf_counter() - began)
    await arena.close()
    firsts = [(first - FIRST) * 1000 for first, _ in seen]
    lags = [lag * 1000 for _, of_one in seen for lag in of_one]
    figures = (_at(firsts, 0.5), _at(firsts, 0.99), _at(lags, 0.5), _at(lags, 0.99))
    return f"| {count} | " + " | ".join(f"{figure:.0f}" for figure in figures) + f" | {share:.0%} |"


async def _battle(arena: Arena, voter: str, rate: float) -> tuple[float, list[float]]:
    """Seconds until the first text is shown, and how far behind the timetable every later view is."""
    began = time.perf_counter()
    battle = await arena.ask(voter, "Hello")
    first, lags = 0.0, []
    async for view in arena.watch(voter, battle):
        shown = len(view.turns[-1].a) if view.turns else 0
        now = time.perf_counter() - began
        if shown and not first:
            first = now
        elif shown and view.writing:
            lags.append(now - FIRST - shown / 6 / rate)  # a word and its space are six characters
    return first, lags


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


if __name__ == "__main__":
    main()
