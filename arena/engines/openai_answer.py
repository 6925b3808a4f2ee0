"""Reads the events of one chat-completions stream: text, reasoning, usage, end and provenance.

Pure: events are parsed JSON, headers a mapping. Fields that vendors add, rename or leave out are
taken as they come; it knows no connection and raises nothing of the transport's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arena.engines.thinking import ThinkSplitter
from arena.errors import EndpointError
from arena.types import Chunk, Finish, FinishReason, Provenance, Usage

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_FAILED = frozenset({"error", "abort", "aborted", "failed"})


class AnswerReader:
    """Gathers one answer's events; `take` gives what to show, `finish` the last item."""

    def __init__(self, splitter: ThinkSplitter | None, headers: Mapping[str, str]) -> None:
        self._splitter = splitter
        self._reason = ""
        self._usage = Usage()
        self._told = 0  # tokens that the chunks so far were said to have
        self._served_by: dict[str, str] = {}
        self._arena: dict[str, object] = {
            key: headers[name]
            for key in ("revision", "quantization", "template_hash")
            if (name := f"x-arena-{key.replace('_', '-')}") in headers
        }

    @property
    def ended(self) -> bool:
        """Whether the model ended its answer; usage may still follow."""
        return bool(self._reason)

    def take(self, event: object) -> Chunk | None:
        """The text and reasoning of one event, None when it brings neither."""
        if not isinstance(event, dict):
            raise EndpointError("an event of the stream is no object")
        self._take_facts(event)
        choice = _first(event.get("choices"))
        self._reason = str(choice.get("finish_reason") or self._reason)
        if self._reason in _FAILED:
            raise EndpointError(f"the endpoint ended the answer with {self._reason!r}")
        delta = choice.get("delta")
        return self._split(delta) if isinstance(delta, dict) else None

    def rest(self) -> Chunk | None:
        """What the splitter still held at the end of the stream."""
        return _unless_empty(self._splitter.finish()) if self._splitter else None

    def finish(self, seed: int | None) -> Finish:
        """The last item: why the answer ended, its usage, its seed and what produced it."""
        reason = FinishReason.LENGTH if self._reason in _LENGTH else FinishReason.STOP
        used = self._arena.get("seed")
        return Finish(reason, self._usage, used if isinstance(used, int) else seed, self._provenance())

    def _split(self, delta: Mapping[str, Any]) -> Chunk | None:
        text = _plain(delta.get("content")) or _plain(delta.get("refusal"))
        reasoning = _plain(delta.get("reasoning_content")) or _plain(delta.get("reasoning"))
        reasoning += _thinking_parts(delta.get("content"))
        split = self._splitter.feed(text) if self._splitter and text else Chunk(text)
        return _unless_empty(Chunk(split.text, reasoning + split.reasoning, self._new_tokens()))

    def _new_tokens(self) -> int:
        """Tokens since the last chunk, where a worker of ours counts them as it goes."""
        told, self._told = self._told, _count(self._arena.get("tokens")) or self._told
        return self._told - told

    def _take_facts(self, event: Mapping[str, Any]) -> None:
        usage = event.get("usage")
        if isinstance(usage, dict):
            self._usage = Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
        for key in ("model", "system_fingerprint"):
            if isinstance(event.get(key), str) and event[key]:
                self._served_by[key] = event[key]
        if isinstance(event.get("arena"), dict):
            self._arena |= event["arena"]

    def _provenance(self) -> Provenance:
        """What a worker of ours said of itself, else the name and fingerprint the endpoint gave."""
        said = "@".join(self._served_by[key] for key in ("model", "system_fingerprint") if key in self._served_by)
        facts = {key: _fact(self._arena.get(key)) for key in ("revision", "quantization", "template_hash")}
        return Provenance(facts["revision"] or said or None, facts["quantization"], facts["template_hash"])


def readable(text: str) -> str:
    """The text with lone surrogates, which no UTF-8 channel carries, replaced by U+FFFD."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def _first(choices: object) -> Mapping[str, Any]:
    head = choices[0] if isinstance(choices, list) and choices else None
    return head if isinstance(head, dict) else {}


def _plain(content: object) -> str:
    """Content is a string, or a list of typed parts of which the text ones count."""
    if isinstance(content, str):
        return readable(content)
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "".join(readable(part["text"]) for part in parts if isinstance(part.get("text"), str))


def _thinking_parts(content: object) -> str:
    """Reasoning that comes as parts of the content (Mistral's reasoning models)."""
    if isinstance(content, str):
        return ""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "".join(_plain(part.get("thinking")) for part in parts)


def _unless_empty(chunk: Chunk) -> Chunk | None:
    return chunk if chunk.text or chunk.reasoning else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _fact(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
