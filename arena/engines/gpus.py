"""The memory this machine has: GPUs as the driver reports them, and main memory.

It asks the driver's own program and the kernel; it imports no model library and keeps nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as the driver reports it; sizes in bytes."""

    index: int
    name: str
    total: int
    free: int


def visible_gpus(environ: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """The GPUs that nvidia-smi lists and `CUDA_VISIBLE_DEVICES` does not hide; empty where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=index,name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return shown(parse_gpus(listed), environ.get("CUDA_VISIBLE_DEVICES"))


def parse_gpus(listed: str) -> tuple[Gpu, ...]:
    """The rows of nvidia-smi's CSV; one whose memory is not reported ("[N/A]") is left out."""
    rows = [[cell.strip() for cell in line.split(",")] for line in listed.splitlines() if line.count(",") == 3]
    return tuple(
        Gpu(int(index), name, int(total) * MIB, int(free) * MIB)
        for index, name, total, free in rows
        if total.isdigit() and free.isdigit()
    )


def shown(gpus: Sequence[Gpu], visible: str | None) -> tuple[Gpu, ...]:
    """Those that `CUDA_VISIBLE_DEVICES` names; all where it is unset or names them by UUID."""
    if visible is None:
        return tuple(gpus)
    wanted = [part.strip() for part in visible.split(",") if part.strip()]
    if any(not part.lstrip("-").isdigit() for part in wanted):
        return tuple(gpus)
    return tuple(gpu for gpu in gpus if str(gpu.index) in wanted)


def available_ram() -> int:
    """Bytes that processes may still take on this machine."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
