"""Memory is told from a checkpoint's own files, and agrees with what loading really takes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from arena.engines.checkpoint import Checkpoint, Tensor, from_index, read_directory
from arena.engines.gpus import Gpu, available_ram, parse_gpus, shown
from arena.engines.memory import GIB, MIB, companions, company, estimated_weights, nf4_bytes, plan, weight_bytes
from arena.errors import FileFormatError

QWEN_7B = {
    "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
}  # fmt: skip


def qwen_tensors(config: dict[str, object]) -> tuple[Tensor, ...]:
    """The tensors that a Qwen2 checkpoint of this config stores in bf16."""
    hidden, middle, words, heads, keys = (
        int(str(config[key]))
        for key in ("hidden_size", "intermediate_size", "vocab_size", "num_attention_heads", "num_key_value_heads")
    )
    narrow = hidden // heads * keys
    one = {
        "self_attn.q_proj.weight": (hidden, hidden), "self_attn.q_proj.bias": (hidden,),
        "self_attn.k_proj.weight": (narrow, hidden), "self_attn.k_proj.bias": (narrow,),
        "self_attn.v_proj.weight": (narrow, hidden), "self_attn.v_proj.bias": (narrow,),
        "self_attn.o_proj.weight": (hidden, hidden), "mlp.gate_proj.weight": (middle, hidden),
        "mlp.up_proj.weight": (middle, hidden), "mlp.down_proj.weight": (hidden, middle),
        "input_layernorm.weight": (hidden,), "post_attention_layernorm.weight": (hidden,),
    }  # fmt: skip
    ends = {
        "model.embed_tokens.weight": (words, hidden),
        "model.norm.weight": (hidden,),
        "lm_head.weight": (words, hidden),
    }
    layers = {
        f"model.layers.{i}.{name}": shape
        for i in range(int(str(config["num_hidden_layers"])))
        for name, shape in one.items()
    }
    return tuple(Tensor(name, "BF16", shape) for name, shape in (ends | layers).items())


@pytest.fixture
def qwen_7b() -> Checkpoint:
    return Checkpoint("Qwen2.5-7B", QWEN_7B, qwen_tensors(QWEN_7B))


def test_a_published_7b_weighs_what_its_index_says(qwen_7b: Checkpoint) -> None:
    """15,231,233,024 bytes stand in the index of Qwen2.5-7B-Instruct."""
    assert weight_bytes(qwen_7b, "bf16") == 15_231_233_024
    assert weight_bytes(qwen_7b, "fp32") == 2 * 15_231_233_024


def test_four_bits_take_a_third_and_eight_bits_a_little_over_half(qwen_7b: Checkpoint) -> None:
    """Embeddings and the head stay in 16 bits."""
    assert weight_bytes(qwen_7b, "nf4") / GIB == pytest.approx(5.17, abs=0.01)
    assert weight_bytes(qwen_7b, "int8") / GIB == pytest.approx(8.11, abs=0.01)


def test_the_cache_is_what_the_attention_shape_says(qwen_7b: Checkpoint) -> None:
    """2 · 28 layers · 4 heads · 128 · 2 bytes a token, for eight conversations of 8,192 and a block each."""
    footprint = plan(qwen_7b, "nf4", context=8192, batch=8)
    assert footprint.kv_bytes_per_token == 57_344
    assert footprint.kv_blocks == 8 * (8192 + 16) // 16
    assert footprint.kv_cache == (footprint.kv_blocks + 1) * 16 * 57_344
    assert footprint.total == footprint.weights + footprint.kv_cache + footprint.overhead


def test_a_context_beyond_the_models_own_is_cut(qwen_7b: Checkpoint) -> None:
    """And none means the model's own."""
    assert plan(qwen_7b, "nf4", context=999_999).context == 32768
    assert plan(qwen_7b, "nf4").context == 32768


def test_a_cpu_keeps_unquantized_parts_in_32_bits_and_a_bounded_cache(qwen_7b: Checkpoint) -> None:
    """As the worker does there."""
    footprint = plan(qwen_7b, "nf4", context=32768, batch=64, device="cpu")
    assert footprint.kv_bytes_per_token == 2 * 57_344
    assert footprint.kv_blocks * 16 == 65_536
    assert footprint.weights > plan(qwen_7b, "nf4", context=32768, batch=64).weights


