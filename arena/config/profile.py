"""What profile `auto` means on this machine: a GPU, models on the disk, or neither.

It looks and never loads: no model library is imported and nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from arena.config.catalog import load_catalog, profiles_of
from arena.config.contestants import Contestant
from arena.config.settings import Settings

_DRIVER = Path("/proc/driver/nvidia/gpus")


def resolve_profile(
    settings: Settings,
    environ: Mapping[str, str] = os.environ,
    gpu_visible: Callable[[Mapping[str, str]], bool] | None = None,
) -> str:
    """The profile to load: the one asked for, or for `auto` the best that starts on this machine.

    A file without profiles has one set of models; any name loads it.
    """
    if settings.profile != "auto":
        return settings.profile
    offered = profiles_of(settings.models)
    if environ.get("SPACES_ZERO_GPU") and "zerogpu" in offered:
        return "zerogpu"
    if (not offered or "gpu" in offered) and (gpu_visible or nvidia_gpu_visible)(environ):
        return "gpu"
    if not offered or ("cpu" in offered and _all_on_disk(load_catalog(settings.models, "cpu").enabled, environ)):
        return "cpu"
    return "demo" if "demo" in offered else offered[0]


def nvidia_gpu_visible(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the driver shows a GPU that `CUDA_VISIBLE_DEVICES` does not hide."""
    if environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if _DRIVER.is_dir() and any(_DRIVER.iterdir()):
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU " in listed.stdout


def on_disk(model: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a checkpoint is a local directory or complete in the hub's cache."""
    if Path(model).is_dir():
        return True
    kept = hub_cache(environ) / f"models--{model.replace('/', '--')}"
    if any(kept.glob("blobs/*.incomplete")):
        return False
    return any(any(snapshot.glob("*.safetensors")) for snapshot in kept.glob("snapshots/*"))


def hub_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where huggingface_hub keeps what it fetched (its documented variables, in its order)."""
    if explicit := environ.get("HF_HUB_CACHE"):
        return Path(explicit)
    if home := environ.get("HF_HOME"):
        return Path(home) / "hub"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface" / "hub"


def _all_on_disk(contestants: Iterable[Contestant], environ: Mapping[str, str]) -> bool:
    local = [entry for entry in contestants if entry.engine == "local" and entry.model]
    return len(local) >= 2 and all(on_disk(str(entry.model), environ) for entry in local)
