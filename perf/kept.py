"""What Python keeps of people who came, voted and left: the short form of `perf.sessions`.

    python -m perf.kept [--sessions 60]

The arena's server runs in this process, and what it remembers for a minute is remembered for a moment. Objects that
the garbage collector knows are counted by their type after each of some crowds. Of a page, a battle or a voter that
nobody forgets at least one stays for each session, crowd after crowd; what the arena does by itself now and then
comes in one crowd and goes in another. So a type counts by the least that any crowd has added to it. Memory that the
C library holds is the long form's business.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
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
"""The first fills the caches."""

MOST_OBJECTS = 0.5
"""Of one type, a session."""

PLENTY = 1_000_000
"""A pace that nobody comes near: it is kept count of and stops nobody."""


Census = dict[str, int]
"""How many objects there are of each type."""


def measured(sessions: int, folder: Path) -> tuple[float, str]:
    """The type that every crowd added to, and how many objects of it each session left behind at least."""
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
        taken = [asyncio.run(_after(door, made[0], sessions)) for _ in range(CROWDS)]
    finally:
        demo.close()
    least, kind = max(
        (min(after.get(kind, 0) - before.get(kind, 0) for before, after in pairwise(taken)), kind) for kind in taken[-1]
    )
    return least / sessions, kind


async def _after(door: Any, arena: Arena, sessions: int) -> Census:
    """What is held after so many sessions, once the last has been forgotten."""
    events, left = await asyncio.to_thread(events_of, door), iter(range(sessions))

    async def people() -> None:
        for _ in left:
            await Visit(door, events).whole()

    await asyncio.gather(*(people() for _ in range(AT_ONCE)))
    await _until(lambda: not arena._rooms)
    await asyncio.sleep(3 * MOMENT)
    await Visit(door, events).whole()  # whoever comes next clears the buckets of those before
    looks: list[Census] = []
    await _until(lambda: _settled(looks))
    return _least(looks)


async def _until(reached: Callable[[], bool]) -> None:
    """Look now and then, for two minutes at most: on a busy machine forgetting takes its time too."""
    for _ in range(400):
        await asyncio.sleep(MOMENT)
        if reached():
            return


def _settled(looks: list[Census]) -> bool:
    """Look once more; whether the last three looks found no less of anything than those before."""
    for _ in range(3):
        gc.collect()
    looks.append(Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects()))
    return len(looks) > 3 and _least(looks) == _least(looks[:-3])


def _least(looks: list[Census]) -> Census:
    """Of each type the fewest that any look found."""
    return {kind: min(look.get(kind, 0) for look in looks) for kind in set().union(*looks)}


def main() -> int:
    """Print the line; 1 when the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=60, help="of each of five crowds")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arena-kept-") as name:
        kept, kind = measured(chosen.sessions, Path(name))
    size = f"{CROWDS} crowds of {chosen.sessions}" + (f"; {kind}" if kept > 0 else "")
    held = tell("objects of one type that Python keeps of each session", asked=f"{MOST_OBJECTS:g} at most",
                measured=f"{kept:.2f}", size=size, held=kept <= MOST_OBJECTS)  # fmt: skip
    return int(not held)


if __name__ == "__main__":
    raise SystemExit(main())
