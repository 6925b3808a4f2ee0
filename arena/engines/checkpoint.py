"""What a checkpoint says of itself without being loaded: its config and the headers of its safetensors.

It reads a directory and knows the file format; it knows no hub, no memory and no model library.
Format: https://github.com/huggingface/safetensors (8 bytes of length, a JSON header, the data).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.errors import FileFormatError

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
_HEADER_LIMIT = 100_000_000
"""Bytes; the format's own limit."""
_BITS = {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16}
_BYTE_SIZED = 8  # I8, U8, BOOL and the 8-bit floats


@dataclass(frozen=True, slots=True)
class Tensor:
    """A stored tensor: its name, the format's name of its type (`BF16` …) and its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes it takes as stored."""
        return math.ceil(self.elements * _BITS.get(self.dtype, _BYTE_SIZED) / 8)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's config and its stored tensors; `source` is where they were read."""

    source: str
    config: Mapping[str, Any]
    tensors: tuple[Tensor, ...]

    @property
    def text_config(self) -> Mapping[str, Any]:
        """The part of the config that describes the language model (multimodal ones nest it)."""
        nested = self.config.get("text_config")
        return nested if isinstance(nested, Mapping) else self.config

    @property
    def parameters(self) -> int:
        """Stored numbers; for pre-quantized checkpoints these are packed and mean little."""
        return sum(tensor.elements for tensor in self.tensors)


def read_directory(directory: Path) -> Checkpoint:
    """Read a checkpoint's config and safetensors headers.

    Where no shard is there yet, the index and the config tell the same (see `from_index`). Raises
    `FileFormatError` for a missing or broken config, for weights that are no safetensors, for a
    shard that is missing or cut short.
    """
    config = read_json(directory / CONFIG)
    files = weight_files(directory)
    index = directory / INDEX
    if index.is_file() and not any(file.exists() for file in files):
        return from_index(str(directory), config, read_json(index))
    return Checkpoint(str(directory), config, tuple(tensor for file in files for tensor in read_header(file)))


def weight_files(directory: Path) -> list[Path]:
    """The shards that the index names, else every safetensors file."""
    index = directory / INDEX
    if index.is_file():
        names = sorted(set(read_json(index).get("weight_map", {}).values()))
        return [directory / str(name) for name in names]
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise FileFormatError("there are no safetensors weights here; other formats are not loaded", path=directory)
    return files


def from_index(source: str, config: Mapping[str, Any], index: Mapping[str, Any]) -> Checkpoint:
    """A checkpoint whose shards are elsewhere: names from its index, shapes from its config.

    Raises `FileFormatError` unless the shapes add up to the index's own `total_size`, so that an
    architecture with other shapes is never planned wrongly.
    """
    tensors = tuple(_guessed(name, config) for name in index.get("weight_map", {}))
    stated = int((index.get("metadata") or {}).get("total_size") or 0)
    known = tuple(tensor for tensor in tensors if tensor is not None)
    if not stated or len(known) < len(tensors) or sum(tensor.nbytes for tensor in known) != stated:
        raise FileFormatError(
            "its index and config do not tell the shapes; the shards' headers are needed", path=source
        )
    return Checkpoint(source, config, known)


def read_header(file: Path) -> Iterator[Tensor]:
    """The tensors of one safetensors file, read from its header alone."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(size - 8, _HEADER_LIMIT):
                raise FileFormatError("not a safetensors file", path=file)
            header = json.loads(stream.read(length))
    except FileNotFoundError:
        raise FileFormatError("this shard is missing", path=file) from None
    except (OSError, ValueError) as error:
        raise FileFormatError(f"cannot be read: {error}", path=file) from None
    if not isinstance(header, dict):
        raise FileFormatError("not a safetensors file", path=file)
    end = 8 + length + max((entry["data_offsets"][1] for name, entry in _entries(header)), default=0)
    if end > size:
        raise FileFormatError(f"cut short: {size} of {end} bytes are there; fetch it again", path=file)
    return (Tensor(name, entry["dtype"], tuple(entry["shape"])) for name, entry in _entries(header))


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileFormatError("there is no such file", path=file) from None
    except (OSError, ValueError) as error:
        raise FileFormatError(f"not valid JSON: {error}", path=file) from None
    if not isinstance(value, dict):
        raise FileFormatError("a JSON object is expected", path=file)
    return value


def _guessed(name: str, config: Mapping[str, Any]) -> Tensor | None:
    """The tensor of this name in the architectures that grew out of Llama; None where it is not known."""
    try:
        hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        middle, words = int(config["intermediate_size"]), int(config["vocab_size"])
    except (KeyError, TypeError, ValueError):
        return None
    size = int(config.get("head_dim") or hidden // heads)
    keys, queries = int(config.get("num_key_value_heads") or heads) * size, heads * size
    matrices = {
        "embed_tokens": (words, hidden),
        "lm_head": (words, hidden),
        "q_proj": (queries, hidden),
        "k_proj": (keys, hidden),
        "v_proj": (keys, hidden),
        "qkv_proj": (queries + 2 * keys, hidden),
        "o_proj": (hidden, queries),
        "gate_proj": (middle, hidden),
        "up_proj": (middle, hidden),
        "gate_up_proj": (2 * middle, hidden),
        "down_proj": (hidden, middle),
        "q_norm": (size,),
        "k_norm": (size,),
    }
    layer, _, kind = name.removesuffix(".weight").removesuffix(".bias").rpartition(".")
    shape = matrices.get(kind) or ((hidden,) if kind.endswith("norm") else None)
    if shape is None or not (layer or kind == "lm_head"):
        return None
    stored = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    dtype = {"float32": "F32", "float16": "F16"}.get(stored, "BF16")
    return Tensor(name, dtype, shape[:1] if name.endswith(".bias") else shape)


def _entries(header: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, entry) for name, entry in header.items() if name != "__metadata__")
