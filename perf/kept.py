"""What Python keeps of people who came, voted and left: the short form of `perf.sessions`.

    python -m perf.kept [--sessions 80]

The arena's server runs in this process, and what it remembers for a minute is remembered for a moment. Blocks that
Python holds after a full collection are counted after each of some crowds: of a page, a battle or a voter that nobody
forgets some tens stay for each session. Memory that the C library holds is the long form's business.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import weakref
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from arena.cli.serve import look_for_garbage_among_what_is_new
from arena.config import Catalog, Contestant, Settings
from arena.engines import fake
from arena.service import Arena, housekeeping, open_store
from arena.service.fleet import Fleet
from arena.service.opening import masker_of
from arena.store import sealing
from arena.ui import presence, rates
from arena.ui.app import launch
from perf.promises import tell
from perf.sessions import Visit, events_of
from tests.e2e.arena_process import free_port

MOMENT = 0.3
"""Seconds that ended battles, pages and buckets stay, in place of a minute."""

FEW = 16
"""Entries of the caches that are bounded: full after one crowd."""

AT_ONCE = 8
CROWDS = 5
"""The first fills the caches. Of the growth between any two the median counts (the slope of Theil and Sen): what the
arena does by itself now and then comes and goes by some hundred blocks."""

MOST_BLOCKS = 4.0
"""A session."""

PLENTY = 1_000_000
"""A pace that nobody comes near: it is kept count of and stops nobody."""


def measured(sessions: int, folder: Path) -> float:
    """Blocks that each session left behind, by the median of all pairs of crowds."""
    housekeeping.ENDED_SECONDS = presence.LINGER = rates.FULL_AFTER = MOMENT
    fake.REMEMBERED = sealing.KEYS_KEPT_OPEN = FEW
    catalog = Catalog(tuple(Contestant(name=name, engine="fake") for name in ("alpha", "beta")))
    settings = Settings(
        storage=folder, host="127.0.0.1", port=free_port(), asks_per_minute=PLENTY, votes_per_minute=PLENTY,
        address_share=PLENTY,
    )  # fmt: skip
    made: list[Arena] = []

    def make() -> Arena:
        engines = {entry.name: fake.FakeEngine(fake.saying("One answer.")) for entry in catalog.enabled}
        made.append(Arena(settings, catalog, open_store(settings), Fleet(catalog, engines), masker=masker_of(catalog)))
        return made[0]

    demo = launch(make, prevent_thread_lock=True)
    look_for_garbage_among_what_is_new()  # as `serve` does; a look at all that the start has made takes a second
    door = SimpleNamespace(port=settings.port, address=f"http://127.0.0.1:{settings.port}")
    try:
        counts = [asyncio.run(_after(door, made[0], sessions)) for _ in range(CROWDS)]
    finally:
        demo.close()
    slopes = [(after - before) / (j - i) for (i, before), (j, after) in combinations(enumerate(counts), 2)]
    return statistics.median(slopes) / sessions


async def _after(door: Any, arena: Arena, sessions: int) -> int:
    """The blocks that are held after so many sessions, once the last has been forgotten."""
    events, left = await asyncio.to_thread(events_of, door), iter(range(sessions))

    async def people() -> None:
        for _ in left:
            await Visit(door, events).whole()

    await asyncio.gather(*(people() for _ in range(AT_ONCE)))
    await _until(lambda: not arena._rooms)
    await asyncio.sleep(3 * MOMENT)
    await Visit(door, events).whole()  # whoever comes next clears the buckets of those before
    counts: list[int] = []
    await _until(lambda: _settled(counts))
    return min(counts)


async def _until(reached: Callable[[], bool]) -> None:
    """Look now and then, for two minutes at most: on a busy machine forgetting takes its time too."""
    for _ in range(400):
        await asyncio.sleep(MOMENT)
        if reached():
            return


def _settled(counts: list[int]) -> bool:
    """Count once more; whether the last three looks brought no further down what was least before them."""
    for _ in range(3):
        gc.collect()
    cursors = sum(type(one) is weakref.ref for one in gc.get_objects())  # sqlite3 clears its list every 200th
    counts.append(sys.getallocatedblocks() - cursors)
    return len(counts) > 3 and min(counts[-3:]) >= min(counts[:-3])


def main() -> int:
    """Print the line; 1 when the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=80, help="of each of five crowds")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arena-kept-") as name:
        kept = measured(chosen.sessions, Path(name))
    size = f"{CROWDS} crowds of {chosen.sessions}"
    held = tell("blocks that Python keeps of a finished session", asked=f"{MOST_BLOCKS:g} at most",
                measured=f"{kept:.1f}", size=size, held=kept <= MOST_BLOCKS)  # fmt: skip
    return int(not held)


if __name__ == "__main__":
    raise SystemExit(main())
