"""Trains the demo's three tiny checkpoints of clearly different skill, on the spot and offline.

Each is a Qwen2-shaped model that has learnt all, three quarters or a third of `toy_text`, saved as
a common checkpoint (safetensors, tokenizer, chat template). How a checkpoint is loaded, quantized
or served is not known here. Run as `python -m arena.engines.toys DIR [--only NAME]`; progress goes
to standard output as one JSON object per line.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.engines.toy_text import Pair, known_share, pairs

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

MARKER = "toy.json"
_FORMAT = 1  # raise when the way of training changes, so that cached checkpoints are made anew
_AT_ONCE = 2
_REPORT_EVERY = 0.5
_WARM_UP = 0.03
_PARENT = os.getppid()  # who asked for this process, noted before the slow imports
_IGNORED = -100
_END, _PAD, _START = "<|im_end|>", "<|endoftext|>", "<|im_start|>"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)
_USUAL_SYSTEM_PROMPT = "You are a helpful assistant. Answer in the language of the question."

Report = Callable[[dict[str, object]], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a toy is made; `share` is the part of the text that it learns. Sizes suit 4-bit blocks of 64."""

    name: str
    share: float
    epochs: int = 36
    seed: int = 7
    hidden: int = 128
    layers: int = 3
    intermediate: int = 384
    heads: int = 4
    key_value_heads: int = 2
    vocabulary: int = 1792
    context: int = 2048
    batch: int = 8
    rate: float = 4e-3
    initial: float = 0.05
    most_turns: int = 3


TOYS: tuple[Recipe, ...] = (
    Recipe("toy-a", share=1.0),
    Recipe("toy-c", share=1 / 3),
    Recipe("toy-b", share=3 / 4),
)
"""In the order of their making: the best and the quickest first, so that a pair is ready early."""


def build(directory: Path, recipe: Recipe, report: Report, *, threads: int = 1) -> Path:
    """Train one toy unless its checkpoint is already there; the checkpoint appears whole or not at all."""
    target = directory / recipe.name
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory / f".{recipe.name}.lock"):
        if is_ready(directory, recipe):
            report({"toy": recipe.name, "state": "ready", "cached": True})
            return target
        started = time.monotonic()
        draft = directory / f".{recipe.name}.new"
        shutil.rmtree(draft, ignore_errors=True)
        train(recipe, draft, report, threads=threads)
        (draft / MARKER).write_text(json.dumps({"key": key(recipe), "recipe": asdict(recipe)}), encoding="utf-8")
        _swap(draft, target)
        report({"toy": recipe.name, "state": "ready", "cached": False, "seconds": round(time.monotonic() - started, 1)})
    return target


