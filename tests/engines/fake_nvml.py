"""NVIDIA's management library as far as energy goes, with counters that a test moves by hand."""

from __future__ import annotations


class FakeNvml:
    """GPUs with so many joules on their counters, or, with `counters` off, drawing so many watts."""

    class NVMLError(Exception):
        """What the library raises."""

    def __init__(self, *joules: float, counters: bool = True) -> None:
        self.joules, self.counters = list(joules), counters
        self.watts = [0.0] * len(joules)
        self.begun = 0

    def nvmlInit(self) -> None:
        self.begun += 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, device: int) -> int:
        if not self.counters:
            raise self.NVMLError("not supported")
        return round(self.joules[device] * 1000)

    def nvmlDeviceGetPowerUsage(self, device: int) -> int:
        return round(self.watts[device] * 1000)
