"""Prints how the rating engine compares with arena-rank and evalica: ratios of times taken in one run.

    python -m venv perf/.venv && perf/.venv/bin/pip install -r perf/requirements.txt
    perf/.venv/bin/python perf/ratings.py            # 1M and 10M battles: a quarter of an hour, 8 GB of memory
    perf/.venv/bin/python perf/ratings.py --quick    # 1M only

Each figure is measured in a process of its own (`perf/rating_measures.py`), the peers' and ours in
turn on the same battles. The peers may use every core; the engine uses one, but for style control,
whose passes share the comparisons among the cores as JAX does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

Result = dict[str, float]
Row = tuple[str, str, str]
"""What was measured, the figure, the bar it has to reach."""

Got = dict[tuple[str, int, int], Result]
"""Results by measure, models and battles."""

MEASURES = Path(__file__).with_name("rating_measures.py")
OURS = ("live", "refit", "style", "apart", "stored", "rebuild")


def measured(name: str, size: int, number: int) -> Result:
    """Run one measure in a fresh process; a failure is printed and leaves its figures out."""
    print(f"… {name}, {size} models, {number:,} battles", file=sys.stderr, flush=True)
    command = [sys.executable, str(MEASURES), name, str(size), str(number)]
    environment = {**os.environ, **({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} if name in OURS else {})}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1:], file=sys.stderr)
        return {}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def ratio(above: Result, name: str, below: Result, other: str) -> str:
    """How many times as long the one took."""
    if name not in above or other not in below:
        return "not measured"
    times = above[name] / below[other]
    return f"{times:,.1f}×" if times < 10 else f"{times:,.0f}×"


def figure(result: Result, name: str, factor: float, unit: str) -> str:
    """One figure with its unit."""
    return f"{result[name] * factor:,.3g} {unit}" if name in result else "not measured"


def table(numbers: Sequence[int], sizes: Sequence[int], styled_sizes: Sequence[int]) -> list[Row]:
    """Every row, measured in the order in which they stand."""
    last, got = numbers[-1], Got()
    for size in sizes:
        for number in numbers:
            for name in ("live", "refit", "arena_rank", "evalica_bt"):
                got[name, size, number] = measured(name, size, number)
    for size in styled_sizes:
        for name in ("style", "arena_rank_style"):
            got[name, size, last] = measured(name, size, last)
    return [
        *_votes(got, numbers, sizes),
        *(row for size in sizes for row in _refits(got, size, last)),
        *(row for size in styled_sizes for row in _styled(got, size, last)),
        *(row for size in sizes for row in _memory(got["live", size, last], size, last)),
        *(_rebuilt(size, last) for size in sizes),
        *_started(last),
    ]


def _votes(got: Got, numbers: Sequence[int], sizes: Sequence[int]) -> list[Row]:
    """One vote to everybody's rating, and that it takes as long whatever is stored."""
    bars = {1_000_000: "≥ 20,000× / 3,000×", 10_000_000: "≥ 150,000× / 15,000×"}
    rows = []
    for number in numbers:
        live = [got["live", size, number] for size in sizes]
        peers = [got["arena_rank", size, number] for size in sizes]
        pairs = [ratio(peer, "seconds", ours, "median") for peer, ours in zip(peers, live, strict=True)]
        what = f"one vote → all ratings and intervals, {number:,} stored, vs arena-rank"
        rows.append((what, " / ".join(pairs), bars.get(number, "")))
        each = " / ".join(figure(ours, "median", 1e6, "µs") for ours in live)
        mean = " / ".join(figure(ours, "mean", 1e6, "µs") for ours in live)
        rows.append(("  its median latency; mean with the refits in between", f"{each}; {mean}", ""))
    first, last = numbers[0], numbers[-1]
    if first != last:
        flat = [ratio(got["live", size, last], "median", got["live", size, first], "median") for size in sizes]
        rows.append((f"latency at {last:,} over latency at {first:,}", " / ".join(flat), "≤ 1.2"))
    return rows


def _refits(got: Got, size: int, last: int) -> list[Row]:
    ours = got["refit", size, last]
    keys, counts = (
        [ratio(got[peer, size, last], "seconds", ours, source) for peer in ("arena_rank", "evalica_bt")]
        for source in ("from_keys", "from_counts")
    )
    what = f"full refit with intervals at {last:,}, {size} models, vs arena-rank / evalica (no intervals)"
    seconds = [figure(ours, source, 1e3, "ms") for source in ("from_keys", "from_counts")]
    return [
        (what, " / ".join(keys), "≥ 600× / 100×"),
        ("  the same from the stored pair counts", " / ".join(counts), ""),
        ("  its time from keys; from counts", "; ".join(seconds), ""),
    ]


def _styled(got: Got, size: int, last: int) -> list[Row]:
    ours = got["style", size, last]
    what = f"style control (4 columns, intervals) at {last:,}, {size} models, vs arena-rank"
    return [
        (what, ratio(got["arena_rank_style", size, last], "seconds", ours, "seconds"), "≥ 75×"),
        ("  its time", figure(ours, "seconds", 1, "s"), ""),
    ]


def _memory(ours: Result, size: int, last: int) -> list[Row]:
    """What a live board takes, and how near it stays to a fit anew."""
    more = measured("apart", size, last)
    errors = f"{figure(ours, 'rating_error', 1, '')}/ {figure(ours, 'interval_error', 1, 'points')}"
    slices = [figure(more, name, 1, "MB") for name in ("unread", "read")]
    voters = [figure(more, "clustered", 1, "MB"), figure(more, "seconds", 1, "s")]
    what = f"memory added by Bradley–Terry at {last:,}, {size} models"
    return [
        (what, figure(ours, "megabytes", 1, "MB"), "≤ 16 MB"),
        ("  live against refit after 1,000 votes: rating / interval", errors, "1e-3 / 1e-2"),
        ("  apart from it: a slice that nobody reads; one that is read", "; ".join(slices), ""),
        ("  apart from it, now and then: intervals clustered by 5,000 voters", ", ".join(voters), ""),
    ]


def _rebuilt(size: int, last: int) -> Row:
    again = measured("rebuild", size, last)
    took = f"{figure(again, 'seconds', 1, 's')} ({figure(again, 'processor', 1, 's')} of processor time)"
    return f"rebuild counts and Elo from {last:,} votes in SQLite, {size} models", took, "≤ 8 s"


def _started(last: int) -> list[Row]:
    """From a stored database to a board, and from a vote to the next one."""
    ours = measured("stored", 200, last)
    begun = f"start with {last:,} votes counted in SQLite: board ready, 200 models"
    committed = "commit of a vote → new board as JSON, 200 models"
    return [
        (begun, figure(ours, "ready", 1e3, "ms"), "≤ 10 ms"),
        ("  after a kill, from rows instead of the snapshot", figure(ours, "after_kill", 1e3, "ms"), ""),
        ("  of which the store's reading", figure(ours, "read", 1e3, "ms"), ""),
        (committed, figure(ours, "commit_to_json", 1e3, "ms"), "≤ 5 ms median"),
        ("  of which after the commit", figure(ours, "after_commit", 1e3, "ms"), ""),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one million battles only")
    arguments = parser.parse_args()
    numbers = [1_000_000] if arguments.quick else [1_000_000, 10_000_000]
    rows = table(numbers, [50, 200], [50])
    print("figures for 50 / 200 models\n")
    print("| | measured | bar |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
