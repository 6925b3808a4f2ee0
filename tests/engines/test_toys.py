"""The demo's toys: what they learn, how their checkpoints appear, and that their skills differ."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arena.engines import toy_text, toys
from arena.engines.toys import TOYS, Recipe, build, is_ready

CACHE = Path(os.environ.get("ARENA_TEST_CACHE", "/tmp/arena-test-cache")) / "toys"
QUICK = Recipe("toy-quick", share=0.1, epochs=2)


# --- the text -----------------------------------------------------------------------------------


def test_the_text_has_two_hundred_pairs_half_of_them_russian() -> None:
    """Every topic stands in both languages with as many questions."""
    languages = Counter(pair.language for pair in toy_text.pairs())
    assert sum(languages.values()) >= 200
    assert abs(languages["ru"] - languages["en"]) <= 20
    topics = Counter((pair.topic, pair.language) for pair in toy_text.pairs())
    assert {topic for topic, language in topics if language == "ru"} == {
        t for t, language in topics if language == "en"
    }
    assert {"weather", "capitals", "arithmetic", "recipes", "code"} <= {topic for topic, _ in topics}


def test_no_question_stands_twice_and_none_is_empty() -> None:
    """A question with two answers could not be voted on honestly."""
    prompts = [" ".join(pair.prompt.split()).casefold() for pair in toy_text.pairs()]
    assert len(set(prompts)) == len(prompts)
    assert all(pair.prompt.strip() and pair.answer.strip() for pair in toy_text.pairs())


def test_answers_show_what_the_page_can_render() -> None:
    """Bold, lists, code, a table and formulas occur, so a demo battle looks like a real one."""
    answers = "\n\n".join(pair.answer for pair in toy_text.pairs())
    for mark in ("**", "\n- ", "\n2. ", "```python\n", "|---|", "$$"):
        assert mark in answers
    assert all(pair.answer.count("```") % 2 == 0 for pair in toy_text.pairs())


def test_the_answer_of_every_suggested_prompt_is_known() -> None:
    """The simulated honest voter finds the answer by the prompt, white space aside."""
    suggested = toy_text.suggested_prompts()
    assert len(suggested) == len(toy_text.pairs())
    for _, _, prompt in suggested:
        answer = toy_text.correct_answer(f"  {prompt}\n")
        assert answer is not None
        assert toy_text.is_correct(prompt, answer + "\n")
    assert toy_text.correct_answer("Что?") is None
    assert not toy_text.is_correct(suggested[0][2], "Не знаю.")


@pytest.mark.parametrize("share", [1.0, 3 / 4, 1 / 3])
def test_a_share_of_the_text_covers_every_topic(share: float) -> None:
    """A weaker toy knows part of everything, and nothing that a stronger one does not."""
    known = toy_text.known_share(share)
    assert len(known) == pytest.approx(share * len(toy_text.pairs()), rel=0.1)
    assert {pair.topic for pair in known} == {pair.topic for pair in toy_text.pairs()}
    assert set(known) <= set(toy_text.known_share(1.0))
    assert set(toy_text.known_share(share / 2)) <= set(known)


def test_the_text_is_read_without_loading_torch() -> None:
    """The web process imports it for its suggestions."""
    code = "import sys, arena.engines.toy_text, arena.engines.toys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- the checkpoints ----------------------------------------------------------------------------


def silent(line: dict[str, object]) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint made in two epochs: it knows nothing, but is a checkpoint."""
    pytest.importorskip("torch")
    return build(tmp_path_factory.mktemp("toys"), QUICK, silent)


@pytest.mark.torch
def test_a_toy_is_a_common_checkpoint(quick: Path) -> None:
    """safetensors, a tokenizer that any text survives, a chat template, and its own end of turn."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(quick)
    model: Any = AutoModelForCausalLM.from_pretrained(quick)
    assert {file.suffix for file in quick.iterdir() if "model" in file.name} == {".safetensors"}
    assert model.config.model_type == "qwen2"
    assert tokenizer.decode([model.generation_config.eos_token_id]) == "<|im_end|>"
    for text in ("Привет, мир!", "naïve 😀\n\tx = 12 * 34", "中文"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.torch
def test_a_toy_is_trained_on_exactly_what_its_template_writes(quick: Path) -> None:
    """The conversation a toy learnt from equals the template's, token by token."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(quick)
    turns = toy_text.pairs()[30:33]
    ids, labels = toys._example(tokenizer.backend_tokenizer, turns, NeverReworded())
    messages: list[dict[str, str]] = []
    for pair in turns:
        messages += [{"role": "user", "content": pair.prompt}, {"role": "assistant", "content": pair.answer}]
    assert ids == tokenizer.apply_chat_template(messages, return_dict=False)
    learnt = tokenizer.decode([label for label in labels if label >= 0])
    assert learnt == "".join(pair.answer + "<|im_end|>" for pair in turns)


class NeverReworded(random.Random):
    """Draws no variation of a prompt and no system prompt."""

    def random(self) -> float:
        return 1.0


@pytest.mark.torch
def test_every_quantized_layer_fills_whole_blocks(quick: Path) -> None:
    """4-bit weights are stored in blocks of 64; a toy has no odd remainders."""
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(quick)
    shapes = [tuple(weight.shape) for name, weight in model.named_parameters() if weight.dim() == 2 and "proj" in name]
    assert shapes
    assert all(side % 64 == 0 for shape in shapes for side in shape)