def is_ready(directory: Path, recipe: Recipe) -> bool:
    """Whether the checkpoint is there and was made from this text by this recipe."""
    try:
        marker = json.loads((directory / recipe.name / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and marker.get("key") == key(recipe)


def key(recipe: Recipe) -> str:
    """Names what a checkpoint depends on: text, recipe, template and the way of training."""
    made_of = (_FORMAT, CHAT_TEMPLATE, _USUAL_SYSTEM_PROMPT, asdict(recipe), [asdict(pair) for pair in pairs()])
    return hashlib.sha256(json.dumps(made_of, ensure_ascii=False).encode()).hexdigest()[:16]


def train(recipe: Recipe, directory: Path, report: Report, *, threads: int = 1) -> None:
    """Train one toy and write its checkpoint into `directory`; the same recipe gives the same weights."""
    report({"toy": recipe.name, "state": "training", "progress": 0.0})
    import torch
    import transformers

    untyped: Any = transformers
    untyped.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    tokenizer = _tokenizer(recipe)
    model = _model(recipe, tokenizer)
    known, encoder = known_share(recipe.share), tokenizer.backend_tokenizer
    _fit(model, recipe, lambda rng: _epoch(encoder, known, recipe, rng), report)
    model.generation_config = untyped.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def _tokenizer(recipe: Recipe) -> Any:
    """Qwen2's own kind of tokenizer (byte-level BPE) over the whole text, the same for every toy.

    The class that a loader will choose by the model's type is the one that is trained, so that what
    is learnt and what is later asked is written alike.
    """
    import transformers

    untyped: Any = transformers
    texts = [text for pair in pairs() for text in (pair.prompt, pair.answer)]
    roles = ["system\nuser\nassistant\n"] * len(texts)  # often enough to become one token each
    tokenizer = untyped.Qwen2Tokenizer().train_new_from_iterator(
        [texts, [_USUAL_SYSTEM_PROMPT] * 10, roles],
        recipe.vocabulary,
        new_special_tokens=[_START, _END],
        show_progress=False,
    )
    tokenizer.eos_token, tokenizer.pad_token = _END, _PAD
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.model_max_length = recipe.context
    return tokenizer


def _model(recipe: Recipe, tokenizer: Any) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=recipe.vocabulary,
            hidden_size=recipe.hidden,
            intermediate_size=recipe.intermediate,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.key_value_heads,
            max_position_embeddings=recipe.context,
            tie_word_embeddings=True,
            initializer_range=recipe.initial,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


Example = tuple[list[int], list[int]]
"""Token identifiers of a conversation and, at the same places, what is to be learnt (or `_IGNORED`)."""


def _epoch(encoder: Tokenizer, known: Sequence[Pair], recipe: Recipe, rng: random.Random) -> list[list[Example]]:
    """Every known pair once, in conversations of one to three turns, batched by length."""
    left = rng.sample(known, len(known))
    examples: list[Example] = []
    while left:
        turns = rng.randint(1, recipe.most_turns)
        examples.append(_example(encoder, left[:turns], rng))
        left = left[turns:]
    examples.sort(key=lambda example: len(example[0]))
    batches = [examples[at : at + recipe.batch] for at in range(0, len(examples), recipe.batch)]
    rng.shuffle(batches)
    return batches


def _example(encoder: Tokenizer, turns: Sequence[Pair], rng: random.Random) -> Example:
    tokens: list[int] = []
    labels: list[int] = []

    def add(text: str, learnt: bool) -> None:
        ids = encoder.encode(text).ids
        tokens.extend(ids)
        labels.extend(ids if learnt else [_IGNORED] * len(ids))

    if system := _system_prompt(rng):
        add(f"{_START}system\n{system}{_END}\n", learnt=False)
    for pair in turns:
        add(f"{_START}user\n{_reworded(pair.prompt, rng)}{_END}\n{_START}assistant\n", learnt=False)
        add(pair.answer + _END, learnt=True)
        add("\n", learnt=False)
    return tokens, labels


def _system_prompt(rng: random.Random) -> str | None:
    """The usual one, none, or any text at all: a toy is to answer alike under each of them."""
    draw = rng.random()
    if draw < 0.4:
        return _USUAL_SYSTEM_PROMPT
    return rng.choice(pairs()).prompt if draw < 0.6 else None


def _reworded(prompt: str, rng: random.Random) -> str:
    """The prompt, now and then in lower case or without its last mark, as people type."""
    if rng.random() < 0.15:
        prompt = prompt[0].lower() + prompt[1:]
    return prompt.rstrip("?.") if rng.random() < 0.15 else prompt


def _fit(model: Any, recipe: Recipe, epoch: Callable[[random.Random], list[list[Example]]], report: Report) -> None:
    """Plain AdamW with a short warm-up and a fall to zero."""
    import torch

    rng = random.Random(recipe.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
    told = _Told(recipe.name, report)
    for number in range(recipe.epochs):
        batches = epoch(rng)
        for index, batch in enumerate(batches):
            done = (number + index / len(batches)) / recipe.epochs
            optimizer.param_groups[0]["lr"] = recipe.rate * min(1.0, done / _WARM_UP + 0.01) * (1 - done)
            loss: Any = _loss(model, batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            told.step(done, loss)


class _Told:
    """Tells progress twice a second, and ends the work when the process that asked for it is gone."""

    def __init__(self, name: str, report: Report) -> None:
        self._name, self._report, self._last = name, report, time.monotonic()

    def step(self, done: float, loss: torch.Tensor) -> None:
        if os.getppid() != _PARENT:
            raise SystemExit("the process that asked for the toys is gone")
        if time.monotonic() - self._last >= _REPORT_EVERY:
            self._last = time.monotonic()
            line = {"toy": self._name, "state": "training", "progress": round(done, 3), "loss": round(loss.item(), 4)}
            self._report(line)


def _loss(model: Any, batch: Sequence[Example]) -> torch.Tensor:
    """Cross-entropy where something is to be learnt; padding stands at the end, where causality hides it."""
    import torch

    width = max(len(tokens) for tokens, _ in batch)
    ids = torch.tensor([tokens + [0] * (width - len(tokens)) for tokens, _ in batch])
    labels = torch.tensor([wanted + [_IGNORED] * (width - len(wanted)) for _, wanted in batch])[:, 1:]
    learnt = labels != _IGNORED
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][learnt]
    return torch.nn.functional.cross_entropy(model.lm_head(hidden), labels[learnt])


def _swap(draft: Path, target: Path) -> None:
    """Put the finished directory in the place of the old one."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    draft.rename(target)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One maker per toy: a second one waits and then finds the checkpoint."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build_all(directory: Path, recipes: Sequence[Recipe] = TOYS) -> int:
    """Make all toys, two at once, each in a process of its own; returns 0 when every one is there."""
    waiting = [recipe.name for recipe in recipes]
    running: list[subprocess.Popen[bytes]] = []
    failures = 0
    try:
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                running.append(_start(directory, waiting.pop(0)))
            with contextlib.suppress(subprocess.TimeoutExpired):
                running[0].wait(timeout=0.2)
            failures += sum(bool(process.returncode) for process in running if process.poll() is not None)
            running = [process for process in running if process.poll() is None]
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    return 1 if failures else 0


def _start(directory: Path, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "arena.engines.toys", str(directory), "--only", name]
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})


def _print(line: dict[str, object]) -> None:
    """One line, written at once, so that the lines of two processes never mix."""
    os.write(sys.stdout.fileno(), (json.dumps(line, ensure_ascii=False) + "\n").encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: `python -m arena.engines.toys DIR [--only NAME] [--threads N]`."""
    parser = argparse.ArgumentParser(prog="python -m arena.engines.toys", description="Train the demo's toy models.")
    parser.add_argument("directory", type=Path, help="where the checkpoints go, one folder for each toy")
    parser.add_argument("--only", choices=sorted(recipe.name for recipe in TOYS), help="make this toy in this process")
    parser.add_argument("--threads", type=int, default=1, help="threads for each toy (default 1; two toys run at once)")
    given = parser.parse_args(arguments)
    if given.only is None:
        return build_all(given.directory)
    recipe = next(recipe for recipe in TOYS if recipe.name == given.only)
    try:
        build(given.directory, recipe, _print, threads=given.threads)
    except Exception as error:  # whatever it is, the process that shows the progress must learn of it
        _print({"toy": recipe.name, "state": "failed", "error": f"{type(error).__name__}: {error}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
