"""The inventory joins the catalogue, the planner and the hub, and says what it could not learn."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from arena.config import Catalog, Contestant
from arena.engines.gpus import Gpu
from arena.engines.hub import Hub
from arena.engines.memory import CUDA_GRAPHS, CUDA_PROCESS, GIB, MIB
from arena.service.inventory import Budget, Reservation, Tick, budget, check, footprint, reservations, take_inventory

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub out of reach, with an empty cache."""
    return Hub(NOWHERE, cache=tmp_path / "cache")


def checkpoint(folder: Path, hidden: int = 64) -> Path:
    folder.mkdir()
    config = {
        "hidden_size": hidden, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 128,
        "vocab_size": 100, "max_position_embeddings": 512,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    save_file({"model.layers.0.mlp.up_proj.weight": np.zeros((128, hidden), np.float16)}, folder / "model.safetensors")
    return folder


def local(name: str, model: object, **more: object) -> Contestant:
    return Contestant.model_validate({"name": name, "model": str(model), "quantization": "bf16", "context": 256} | more)


def inventory(hub: Hub, *entries: Contestant, gib: float | None = 80.0):
    limit = Budget("cuda", None if gib is None else round(gib * GIB), "as asked")
    return take_inventory(Catalog(entries, profile="gpu"), hub, limit)


def test_a_local_checkpoint_is_planned_for_its_context_and_concurrency(tmp_path: Path, hub: Hub) -> None:
    """Three conversations of 256 tokens and a block each."""
    (item,) = inventory(hub, local("a", checkpoint(tmp_path / "a"), concurrency=3)).items
    assert item.memory is not None
    assert (item.memory.context, item.memory.batch, item.memory.kv_blocks) == (256, 3, 3 * 272 // 16)
    assert item.memory.weights == 128 * 64 * 2
    assert item.fits is True


def test_what_fits_together_is_told_for_enabled_models(tmp_path: Path, hub: Hub) -> None:
    """Each takes its own process; a disabled one keeps nobody company, yet says who would fit beside it."""
    folder = checkpoint(tmp_path / "a")
    entries = [local(name, folder, enabled=name != "off") for name in ("a", "b", "c", "off")]
    found = {item.entry.name: item for item in inventory(hub, *entries, gib=2.5).items}
    assert found["a"].beside == ("b", "c")
    assert found["a"].company == ("a", "b")
    assert found["off"].beside == ("a", "b", "c")


def test_a_budget_too_small_fits_nobody(tmp_path: Path, hub: Hub) -> None:
    """And an unknown one is "could not tell"."""
    folder = checkpoint(tmp_path / "a")
    assert inventory(hub, local("a", folder), gib=0.1).items[0].fits is False
    assert inventory(hub, local("a", folder), gib=None).items[0].fits is None


def test_a_hub_out_of_reach_leaves_an_estimate_and_is_asked_once(hub: Hub) -> None:
    """The stated size gives the weights; nothing is claimed of the rest."""
    entries = [local(f"m{i}", f"owner/m{i}", parameters=7.6, quantization="nf4") for i in range(20)]
    found = inventory(hub, *entries)
    assert {item.reason for item in found.items} == {
        "the hub cannot be reached (check the network, HF_ENDPOINT and HF_HUB_OFFLINE)"
    }
    assert all(item.estimated_gib == pytest.approx(5.2, abs=0.3) and item.fits is None for item in found.items)


def test_toys_that_are_not_trained_yet_say_so(tmp_path: Path, hub: Hub) -> None:
    """They are no error: the first start makes them."""
    toy = local("t", tmp_path / "demo" / "toy-a", toy=True)
    assert "not trained yet" in inventory(hub, toy).items[0].reason
    (tick,) = check(toy, hub)
    assert tick.ok is None


def test_endpoints_have_no_memory_here_and_say_whether_they_answer(hub: Hub) -> None:
    """Their reason names where they run; a disabled one is not asked, nor one whose key is missing."""
    entry = Contestant(name="e", engine="openai", base_url=f"{NOWHERE}/v1", model="m")
    off = entry.model_copy(update={"name": "off", "enabled": False})
    locked = entry.model_copy(update={"name": "locked", "api_key_env": "NO_SUCH_KEY"})
    item, silent, keyless = inventory(hub, entry, off, locked).items
    assert item.memory is None
    assert f"{NOWHERE}/v1" in item.reason
    assert item.as_dict()["health"] == {"ok": False, "said": "cannot be reached (ConnectError)"}
    assert silent.as_dict()["health"] is None
    assert keyless.as_dict()["health"] == {"ok": False, "said": "its key is not in the environment"}


def test_a_draft_model_is_counted_in(tmp_path: Path, hub: Hub) -> None:
    """Its weights lie beside the model's."""
    target, draft = checkpoint(tmp_path / "a"), checkpoint(tmp_path / "b", hidden=32)
    alone = footprint(local("a", target), hub, "cuda")
    paired = footprint(local("a", target, draft=str(draft)), hub, "cuda")
    assert paired.weights - alone.weights == 128 * 32 * 2


def test_the_pool_is_told_what_to_keep_for_each_model(tmp_path: Path, hub: Hub) -> None:
    """The planned total and the cache's blocks, or a generous guess where nothing can be read."""
    known, unread, blank = (
        local("known", checkpoint(tmp_path / "a")),
        local("unread", "o/m", parameters=10.0),
        local("blank", "o/n"),
    )
    kept = reservations([known, unread, blank, Contestant(name="f", engine="fake")], hub, "cuda")
    planned = footprint(known, hub, "cuda")
    assert kept["known"] == Reservation(planned.total_gib, planned.kv_blocks)
    assert kept["unread"].gib > 1.5 * 10e9 * 2 / GIB
    assert kept["blank"] == Reservation(0.0)
    assert set(kept) == {"known", "unread", "blank"}


def test_the_json_holds_every_entry_and_no_secret(tmp_path: Path, hub: Hub) -> None:
    """Figures in GiB, and null where nothing is known."""
    endpoint = Contestant(name="e", engine="openai", base_url=f"{NOWHERE}/v1", model="m", api_key_env="SOME_KEY")
    found = inventory(hub, local("a", checkpoint(tmp_path / "a")), endpoint).as_dict()
    text = json.dumps(found, allow_nan=False)
    first, second = found["models"]
    assert first["memory"]["total_gib"] == pytest.approx((CUDA_PROCESS + CUDA_GRAPHS) / GIB, abs=0.01)
    assert second["memory"] is None
    assert found["budget"] == {"device": "cuda", "gib": 80.0, "said": "as asked"}
    assert "SOME_KEY" not in text


@pytest.mark.parametrize(
    ("vram", "gpus", "profile", "device", "gib"),
    [
        (24.0, [], "gpu", "cuda", 24.0),
        (24.0, [Gpu(0, "big", 80 * GIB, 80 * GIB)], "gpu", "cuda", 24.0),
        (None, [Gpu(0, "big", 80 * GIB, 60 * GIB), Gpu(1, "big", 80 * GIB, 40 * GIB)], "gpu", "cuda", 90.0),
        (None, [], "gpu", "cuda", None),
        (None, [], "cpu", "cpu", 9.0),
    ],
)
def test_the_budget_is_what_was_asked_or_nine_tenths_of_what_is_free(
    vram: float | None, gpus: list[Gpu], profile: str, device: str, gib: float | None
) -> None:
    """Main memory where the profile runs without a GPU, and nothing for the GPU profile without one."""
    found = budget(vram, Catalog((), profile=profile), gpus, lambda: 10 * 1024 * MIB)
    assert (found.device, found.gib) == (device, gib if gib is None else pytest.approx(gib))


def test_self_tests_run_only_on_what_is_there(tmp_path: Path, hub: Hub) -> None:
    """A missing checkpoint is one cross, not a row of them."""

    def test(entry: Contestant):
        yield Tick("template", True, entry.name)

    there = list(check(local("a", checkpoint(tmp_path / "a")), hub, [test]))
    gone = list(check(local("a", "./gone"), hub, [test]))
    assert [tick.what for tick in there] == ["checkpoint", "template"]
    assert [(tick.what, tick.ok) for tick in gone] == [("checkpoint", False)]


@pytest.mark.skipif(find_spec("gptqmodel") is not None, reason="the package is here")
@pytest.mark.parametrize("quantization", ["gptq", "awq"])
def test_a_missing_package_is_a_cross_with_the_command_that_mends_it(
    tmp_path: Path, hub: Hub, quantization: str
) -> None:
    """Before anything is loaded, and before it would fail while people wait."""
    found = list(check(local("a", checkpoint(tmp_path / "a"), quantization=quantization), hub))
    assert [(tick.what, tick.ok) for tick in found] == [("checkpoint", True), ("package", False)]
    assert found[1].mend == 'pip install optimum "gptqmodel<7.7"'


def test_a_missing_key_is_a_cross_with_the_command_that_mends_it(hub: Hub) -> None:
    """And the endpoint is asked all the same."""
    entry = Contestant(name="e", engine="openai", base_url="http://127.0.0.1:9/v1", model="m", api_key_env="SOME_KEY")
    key, endpoint = check(entry, hub, environ={})
    assert (key.ok, key.mend) == (False, "export SOME_KEY=…")
    assert "cannot be reached" in endpoint.detail