def test_a_tied_head_is_counted_once() -> None:
    """Some checkpoints store it though it is the embedding."""
    untied = Checkpoint("x", QWEN_7B, qwen_tensors(QWEN_7B))
    tied = Checkpoint("x", QWEN_7B | {"tie_word_embeddings": True}, untied.tensors)
    assert weight_bytes(untied, "bf16") - weight_bytes(tied, "bf16") == 152064 * 3584 * 2


@pytest.mark.parametrize("quantization", ["gptq", "awq"])
def test_published_quantizations_take_what_is_stored(quantization: str) -> None:
    """Packed integers, scales and zeros as they are."""
    tensors = (Tensor("a.qweight", "I32", (448, 3584)), Tensor("a.scales", "F16", (28, 3584)))
    packed = Checkpoint("x", QWEN_7B | {"quantization_config": {"bits": 4}}, tensors)
    assert weight_bytes(packed, quantization) == 448 * 3584 * 4 + 28 * 3584 * 2


def test_gemma_names_its_head_size_and_multimodal_models_nest_their_text() -> None:
    """head_dim is not hidden / heads there, and text_config holds the language model."""
    text = {
        "hidden_size": 3584,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 256,
        "num_hidden_layers": 42,
    }
    flat = plan(Checkpoint("g", text, ()), "bf16", context=4096)
    nested = plan(Checkpoint("g", {"text_config": text}, ()), "bf16", context=4096)
    assert flat.kv_bytes_per_token == nested.kv_bytes_per_token == 2 * 42 * 8 * 256 * 2


def test_a_config_without_attention_is_refused() -> None:
    """RWKV keeps a state instead; no figure is better than a false one."""
    with pytest.raises(FileFormatError, match="attention"):
        plan(Checkpoint("rwkv", {"hidden_size": 4096, "num_hidden_layers": 32}, ()), "bf16")


@given(st.integers(1, 10**9))
def test_nf4_takes_between_four_and_four_and_a_quarter_bits(elements: int) -> None:
    """Up to the constants that every tensor carries."""
    bits = 8 * (nf4_bytes(elements) - 1092) / elements
    assert 4 <= bits <= 4.25 or elements < 1000


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (0.49, (896, 4864, 24, 14, 2, 151936)),
        (7.6, (3584, 18944, 28, 28, 4, 152064)),
        (14.8, (5120, 13824, 48, 40, 8, 152064)),
        (32.8, (5120, 27648, 64, 40, 8, 152064)),
    ],
)
def test_an_estimate_from_the_stated_size_is_near_the_truth(size: float, shape: tuple[int, ...]) -> None:
    """Within a tenth of Qwen2.5's real shapes, for a model that cannot be read now."""
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    config = QWEN_7B | dict(zip((*keys, "vocab_size"), shape, strict=True)) | {"tie_word_embeddings": size < 1}
    checkpoint = Checkpoint("x", config, qwen_tensors(config))
    for quantization in ("nf4", "int8", "bf16"):
        assert estimated_weights(size, quantization) == pytest.approx(weight_bytes(checkpoint, quantization), rel=0.1)


# ---- what fits ----


def test_companions_fit_two_at_a_time() -> None:
    """A model that does not fit alone has no entry."""
    found = companions({"a": 10, "b": 12, "c": 15, "d": 30}, 25)
    assert found == {"a": ("b", "c"), "b": ("a",), "c": ("a",)}


def test_company_holds_as_many_as_fit_with_the_one_asked_for() -> None:
    """The smallest first."""
    sizes = {"a": 10, "b": 4, "c": 3, "d": 30}
    assert company("a", sizes, 18) == ("a", "c", "b")
    assert company("d", sizes, 18) == ()


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 20), min_size=1), st.integers(1, 60))
def test_no_company_exceeds_the_budget(sizes: dict[str, int], budget: int) -> None:
    """And nobody else would still fit."""
    for name in sizes:
        chosen = company(name, sizes, budget)
        taken = sum(sizes[one] for one in chosen)
        assert taken <= budget
        assert not chosen or all(taken + sizes[one] > budget for one in sizes if one not in chosen)


