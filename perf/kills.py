"""Kills parents and workers many times and counts what is left behind.

    python perf/kills.py [--parents 200] [--crashes 200]

Parents: each starts one worker and is killed without warning, half of them while the worker still
imports its libraries, half while it serves; a worker that lives a second later is an orphan.
Crashes: one arena's engine whose worker is killed, stopped (a hang) or starved of memory in turn,
while a second model keeps answering; every failure must be an `EngineError` and every answer of the
other model must be whole.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(1, str(ROOT / "tests" / "engines"))

from checkpoints import build  # noqa: E402

from arena.engines.local import LocalEngine, Patience, Phase  # noqa: E402
from arena.engines.nursery import Nursery  # noqa: E402
from arena.engines.worker.spec import WorkerSpec  # noqa: E402
from arena.errors import EngineError  # noqa: E402
from arena.types import Decoding, Finish, Message, Role  # noqa: E402
from perf.promises import tell  # noqa: E402

HELLO = (Message(Role.USER, "Hello"),)
PATIENCE = Patience(load=120, silence=3, restart=0.05, quarantine=0.05, longest=0.2)


def main() -> int:
    """Run both drills and print two lines; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parents", type=int, default=200)
    parser.add_argument("--crashes", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as room:
        checkpoint = build(Path(room) / "model", "qwen2", context=4096, endless=True)
        held = not arguments.parents or _parents(checkpoint, arguments.parents)
        if arguments.crashes:
            held &= asyncio.run(_crashes(checkpoint, arguments.crashes))
    return int(not held)


def _parents(checkpoint: Path, count: int) -> bool:
    times: list[float] = []
    for number in range(count):
        times.append(_kill_a_parent(checkpoint, number))
        _say_how_far(len(times), f"longest {max(times):.2f} s")
    orphans = sum(lived > 1.0 for lived in times)
    return tell(
        "no worker outlives its parent",
        asked="0 orphans after 1 s",
        measured=f"{orphans}, the longest lived {max(times):.2f} s",
        size=f"{count} parents killed",
        held=not orphans,
    )


def _say_how_far(count: int, so_far: str) -> None:
    if count % 10 == 0:
        print(f"{count}: {so_far}", file=sys.stderr, flush=True)


def _kill_a_parent(checkpoint: Path, number: int) -> float:
    """Seconds that a worker outlived its parent; killed at a random moment after its birth."""
    moment = "serving" if number % 2 else "importing"
    command = [sys.executable, str(ROOT / "tests" / "engines" / "orphan_drill.py"), str(checkpoint), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        time.sleep(random.Random(number).uniform(0, 2 if moment == "importing" else 0.2))
        parent.kill()
    died = time.monotonic()
    while _exists(worker) and time.monotonic() < died + 5:
        time.sleep(0.005)
    return time.monotonic() - died


async def _crashes(checkpoint: Path, count: int) -> bool:
    """One engine suffers, another answers all the while."""
    spec = WorkerSpec(str(checkpoint), quantization="fp32", device="cpu", num_blocks=512)
    nursery = Nursery(spares=1, environment={"OMP_NUM_THREADS": "1"})
    victim = LocalEngine(spec, nursery, patience=PATIENCE)
    other = LocalEngine(spec, nursery, patience=replace(PATIENCE, silence=60))  # a busy machine alone is no hang
    await asyncio.gather(victim.start(), other.start())
    answered = asyncio.create_task(_keep_answering(other))
    failures = 0
    for number in range(count):
        failures += await _suffer(victim, ("kill", "hang", "memory")[number % 3], spec)
        _say_how_far(number + 1, f"{failures} failed turns, the other answers: {not answered.done()}")
    answered.cancel()
    whole = other.state.phase is Phase.WARM and not answered.done()
    await asyncio.gather(answered, return_exceptions=True)
    await asyncio.gather(victim.close(), other.close(), nursery.close())
    measured = f"{failures} turns failed as they should, the other model answered throughout: {whole}"
    return tell(
        "a model's end is nobody else's",
        asked="every failure told, the other model answers",
        measured=measured,
        size=f"{count} kills, hangs and failed loads",
        held=whole and failures == count,
    )


async def _suffer(engine: LocalEngine, how: str, spec: WorkerSpec) -> int:
    """One failure and the recovery from it; 1 when a turn failed in the proper way."""
    if how == "memory":
        await engine.unload()
        engine.spec = replace(spec, num_blocks=10**12)
        failed = await _fails(engine)
        engine.spec = spec
    else:
        stream = engine.stream(HELLO, Decoding(max_tokens=3000, temperature=0))
        await anext(stream)
        os.kill(engine.pid or 0, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        failed = 0
        try:
            async for item in stream:
                assert not isinstance(item, Finish), "a dead model ended its answer"
        except EngineError:
            failed = 1
    while True:
        try:
            await engine.start()
            return failed
        except EngineError:
            await asyncio.sleep(0.05)


async def _fails(engine: LocalEngine) -> int:
    try:
        await engine.start()
    except EngineError:
        return 1
    return 0


async def _keep_answering(engine: LocalEngine) -> None:
    while True:
        items = [item async for item in engine.stream(HELLO, Decoding(max_tokens=50, temperature=0))]
        assert isinstance(items[-1], Finish)
        await asyncio.sleep(0.05)


def _exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    raise SystemExit(main())
