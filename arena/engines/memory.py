"""How much memory a model takes, computed from its checkpoint before anything is loaded.

Weights by quantization, key-value cache by context and batch, and what a worker needs besides.
It knows arithmetic and the shape of bitsandbytes' formats; it imports no model library, reads no
hub and moves no model.

Sources: Dettmers et al. 2023, "QLoRA" (nf4 with blocks of 64, double quantization with blocks of
256); Dettmers et al. 2022, "LLM.int8()" (one scale per output row); the arena's own paged cache.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from arena.engines.checkpoint import Checkpoint, Tensor
from arena.engines.worker.spec import CPU_CACHE_TOKENS, PACKED, PREFILL_TOKENS
from arena.errors import FileFormatError

Device = Literal["cuda", "cpu"]

GIB = 1 << 30
MIB = 1 << 20

NF4_BLOCK = 64
"""Weights that share one scale in nf4."""
NF4_NESTED_BLOCK = 256
"""Scales that share one scale of their own under double quantization."""
NF4_CONSTANTS = 16 * 4 + 256 * 4 + 4
"""Per quantized tensor: the sixteen levels, the map of the scales and their mean, in bytes."""

CUDA_PROCESS = 800 * MIB
"""What a CUDA context and its libraries' code take in each worker: 770 to 830 MiB on an H200, less on smaller GPUs."""
CUDA_GRAPHS = 224 * MIB
"""Recorded steps with their work space, and cuBLAS's."""
CPU_PROCESS = 420 * MIB
"""What importing torch, transformers and bitsandbytes takes in each worker."""
SAMPLING_BYTES = 28
"""Per row and word of the vocabulary: logits in two types, sorted values, their places, probabilities."""