# ---- files ----


def test_a_directory_is_read_from_headers_alone(tmp_path: Path) -> None:
    """Two shards under an index; nothing else in the folder counts."""
    save_file({"a.weight": np.zeros((4, 6), np.float16)}, tmp_path / "one.safetensors")
    save_file({"b.weight": np.zeros((2,), np.float32)}, tmp_path / "two.safetensors")
    save_file({"stray": np.zeros((9,), np.float32)}, tmp_path / "stray.safetensors")
    index = {"weight_map": {"a.weight": "one.safetensors", "b.weight": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text("{}")
    checkpoint = read_directory(tmp_path)
    assert [(tensor.name, tensor.dtype, tensor.nbytes) for tensor in checkpoint.tensors] == [
        ("a.weight", "F16", 48),
        ("b.weight", "F32", 8),
    ]
    assert checkpoint.parameters == 26


def test_a_real_shape_is_read_without_its_gigabytes(tmp_path: Path, qwen_7b: Checkpoint) -> None:
    """A sparse file of the true length stands in for fifteen gigabytes."""
    end, header = 0, {}
    for tensor in qwen_7b.tensors:
        header[tensor.name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    text = json.dumps(header).encode()
    with (tmp_path / "model.safetensors").open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + end)
    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B))
    footprint = plan(read_directory(tmp_path), "nf4", context=8192, batch=8)
    assert footprint == plan(Checkpoint(str(tmp_path), QWEN_7B, qwen_7b.tensors), "nf4", context=8192, batch=8)


def index_of(tensors: tuple[Tensor, ...]) -> dict[str, object]:
    size = sum(tensor.nbytes for tensor in tensors)
    return {"metadata": {"total_size": size}, "weight_map": {tensor.name: "far.safetensors" for tensor in tensors}}


def test_an_index_and_a_config_are_enough_before_the_shards_are_fetched(tmp_path: Path, qwen_7b: Checkpoint) -> None:
    """The names and the config tell the shapes, and the stated size proves them."""
    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index_of(qwen_7b.tensors)))
    assert set(read_directory(tmp_path).tensors) == set(qwen_7b.tensors)


@pytest.mark.parametrize(
    "odd", ["model.layers.0.block_sparse_moe.experts.0.w1.weight", "model.layers.0.self_attn.q_norm.weight"]
)
def test_an_index_whose_shapes_do_not_add_up_is_not_guessed_from(qwen_7b: Checkpoint, odd: str) -> None:
    """An unknown tensor or another size means that the shards must be asked."""
    index = index_of((*qwen_7b.tensors, Tensor(odd, "BF16", (7, 7))))
    with pytest.raises(FileFormatError, match="headers are needed"):
        from_index("x", QWEN_7B, index)


