"""Questions of a benchmark: where they lie, how they read, and how one becomes a conversation.

They come from a local path or from a file on the hub that a task names, never from this project.
Knows nothing of engines or scores.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena.benchmarks.files import as_text, read_records
from arena.errors import FileFormatError
from arena.types import Conversation, Message, Role


@dataclass(frozen=True, slots=True)
class Question:
    """One item: a key that is unique in its benchmark, the user's turns, and the item's own fields."""

    key: str
    turns: tuple[str, ...]
    category: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hugging Face hub, fetched once into the hub's own cache."""

    repository: str
    name: str
    kind: str = "dataset"
    revision: str | None = None

    def fetch(self) -> Path:
        """The local copy. Raises `FileFormatError` when it can be neither found nor reached."""
        from huggingface_hub import hf_hub_download

        try:
            return Path(
                hf_hub_download(self.repository, self.name, repo_type=self.kind, revision=self.revision, token=None)
            )
        except Exception as error:  # the library raises httpx's, requests' and its own kinds
            raise FileFormatError(
                f"cannot be fetched from the hub ({type(error).__name__}); give the questions with --questions",
                path=f"{self.repository}/{self.name}",
            ) from error


Dialogue = Callable[[Question, Sequence[str]], Conversation | None]
"""What a model is asked next, given its answers so far; None when the item is done."""


def chat(question: Question, answers: Sequence[str]) -> Conversation | None:
    """The user's turns one after another, the model's own answers between them."""
    if len(answers) >= len(question.turns):
        return None
    messages: list[Message] = []
    for turn, answer in zip(question.turns, answers, strict=False):
        messages += [Message(Role.USER, turn), Message(Role.ASSISTANT, answer)]
    return (*messages, Message(Role.USER, question.turns[len(answers)]))


def read_questions(path: Path) -> list[Question]:
    """Items with `turns`, `prompt`, `question` or `instruction`; a key of their own or their place in the file."""
    questions = [_question(number, record, path) for number, record in enumerate(read_records(path))]
    twice = len(questions) - len({question.key for question in questions})
    if twice:
        raise FileFormatError(f"{twice} items share a key with another", path=path)
    return questions


def _question(number: int, record: Mapping[str, Any], path: Path) -> Question:
    key = next(
        (as_text(record[name]) for name in ("question_id", "uid", "key", "id") if record.get(name) is not None), ""
    )
    turns = tuple(_turn(turn) for turn in record["turns"]) if isinstance(record.get("turns"), list | tuple) else ()
    if not turns:
        single = next((as_text(record[name]) for name in ("prompt", "question", "instruction") if record.get(name)), "")
        turns = (single,) if single else ()
    if not turns:
        raise FileFormatError("an item has `turns`, `prompt`, `question` or `instruction`", path=path, line=number + 1)
    category = as_text(record.get("category") or record.get("cluster"))
    return Question(key or str(number), turns, category, dict(record))


def _turn(turn: object) -> str:
    return as_text(turn.get("content") if isinstance(turn, Mapping) else turn)


def digest(questions: Iterable[Question]) -> str:
    """A fingerprint of what is asked, so that a run is never continued with other questions."""
    text = json.dumps([[question.key, *question.turns] for question in questions], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
