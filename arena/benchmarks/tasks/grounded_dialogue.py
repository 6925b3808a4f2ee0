"""How Grounded-RAG asks: documents in their own role for models that know it, in the prompt for others.

A model that knows the role first names the documents it needs as `{"relevant_doc_ids": […]}` and
answers in a second turn; any other does both in one answer. The wording is ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arena.benchmarks.files import as_number, as_text
from arena.benchmarks.questions import Dialogue, Question, read_questions
from arena.benchmarks.task import Benchmark, JudgedBy
from arena.benchmarks.tasks.grounded_rag import NAME, GroundedAnswer, cited_ids
from arena.errors import FileFormatError
from arena.types import Conversation, Decoding, Message, Role

_ROLE_PROMPT = (
    "Отвечай только по приведённым документам и дай два ответа подряд. Первый: идентификаторы документов, "
    'которые нужны для ответа, в виде {"relevant_doc_ids": [номера]}. Второй: сам ответ на вопрос по этим '
    "документам. Если нужных документов нет, список пуст, а в ответе об этом сказано."
)
_PLAIN_PROMPT = (
    "Ниже документы, каждый со своим doc_id, и вопрос. Ответь на вопрос только по документам. "
    'В первой строке напиши {{"relevant_doc_ids": [номера нужных документов]}}, дальше сам ответ. '
    "Если ответа в документах нет, оставь список пустым и скажи об этом.\n\n"
    "Документы:\n{documents}\n\nВопрос: {question}"
)
_IDS_OBJECT = re.compile(r"`*(?:json)?\s*\{[^{}]*\"relevant_doc_ids\"[^{}]*\}\s*`*")


def dialogue(documents_role: bool) -> Dialogue:
    """The conversation for a model that knows the role `documents`, or for one that does not."""
    return _with_role if documents_role else _in_prompt


def _with_role(question: Question, answers: Sequence[str]) -> Conversation | None:
    if len(answers) == 2:
        return None
    asked = (
        Message(Role.SYSTEM, _ROLE_PROMPT),
        Message(Role.DOCUMENTS, _documents(question)),
        Message(Role.USER, question.turns[0]),
    )
    return (*asked, *(Message(Role.ASSISTANT, answer) for answer in answers))


def _in_prompt(question: Question, answers: Sequence[str]) -> Conversation | None:
    if answers:
        return None
    text = _PLAIN_PROMPT.format(documents=_documents(question), question=question.turns[0])
    return (Message(Role.USER, text),)


def _documents(question: Question) -> str:
    return json.dumps(question.fields["documents"], ensure_ascii=False)


def read_items(path: Path) -> list[Question]:
    """`question, documents`, and where known `relevant_doc_ids, reference, domain`; lists may be JSON texts."""
    return [_checked(question, path) for question in read_questions(path)]


def _checked(question: Question, path: Path) -> Question:
    documents = _list(question.fields.get("documents"))
    if documents is None:
        raise FileFormatError(f"item {question.key} has no list `documents`", path=path)
    fields = {
        **question.fields,
        "documents": documents,
        "relevant_doc_ids": _list(question.fields.get("relevant_doc_ids")),
    }
    return Question(question.key, question.turns, question.category, fields)


def _list(value: object) -> list[Any] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return list(value) if isinstance(value, list | tuple) else None


def grounded_answer(
    question: Question, model: str, turns: Sequence[str], correct: bool | None = None
) -> GroundedAnswer:
    """What a finished item says: ids from where they were asked for, the answer without them."""
    cited = cited_ids(turns[0])
    expected: Mapping[str, Any] = question.fields
    return GroundedAnswer(
        model,
        as_text(expected.get("domain")) or "in_domain",
        _IDS_OBJECT.sub("", turns[-1]).strip(),
        as_text(expected.get("reference") or expected.get("answer")),
        cited,
        tuple(int(as_number(number)) for number in expected.get("relevant_doc_ids") or ()),
        correct,
    )


BENCHMARKS = (
    Benchmark(
        NAME,
        "Grounded RAG",
        "ru",
        JudgedBy.CORRECTNESS,
        "items with documents, such as Vikhrmodels/Grounded-RAG-RU-v2 on the hub",
        read=read_items,
        dialogue=dialogue,
        decoding=Decoding(temperature=0.0, top_p=1.0, max_tokens=2048),
    ),
)
