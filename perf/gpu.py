"""Measures local serving on an NVIDIA GPU without a network: memory, load time, speed, residency.

    python perf/gpu.py [--shapes qwen2.5-7b …] [--folder DIR] [--budget 80] [--json FILE] [--dry-run]

Builds random-weight checkpoints of the real shapes, loads each in nf4 in a worker and prints: load
time, predicted and real memory, time to first token, tokens per second at 1, 8 and 32 streams,
against one naive `generate` stream and against what memory bandwidth allows a lone stream (bytes of
weights divided by the measured copy bandwidth). Then four models together under a budget, and the
time to switch to a cold one from the page cache. Needs nvidia-smi; where there is no GPU it says so.
With `--dry-run` every step is taken on the CPU with the same models in small: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serving import ROOT, Server, client, has_gpu, listening, row_of

sys.path.insert(0, str(ROOT))

from arena.engines.local import LocalEngine
from arena.engines.memory import GIB, Footprint, plan
from arena.engines.nursery import Nursery
from arena.engines.worker.spec import WorkerSpec

TOGETHER = ("qwen2.5-7b", "qwen2.5-7b", "mistral-nemo-12b", "qwen2.5-32b")
CONTEXT, TOKENS = 4096, 128
SPARE_SECONDS = 20.0
"""In this time a spare process has surely imported its libraries."""
TINY = "tiny-"  # as `shapes` has it, which imports torch


def main() -> None:
    """Measure what fits on this machine and print it as Markdown."""
    arguments = _arguments()
    if not (has_gpu() or arguments.dry_run):
        raise SystemExit("no NVIDIA GPU here: nothing was measured")
    small = TINY if arguments.dry_run else ""
    arguments.memory = Memory(arguments.dry_run)
    bandwidth = _bandwidth(arguments.dry_run)
    device = device_name(arguments.dry_run)
    results: dict[str, object] = {"device": device, "copy_gb_s": bandwidth}
    print(f"device: {device}, copy bandwidth {bandwidth:.0f} GB/s\n")
    names = [small + name for name in arguments.shapes]
    paths = {name: path for name in names if (path := written(name, arguments.folder))}
    results["alone"] = [_alone(name, path, arguments, bandwidth) for name, path in paths.items()]
    together = [small + name for name in TOGETHER]
    if set(together) <= set(paths):
        results["together"] = _together(together, paths, arguments)
    else:
        print("the four models together: not measured, not all checkpoints could be written")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def written(name: str, folder: Path) -> Path | None:
    """The checkpoint, written by a process of its own so that no GPU memory stays behind."""
    code = f"import sys, pathlib; sys.path.insert(0, {str(ROOT / 'perf')!r}); import shapes; " + (
        f"print(shapes.write({name!r}, pathlib.Path({str(folder)!r}))[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: not written: {done.stderr.strip().splitlines()[-1]}")
        return None
    return Path(done.stdout.strip().splitlines()[-1])


def _alone(name: str, path: Path, arguments: argparse.Namespace, bandwidth: float) -> dict[str, object]:
    """Everything about one model that has the GPU for itself."""
    predicted = planned(name, "nf4", batch=32)
    naive = _naive(path, arguments.tokens)
    with worker(path, batch=32, room=arguments.folder / "s") as (server, pid, seconds):
        client(server, 1, 16)  # warm up
        memory = arguments.memory.of(pid)
        rows = [row_of(server, count, client(server, count, arguments.tokens)) for count in (1, 8, 32)]
        memory = max(memory, arguments.memory.of(pid))
    limit = bandwidth * 1e9 / predicted.weights
    print(f"## {name}: ready in {seconds:.1f} s")
    print(f"memory: predicted {predicted.total_gib:.2f} GiB, real {memory / GIB:.2f} GiB", end=" ")
    print(
        f"({100 * (predicted.total / memory - 1):+.1f}%); naive generate {naive:.1f} tokens/s, bandwidth {limit:.0f}\n"
    )
    print("| streams | first token p50 ms | p99 ms | tokens/s per stream | tokens/s in all | times naive |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.requests} | {row.first_p50_ms:.0f} | {row.first_p99_ms:.0f} | {row.per_stream:.1f} | "
            f"{row.total:.0f} | {row.total / naive:.1f} |"
        )
    print(flush=True)
    return {
        "name": name, "load_s": seconds, "predicted_gib": predicted.total_gib, "real_gib": memory / GIB,
        "naive": naive, "bandwidth_limit": limit, "totals": {row.requests: row.total for row in rows},
    }  # fmt: skip


def _together(names: Sequence[str], paths: Mapping[str, Path], arguments: argparse.Namespace) -> dict[str, object]:
    """Four models resident at once, all answering; then one put away and loaded again."""
    predicted = sum(planned(name, "nf4", batch=8).total_gib for name in names)
    print(f"## {', '.join(names)} together: predicted {predicted:.1f} GiB of {arguments.budget:.0f}")
    if predicted > arguments.budget:
        print("does not fit the budget")
        return {"predicted_gib": predicted}
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(worker(paths[name], batch=8, room=arguments.folder / f"s{n}"))
            for n, name in enumerate(names)
        ]
        with ThreadPoolExecutor(len(workers)) as pool:
            runs = list(pool.map(lambda worker: client(worker[0], 8, arguments.tokens), workers))
        real = arguments.memory.of(*(pid for _, pid, _ in workers)) / GIB
        totals = [row_of(worker[0], 8, run).total for worker, run in zip(workers, runs, strict=True)]
    seconds = asyncio.run(_switch(paths[names[-1]], paths[names[0]]))
    print(f"real {real:.1f} GiB; 8 streams each, tokens/s: {', '.join(f'{total:.0f}' for total in totals)}")
    print(f"switch to a cold {names[0]} from the page cache: {seconds:.1f} s")
    return {"predicted_gib": predicted, "real_gib": real, "totals": totals, "switch_s": seconds}


async def _switch(first: Path, second: Path) -> float:
    """Seconds from asking for a cold model until it answers, with another put away for it: as the arena does it, in
    a process that has its libraries imported and no model yet."""
    nursery = Nursery()
    one, other = (LocalEngine(_spec(path, batch=8), nursery) for path in (first, second))
    try:
        await one.start()
        await nursery.restock()
        await asyncio.sleep(SPARE_SECONDS)
        began = time.monotonic()
        await one.unload()
        await other.start()
        return time.monotonic() - began
    finally:
        await asyncio.gather(one.close(), other.close(), nursery.close())


def _spec(path: Path, *, batch: int, quantization: str = "nf4") -> WorkerSpec:
    return WorkerSpec(str(path), quantization=quantization, context=CONTEXT, max_batch=batch, prefix_reuse=False)


@contextlib.contextmanager
def worker(path: Path, *, batch: int, room: Path, quantization: str = "nf4") -> Iterator[tuple[Server, int, float]]:
    """A worker with this model: its address, process id and the seconds until it was ready."""
    room.mkdir(parents=True, exist_ok=True)
    socket = str(room / "w.sock")
    Path(socket).unlink(missing_ok=True)
    server = Server("worker", "local", uds=socket)
    spec = _spec(path, batch=batch, quantization=quantization).to_json()
    command = [sys.executable, "-m", "arena.engines.worker", "--spec-json", spec, "--socket", server.uds or ""]
    began = time.monotonic()
    with listening(server, command, room / "log") as process:
        yield server, process.pid, time.monotonic() - began


def _naive(path: Path, tokens: int) -> float:
    """Tokens per second of one plain `generate` stream of the same weights."""
    socket = str(path / "naive.sock")
    Path(socket).unlink(missing_ok=True)
    server = Server("threads", "local", uds=socket)
    already = "quantization_config" in json.loads((path / "config.json").read_text())
    command = [sys.executable, str(ROOT / "perf" / "thread_per_request.py"), str(path), socket]
    with listening(server, command + ([] if already else ["nf4"]), path / "naive.log"):
        client(server, 1, 16)
        return row_of(server, 1, client(server, 1, tokens)).total


def planned(name: str, quantization: str, *, batch: int) -> Footprint:
    """What the planner says of a shape."""
    sys.path.insert(0, str(ROOT / "perf"))
    from shapes import as_checkpoint

    return plan(as_checkpoint(name), quantization, context=CONTEXT, batch=batch)


def _bandwidth(dry: bool) -> float:
    """Measured copy bandwidth of the GPU's memory, reads and writes, in GB/s."""
    size, device, wait = ("1 << 24", "cpu", "pass") if dry else ("1 << 31", "cuda", "torch.cuda.synchronize()")
    code = (
        f"import torch, time; x = torch.empty({size}, dtype=torch.uint8, device='{device}'); y = torch.empty_like(x);\n"
        f"[y.copy_(x) for _ in range(3)]; {wait}; t = time.perf_counter();\n"
        f"[y.copy_(x) for _ in range(20)]; {wait};\n"
        "print(20 * 2 * x.nbytes / (time.perf_counter() - t) / 1e9)"
    )
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


