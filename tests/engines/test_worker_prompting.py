"""Prompts of every model family: exactly the template's own tokens, once, and within the context."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checkpoints import FAMILIES, build

from arena.engines.worker.spec import NEUTRAL_SYSTEM_PROMPT, WorkerSpec
from arena.errors import ContextOverflow

pytestmark = pytest.mark.torch

CHATTING = sorted(name for name, family in FAMILIES.items() if family.template)
DIALOGUE = [
    {"role": "user", "content": "Какая столица у Франции?"},
    {"role": "assistant", "content": "Париж."},
    {"role": "user", "content": "And of Italy?"},
]


@pytest.fixture(scope="module", params=CHATTING)
def shaped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A family's name and its checkpoint."""
    return request.param, build(tmp_path_factory.mktemp(request.param), request.param)


def test_the_prompt_is_token_for_token_what_the_tokenizers_own_template_gives(shaped: tuple[str, Path]) -> None:
    """Only the system prompt is ours, and only where the template has a place for it."""
    name, path = shaped
    tokenizer, prompter = _prompter(path, **FAMILIES[name].quirks)
    opening = [{"role": "system", "content": NEUTRAL_SYSTEM_PROMPT}] if name != "gemma2" else []
    expected = tokenizer.apply_chat_template([*opening, *DIALOGUE], add_generation_prompt=True, return_dict=False)
    assert list(prompter.prompt(DIALOGUE).ids) == list(expected)


def test_there_is_never_more_than_one_bos(shaped: tuple[str, Path]) -> None:
    """These tokenizers add BOS to everything they encode; behind a template that would be a second one."""
    name, path = shaped
    tokenizer, prompter = _prompter(path, **FAMILIES[name].quirks)
    ids = prompter.prompt(DIALOGUE).ids
    bos = tokenizer.bos_token_id
    assert bos is None or ids.count(bos) == (name not in ("phi3", "zephyr"))
    if bos is not None:
        assert tokenizer("x").input_ids[0] == bos  # the trap is set


def test_a_neutral_opening_replaces_the_templates_own_name(tmp_path: Path) -> None:
    """A template that introduces the model by name would tell the voter who is speaking."""
    tokenizer, prompter = _prompter(build(tmp_path, "qwen2"))
    assert "Nobody" in tokenizer.apply_chat_template(DIALOGUE, tokenize=False)
    said = tokenizer.decode(prompter.prompt(DIALOGUE).ids)
    assert "Nobody" not in said
    assert NEUTRAL_SYSTEM_PROMPT in said


def test_a_system_prompt_reaches_a_model_without_system_role_through_the_user(tmp_path: Path) -> None:
    """Gemma's template refuses the role, so its text opens the first user message."""
    tokenizer, prompter = _prompter(build(tmp_path, "gemma2"), system_role=False)
    said = tokenizer.decode(prompter.prompt([{"role": "system", "content": "Be brief."}, *DIALOGUE]).ids)
    assert "<start_of_turn>user\nBe brief.\n\nКакая" in said


def test_a_template_that_refuses_the_system_role_says_which_setting_mends_it(tmp_path: Path) -> None:
    """The operator forgot the quirk; the error names it."""
    from arena.engines.worker.prompting import PromptError

    _, prompter = _prompter(build(tmp_path, "gemma2"))
    with pytest.raises(PromptError, match="system_role: false"):
        prompter.prompt(DIALOGUE)


def test_documents_reach_a_template_that_knows_the_role(tmp_path: Path) -> None:
    """Vikhr's grounding role passes through; elsewhere its text opens the next user message."""
    grounded = [{"role": "documents", "content": '[{"doc_id": 0}]'}, DIALOGUE[0]]
    vikhr, knows = _prompter(build(tmp_path / "vikhr", "vikhr"), documents_role=True)
    said = vikhr.decode(knows.prompt(grounded).ids)
    assert '<|start_header_id|>documents<|end_header_id|>\n\n[{"doc_id": 0}]' in said
    ids = {"role": "assistant", "content": '{"relevant_doc_ids": [0]}'}
    went_on = vikhr.decode(knows.prompt([*grounded, ids]).ids)  # it names documents first, then answers by itself
    assert went_on.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")
    assert went_on.count("<|start_header_id|>assistant") == 2
    qwen, folds = _prompter(build(tmp_path / "qwen", "qwen2"))
    assert '<|im_start|>user\n[{"doc_id": 0}]\n\nКакая' in qwen.decode(folds.prompt(grounded).ids)


def test_a_template_of_the_operators_own_replaces_the_checkpoints(tmp_path: Path) -> None:
    """Also for a checkpoint that has none; its hash is the template's."""
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    tokenizer, prompter = _prompter(build(tmp_path, "bare"), template=template, system_prompt="")
    assert tokenizer.decode(prompter.prompt(DIALOGUE[:1]).ids) == DIALOGUE[0]["content"]


def test_different_templates_have_different_hashes(tmp_path: Path) -> None:
    """The hash is part of a contestant's fingerprint."""
    path = build(tmp_path, "qwen2")
    _, own = _prompter(path)
    _, other = _prompter(path, template="{{ messages[-1]['content'] }}")
    assert own.template_hash != other.template_hash


def test_a_prompt_that_leaves_no_room_for_an_answer_is_refused(tmp_path: Path) -> None:
    """The error counts: how long the conversation is, how long the context."""
    _, prompter = _prompter(build(tmp_path, "qwen2"))
    with pytest.raises(ContextOverflow, match="context is 256") as caught:
        prompter.prompt([{"role": "user", "content": "q" * 400}])
    assert caught.value.limit == 256
    assert caught.value.tokens is not None
    assert caught.value.tokens > 400


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "assistant", "content": "I speak first"}],
        [{"role": "tool", "content": "x"}],
        [{"role": "user", "content": 7}],
        ["hello"],
    ],
)
def test_messages_that_no_template_can_mean_are_refused(messages: list[Any], tmp_path_factory: Any) -> None:
    """Each with a sentence, none with a traceback."""
    from arena.engines.worker.prompting import PromptError

    _, prompter = _prompter(build(tmp_path_factory.mktemp("qwen"), "qwen2"))
    with pytest.raises(PromptError):
        prompter.prompt(messages)


def test_a_template_that_opens_the_reasoning_is_noticed(tmp_path: Path) -> None:
    """DeepSeek's distills begin inside <think>; the splitter has to know."""
    _, prompter = _prompter(build(tmp_path, "deepseek"), think=True)
    assert prompter.prompt(DIALOGUE).starts_in_think


def _prompter(path: Path, **quirks: Any) -> tuple[Any, Any]:
    from transformers import AutoTokenizer

    from arena.engines.worker.prompting import Prompter

    tokenizer = AutoTokenizer.from_pretrained(path)
    return tokenizer, Prompter(tokenizer, WorkerSpec(str(path), **quirks), 256)
