"""Answers as others keep them: Arena-Hard's `model_answer` lines and tables of answer features.

Knows how long every answer was, in tokens; not what it was asked or how it was judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arena.benchmarks.files import Floats, Table, as_number, as_text, jsonl_files, read_jsonl, read_records, stem
from arena.benchmarks.questions import Question
from arena.errors import FileFormatError

_LENGTH_COLUMNS = ("token_len", "tokens", "n_tokens", "n_chars")


def same_model(name: str) -> str:
    """A model's name without the owner before a slash, in lower case: files of one benchmark differ in these."""
    return name.rsplit("/", 1)[-1].lower()


@dataclass(frozen=True, slots=True)
class AnswerLengths:
    """Tokens of every model's answer to every question; a question that was not answered counts 0.

    The zeros are upstream's: both the published average and the deviation of length control are
    taken over the whole list of questions.
    """

    path: Path
    questions: Mapping[str, int]
    by_model: Mapping[str, Floats]

    @classmethod
    def read(cls, path: Path) -> AnswerLengths:
        """A features file (`model, question_id, token_len`), an answer file, or a folder of answer files."""
        if path.is_dir():
            files = jsonl_files(path)
            if not files:
                raise FileFormatError("no .jsonl file of answers in this folder", path=path)
            return cls._of_rows(path, (row for file in files for row in _answer_rows(file)))
        table = Table.read(path)
        if "choices" in table:
            return cls._of_rows(path, _answer_rows(path))
        column = next((name for name in _LENGTH_COLUMNS if name in table), _LENGTH_COLUMNS[0])
        table = Table.read(path, required=("model", "question_id", column))
        numbers = table.numbers(column).tolist()
        return cls._of_rows(path, zip(table.text("model"), table.text("question_id"), numbers, strict=True))

    @classmethod
    def _of_rows(cls, path: Path, rows: Iterable[tuple[str, str, float]]) -> AnswerLengths:
        found = list(rows)
        questions = {name: place for place, name in enumerate(dict.fromkeys(question for _, question, _ in found))}
        counted = dict.fromkeys(model for model, _, length in found if not np.isnan(length))
        by_model = {model: np.zeros(len(questions)) for model in counted}  # one without any count is not all zeros
        for model, question, length in found:
            if model in counted and not np.isnan(length):
                by_model[model][questions[question]] = length
        return cls(path, questions, by_model)

    @property
    def models(self) -> tuple[str, ...]:
        """Whose answers there are, with their tokens counted."""
        return tuple(self.by_model)

    def of(self, model: str) -> Floats | None:
        """Lengths in the order of `questions`; None when the file has no answers of this model."""
        if model in self.by_model:
            return self.by_model[model]
        alike = [name for name in self.by_model if same_model(name) == same_model(model)]
        return self.by_model[alike[0]] if len(alike) == 1 else None

    def place(self, question: str) -> int:
        """Where a question stands in a model's lengths, −1 when no model answered it."""
        return self.questions.get(question, -1)

    def average(self, model: str) -> int | None:
        """Mean tokens over all questions, cut to a whole number as the published tables do."""
        lengths = self.of(model)
        return None if lengths is None or not len(lengths) else int(lengths.mean())


def read_texts(path: Path, questions: Sequence[Question]) -> dict[str, tuple[str, ...]]:
    """Answers by the key of their question: `model_answer` lines, references, or AlpacaEval's `output` by instruction.

    Raises `FileFormatError` when not a single one belongs to these questions.
    """
    keys = {question.key for question in questions}
    by_wording = {question.turns[0].strip(): question.key for question in questions}
    texts: dict[str, tuple[str, ...]] = {}
    for record in read_records(path):
        key = as_text(
            next((record[name] for name in ("question_id", "uid", "key") if record.get(name) is not None), "")
        )
        key = key or by_wording.get(as_text(record.get("instruction") or record.get("prompt")).strip(), "")
        if key in keys:
            texts[key] = answer_turns(record)
    if not texts:
        raise FileFormatError("no answer here belongs to one of the questions, by question_id or wording", path=path)
    return texts


def answer_turns(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of an answer: v0.1 keeps them under choices/turns, v2.0 in messages, AlpacaEval as output."""
    turns = _turns(record)
    if turns:
        return tuple(_content(turn.get("content") if isinstance(turn, Mapping) else turn) for turn in turns)
    for name in ("output", "response", "reference"):
        if record.get(name) is not None:
            return (_content(record[name]),)
    return (_content(_last_message(record)),)


def _content(value: object) -> str:
    return as_text(value.get("answer", "") if isinstance(value, Mapping) else value)


def lengths_beside(directory: Path) -> AnswerLengths | None:
    """The `model_answer` folder beside the `model_judgment` one that these judgments lie in, if it is there."""
    for parent in (directory, *directory.parents):
        answers = parent.parent / "model_answer"
        if parent.name == "model_judgment":
            return AnswerLengths.read(answers) if answers.is_dir() and jsonl_files(answers) else None
    return None


def _answer_rows(path: Path) -> Iterable[tuple[str, str, float]]:
    own = stem(path)
    for line, record in read_jsonl(path):
        question = as_text(record.get("question_id", record.get("uid")))
        if not question:
            raise FileFormatError("an answer has a question_id", path=path, line=line)
        yield as_text(record.get("model_id", record.get("model"))) or own, question, _token_len(record)


def _token_len(record: Mapping[str, Any]) -> float:
    turns = _turns(record)
    if turns and isinstance(turns[0], Mapping):
        return as_number(turns[0].get("token_len"))
    metadata = record.get("metadata")
    return as_number(metadata.get("token_len") if isinstance(metadata, Mapping) else record.get("token_len"))


def _turns(record: Mapping[str, Any]) -> Sequence[Any]:
    choices = record.get("choices")
    turns = choices[0].get("turns") if isinstance(choices, list) and choices else None
    return turns if isinstance(turns, list) else []


def _last_message(record: Mapping[str, Any]) -> object:
    messages = record.get("messages")
    return messages[-1].get("content") if isinstance(messages, list) and messages else ""
