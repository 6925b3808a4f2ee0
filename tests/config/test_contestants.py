"""A contestant's identity and parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from arena.config import Chat, Contestant, Judge, Price
from arena.types import Decoding


def contestant(**changes: object) -> Contestant:
    return Contestant.model_validate(
        {"name": "m", "model": "a/b", "revision": "1" * 40, "quantization": "nf4"} | changes
    )


def test_a_contestant_cannot_be_changed() -> None:
    """Identity rests on it."""
    with pytest.raises(ValidationError):
        contestant().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "2" * 40},
        {"quantization": "int8"},
        {"system_prompt": "Be brief."},
        {"chat": {"system_role": False}},
        {"chat": {"stop": ["<|eot_id|>"]}},
        {"model": "a/c"},
    ],
)
def test_the_fingerprint_changes_with_what_answers(change: dict[str, object]) -> None:
    """Weights, quantization, template and system prompt."""
    assert contestant(**change).fingerprint != contestant().fingerprint


@pytest.mark.parametrize(
    "change", [{"name": "n"}, {"licence": "mit"}, {"note": "x"}, {"enabled": False}, {"concurrency": 2}]
)
def test_the_fingerprint_does_not_change_with_what_is_said_of_it(change: dict[str, object]) -> None:
    """A mended licence keeps the votes."""
    assert contestant(**change).fingerprint == contestant().fingerprint


def test_the_fingerprint_follows_the_content_of_a_template(tmp_path: Path) -> None:
    """Not its path."""
    first, second = tmp_path / "a.jinja", tmp_path / "b.jinja"
    first.write_text("one")
    second.write_text("one")
    prints = [contestant(chat={"template": file}).fingerprint for file in (first, second)]
    assert prints[0] == prints[1]
    second.write_text("another")
    assert contestant(chat={"template": second}).fingerprint != prints[0]


def test_a_copy_with_another_revision_has_another_fingerprint() -> None:
    """Even after the first one's was read."""
    first = contestant()
    before = first.fingerprint
    assert first.model_copy(update={"revision": "3" * 40}).fingerprint != before


def test_thinking_tags_are_written_as_a_word_or_a_pair() -> None:
    """`think: true` is <think>…</think>."""
    assert Chat.model_validate({"think": True}).think == ("<think>", "</think>")
    assert Chat.model_validate({"think": ["[T]", "[/T]"]}).think == ("[T]", "[/T]")
    assert Chat.model_validate({"think": False}).think is None


def test_a_contestant_survives_json() -> None:
    """What `models --json` prints can be read back."""
    original = contestant(decoding={"temperature": 0.1, "stop": ["x"]}, chat={"think": True})
    assert Contestant.model_validate_json(original.model_dump_json()) == original
    assert hash(original) == hash(Contestant.model_validate_json(original.model_dump_json()))


def test_decoding_is_the_engines_own_type() -> None:
    """And may be given as such in code."""
    assert contestant(decoding={"temperature": 0.1}).decoding == Decoding(temperature=0.1)
    assert contestant(decoding=Decoding(seed=3)).decoding.seed == 3


def test_a_judge_is_greedy_unless_told_otherwise() -> None:
    """So that the same battle is judged alike twice."""
    assert Judge(name="j", model="a/b").decoding.temperature == 0


def test_a_price_is_per_million_tokens() -> None:
    """In its own currency."""
    assert Price(prompt=2.5, completion=10).cost(1_000_000, 100_000) == pytest.approx(3.5)
    assert contestant(price={"prompt": 0, "completion": 0}).paid is False
    assert contestant(price={"prompt": 1, "completion": 0}).paid is True


def test_a_checkpoint_is_told_from_a_hub_id(tmp_path: Path) -> None:
    """OWNER/NAME is a hub id unless such a directory is there."""
    assert contestant(model="Qwen/Qwen2.5-7B-Instruct").checkpoint is None
    assert contestant(model=str(tmp_path)).checkpoint == tmp_path
    assert contestant(model="storage/demo/toy-a").checkpoint == Path("storage/demo/toy-a")


def test_a_model_of_ours_runs_in_four_bits_unless_told_otherwise() -> None:
    """That is what the table, the plan and the voter are told; what an endpoint runs in nobody knows."""
    assert Contestant(name="a", model="o/a").precision == "nf4"
    assert Contestant(name="a", model="o/a", quantization="bf16").precision == "bf16"
    assert Contestant(name="a", engine="openai", base_url="http://x/v1", model="m").precision is None
