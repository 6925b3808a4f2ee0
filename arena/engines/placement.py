"""Which GPU a model goes to: the one with most room, or several when none alone has enough.

Pure bookkeeping of GiB; what the figures are and whether all fits together, planner and pool know.
"""

from __future__ import annotations

from collections.abc import Sequence

SPANNING = "balanced"
"""The device of a model that is spread over all GPUs."""


class Placement:
    """The GPUs of one machine, with the memory that models may take on each, in GiB."""

    def __init__(self, gpus: Sequence[float] = ()) -> None:
        self._gpus = tuple(gpus)
        self._taken: dict[str, tuple[str, float]] = {}

    def take(self, name: str, gib: float) -> str:
        """A device for a model, the same again until it leaves; "auto" where there is no choice."""
        if len(self._gpus) < 2:
            return "auto"
        if name not in self._taken:
            left = [room - self._on(f"cuda:{place}") for place, room in enumerate(self._gpus)]
            roomiest = max(range(len(left)), key=left.__getitem__)
            self._taken[name] = (f"cuda:{roomiest}" if left[roomiest] >= gib else SPANNING), gib
        return self._taken[name][0]

    def leave(self, name: str) -> None:
        """The model gives its place back."""
        self._taken.pop(name, None)

    def _on(self, device: str) -> float:
        """What models keep on a GPU: their own size, or their share when they are spread."""
        alone = sum(gib for where, gib in self._taken.values() if where == device)
        spread = sum(gib for where, gib in self._taken.values() if where == SPANNING)
        return alone + spread / len(self._gpus)
