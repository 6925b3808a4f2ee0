"""Who plays in tests of the service, and how a battle is brought to its answers."""

from __future__ import annotations

from collections.abc import Callable

from arena.service import Arena

ME, YOU = "voter-1", "voter-2"
Opened = Callable[..., Arena]
"""The fixture `opened`: from scripts by contestants' names to an arena over the test's one database."""


async def answered(arena: Arena, voter: str = ME, **options: object) -> str:
    battle = await arena.ask(voter, "почему небо голубое?", **options)  # type: ignore[arg-type]
    async for _ in arena.watch(voter, battle):
        pass
    return battle