_ITEM = {"bf16": 2, "fp16": 2, "fp32": 4}
_NOT_LINEAR = ("embed", "wte", "wpe", "norm", "lm_head", "output.weight", "embed_out", "rotary", ".conv")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of one model in bytes, with what it was computed for.

    `weights` as they lie in memory, `kv_cache` for `batch` conversations of `context` tokens in
    `kv_blocks` blocks, `overhead` for the process, the work space and the allocator's rounding.
    """

    weights: int
    kv_cache: int
    overhead: int
    kv_bytes_per_token: int
    kv_blocks: int
    context: int
    batch: int
    quantization: str
    device: Device
    source: str

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return self.weights + self.kv_cache + self.overhead

    @property
    def total_gib(self) -> float:
        """All of it, in GiB."""
        return self.total / GIB

    def with_draft(self, weights: int) -> Footprint:
        """The same with the weights of a draft model for speculative decoding beside it."""
        return replace(self, weights=self.weights + weights)

    def as_dict(self) -> dict[str, Any]:
        """Figures in GiB, rounded to a hundredth, and the parameters they hold for."""
        sizes = {
            f"{key}_gib": round(getattr(self, key) / GIB, 2) for key in ("weights", "kv_cache", "overhead", "total")
        }
        rest = {key: value for key, value in asdict(self).items() if key not in ("weights", "kv_cache", "overhead")}
        return sizes | rest


def plan(
    checkpoint: Checkpoint,
    quantization: str,
    *,
    context: int | None = None,
    batch: int = 8,
    block_size: int = 16,
    device: Device = "cuda",
) -> Footprint:
    """The memory of a checkpoint in a quantization, for `batch` conversations of `context` tokens.

    `context` None takes the model's own; a longer one is cut to it. It is the lasting need: reading
    and quantizing weights on a CPU takes more in passing. Raises `FileFormatError` when
    the config does not tell the attention's shape.
    """
    item = _item_size(checkpoint, quantization, device)
    sizes = [_loaded_bytes(tensor, quantization, item, checkpoint) for tensor in checkpoint.tensors]
    attention = _Attention.of(checkpoint)
    tokens = min(context or attention.longest, attention.longest)
    blocks = _blocks(tokens, batch, block_size, device)
    per_token = attention.bytes_per_token(item)
    work = _work_space(checkpoint, attention, quantization, item, tokens, batch, device)
    slack = sum(_rounding(size) for size in sizes) if device == "cuda" else 0
    return Footprint(
        weights=sum(sizes),
        kv_cache=(blocks + 1) * block_size * per_token,
        overhead=(CUDA_PROCESS if device == "cuda" else CPU_PROCESS) + work + slack,
        kv_bytes_per_token=per_token,
        kv_blocks=blocks,
        context=tokens,
        batch=batch,
        quantization=quantization,
        device=device,
        source=checkpoint.source,
    )


def weight_bytes(checkpoint: Checkpoint, quantization: str, *, device: Device = "cuda") -> int:
    """Bytes of the weights alone, as they lie in memory."""
    item = _item_size(checkpoint, quantization, device)
    return sum(_loaded_bytes(tensor, quantization, item, checkpoint) for tensor in checkpoint.tensors)


def estimated_weights(parameters: float, quantization: str) -> int:
    """A guess in bytes for a checkpoint that cannot be read, from its billions of parameters.

    Embeddings and head stay in 16 bits; their share is a curve through published models of 0.5 to 32B.
    """
    bits = {"nf4": 4.13, "int8": 8.01, "gptq": 4.3, "awq": 4.3}.get(quantization)
    if bits is None:
        return round(parameters * 1e9 * _ITEM.get(quantization, 2))
    whole = min(0.27 * parameters, 0.45 * math.pow(parameters, 0.38))
    return round(1e9 * (whole * 16 + (parameters - whole) * bits) / 8)


def companions(sizes: Mapping[str, int], budget: int) -> dict[str, tuple[str, ...]]:
    """For each model that fits `budget` alone: the others that fit beside it, one at a time."""
    return {
        name: tuple(other for other in sizes if other != name and size + sizes[other] <= budget)
        for name, size in sizes.items()
        if size <= budget
    }


def company(name: str, sizes: Mapping[str, int], budget: int) -> tuple[str, ...]:
    """As many models as can be resident at once with `name` among them, smallest first; empty if it does not fit."""
    left = budget - sizes[name]
    if left < 0:
        return ()
    chosen = [name]
    for other in sorted(sizes, key=lambda key: (sizes[key], key)):
        if other != name and sizes[other] <= left:
            chosen.append(other)
            left -= sizes[other]
    return tuple(chosen)


@dataclass(frozen=True, slots=True)
class _Attention:
    """The numbers of a config that the cache and the work space depend on."""

    layers: int
    kv_heads: int
    head_size: int
    hidden: int
    intermediate: int
    vocabulary: int
    longest: int

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> _Attention:
        config = checkpoint.text_config
        try:
            heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
            return cls(
                layers=int(config["num_hidden_layers"]),
                kv_heads=int(config.get("num_key_value_heads") or heads),
                head_size=int(config.get("head_dim") or hidden // heads),
                hidden=hidden,
                intermediate=int(config.get("intermediate_size") or 4 * hidden),
                vocabulary=int(config.get("vocab_size") or checkpoint.config.get("vocab_size") or 0),
                longest=int(config.get("max_position_embeddings") or 4096),
            )
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            reason = f"its config does not tell the attention's shape ({error})"
            raise FileFormatError(reason, path=checkpoint.source) from None

    def bytes_per_token(self, item: int) -> int:
        """Keys and values of one token in all layers."""
        return 2 * self.layers * self.kv_heads * self.head_size * item


def _item_size(checkpoint: Checkpoint, quantization: str, device: Device) -> int:
    """Bytes of one unquantized number: what is not quantized, activations and the cache are in it."""
    if quantization in PACKED:
        stored = checkpoint.config.get("dtype") or checkpoint.config.get("torch_dtype")
        return 4 if stored == "float32" else 2
    return _ITEM.get(quantization) or (2 if device == "cuda" else 4)


def _loaded_bytes(tensor: Tensor, quantization: str, item: int, checkpoint: Checkpoint) -> int:
    """Bytes of a stored tensor once it is loaded."""
    if _is_tied_copy(tensor, checkpoint):
        return 0
    if quantization in PACKED or "quantization_config" in checkpoint.config:
        return tensor.nbytes
    if quantization == "nf4" and _is_linear(tensor):
        return nf4_bytes(tensor.elements)
    if quantization == "int8" and _is_linear(tensor):
        return tensor.elements + 4 * tensor.shape[0]
    return tensor.elements * item


def nf4_bytes(elements: int) -> int:
    """Bytes of a weight in nf4 with double quantization: four bits, a byte per 64, four bytes per 16,384."""
    scales = math.ceil(elements / NF4_BLOCK)
    return math.ceil(elements / 2) + scales + 4 * math.ceil(scales / NF4_NESTED_BLOCK) + NF4_CONSTANTS


def _is_linear(tensor: Tensor) -> bool:
    """Whether bitsandbytes replaces the layer: a matrix, and neither an embedding nor the head."""
    name = tensor.name.lower()
    return len(tensor.shape) == 2 and name.endswith(".weight") and not any(part in name for part in _NOT_LINEAR)


def _is_tied_copy(tensor: Tensor, checkpoint: Checkpoint) -> bool:
    """A head that is stored though it is the embedding itself."""
    tied = checkpoint.config.get("tie_word_embeddings", checkpoint.text_config.get("tie_word_embeddings", False))
    return bool(tied) and tensor.name.endswith("lm_head.weight")


def _blocks(context: int, batch: int, block_size: int, device: Device) -> int:
    """Blocks of the paged cache for every conversation at full length, as the worker counts them."""
    tokens = batch * (context + block_size)
    if device == "cpu":
        tokens = max(min(tokens, CPU_CACHE_TOKENS), context + block_size)
    return -(-tokens // block_size)


def _work_space(
    checkpoint: Checkpoint, shape: _Attention, quantization: str, item: int, context: int, batch: int, device: Device
) -> int:
    """The largest passing need: reading a prompt, or answering with full contexts, and sampling."""
    prompt = PREFILL_TOKENS[device] * (4 * shape.hidden + 3 * shape.intermediate) * item
    gathered = 2 * min(batch * context, CPU_CACHE_TOKENS if device == "cpu" else batch * context)
    answer = gathered * shape.kv_heads * shape.head_size * item
    unpacked = 0
    if quantization in ("nf4", "int8", *PACKED):
        unpacked = max((tensor.elements for tensor in checkpoint.tensors if _is_linear(tensor)), default=0) * item
    passing = max(prompt, answer) if device == "cpu" else prompt + answer + CUDA_GRAPHS  # there it is kept for graphs
    return passing + unpacked + batch * shape.vocabulary * SAMPLING_BYTES


def _rounding(size: int) -> int:
    """What CUDA's caching allocator adds: pieces of 10 MiB and more are rounded up to 2 MiB."""
    return -size % (2 * MIB) if size >= 10 * MIB else -size % 512
