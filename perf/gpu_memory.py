"""Holds the planner against a GPU: predicted and real memory of models of the real shapes.

    python perf/gpu_memory.py [--shapes qwen2.5-7b …] [--quantizations nf4 int8 bf16] [--batch 8] [--dry-run]

Each random-weight checkpoint is loaded in a worker of its own, which then is asked as many questions at once as it
takes, each as long as the context allows: weights, cache and work space are all in use. Real is what the driver says
of the process. Exit status 1 where a prediction misses by more than 5%. With `--dry-run` every step is taken on the
CPU with the same models in small: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from gpu import CONTEXT, TINY, TOGETHER, Memory, device_name, planned, worker, written
from serving import ROOT, Server, has_gpu

sys.path.insert(0, str(ROOT))

from arena.engines.limits import Gate
from arena.engines.memory import GIB
from arena.engines.openai import OpenAIEngine
from arena.types import Decoding, Finish, Message, Role

TOLERANCE = 0.05
"""So far may a prediction lie from what is real."""

ANSWER = 16
"""Tokens of each answer; the rest of the context is its question."""

WORD = "snow "


def main() -> None:
    """Measure what fits and print it as Markdown."""
    arguments = _arguments()
    if not (has_gpu() or arguments.dry_run):
        raise SystemExit("no NVIDIA GPU here: nothing was measured")
    memory = Memory(arguments.dry_run)
    print(f"device: {device_name(arguments.dry_run)}, context {CONTEXT}, {arguments.batch} answers at once\n")
    print("| model | quantization | weights | cache | overhead | predicted GiB | real GiB | off by |")
    print("|---|---|---|---|---|---|---|---|")
    names = [(TINY if arguments.dry_run else "") + shape for shape in arguments.shapes]
    rows = [row for name in names for row in _measured(name, arguments, memory)]
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    if not arguments.dry_run and (not rows or any(abs(float(str(row["off"]))) > TOLERANCE for row in rows)):
        raise SystemExit(1)


def _measured(name: str, arguments: argparse.Namespace, memory: Memory) -> list[dict[str, object]]:
    """One row for each quantization that the checkpoint on the disk can be loaded in."""
    path = written(name, arguments.folder)
    if path is None:
        return []
    config = json.loads((path / "config.json").read_text())
    wanted: Sequence[str] = arguments.quantizations
    if "quantization_config" in config:  # the disk had no room for 16 bits
        wanted = [quantization for quantization in wanted if quantization == "nf4"]
    return [_row(name, path, quantization, arguments, memory) for quantization in wanted]


def _row(name: str, path: Path, quantization: str, arguments: argparse.Namespace, memory: Memory) -> dict[str, object]:
    predicted = planned(name, quantization, batch=arguments.batch)
    with worker(path, batch=arguments.batch, room=arguments.folder / "m", quantization=quantization) as (
        server,
        pid,
        _,
    ):
        asyncio.run(_fill(server, arguments.batch, 64 if arguments.dry_run else CONTEXT))
        real = memory.of(pid)
    off = predicted.total / real - 1
    sizes = (predicted.weights, predicted.kv_cache, predicted.overhead, predicted.total, real)
    figures = " | ".join(f"{size / GIB:.2f}" for size in sizes)
    print(f"| {name} | {quantization} | {figures} | {100 * off:+.1f}% |", flush=True)
    return {"name": name, "quantization": quantization, "predicted": predicted.total, "real": real, "off": off}


async def _fill(server: Server, batch: int, context: int) -> None:
    """Ask `batch` questions at once, each of about `context` tokens with its answer."""
    engine = OpenAIEngine(
        "local", "http://worker/v1", uds=server.uds, think_tags=None, gate=Gate(batch), first_token_timeout=600.0
    )
    few, more = [await _ask(engine, count) for count in (10, 30)]
    words = int((context - ANSWER - few) / ((more - few) / 20)) + 9
    await asyncio.gather(*(_ask(engine, words) for _ in range(batch)))
    await engine.close()


async def _ask(engine: OpenAIEngine, words: int) -> int:
    """How many tokens the question had."""
    question = (Message(Role.USER, WORD * words),)
    async for item in engine.stream(question, Decoding(temperature=0.7, max_tokens=ANSWER, seed=1)):
        if isinstance(item, Finish):
            return item.usage.prompt_tokens or 0
    raise SystemExit("the stream ended without a finish")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=list(dict.fromkeys(TOGETHER)))
    parser.add_argument("--quantizations", nargs="+", default=["nf4", "int8", "bf16"])
    parser.add_argument("--batch", type=int, default=8, help="answers at once")
    parser.add_argument("--folder", type=Path, default=ROOT / "storage" / "perf")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--dry-run", action="store_true", help="rehearse on the CPU with tiny models")
    return parser.parse_args()


if __name__ == "__main__":
    main()