class Memory:
    """What worker processes hold on the GPUs, in bytes: in main memory where this is a rehearsal."""

    def __init__(self, dry: bool) -> None:
        self._dry = dry
        self._before = 0 if dry else self._in_use()

    def of(self, *pids: int) -> int:
        """All of them together. Inside a container the driver often does not tell processes apart: then what came
        since the start, of all GPUs."""
        if self._dry:
            pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
            return pages * os.sysconf("SC_PAGE_SIZE")
        rows = [line.split(",") for line in _query("--query-compute-apps=pid,used_memory").splitlines()]
        held = [(int(pid), int(mib)) for pid, mib in rows if pid.strip().isdigit() and mib.strip().isdigit()]
        if set(pids) <= {pid for pid, _ in held}:
            return sum(mib for pid, mib in held if pid in pids) << 20
        return self._in_use() - self._before

    @staticmethod
    def _in_use() -> int:
        return sum(int(line) for line in _query("--query-gpu=memory.used").splitlines()) << 20


def device_name(dry: bool) -> str:
    """What the figures were taken on."""
    return "the CPU, a rehearsal" if dry else _smi("name,memory.total")


def _smi(fields: str) -> str:
    return _query(f"--query-gpu={fields}").splitlines()[0].strip()


def _query(what: str) -> str:
    command = ["nvidia-smi", what, "--format=csv,noheader,nounits"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=list(dict.fromkeys(TOGETHER)))
    parser.add_argument("--folder", type=Path, default=ROOT / "storage" / "perf")
    parser.add_argument("--budget", type=float, default=80.0, help="GiB for the models together")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--dry-run", action="store_true", help="rehearse on the CPU with tiny models")
    arguments = parser.parse_args()
    arguments.tokens = 8 if arguments.dry_run else TOKENS
    return arguments


if __name__ == "__main__":
    main()
