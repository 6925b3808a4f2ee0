"""What the operator may do with contestants while the arena runs: load, put away, let take part or not.

It knows the fleet and names, no battle: whoever answers finishes first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from arena.errors import ModelUnavailable
from arena.service.fleet import Fleet

log = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[None, None, None], str], Any]


class Operator:
    """Acts on one fleet. Each act raises `ModelUnavailable` for a name that takes no part."""

    def __init__(self, fleet: Fleet, spawn: Spawn) -> None:
        self._fleet, self._spawn = fleet, spawn

    async def load(self, name: str) -> bool:
        """Begin to load a model, also one in quarantine; how it goes is told by its state."""
        self._spawn(self._load(self._known(name)), "loading for the operator")
        return True

    async def evict(self, name: str) -> bool:
        """Put a model away; False when it is answering and stays."""
        return await self._fleet.evict(self._known(name))

    async def enable(self, name: str) -> bool:
        """Let a contestant take part in new battles."""
        await self._fleet.enable(self._known(name), True)
        return True

    async def disable(self, name: str) -> bool:
        """Let a contestant take part in no new battle, until it is enabled again or the arena restarts."""
        await self._fleet.enable(self._known(name), False)
        return True

    async def _load(self, name: str) -> None:
        try:
            await self._fleet.load(name)
        except ModelUnavailable as error:
            log.warning("%s was not loaded: %s", name, error)

    def _known(self, name: str) -> str:
        if name not in self._fleet.entries:
            raise ModelUnavailable("there is no such contestant")
        return name
