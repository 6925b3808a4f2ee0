"""Prints how well rigging is found in simulated votes: the long form of what its tests check briefly.

    perf/.venv/bin/python perf/integrity.py [--scale 2]

Twelve contestants within 350 Elo points, 25% ties, honest voters who differ in taste, sharpness and in how often
they tie. `--scale` multiplies the number of simulations; 1 takes about two minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests" / "ratings"))

import numpy as np
from rigged_votes import crowd, even_crowd, rigged

from arena.ratings.bradley_terry import maximize
from arena.ratings.comparisons import Comparisons, IntArray, PairCounts
from arena.ratings.crowds import examine
from arena.ratings.integrity import investigate
from perf.promises import tell

MOST_WRONGED = 0.005
"""The share of honest voters that may be flagged."""


def caught(name: str, targets: tuple[int, ...], runs: int, least: float, *, lower: bool = False) -> bool:
    """Tell which share of riggers of 100 votes, among 10,000 honest ones, is flagged."""
    found = 0
    for run in range(runs):
        honest = crowd(10_000, run % 7)
        assert honest.voter is not None
        rows = rigged(honest, targets[run % len(targets)], 100, 1000 + run, lower=lower)
        flagged = {one.voter for one in investigate(rows).flagged}
        found += int(honest.voter.max()) + 1 in flagged
    return tell(f"caught within 100 votes: {name}", asked=f"{least:.0%}", measured=f"{found / runs:.1%}",
                size=f"{runs} runs", held=found / runs >= least)  # fmt: skip


def honest(name: str, crowds: Iterator[Comparisons]) -> bool:
    """Tell which share of honest voters is flagged."""
    flagged = total = 0
    for rows in crowds:
        found = investigate(rows)
        flagged, total = flagged + len(found.flagged), total + len(found.suspicions)
    return tell(f"honest voters flagged: {name}", asked=f"{MOST_WRONGED:.1%} at most",
                measured=f"{flagged / total:.2%}", size=f"{total:,} voters",
                held=flagged / total <= MOST_WRONGED)  # fmt: skip


def moved(riggers: int, picks: bool, runs: int) -> bool:
    """Tell how far any contestant stands from its honest place, before and after a quarantine."""
    before, after, wronged, voters = [], [], 0, 0
    for run in range(runs):
        votes = crowd(10_000, 500 + run)
        assert votes.voter is not None
        rows = rigged(votes, (run * 5) % 12, 1000, run, riggers=riggers, picks=picks, lower=run % 4 == 3)
        seen = examine(rows)
        last = int(votes.voter.max())
        wronged += sum(one.voter <= last for one in seen.findings.flagged)
        voters += last + 1
        kept = rows.where(np.setdiff1d(np.arange(len(rows)), seen.rows))
        before.append(np.abs(places(rows) - places(votes)).max())
        after.append(np.abs(places(kept) - places(votes)).max())
    how = "choosing their battles" if picks else "in whatever battles come"
    return tell(
        f"1,000 votes by {riggers:,}, {how}, after quarantine",
        asked="1 place at most",
        measured=f"{max(after)} places ({max(before)} before); honest flagged {wronged / voters:.2%}",
        size=f"{runs} runs",
        held=max(after) <= 1,
    )


def places(rows: Comparisons) -> IntArray:
    """Every contestant's place."""
    return np.argsort(np.argsort(-maximize(PairCounts.of(rows).score)[0]))


def promises(scale: int) -> Iterator[bool]:
    """Tell every promise with what was found; whether each was kept."""
    runs = 200 * scale
    yield caught("raising a weak contestant (the last three)", (9, 10, 11), runs, 0.95)
    yield caught("lowering a strong one (the first three)", (0, 1, 2), runs, 0.95, lower=True)
    yield caught("raising a strong contestant (the first three)", (0, 1, 2), runs, 0.75)
    yield caught("raising the very first", (0,), runs, 0.75)
    yield caught("raising one in the middle", (4, 5, 6, 7), runs, 0.75)
    yield honest("of 1 to some hundred votes", (crowd(10_000, seed) for seed in range(30 * scale)))
    yield honest("of 100 votes each", (even_crowd(100, 100, seed) for seed in range(30 * scale)))
    for riggers, picks in ((1, False), (1, True), (10, False), (10, True), (100, False), (100, True), (1000, True)):
        yield moved(riggers, picks, 24 * scale)


def main() -> int:
    """Print a line per promise; 1 when one was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, default=1, help="multiplies the number of simulations")
    return int(not all([*promises(parser.parse_args().scale)]))


if __name__ == "__main__":
    raise SystemExit(main())
