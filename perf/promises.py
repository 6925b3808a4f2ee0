"""One line per promise: what was asked, what was measured, at what size, and whether it held.

Harnesses call `tell`; `perf.soak` finds the lines in what they print. It knows no promise itself.
"""

from __future__ import annotations

HELD, BROKEN = "✓", "✗"


def line_of(promise: str, asked: str, measured: str, size: str, held: bool) -> str:
    """The line of a promise."""
    return f"{HELD if held else BROKEN} {promise} | asked {asked} | measured {measured} | {size}"


def tell(promise: str, *, asked: str, measured: str, size: str, held: bool) -> bool:
    """Print the line; returns whether the promise held."""
    print(line_of(promise, asked, measured, size, held), flush=True)
    return held


def line_in(text: str) -> str | None:
    """The promise that a line of a harness tells, without pytest's marks before it; None where it tells none."""
    found = text.lstrip(".sxXFE").rstrip()
    return found if found.startswith((f"{HELD} ", f"{BROKEN} ")) and found.count(" | ") >= 3 else None


def spread(seconds: list[float]) -> str:
    """Median, 90th percentile and longest of some waits, in seconds."""
    ordered = sorted(seconds)
    if not ordered:
        return "none"
    return f"p50 {ordered[len(ordered) // 2]:.1f}, p90 {ordered[int(len(ordered) * 0.9)]:.1f}, max {ordered[-1]:.1f} s"
