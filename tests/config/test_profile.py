"""Profile auto looks at the machine and loads nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.config import Settings, nvidia_gpu_visible, on_disk, resolve_profile


@pytest.fixture
def models(tmp_path: Path) -> Path:
    file = tmp_path / "models.yaml"
    file.write_text(
        "profiles:\n  gpu: {contestants: []}\n  demo: {contestants: []}\n  zerogpu: {contestants: []}\n"
        "  cpu: {contestants: [{name: a, model: o/a}, {name: b, model: o/b}, {name: c, model: o/c, enabled: false}]}\n"
    )
    return file


def chosen(models: Path, environ: dict[str, str], *, gpu: bool = False, profile: str = "auto") -> str:
    return resolve_profile(Settings(models=models, profile=profile), environ, lambda _: gpu)


def cached(home: Path, *names: str, partial: bool = False) -> dict[str, str]:
    for name in names:
        snapshot = home / "hub" / f"models--o--{name}" / "snapshots" / "rev"
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").touch()
        if partial:
            (home / "hub" / f"models--o--{name}" / "blobs").mkdir()
            (home / "hub" / f"models--o--{name}" / "blobs" / "x.incomplete").touch()
    return {"HF_HOME": str(home)}


def test_a_visible_gpu_chooses_the_gpu_profile(models: Path) -> None:
    """Before anything else on an own server."""
    assert chosen(models, {}, gpu=True) == "gpu"


def test_models_on_the_disk_choose_the_cpu_profile(models: Path, tmp_path: Path) -> None:
    """All enabled ones, complete."""
    assert chosen(models, cached(tmp_path / "full", "a", "b")) == "cpu"
    assert chosen(models, cached(tmp_path / "one", "a")) == "demo"
    assert chosen(models, cached(tmp_path / "torn", "a", "b", partial=True)) == "demo"


def test_a_bare_machine_gets_the_demo(models: Path, tmp_path: Path) -> None:
    """No GPU, nothing on the disk, nothing fetched."""
    assert chosen(models, {"HF_HOME": str(tmp_path)}) == "demo"


def test_a_zerogpu_space_gets_its_own_profile(models: Path) -> None:
    """There the models live in the Space's process."""
    assert chosen(models, {"SPACES_ZERO_GPU": "true"}) == "zerogpu"


def test_a_profile_that_was_asked_for_is_not_second_guessed(models: Path) -> None:
    """Even with a GPU in sight."""
    assert chosen(models, {}, gpu=True, profile="demo") == "demo"


def test_a_file_without_profiles_needs_no_choice(tmp_path: Path) -> None:
    """Its one set of models is loaded under any name."""
    file = tmp_path / "m.yaml"
    file.write_text("contestants: [{name: x, engine: fake}]")
    assert chosen(file, {}) == "cpu"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_gpu_is_not_visible(hidden: str) -> None:
    """CUDA_VISIBLE_DEVICES is respected."""
    assert nvidia_gpu_visible({"CUDA_VISIBLE_DEVICES": hidden}) is False


def test_a_local_directory_is_on_the_disk(tmp_path: Path) -> None:
    """And an unknown hub id is not."""
    assert on_disk(str(tmp_path), {"HF_HOME": str(tmp_path)})
    assert not on_disk("o/none", {"HF_HUB_CACHE": str(tmp_path)})
