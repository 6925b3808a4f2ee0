"""What a worker can tell of its model without asking it anything: is the prompt right, will it stop?

It knows a tokenizer, a template and the ids that end an answer. Findings are plain tuples, so they
cross the pipe to the parent as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arena.engines.worker.prompting import Prompter, PromptError
from arena.engines.worker.spec import WorkerSpec

Finding = tuple[str, bool, str]
"""What was looked at, whether it is right, and a detail for the operator."""

_USER = {"role": "user", "content": "Marco"}
_ASSISTANT = {"role": "assistant", "content": "Polo"}
_DOCUMENT = {"role": "documents", "content": "The lighthouse is green."}


def findings(tokenizer: Any, prompter: Prompter, spec: WorkerSpec, terminators: frozenset[int]) -> list[Finding]:
    """Look at everything; a check that raises is a finding, not an error."""
    checks: list[tuple[str, Callable[[], tuple[bool, str]]]] = [
        ("prompt equals the template's own tokens", lambda: _same_tokens(tokenizer, prompter)),
        ("at most one BOS", lambda: _one_bos(tokenizer, prompter)),
        ("several turns fit the template", lambda: _turns(prompter)),
        ("system prompt reaches the model", lambda: _system(tokenizer, prompter)),
        ("answers can end", lambda: _terminators(tokenizer, terminators)),
        ("the template's end of turn ends an answer", lambda: _end_of_turn(tokenizer, prompter, terminators)),
    ]
    if spec.documents_role:
        checks.append(("documents reach the template", lambda: _documents(tokenizer, prompter)))
    return [_finding(name, check) for name, check in checks]


def _finding(name: str, check: Callable[[], tuple[bool, str]]) -> Finding:
    try:
        right, detail = check()
    except PromptError as error:
        return name, False, str(error)
    return name, right, detail


def _same_tokens(tokenizer: Any, prompter: Prompter) -> tuple[bool, str]:
    ours = prompter.prompt([_USER]).ids
    own = tokenizer.apply_chat_template(
        prompter.prepare([_USER]), chat_template=prompter.template, add_generation_prompt=True, return_dict=False
    )
    return tuple(own) == ours, f"{len(ours)} tokens"


def _one_bos(tokenizer: Any, prompter: Prompter) -> tuple[bool, str]:
    bos = tokenizer.bos_token_id
    count = prompter.prompt([_USER]).ids.count(bos) if bos is not None else 0
    return count <= 1 or bos == tokenizer.eos_token_id, f"{count} of {tokenizer.bos_token}"


def _turns(prompter: Prompter) -> tuple[bool, str]:
    return True, f"{len(prompter.prompt([_USER, _ASSISTANT, _USER]).ids)} tokens for two turns"


def _system(tokenizer: Any, prompter: Prompter) -> tuple[bool, str]:
    system = {"role": "system", "content": "Speak softly."}
    return "Speak softly." in tokenizer.decode(prompter.prompt([system, _USER]).ids), ""


def _documents(tokenizer: Any, prompter: Prompter) -> tuple[bool, str]:
    return _DOCUMENT["content"] in tokenizer.decode(prompter.prompt([_DOCUMENT, _USER]).ids), ""


def _terminators(tokenizer: Any, terminators: frozenset[int]) -> tuple[bool, str]:
    names = [str(tokenizer.convert_ids_to_tokens(token)) for token in sorted(terminators)]
    return bool(names) and "None" not in names, ", ".join(names)


def _end_of_turn(tokenizer: Any, prompter: Prompter, terminators: frozenset[int]) -> tuple[bool, str]:
    """The first special token that the template writes behind an assistant's words must end an answer.

    A template may put none there; then nothing can be told.
    """
    text = tokenizer.decode(prompter.prompt([_USER, _ASSISTANT, _USER]).ids)
    behind = tokenizer(text.partition("Polo")[2], add_special_tokens=False).input_ids
    own = prompter.prompt([_USER]).ids
    added = tokenizer.added_tokens_decoder
    special = next((token for token in behind if token in added and added[token].special), None)
    if special is None or special in own[:1]:
        return True, "the template writes none"
    name = str(tokenizer.convert_ids_to_tokens(special))
    return special in terminators, name if special in terminators else f"add {name} to chat.stop"
