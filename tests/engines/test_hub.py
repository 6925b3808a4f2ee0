"""What the hub says of an id is told plainly, over real HTTP against a hub on loopback."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from fake_hub import COMMIT, Repository, serving
from safetensors.numpy import save, save_file

from arena.engines.hub import Hub, Verdict
from arena.errors import AccessDenied, EndpointError

SHAPE = {"model_type": "qwen2", "hidden_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1}
CONFIG = json.dumps(SHAPE).encode()
EMBEDDINGS, NORM = "model.embed_tokens.weight", "model.norm.weight"
WEIGHTS = save({EMBEDDINGS: np.zeros((8, 4), np.float32), NORM: np.zeros(4, np.float32)})
FILES = {"config.json": CONFIG, "model.safetensors": WEIGHTS}


def hub_at(endpoint: str, cache: Path) -> Hub:
    return Hub(endpoint, token="hf_test", cache=cache)


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)


def test_a_right_id_is_found_with_its_commit(tmp_path: Path) -> None:
    """An unpinned one is told what to pin."""
    with serving(me__model=Repository(FILES)) as hub:
        pinned = hub_at(hub.endpoint, tmp_path).look("me/model", COMMIT)
        loose = hub_at(hub.endpoint, tmp_path).look("me/model")
    assert (pinned.verdict, pinned.ok, pinned.commit, pinned.mend) == (Verdict.FINE, True, COMMIT, "")
    assert loose.mend == f"pin it: revision: {COMMIT}"


def test_a_wrong_id_is_told_with_near_ones(tmp_path: Path) -> None:
    """Searched for on the hub itself."""
    with serving(me__model=Repository(FILES)) as hub:
        finding = hub_at(hub.endpoint, tmp_path).look("me/modell")
    assert (finding.verdict, finding.ok) == (Verdict.WRONG_ID, False)
    assert "me/model" in finding.mend


def test_a_wrong_revision_is_told_from_a_wrong_id(tmp_path: Path) -> None:
    """The mend names the page of commits."""
    with serving(me__model=Repository(FILES)) as hub:
        finding = hub_at(hub.endpoint, tmp_path).look("me/model", "f" * 40)
    assert finding.verdict is Verdict.WRONG_REVISION
    assert finding.mend.endswith("me/model/commits/main")


def test_a_gated_model_names_the_page_and_the_token(tmp_path: Path) -> None:
    """Where access is asked, and which variable carries it."""
    with serving(meta__llama=Repository(FILES, gated=True)) as hub:
        finding = hub_at(hub.endpoint, tmp_path).look("meta/llama")
    assert finding.verdict is Verdict.GATED
    assert f"{hub.endpoint}/meta/llama" in finding.mend
    assert "HF_TOKEN" in finding.mend


def test_weights_in_another_format_are_refused(tmp_path: Path) -> None:
    """Pickles run code when they are read."""
    with serving(me__old=Repository({"config.json": CONFIG, "pytorch_model.bin": b"x"})) as hub:
        assert hub_at(hub.endpoint, tmp_path).look("me/old").verdict is Verdict.NO_SAFETENSORS


def test_code_in_a_repository_is_mentioned(tmp_path: Path) -> None:
    """It is not run unless the operator says so."""
    with serving(me__model=Repository({**FILES, "modeling_own.py": b"import os"})) as hub:
        own = hub_at(hub.endpoint, tmp_path)
        assert "not run" in own.look("me/model").message
        assert "not run" not in own.look("me/model", trust_remote_code=True).message


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_hub_in_trouble_is_not_a_wrong_id(tmp_path: Path, status: int) -> None:
    """ "Could not tell" is its own answer."""
    with serving() as hub:
        hub.status = status
        finding = hub_at(hub.endpoint, tmp_path).look("me/model", COMMIT)
    assert (finding.verdict, finding.ok) == (Verdict.OFFLINE, None)


def test_no_network_is_not_a_wrong_id(tmp_path: Path) -> None:
    """Nothing listens on that port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        finding = hub_at(f"http://127.0.0.1:{unused.getsockname()[1]}", tmp_path).look("me/model")
    assert (finding.verdict, finding.ok) == (Verdict.OFFLINE, None)
    assert "HF_ENDPOINT" in finding.mend