def damaged(folder: Path, how: str) -> Path:
    save_file({"x": np.zeros(1000, np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    match how:
        case "no config":
            (folder / "config.json").unlink()
        case "broken config":
            (folder / "config.json").write_text("{")
        case "no weights":
            (folder / "model.safetensors").unlink()
        case "cut short":
            content = (folder / "model.safetensors").read_bytes()
            (folder / "model.safetensors").write_bytes(content[:-5])
        case "another format":
            (folder / "model.safetensors").write_bytes(b"PK" + b"\xff" * 100)
        case "missing shard":
            index = '{"weight_map": {"x": "model.safetensors", "y": "gone.safetensors"}}'
            (folder / "model.safetensors.index.json").write_text(index)
    return folder


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no config", "no such file"),
        ("broken config", "not valid JSON"),
        ("no weights", "no safetensors"),
        ("cut short", "fetch it again"),
        ("another format", "not a safetensors file"),
        ("missing shard", "missing"),
    ],
)
def test_a_damaged_checkpoint_says_which_file_and_why(tmp_path: Path, how: str, words: str) -> None:
    """Before a worker is started on it."""
    with pytest.raises(FileFormatError, match=words):
        read_directory(damaged(tmp_path, how))


# ---- the machine ----


def test_gpus_are_read_from_the_drivers_list() -> None:
    """Sizes come in MiB; one that reports none is left out."""
    listed = "0, NVIDIA H200, 143771, 143000, GPU-ab12\n1, NVIDIA GB10, [N/A], [N/A], GPU-cd34\n"
    assert parse_gpus(listed) == (Gpu(0, "NVIDIA H200", 143771 * MIB, 143000 * MIB, "GPU-ab12"),)


@pytest.mark.parametrize(
    ("visible", "left"),
    [
        (None, [0, 1]), ("1", [1]), ("0,1", [0, 1]), ("1,0", [1, 0]), ("", []), ("-1", []), ("0,-1,1", [0]),
        ("GPU-cd", [1]), ("GPU-cd34,GPU-ab12", [1, 0]), ("GPU-ffff", []), ("MIG-ab12", [0, 1]),
    ],
)  # fmt: skip
def test_hidden_gpus_are_not_counted_and_the_order_is_cudas(visible: str | None, left: list[int]) -> None:
    """CUDA_VISIBLE_DEVICES by number or by the beginning of a UUID: its first is the workers' cuda:0."""
    gpus = [Gpu(0, "a", 1, 1, "GPU-ab12"), Gpu(1, "b", 1, 1, "GPU-cd34")]
    assert [gpu.index for gpu in shown(gpus, visible)] == left


def test_this_machine_has_memory() -> None:
    """Between 100 MiB and 100 TiB."""
    assert 100 * MIB < available_ram() < 100_000 * GIB


# ---- against reality ----


def loaded_bytes(folder: Path, quantization: str) -> int:
    """What a checkpoint's parameters take once the worker has loaded them, quantization states included."""
    from arena.engines.worker.loading import load
    from arena.engines.worker.spec import WorkerSpec

    spec = WorkerSpec(str(folder), quantization=quantization, device="cpu")  # type: ignore[arg-type]
    held = {}
    for parameter in load(spec).model.parameters():
        state = getattr(parameter, "quant_state", None)
        parts = [parameter.data, getattr(parameter, "SCB", None)]
        if state is not None:
            parts += [state.absmax, state.code, state.offset, state.state2.absmax, state.state2.code]
        held |= {part.data_ptr(): part.nbytes for part in parts if part is not None}
    return sum(held.values())


@pytest.mark.torch
@pytest.mark.parametrize("quantization", ["fp32", "bf16", "int8", "nf4"])
@pytest.mark.parametrize("family", ["qwen2", "llama3", "gemma2"])
def test_the_plan_is_what_a_loaded_model_takes(tmp_path: Path, family: str, quantization: str) -> None:
    """Every byte of a really loaded checkpoint's tensors, within one in a hundred."""
    from checkpoints import build

    folder = build(tmp_path, family, hidden_size=512, intermediate_size=1536, num_hidden_layers=3)
    predicted = weight_bytes(read_directory(folder), quantization, device="cpu")
    assert predicted == pytest.approx(loaded_bytes(folder, quantization), rel=0.01)


@pytest.mark.torch
def test_the_planned_cache_is_what_the_worker_allocates(tmp_path: Path) -> None:
    """Blocks, the one for padding and bytes per token."""
    from checkpoints import build

    from arena.engines.worker.loading import load
    from arena.engines.worker.serving import answerer_for
    from arena.engines.worker.spec import WorkerSpec

    spec = WorkerSpec(str(build(tmp_path, "llama3")), quantization="fp32", max_batch=3, device="cpu")
    footprint = plan(read_directory(tmp_path), "fp32", batch=3, device="cpu")
    answerer = answerer_for(load(spec), spec, lambda *piece: None)
    assert answerer._pool.size == footprint.kv_blocks  # type: ignore[attr-defined]
    blocks, block_size = answerer._cache._shape  # type: ignore[attr-defined]
    assert blocks * block_size * footprint.kv_bytes_per_token == footprint.kv_cache
