"""Every promise of durability and defence in its full form, one after the other: `make soak`.

Hours of work on two cores. Each harness prints its own figures; this adds one line per promise at the
end and fails when one did. All of it stays on loopback and ends by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Harness:
    """A promise and the command that tries to break it."""

    promise: str
    command: tuple[str, ...]
    sizes: dict[str, str] = field(default_factory=dict)


FULL = {
    "ARENA_SOAK_KILLS": "200",
    "ARENA_SOAK_VOTES": "500",
    "ARENA_SOAK_CUTS": "10000",
    "ARENA_SOAK_FAULTS": "1000",
    "ARENA_SOAK_MIGRATION_KILLS": "100",
    "ARENA_SOAK_BACKUPS": "1000",
    "ARENA_SOAK_FORGETS": "200",
}
HARNESSES = (
    Harness("no acknowledged vote is lost", ("pytest", "-q", "tests/store/test_durability.py"), FULL),
    Harness("who was forgotten is, in every copy", ("pytest", "-q", "-s", "tests/store/test_sealing.py"), FULL),
    Harness("no worker outlives its parent", ("perf/kills.py",)),
    Harness("no nonsense breaks it, no forged vote counts", ("perf.fuzz",)),
    Harness(
        "no name reaches a page before the vote",
        ("pytest", "-q", "tests/e2e/test_blindness.py"),
        {"ARENA_SOAK_CANARIES": "1000"},
    ),
    Harness("no pace tells which side is the faster", ("perf.timing",)),
    Harness("votes stay quick in a crowd", ("perf.flood",)),
    Harness("rigging is found", ("perf/integrity.py",)),
)


def held(harness: Harness) -> bool:
    """Run one harness to its end."""
    first, *rest = harness.command
    how = [first] if first.endswith(".py") else ["-m", first]
    done = subprocess.run([sys.executable, *how, *rest], cwd=ROOT, env={**os.environ, **harness.sizes}, check=False)
    return done.returncode == 0


def main() -> int:
    """All of them; 1 when a promise was broken."""
    lines, broken = [], False
    for harness in HARNESSES:
        print(f"— {harness.promise}", flush=True)
        began = time.monotonic()
        fine = held(harness)
        broken |= not fine
        lines.append(f"{'held  ' if fine else 'BROKEN'} {harness.promise} ({time.monotonic() - began:.0f} s)")
    print("\n".join(lines))
    return int(broken)


if __name__ == "__main__":
    raise SystemExit(main())
