"""The doctor's look at the machine: what is there, what is missing, and the mend; secrets are never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.config import Catalog, Contestant, Settings
from arena.engines.gpus import Gpu
from arena.service import checkup
from arena.service.checkup import examine, gpu, models, secrets, versions

FAKES = tuple(Contestant(name=name, engine="fake") for name in ("one", "two"))
CARD = (Gpu(0, "RTX 4090", 24 << 30, 20 << 30),)
KEY = "a-key-that-nobody-may-read"


def test_a_library_that_is_missing_or_too_old_is_named(tmp_path: Path) -> None:
    """With what is needed; the ones of this project's own file are all there."""
    assert versions().ok
    (tmp_path / "requirements.txt").write_text("# ours\nnumpy>=2\ngradio>=99,<100\nno-such-library>=1\n")
    found = versions(tmp_path / "requirements.txt")
    assert not found.ok
    assert ", but <100,>=99 is needed" in found.detail
    assert "no-such-library is missing, but >=1 is needed" in found.detail
    assert "numpy" not in found.detail


@pytest.mark.parametrize(
    ("cards", "profile", "torch", "ok", "told"),
    [
        ((), "demo", "2.13.0+cpu", True, "none: models run on the processor"),
        ((), "gpu", "2.13.0+cu130", False, "the profile is gpu"),
        (CARD, "gpu", "2.13.0+cpu", False, "torch 2.13.0+cpu cannot use it"),
        (CARD, "gpu", "2.13.0+cu130", True, "RTX 4090, 20.0 of 24.0 GiB free"),
    ],
)
def test_a_gpu_counts_only_when_torch_can_use_it(
    monkeypatch: pytest.MonkeyPatch, cards: tuple[Gpu, ...], profile: str, torch: str, ok: bool, told: str
) -> None:
    monkeypatch.setattr(checkup, "_installed", {"torch": torch}.get)
    found = gpu(cards, profile)
    assert (found.ok, told in found.detail) == (ok, True)


def test_files_that_are_not_there_are_crosses_and_models_to_fetch_are_told(tmp_path: Path) -> None:
    """A hub id that is on no disk is no fault: the first start fetches it."""
    environ = {"HF_HUB_CACHE": str(tmp_path)}
    hub = Contestant(name="far", engine="local", model="owner/far")
    found = models(Catalog((*FAKES, hub)), environ)
    assert found.ok
    assert "1 not on this disk yet" in found.detail
    lost = Contestant(name="near", engine="local", model=str(tmp_path / "gone"))
    played = Contestant(name="old", engine="recorded", answers=tmp_path / "gone.jsonl")
    found = models(Catalog((lost, played)), environ)
    assert not found.ok
    assert f"near: {tmp_path / 'gone'}: this is neither a hub id" in found.detail
    assert f"old: there is no file {tmp_path / 'gone.jsonl'}" in found.detail
    assert "a battle takes two" in models(Catalog(FAKES[:1]), environ).detail


def test_secrets_are_told_by_name_alone(tmp_path: Path) -> None:
    """A missing key is a cross with the line that sets it."""
    paid = Contestant(
        name="paid", engine="openai", model="m", base_url="https://example.org/v1", api_key_env="SOME_KEY"
    )
    gated = Contestant(name="gated", engine="local", model="owner/gated", gated=True)
    catalog, settings = Catalog((*FAKES, paid, gated)), Settings(storage=tmp_path)
    environ = {"HF_HUB_CACHE": str(tmp_path)}
    found = secrets(settings, catalog, environ)
    assert (found.ok, found.mend) == (False, "export SOME_KEY=… export HF_TOKEN=…")
    found = secrets(settings, catalog, environ | {"SOME_KEY": KEY, "HF_TOKEN": KEY})
    assert found.ok
    assert KEY not in found.detail


def test_a_broken_models_file_does_not_end_the_checkup(tmp_path: Path) -> None:
    """It is one cross, with its line; everything else is still looked at."""
    (tmp_path / "models.yaml").write_text("profiles:\n  demo:\n    contestants:\n      - nmae: x\n")
    settings = Settings(storage=tmp_path, models=tmp_path / "models.yaml", profile="demo")
    found = {one.name: one for one in examine(settings, {})}
    assert set(found) == {"versions", "disk", "gpu", "models", "secrets", "clock"}
    assert not found["models"].ok
    assert "models.yaml" in found["models"].detail
    assert all(one.ok for name, one in found.items() if name != "models")
