"""A process that votes until it is killed or done: `python voting_process.py URL STORAGE NAME VOTES [BATTLES-FILE]`.

One line per acknowledged vote goes to standard output, written at once: battle, verdict, number. With a
file of battle ids it votes on those (as voter "voter"), else on battles of its own.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from arena.store.records import Contestant, NewBattle, VoteExists
from arena.store.store import Store
from arena.types import BattleStatus, Mode, Verdict

CLIENTS = int(os.environ.get("VOTING_CLIENTS", "32"))
PAUSE = float(os.environ.get("VOTING_PAUSE", "0"))
"""Seconds that each client rests after a vote."""


def elo_step(rating_a: float, rating_b: float, outcome: float) -> tuple[float, float]:
    change = 4 * (outcome - 1 / (1 + 10 ** ((rating_b - rating_a) / 400)))
    return rating_a + change, rating_b - change


async def vote_once(store: Store, voter: str, battle_id: str | None, draw: random.Random) -> None:
    if battle_id is None:
        a, b = draw.sample([1, 2, 3, 4], 2)
        battle = await store.create_battle(NewBattle(voter, Mode.ANONYMOUS, a, b, language="ru"))
        await store.set_battle_status(battle.id, BattleStatus.VOTABLE)
        battle_id = battle.id
    verdict = draw.choice(list(Verdict))
    try:
        receipt = await store.cast_vote(battle_id, voter, verdict)
    except VoteExists:
        return
    os.write(1, f"{battle_id} {verdict} {receipt.sequence}\n".encode())


async def main(url: str, storage: str, name: str, votes: int, battles: list[str]) -> None:
    draw = random.Random(name)
    with Store.open(url, storage_dir=Path(storage), elo_step=elo_step) as store:
        await store.register_contestants([Contestant(letter) for letter in "wxyz"])
        waiting = iter(battles or [None] * votes)  # type: ignore[list-item]

        async def client(number: int) -> None:
            for battle_id in waiting:
                await vote_once(store, "voter" if battle_id else f"{name}-{number}", battle_id, draw)
                await asyncio.sleep(PAUSE)

        await asyncio.gather(*[client(number) for number in range(CLIENTS)])


if __name__ == "__main__":
    listed = Path(sys.argv[5]).read_text().split() if len(sys.argv) > 5 else []
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), listed))
