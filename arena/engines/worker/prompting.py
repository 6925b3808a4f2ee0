"""Makes the exact token ids a model is asked with, from a conversation and the model's own template.

It knows a tokenizer but no weights. The template adds every special token itself, so nothing is
added after it: no second BOS, no second system prompt.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arena.engines.worker.answering import Ask
from arena.engines.worker.spec import WorkerSpec
from arena.errors import ContextOverflow, EngineError
from arena.types import Decoding

Messages = Sequence[dict[str, str]]

_ROLES = ("system", "user", "assistant", "documents")


class PromptError(EngineError):
    """The conversation cannot be put into this model's template; the text says what to change."""

    code = "prompt"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids to answer, and whether the template already opened the reasoning."""

    ids: tuple[int, ...]
    starts_in_think: bool = False


class Prompter:
    """Applies one model's chat template. `context` is the model's longest prompt and answer."""

    def __init__(self, tokenizer: Any, spec: WorkerSpec, context: int) -> None:
        self._tokenizer, self._spec, self.context = tokenizer, spec, context
        self.template = template_of(tokenizer, spec)
        self.template_hash = hashlib.sha256(self.template.encode()).hexdigest()[:16]

    def prompt(self, messages: Messages) -> Prompt:
        """The ids for these messages.

        Raises PromptError when the template refuses them, ContextOverflow when no token of an
        answer would fit behind them.
        """
        prepared = self.prepare(messages)
        try:
            text = self._apply(prepared, tokenize=False)
            ids = self._apply(prepared, tokenize=True, return_dict=False)
        except Exception as error:  # a template is a program of the checkpoint's author
            raise PromptError(_refusal(error, self._spec)) from None
        if len(ids) >= self.context:
            raise ContextOverflow(
                f"the conversation has {len(ids)} tokens, this model's context is {self.context}",
                tokens=len(ids),
                limit=self.context,
            )
        return Prompt(tuple(ids), self._spec.think and text.rstrip().endswith(self.think_tags[0]))

    @property
    def think_tags(self) -> tuple[str, str]:
        """What reasoning stands between."""
        return self._spec.think_tags

    def smallest(self) -> tuple[int, ...]:
        """A few ids that the model may see: to try it out, not to be answered."""
        return tuple(self._tokenizer("a").input_ids)

    def prepare(self, messages: Messages) -> list[dict[str, str]]:
        """The messages as the template gets them: neutral system prompt, only roles it knows."""
        checked = [_message(message) for message in messages]
        roles = [message["role"] for message in checked]
        goes_on = self._spec.documents_role and "documents" in roles and roles[-1] == "assistant"
        if not goes_on and (not roles or roles[-1] != "user"):  # beside documents, the answer follows the ids it names
            raise PromptError("the last message must be the user's")
        if not self._spec.documents_role:
            checked = _folded(checked, "documents")
        if not self._spec.system_role:
            return _folded(checked, "system")
        if checked[0]["role"] != "system" and self._spec.system_prompt:
            checked.insert(0, {"role": "system", "content": self._spec.system_prompt})
        return checked

    def _apply(self, messages: Messages, **how: Any) -> Any:
        return self._tokenizer.apply_chat_template(
            list(messages), chat_template=self.template, add_generation_prompt=True, **how
        )


def asked(prompter: Prompter, messages: Messages, decoding: Decoding, *, stop: tuple[str, ...], think: bool) -> Ask:
    """The request a conversation makes: its prompt, its decoding within the context, a seed in any case.

    `stop` are the contestant's own stop strings. Raises PromptError or ContextOverflow.
    """
    prompt = prompter.prompt(messages)
    return Ask(
        ids=prompt.ids,
        seed=secrets.randbits(31) if decoding.seed is None else decoding.seed,
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        max_tokens=min(decoding.max_tokens, prompter.context - len(prompt.ids)),
        stop=(*decoding.stop, *stop),
        think=think,
        starts_in_think=prompt.starts_in_think,
        think_tags=prompter.think_tags,
    )


def template_of(tokenizer: Any, spec: WorkerSpec) -> str:
    """The chat template in force. Raises PromptError, with the mend, when there is none."""
    if spec.template:
        return spec.template
    try:
        return str(tokenizer.get_chat_template())
    except ValueError:
        raise PromptError(
            f"{spec.model} has no chat template: it is not an instruct model, or its template has to be given "
            "as `template` in models.yaml"
        ) from None


def _message(message: object) -> dict[str, str]:
    """One message of the wire; content may also come as a list of text parts."""
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise PromptError(f"a message needs a role out of {', '.join(_ROLES)}")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise PromptError("a message's content must be text")
    return {"role": message["role"], "content": content}


def _folded(messages: Messages, role: str) -> list[dict[str, str]]:
    """Messages of a role the template does not know become the beginning of the next user message."""
    folded: list[dict[str, str]] = []
    pending: list[str] = []
    for message in messages:
        if message["role"] == role:
            pending.append(message["content"])
        elif message["role"] == "user":
            folded.append({"role": "user", "content": "\n\n".join([*pending, message["content"]])})
            pending = []
        else:
            folded.append(message)
    return folded


def _refusal(error: Exception, spec: WorkerSpec) -> str:
    hint = " (set `system_role: false` for a template without a system role)" if spec.system_role else ""
    return f"the chat template of {spec.model} refuses this conversation: {error}{hint}"
