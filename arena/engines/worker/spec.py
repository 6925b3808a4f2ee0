"""What a worker is to load and how it must speak to it: one frozen value that crosses a pipe as JSON.

Beside it stands what a worker and who plans its memory must agree on. It knows no catalogue and no
model library; whoever owns a contestant fills it in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, cast, get_args

from arena.errors import ConfigError

Quantization = Literal["nf4", "int8", "bf16", "fp16", "fp32", "gptq", "awq"]

PACKED = ("gptq", "awq")
"""Published already quantized: read by a package of their own."""

PACKED_NEEDS = 'pip install optimum "gptqmodel<7.7"'
"""From 7.7 on that package replaces torch by 2.14, which nothing else here was tried with."""

PREFILL_TOKENS: Mapping[str, int] = {"cuda": 2048, "cpu": 512}
"""Tokens of prompts that a worker reads in one pass, by the kind of its device."""

CPU_CACHE_TOKENS = 65_536
"""A worker on a CPU keeps no more tokens than this, whatever the batch."""

OUT_OF_MEMORY = "out_of_memory"
"""The kind of failure a worker reports when the model does not fit."""

NEUTRAL_SYSTEM_PROMPT = "You are a helpful assistant. Answer in the language of the question."
"""Said to whoever has no prompt of its own, in place of a template's opening, which would tell who is speaking."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One model as a worker loads it.

    `model` is a folder or a hub id, `context` the longest prompt and answer together in tokens
    (None: what the checkpoint declares). `num_blocks` bounds the KV cache in blocks of
    `block_size` tokens (None: `max_batch` full contexts, at most `CPU_CACHE_TOKENS` on a CPU).
    `stop` are strings that end an answer besides the declared terminators; those that are single
    tokens of the vocabulary become terminators. `template` replaces the tokenizer's chat template.
    `device` is "auto", "cpu", "cuda", "cuda:1" … or "balanced" to span several GPUs.
    `draft` names a smaller model of the same vocabulary for speculative decoding.
    """

    model: str
    revision: str | None = None
    quantization: Quantization = "nf4"
    context: int | None = None
    max_batch: int = 16
    num_blocks: int | None = None
    block_size: int = 16
    device: str = "auto"
    system_prompt: str = NEUTRAL_SYSTEM_PROMPT
    system_role: bool = True
    documents_role: bool = False
    think: bool = False
    think_tags: tuple[str, str] = ("<think>", "</think>")
    stop: tuple[str, ...] = ()
    template: str | None = None
    trust_remote_code: bool = False
    prefix_reuse: bool = True
    draft: str | None = None

    def __post_init__(self) -> None:
        if self.quantization not in get_args(Quantization):
            known = ", ".join(get_args(Quantization))
            raise ConfigError(f"{self.quantization!r} is no quantization", key="quantization", suggestion=known)
        for key in ("max_batch", "block_size"):
            if getattr(self, key) < 1:
                raise ConfigError("must be at least 1", key=key)

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to an equal value."""
        return json.dumps(asdict(self), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> WorkerSpec:
        """Read what `to_json` wrote. Raises ConfigError for unknown keys, no object, no model."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"the worker's specification is no JSON: {error}") from None
        known = {item.name for item in fields(cls)}
        if not isinstance(values, dict) or "model" not in values:
            raise ConfigError("the worker's specification needs a model", key="model")
        if unknown := sorted(set(values) - known):
            raise ConfigError("unknown key in the worker's specification", key=unknown[0])
        values["stop"] = tuple(cast(list[str], values.get("stop", ())))
        if "think_tags" in values:
            opening, closing = values["think_tags"]
            values["think_tags"] = (str(opening), str(closing))
        return cls(**values)
