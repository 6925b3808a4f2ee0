"""Checkpoints with random weights in the real shapes, written without a network and without much memory.

Tensors are drawn one at a time and go straight into shards. Where the disk has no room for bf16,
linear layers are written in nf4 as bitsandbytes stores it. The tokenizer is trained on the spot;
the model never ends an answer by itself. For measurements only.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, GenerationConfig

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests" / "engines"))

from checkpoints import FAMILIES, tokenizer_of

from arena.engines.checkpoint import Checkpoint, Tensor

SHARD_BYTES = 4 << 30

STD = 0.01
"""Of the weights. With 0.02, as models begin, nearly every column before the down projection would count as an outlier
of LLM.int8(); in trained models few do."""

SHAPES: Mapping[str, Mapping[str, Any]] = {
    "qwen2.5-7b": {
        "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 32768,
    },
    "mistral-nemo-12b": {
        "model_type": "mistral", "hidden_size": 5120, "intermediate_size": 14336, "num_hidden_layers": 40,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 131072,
        "max_position_embeddings": 131072, "sliding_window": None,
    },
    "qwen2.5-32b": {
        "model_type": "qwen2", "hidden_size": 5120, "intermediate_size": 27648, "num_hidden_layers": 64,
        "num_attention_heads": 40, "num_key_value_heads": 8, "vocab_size": 152064, "max_position_embeddings": 32768,
    },
}  # fmt: skip
"""Dimensions from the models' published configs."""

TINY = "tiny-"
"""Before a shape's name: the same model in small, to rehearse with."""

_IN_SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 512}  # fmt: skip


def outline(name: str) -> tuple[Any, dict[str, Any]]:
    """The config of a shape and its tensors on the meta device: names and sizes, no memory."""
    values = {**SHAPES[name.removeprefix(TINY)], **(_IN_SMALL if name.startswith(TINY) else {})}
    config = AutoConfig.for_model(values.pop("model_type"), tie_word_embeddings=False, **values)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    return config, model.state_dict()


def as_checkpoint(name: str) -> Checkpoint:
    """The shape as the planner reads it: as if its bf16 checkpoint lay on disk."""
    config, tensors = outline(name)
    stored = tuple(Tensor(key, "BF16", tuple(tensor.shape)) for key, tensor in tensors.items())
    return Checkpoint(name, config.to_dict(), stored)


def write(name: str, folder: Path, *, force_nf4: bool = False) -> tuple[Path, bool]:
    """Write the shape's checkpoint unless it is there; says whether its linear layers are nf4 already.

    Raises OSError when the disk has no room even for that.
    """
    target = folder / name
    marker = target / "written.json"
    if marker.exists():
        return target, bool(json.loads(marker.read_text())["nf4"])
    config, tensors = outline(name)
    size = sum(tensor.numel() * 2 for tensor in tensors.values())
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    nf4 = force_nf4 or free < size * 1.1
    if nf4 and free < size * 0.35:
        raise OSError(f"{name} needs {size * 0.35 / 1e9:.0f} GB of disk, {free / 1e9:.0f} GB are free in {folder}")
    target.mkdir(exist_ok=True)
    family = FAMILIES["qwen2"]
    tokenizer = tokenizer_of(family)
    ends = [tokenizer.convert_tokens_to_ids(text) for text in family.terminators]
    silent = [*ends, *range(len(tokenizer), config.vocab_size)]
    _save_shards(_values(tensors, silent, nf4), target)
    config.bos_token_id, config.eos_token_id = None, ends[0]
    if nf4:
        config.quantization_config = _nf4_config().to_dict()
    config.architectures = [_class_of(config).__name__]
    config.dtype = torch.bfloat16
    config.save_pretrained(target)
    GenerationConfig(eos_token_id=ends).save_pretrained(target)
    tokenizer.save_pretrained(target)
    marker.write_text(json.dumps({"nf4": nf4}))
    return target, nf4


def _class_of(config: Any) -> Any:
    return AutoModelForCausalLM._model_mapping[type(config)]


def _nf4_config() -> Any:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _values(tensors: Mapping[str, Any], silent: list[int], nf4: bool) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of the checkpoint with random content, quantized where asked; the silent ids are never drawn."""
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator(device).manual_seed(0)
    for key, like in tensors.items():
        if "norm" in key:
            value = torch.ones(like.shape, dtype=torch.bfloat16)
        else:
            value = torch.empty(like.shape, dtype=torch.bfloat16, device=device).normal_(std=STD, generator=generator)
        if key == "lm_head.weight":
            value[silent] = 0.0
        if nf4 and value.dim() == 2 and "embed" not in key and key != "lm_head.weight":
            yield from _quantized(key, value)
        else:
            yield key, value.cpu()


def _quantized(key: str, value: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    from bitsandbytes.functional import quantize_4bit

    packed, state = quantize_4bit(value, quant_type="nf4", compress_statistics=True)
    yield key, packed.cpu()
    for part, content in state.as_dict(packed=True).items():
        yield f"{key}.{part}", content.cpu()


def _save_shards(values: Iterator[tuple[str, torch.Tensor]], target: Path) -> None:
    """Shards of at most 4 GiB and the index that names them."""
    places: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}
    total = held = number = 0
    for key, value in values:
        if shard and held + value.nbytes > SHARD_BYTES:
            number, shard, held = _flush(number, shard, places, target), {}, 0
        shard[key] = value.contiguous()
        held, total = held + value.nbytes, total + value.nbytes
    _flush(number, shard, places, target)
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (target / "model.safetensors.index.json").write_text(json.dumps(index))


def _flush(number: int, shard: dict[str, torch.Tensor], places: dict[str, str], target: Path) -> int:
    name = f"model-{number + 1:05d}.safetensors"
    save_file(shard, target / name, metadata={"format": "pt"})
    places.update(dict.fromkeys(shard, name))
    return number + 1
