"""Every promise of durability and defence in its full form: `make soak`.

    python -m perf.soak [--only crashes,store] [--scale 0.1]

Hours of work on two cores; `--scale 0.1` does a tenth of it, `--only` some parts. Each harness prints a line per
promise (what was asked, what was measured, at what size); they are repeated together at the end, and the status is 1
when a promise was broken or a harness did not come to its end. All of it stays on loopback and is bounded in count and
in time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from perf.promises import BROKEN, line_in, line_of

ROOT = Path(__file__).resolve().parents[1]

Sizes = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Part:
    """A harness: its command, its sizes in full (as options, or as variables where in capitals), its longest time."""

    name: str
    command: tuple[str, ...]
    sizes: Sizes = field(default_factory=dict)
    hours: float = 1.0
    least: int = 2
    promise: tuple[str, str] = ("it comes to its end", "no fault")  # and what is asked, of one that tells no line

    def scaled(self, scale: float) -> dict[str, str]:
        """The sizes at a scale, none below what makes the harness meaningful."""
        return {name: str(max(self.least, round(size * scale))) for name, size in self.sizes.items()}


STORE = {
    "ARENA_SOAK_KILLS": 200,
    "ARENA_SOAK_VOTES": 500,
    "ARENA_SOAK_CUTS": 10_000,
    "ARENA_SOAK_FAULTS": 1_000,
    "ARENA_SOAK_MIGRATION_KILLS": 100,
    "ARENA_SOAK_BACKUPS": 1_000,
    "ARENA_SOAK_SHARED": 20_000,
}
PARTS = (
    Part("crashes", ("-m", "perf.crashes"), {"--votes": 100_000, "--kills": 200}, hours=1.5, least=10),
    Part("store", ("-m", "pytest", "-q", "-s", "tests/store/test_durability.py"), STORE, hours=1.5, least=10),
    Part("shared", ("-m", "perf.shared"), {"--votes": 20_000}, least=100),
    Part("flood", ("-m", "perf.flood"), {"--votes": 3_000}, least=600),
    Part("sessions", ("-m", "perf.sessions"), {"--sessions": 20_000, "--vanish": 500}, hours=2.5, least=50),
    Part("hostile", ("-m", "pytest", "-q", "-s", "tests/e2e/test_hostile_answers.py"), {"ARENA_SOAK_PAYLOADS": 1_000},
         least=150),
    Part("fuzz", ("-m", "perf.fuzz"), {"--calls": 10_000, "--votes": 10_000, "--upload-mb": 1_024},
         least=64),
    Part("machine", ("-m", "pytest", "-q", "-s", "tests/ui/test_voting_machine.py"), {"ARENA_SOAK_MACHINES": 500}),
    Part("cells", ("-m", "pytest", "-q", "tests/store/test_votes_files.py", "-k", "survives"),
         {"ARENA_SOAK_CELLS": 10_000}, least=100),
    Part("forgetting", ("-m", "pytest", "-q", "-s", "tests/store/test_sealing.py"), {"ARENA_SOAK_FORGETS": 200},
         least=5),
    Part("wipes", ("-m", "pytest", "-q", "-s", "tests/store/test_segments.py", "-k", "wiping"),
         {"ARENA_SOAK_WIPES": 50}, least=5),
    Part("canaries", ("-m", "pytest", "-q", "tests/e2e/test_blindness.py"), {"ARENA_SOAK_CANARIES": 1_000}, least=10,
         promise=("no name reaches a page before the vote", "0 hits")),
    Part("timing", ("-m", "perf.timing")),
    Part("timing-http", ("-m", "perf.timing_http"), {"--battles": 4_000}, least=40),
    Part("workers", ("perf/kills.py",), {"--parents": 200, "--crashes": 200}),
    Part("storms", ("-m", "pytest", "-q", "tests/engines/test_pool_storm.py"),
         {"ARENA_SOAK_STORMS": 1_000, "ARENA_SOAK_CROWDS": 10_000}, least=40,
         promise=("loads, evictions and failures in any order",
                  "never over the budget, nobody put away mid-answer, nobody waits for ever")),
    Part("rigging", ("perf/integrity.py",)),
)  # fmt: skip


def run(part: Part, scale: float, show: Callable[[str], object]) -> list[str]:
    """One harness to its end, its output shown as it comes; the lines of its promises."""
    sizes = part.scaled(scale)
    options = [word for name, size in sizes.items() if name.startswith("--") for word in (name, size)]
    variables = {name: size for name, size in sizes.items() if not name.startswith("--")}
    command = ["timeout", f"{part.hours}h", sys.executable, *part.command, *options]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            show(line.rstrip())
            if told := line_in(line):
                lines.append(told)
    if not lines or (process.returncode and not any(line.startswith(BROKEN) for line in lines)):
        promise, asked = part.promise
        size = ", ".join(f"{name.strip('-')} {size}" for name, size in sizes.items()) or "see its own lines"
        lines.append(
            line_of(f"{part.name}: {promise}", asked, f"status {process.returncode}", size, process.returncode == 0)
        )
    return lines


def main() -> int:
    """All parts, or those named; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [part.name for part in PARTS]
    parser.add_argument(
        "--only", default=",".join(names), help=f"parts by name, with commas between, of {', '.join(names)}"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of every count; 1 is what was promised")
    chosen = parser.parse_args()
    wanted = chosen.only.split(",")
    if strange := set(wanted) - set(names):
        parser.error(f"no such part: {', '.join(sorted(strange))}; there are {', '.join(names)}")
    told: list[str] = []
    for part in PARTS:
        if part.name in wanted:
            began = time.monotonic()
            print(f"— {part.name}", flush=True)
            told += run(part, chosen.scale, lambda line: print(line, flush=True))
            print(f"— {part.name} took {time.monotonic() - began:.0f} s", flush=True)
    print("\n" + "\n".join(told))
    return int(any(line.startswith(BROKEN) for line in told))


if __name__ == "__main__":
    raise SystemExit(main())