@pytest.mark.parametrize("name", ["not an id", "a/b/c", "--x/y", "../../etc/passwd"])
def test_nonsense_is_a_wrong_id(tmp_path: Path, name: str) -> None:
    """Refused before anything is asked."""
    with serving() as hub:
        assert hub_at(hub.endpoint, tmp_path).look(name).verdict is Verdict.WRONG_ID
        assert hub.asked == []


def test_a_directory_is_looked_at_instead_of_the_hub(tmp_path: Path) -> None:
    """A complete checkpoint is fine, a broken one says where."""
    (tmp_path / "config.json").write_bytes(CONFIG)
    own = Hub("http://127.0.0.1:9")
    assert own.look(str(tmp_path)).verdict is Verdict.BROKEN
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    assert own.look(str(tmp_path)).verdict is Verdict.LOCAL


def test_headers_are_read_over_the_network_without_the_weights(tmp_path: Path) -> None:
    """A file of any size costs its first kilobytes."""
    with serving(me__model=Repository(FILES)) as hub:
        checkpoint = hub_at(hub.endpoint, tmp_path).checkpoint("me/model", COMMIT)
    assert {tensor.name: tensor.shape for tensor in checkpoint.tensors} == {EMBEDDINGS: (8, 4), NORM: (4,)}
    assert checkpoint.config["hidden_size"] == 4


def test_an_index_spares_the_headers_of_many_shards(tmp_path: Path) -> None:
    """Two small files are asked for, whatever the number of shards; the second time none."""
    full = SHAPE | {"intermediate_size": 8, "vocab_size": 8, "torch_dtype": "float32"}
    index = {"metadata": {"total_size": 144}, "weight_map": {EMBEDDINGS: "1.safetensors", NORM: "2.safetensors"}}
    files = {"config.json": full, "model.safetensors.index.json": index}
    served = {name: json.dumps(content).encode() for name, content in files.items()} | {"1.safetensors": b""}
    with serving(me__model=Repository(served)) as hub:
        checkpoint = hub_at(hub.endpoint, tmp_path).checkpoint("me/model", COMMIT)
        assert sum(tensor.nbytes for tensor in checkpoint.tensors) == 144
        assert not any("1.safetensors" in path for path in hub.asked)
    assert hub_at(hub.endpoint, tmp_path).checkpoint("me/model", COMMIT).tensors == checkpoint.tensors


def test_a_model_in_the_cache_needs_no_hub(tmp_path: Path) -> None:
    """What was fetched once is read from the disk."""
    snapshot = tmp_path / "models--me--model" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(CONFIG)
    (snapshot / "model.safetensors").write_bytes(WEIGHTS)
    checkpoint = hub_at("http://127.0.0.1:9", tmp_path).checkpoint("me/model", COMMIT)
    assert checkpoint.source == str(snapshot)


def test_a_checkpoint_that_cannot_be_had_raises_what_is_wrong(tmp_path: Path) -> None:
    """Gated and wrong ids deny access, a hub out of reach is an endpoint's error."""
    with serving(meta__llama=Repository(FILES, gated=True)) as hub:
        own = hub_at(hub.endpoint, tmp_path)
        with pytest.raises(AccessDenied, match="HF_TOKEN"):
            own.checkpoint("meta/llama")
        with pytest.raises(AccessDenied, match="no such model"):
            own.checkpoint("me/none")
    with pytest.raises(EndpointError, match="cannot be reached"):
        hub_at("http://127.0.0.1:9", tmp_path).checkpoint("me/model")