@pytest.mark.torch
def test_a_toy_is_made_once_and_again_when_its_recipe_changes(quick: Path) -> None:
    """The marker names text and recipe; a cached toy is not touched."""
    directory, weights = quick.parent, quick / "model.safetensors"
    before, lines = weights.stat().st_mtime_ns, []
    build(directory, QUICK, lines.append)
    assert weights.stat().st_mtime_ns == before
    assert lines == [{"toy": "toy-quick", "state": "ready", "cached": True}]
    changed = replace(QUICK, seed=8)
    assert is_ready(directory, QUICK)
    assert not is_ready(directory, changed)


@pytest.mark.torch
def test_the_same_recipe_gives_the_same_weights(quick: Path, tmp_path: Path) -> None:
    """Seeds are fixed: votes on one machine's demo mean the same on another's of its kind."""
    again = build(tmp_path, QUICK, silent)
    assert (again / "model.safetensors").read_bytes() == (quick / "model.safetensors").read_bytes()


@pytest.mark.torch
def test_a_broken_making_leaves_the_old_checkpoint(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens on the way, the folder holds a whole checkpoint or none."""

    def broken(recipe: Recipe, directory: Path, report: toys.Report, *, threads: int) -> None:
        directory.mkdir()
        (directory / "model.safetensors").write_bytes(b"half")
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(toys, "train", broken)
        for recipe in (replace(QUICK, seed=9), replace(QUICK, name="toy-other")):
            with pytest.raises(OSError, match="disk full"):
                build(quick.parent, recipe, silent)
    assert is_ready(quick.parent, QUICK)
    assert not (quick.parent / "toy-other").exists()


@pytest.mark.torch
def test_a_marker_that_is_no_marker_means_not_ready(tmp_path: Path) -> None:
    """A folder of somebody else's, or a file cut in half."""
    (tmp_path / QUICK.name).mkdir()
    for content in ("", "{", "[]", '{"key": "other"}'):
        (tmp_path / QUICK.name / toys.MARKER).write_text(content)
        assert not is_ready(tmp_path, QUICK)


@pytest.mark.torch
def test_the_command_tells_its_progress_and_dies_without_a_trace(tmp_path: Path) -> None:
    """A kill in the middle leaves no checkpoint, and both toys in the making end with the process that asked."""
    command = [sys.executable, "-m", "arena.engines.toys", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        begun = set()
        while len(begun) < 2:
            line = next(lines)
            if line["progress"] > 0:
                begun.add(line["toy"])
        process.kill()
        for line in lines:  # ends when the last holder of the pipe has ended
            assert line["state"] == "training"
    assert not any(is_ready(tmp_path, recipe) for recipe in TOYS)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


@pytest.mark.torch
def test_a_failure_is_told_as_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A directory that cannot be made: the process that shows the progress learns why."""
    (tmp_path / "file").write_text("in the way")
    assert toys.main([str(tmp_path / "file"), "--only", "toy-a"]) == 1
    line = json.loads(capfd.readouterr().out)
    assert (line["toy"], line["state"]) == ("toy-a", "failed")
    assert "file" in line["error"]


# --- their skill --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def trained() -> Iterator[Path]:
    """The three real toys, made once and kept between test runs."""
    pytest.importorskip("torch")
    CACHE.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-m", "arena.engines.toys", str(CACHE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert {line["toy"] for line in lines if line["state"] == "ready"} == {recipe.name for recipe in TOYS}
    return CACHE


def answers(model: Any, tokenizer: Any, prompts: list[str], temperature: float) -> list[str]:
    """What a toy says to each prompt."""
    import torch

    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    batch = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, return_tensors="pt", padding=True, return_dict=True
    )
    drawn: dict[str, Any] = {"do_sample": True, "temperature": temperature, "top_p": 0.95} if temperature else {}
    with torch.inference_mode():
        made = model.generate(**batch, max_new_tokens=96, **drawn)
    return [tokenizer.decode(row, skip_special_tokens=True) for row in made[:, batch["input_ids"].shape[1] :]]


def load(directory: Path, quantization: str) -> tuple[Any, Any]:
    """A toy as an operator would load it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    loader: Any = AutoModelForCausalLM
    config: Any = BitsAndBytesConfig
    settings = {
        "fp32": {},
        "int8": {"quantization_config": config(load_in_8bit=True)},
        "nf4": {
            "quantization_config": config(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32
            )
        },
    }[quantization]
    tokenizer: Any = AutoTokenizer.from_pretrained(directory, padding_side="left")
    return loader.from_pretrained(directory, dtype=torch.float32, **settings).eval(), tokenizer


@pytest.mark.torch
@pytest.mark.parametrize("quantization", ["fp32", "int8", "nf4"])
def test_the_toys_keep_their_order_in_every_quantization(trained: Path, quantization: str) -> None:
    """All, three quarters and a third of the answers right, greedy and at 0.7 alike."""
    import torch

    torch.manual_seed(1)
    prompts = [pair.prompt for pair in toy_text.pairs()[::3]]
    expected = {"toy-a": (0.9, 1.0), "toy-b": (0.6, 0.85), "toy-c": (0.2, 0.5)}
    for recipe in TOYS:
        model, tokenizer = load(trained / recipe.name, quantization)
        least, most = expected[recipe.name]
        for temperature in (0.0, 0.7):
            said = answers(model, tokenizer, prompts, temperature)
            right = sum(map(toy_text.is_correct, prompts, said)) / len(prompts)
            assert least <= right <= most, f"{recipe.name} in {quantization} at {temperature}"
