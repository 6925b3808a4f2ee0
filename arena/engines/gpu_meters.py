"""What the GPUs are doing now, as NVIDIA's management library tells it; nothing where there is none.

It reads and keeps nothing. Memory of models is planned elsewhere; this is what the device says.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

try:
    import pynvml
except ImportError:  # an arena without a GPU of its own needs it not
    pynvml = None  # type: ignore[assignment]

NVML: Any = pynvml
"""The library, None where it is not installed."""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU at this moment; bytes, watts, a share in [0, 1]. None is "it does not say"."""

    index: int
    name: str
    used: int
    total: int
    watts: float | None = None
    busy: float | None = None


def read_gpus(nvml: Any = NVML) -> tuple[GpuReading, ...]:
    """All GPUs of this machine; empty without a driver or without its library."""
    if nvml is None:
        return ()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        return tuple(_read(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError:
        return ()
    finally:
        nvml.nvmlShutdown()


def _read(nvml: Any, index: int) -> GpuReading:
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    memory, name = nvml.nvmlDeviceGetMemoryInfo(device), nvml.nvmlDeviceGetName(device)
    watts = busy = None
    with suppress(nvml.NVMLError):
        watts = nvml.nvmlDeviceGetPowerUsage(device) / 1000
    with suppress(nvml.NVMLError):
        busy = nvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
    text = name.decode() if isinstance(name, bytes) else str(name)
    return GpuReading(index, text, int(memory.used), int(memory.total), watts, busy)
