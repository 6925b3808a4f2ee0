"""Loads one checkpoint: weights in the asked quantization, tokenizer, terminators, template, revision.

Weights come from safetensors alone; code of a checkpoint runs only where the operator allowed it.
It knows nothing of requests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from arena.engines.worker.answering import is_out_of_memory
from arena.engines.worker.paging import ATTENTION
from arena.engines.worker.prompting import Prompter
from arena.engines.worker.spec import PACKED, PACKED_NEEDS, WorkerSpec
from arena.errors import ModelUnavailable

Progress = Callable[[float], None]
"""Told the share of the work done, in [0, 1]."""

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to answer. `paged` tells whether its attention can read our paged cache."""

    model: Any
    tokenizer: Any
    prompter: Prompter
    terminators: frozenset[int]
    stop: tuple[str, ...]
    revision: str
    paged: bool
    draft: Any = None

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids, without special tokens and without any tidying of spaces."""
        backend: Any = getattr(self.tokenizer, "backend_tokenizer", None)
        if hasattr(backend, "decode"):  # the same, without a look at the type of every id: five times as fast
            return str(backend.decode(ids, skip_special_tokens=True))
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def load(spec: WorkerSpec, progress: Progress = lambda share: None) -> Loaded:
    """Load what the spec names.

    Raises ModelUnavailable with a reason an operator can act on, MemoryError when it does not fit.
    """
    try:
        return _load(spec, progress)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise MemoryError(f"not enough memory to load {spec.model}: {_first_lines(error)}") from error
        packed = isinstance(error, ImportError) and spec.quantization in PACKED
        reason = f"{spec.quantization} needs another package: {PACKED_NEEDS}" if packed else _first_lines(error)
        raise ModelUnavailable(f"{spec.model} cannot be loaded: {reason}") from error


def _load(spec: WorkerSpec, progress: Progress) -> Loaded:
    where = {"revision": spec.revision, "trust_remote_code": spec.trust_remote_code}
    config = AutoConfig.from_pretrained(spec.model, **where)
    tokenizer = AutoTokenizer.from_pretrained(spec.model, **where)
    prompter = Prompter(tokenizer, spec, _context(config, spec))
    progress(0.1)
    paged = _takes_our_attention(config, spec)
    with _WeightProgress(progress):
        model = _weights(spec.model, spec, config, ATTENTION if paged else None)
        if model.device.type == "cuda":
            torch.cuda.empty_cache()  # what loading took in passing
    draft = _weights(spec.draft, spec, AutoConfig.from_pretrained(spec.draft), None) if spec.draft else None
    single, texts = _split_stops(tokenizer, spec.stop)
    terminators = frozenset(_declared(config) | _declared(model.generation_config) | _declared(tokenizer) | single)
    revision = getattr(config, "_commit_hash", None) or spec.revision or _digest(spec.model)
    return Loaded(model, tokenizer, prompter, terminators, texts, revision, paged and draft is None, draft)


def _weights(name: str, spec: WorkerSpec, config: Any, attention: str | None) -> Any:
    device = pick_device(spec)
    options: dict[str, Any] = {
        "dtype": _dtype(spec, device),
        "use_safetensors": True,
        "revision": spec.revision if name == spec.model else None,
        "trust_remote_code": spec.trust_remote_code,
        "device_map": "auto" if device == "balanced" else {"": device},
    }
    if attention:
        options["attn_implementation"] = attention
    if not getattr(config, "quantization_config", None) and (how := _bitsandbytes(spec, options["dtype"])):
        options["quantization_config"] = how
    model: Any = AutoModelForCausalLM.from_pretrained(name, **options)
    return model.eval()


def pick_device(spec: WorkerSpec) -> str:
    """The device to load on: the one named, else the first GPU, else the CPU."""
    if spec.device != "auto":
        return spec.device
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def _dtype(spec: WorkerSpec, device: str) -> Any:
    """The type of what is not quantized, and of activations."""
    if spec.quantization in PACKED:
        return "auto"
    on_gpu = device != "cpu"
    return _DTYPES.get(spec.quantization) or (_gpu_dtype() if on_gpu else torch.float32)


def _gpu_dtype() -> torch.dtype:
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _bitsandbytes(spec: WorkerSpec, dtype: Any) -> Any:
    quantized: Any = BitsAndBytesConfig
    if spec.quantization == "int8":
        return quantized(load_in_8bit=True)
    if spec.quantization == "nf4":
        return quantized(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    return None


def _takes_our_attention(config: Any, spec: WorkerSpec) -> bool:
    """Whether the architecture lets its attention be replaced; state-space and recurrent ones do not."""
    try:
        architecture = AutoModelForCausalLM._model_mapping[type(config)]
    except KeyError:
        return False  # remote code: no promise is known
    return bool(getattr(architecture, "_supports_attention_backend", False)) and not spec.draft


def _context(config: Any, spec: WorkerSpec) -> int:
    declared: int | None = next(
        (getattr(config, key) for key in ("max_position_embeddings", "context_length", "n_positions", "seq_length")
         if isinstance(getattr(config, key, None), int)),
        None,
    )  # fmt: skip
    if declared is None:
        return spec.context or 4096
    return min(spec.context or declared, declared)


def _declared(holder: Any) -> set[int]:
    """The end-of-sequence ids that a config, a generation config or a tokenizer declares."""
    ids = getattr(holder, "eos_token_id", None)
    return {ids} if isinstance(ids, int) else set(ids or ())


def _split_stops(tokenizer: Any, stop: tuple[str, ...]) -> tuple[set[int], tuple[str, ...]]:
    """Stop strings that are one token of the vocabulary, and those that must be looked for in the text."""
    vocabulary = tokenizer.get_vocab()
    single = {vocabulary[text] for text in stop if text in vocabulary}
    return single, tuple(text for text in stop if text not in vocabulary)


def _digest(model: str) -> str:
    """A short name for the weights in a folder: sizes and both ends of every safetensors file."""
    digest = hashlib.sha256()
    for path in sorted(Path(model).glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
    return digest.hexdigest()[:12]


def _first_lines(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return " ".join(text.split())[:600]


class _WeightProgress:
    """Reports the loading of weights by listening to the library's own progress bars."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> None:
        transformers_logging.set_tqdm_hook(self._bar)

    def __exit__(self, *exception: object) -> None:
        transformers_logging.set_tqdm_hook(None)

    def _bar(self, factory: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        total = options.get("total") or (len(arguments[0]) if arguments and hasattr(arguments[0], "__len__") else 0)
        bar = factory(*arguments, **options | {"disable": True})
        return _Counted(bar, arguments, total, self._progress)


class _Counted:
    """A silent progress bar that passes its share on; everything else is the bar's own."""

    def __init__(self, bar: Any, arguments: tuple[Any, ...], total: int, progress: Progress) -> None:
        self._bar, self._arguments, self._total, self._progress = bar, arguments, total, progress
        self._done = 0

    def __iter__(self) -> Any:
        for item in self._arguments[0]:
            yield item
            self.update()

    def update(self, n: int = 1) -> None:
        self._done += n
        if self._total:
            self._progress(0.1 + 0.9 * min(1.0, self._done / self._total))

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bar, name)
