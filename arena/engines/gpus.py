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
    """A GPU as the driver reports it; sizes in bytes. `index` is the driver's, `uuid` begins with "GPU-"."""

    index: int
    name: str
    total: int
    free: int
    uuid: str = ""


def visible_gpus(environ: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """The GPUs that nvidia-smi lists and `CUDA_VISIBLE_DEVICES` does not hide; empty where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=index,name,memory.total,memory.free,uuid", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return shown(parse_gpus(listed), environ.get("CUDA_VISIBLE_DEVICES"))


def parse_gpus(listed: str) -> tuple[Gpu, ...]:
    """The rows of nvidia-smi's CSV; one whose memory is not reported ("[N/A]") is left out."""
    rows = [[cell.strip() for cell in line.split(",")] for line in listed.splitlines() if line.count(",") == 4]
    return tuple(
        Gpu(int(index), name, int(total) * MIB, int(free) * MIB, uuid)
        for index, name, total, free, uuid in rows
        if total.isdigit() and free.isdigit()
    )


def shown(gpus: Sequence[Gpu], visible: str | None) -> tuple[Gpu, ...]:
    """Those that `CUDA_VISIBLE_DEVICES` names by number or UUID, in its order, which is how CUDA counts them.

    All where it is unset or names something else, such as a slice of a GPU. A number that is not there hides what
    follows, as it does for CUDA.
    """
    if visible is None:
        return tuple(gpus)
    found: list[Gpu] = []
    for part in (part.strip() for part in visible.split(",") if part.strip()):
        if not part.lstrip("-").isdigit() and not part.startswith("GPU-"):
            return tuple(gpus)
        named = next((gpu for gpu in gpus if part == str(gpu.index) or _begins(gpu.uuid, part)), None)
        if named is None:
            break
        found.append(named)
    return tuple(dict.fromkeys(found))


def _begins(uuid: str, part: str) -> bool:
    """CUDA takes the beginning of a UUID for the whole."""
    return part.startswith("GPU-") and uuid.startswith(part)


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
