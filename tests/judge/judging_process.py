"""A judge in a process of its own, to be killed: `python judging_process.py DATABASE STORAGE BASE_URL`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from store_kit import elo_step

from arena.engines.openai import OpenAIEngine
from arena.judge.judge import BattleJudge
from arena.store.store import Store


async def main(database: str, storage: str, base_url: str) -> None:
    """Judge until nothing is left."""
    with Store.open(database, storage_dir=Path(storage), elo_step=elo_step, elo_start=1000.0) as store:
        engine = OpenAIEngine("judge-model", base_url)
        judge = BattleJudge("judge", engine, store, workers=4, lease=1.0)
        await judge.enqueue()
        print("ready", flush=True)
        await judge.run()
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
