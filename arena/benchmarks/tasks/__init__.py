"""The benchmarks this arena knows, one file each; `ALL` is the list that the command line shows."""

from __future__ import annotations

from arena.benchmarks.task import Benchmark
from arena.benchmarks.tasks import alpaca_eval, arena_hard, grounded_dialogue, ifeval, mt_bench
from arena.errors import FileFormatError

ALL: tuple[Benchmark, ...] = (
    *arena_hard.BENCHMARKS,
    *mt_bench.BENCHMARKS,
    *alpaca_eval.BENCHMARKS,
    *ifeval.BENCHMARKS,
    *grounded_dialogue.BENCHMARKS,
)


def benchmark(name: str) -> Benchmark:
    """A task by name. Raises `FileFormatError` with the names there are."""
    found = next((task for task in ALL if task.name == name), None)
    if found is None:
        raise FileFormatError(f"no task {name!r}; there are {', '.join(task.name for task in ALL)}")
    return found
