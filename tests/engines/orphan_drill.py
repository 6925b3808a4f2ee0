"""A parent to be killed: starts one worker, prints its process id at the asked moment, waits for death."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from arena.engines.local import LocalEngine
from arena.engines.nursery import Nursery
from arena.engines.worker.spec import WorkerSpec


async def main(checkpoint: str, moment: str) -> None:
    nursery = Nursery(spares=0)
    if moment == "importing":
        print((await nursery.take()).pid, flush=True)
    else:
        engine = LocalEngine(WorkerSpec(checkpoint, quantization="fp32", device="cpu", num_blocks=64), nursery)
        await engine.start()
        print(engine.pid, flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
