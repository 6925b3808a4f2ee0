"""What an answer costs in energy: the GPUs' joules, shared among the answers that were under way by their tokens.

NVIDIA's management library counts a GPU's energy since Volta; older ones say their power, which is integrated.
It knows GPUs and numbers of tokens; it knows no model, and where nothing is measured it says None and never guesses.
All visible GPUs count together: which model kept which of them busy is not told apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from arena.engines.gpu_meters import NVML
from arena.engines.gpus import visible_gpus

SETTLE_SECONDS = 0.5
"""How often the joules of the last moment are shared out."""


class EnergyCounter:
    """Joules that some GPUs have used since the first call; None as soon as one of them does not say."""

    def __init__(self, indices: Iterable[int], nvml: Any = NVML, now: Callable[[], float] = time.monotonic) -> None:
        self._indices, self._nvml, self._now = tuple(indices), nvml, now
        self._devices: list[Any] = []
        self._power: dict[int, tuple[float, float, float]] = {}  # by place: when, watts, joules until then

    def joules(self) -> float | None:
        """Read all of them; may take milliseconds."""
        if self._nvml is None or not self._indices:
            return None
        try:
            if not self._devices:
                self._nvml.nvmlInit()
                self._devices = [self._nvml.nvmlDeviceGetHandleByIndex(index) for index in self._indices]
            return sum(self._of(place, device) for place, device in enumerate(self._devices))
        except self._nvml.NVMLError:
            return None

    def _of(self, place: int, device: Any) -> float:
        if place not in self._power:
            try:
                return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(device)) / 1000
            except self._nvml.NVMLError:  # a GPU from before 2017
                pass
        now, watts = self._now(), float(self._nvml.nvmlDeviceGetPowerUsage(device)) / 1000
        before, watts_before, joules = self._power.get(place, (now, watts, 0.0))
        joules += (now - before) * (watts + watts_before) / 2
        self._power[place] = now, watts, joules
        return joules


@dataclass(slots=True, eq=False)
class Share:
    """One answer under way: its tokens so far, how many of them have been charged, and its joules."""

    tokens: int = 0
    charged: int = 0
    joules: float = 0.0


class EnergyShares:
    """Shares out what `read` says was used. While nobody answers, the energy is nobody's."""

    def __init__(self, read: Callable[[], float | None]) -> None:
        self._read = read
        self._last: float | None = None
        self._open: set[Share] = set()
        self._reading = asyncio.Lock()

    @property
    def measuring(self) -> bool:
        """Whether there is anything to share out."""
        return self._last is not None

    def begin(self) -> Share | None:
        """A new answer's share; None where nothing is measured. Tell it of tokens, then `end` it."""
        if not self.measuring:
            return None
        share = Share()
        self._open.add(share)
        return share

    async def end(self, share: Share) -> float | None:
        """The joules of an answer that is over."""
        try:
            await self.settle()
        finally:  # also for who is cancelled while the GPUs are read: nobody would close the share for them
            self._open.discard(share)
        return share.joules if self.measuring else None

    async def settle(self) -> None:
        """Charge what was used since the last time: by tokens, or evenly while all are read and none has spoken."""
        async with self._reading:
            now, before = await asyncio.to_thread(self._read), self._last
            self._last = now
            if now is None or before is None or not self._open:
                return
            new = {share: share.tokens - share.charged for share in self._open}
            tokens = sum(new.values())
            for share, count in new.items():
                share.joules += (now - before) * (count / tokens if tokens else 1 / len(new))
                share.charged = share.tokens

    async def keep_settling(self) -> None:
        """Settle now and then, until cancelled; returns at once where nothing is measured."""
        await self.settle()
        while self.measuring:
            await asyncio.sleep(SETTLE_SECONDS)
            await self.settle()


def shares_of_this_machine() -> EnergyShares:
    """The shares of the visible GPUs; without any, nothing is measured."""
    counter: EnergyCounter | None = None

    def read() -> float | None:
        nonlocal counter
        counter = counter or EnergyCounter(gpu.index for gpu in visible_gpus())
        return counter.joules()

    return EnergyShares(read)
