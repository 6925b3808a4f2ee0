"""Plays back answers that models gave earlier, so that a team can vote blind on outputs it already has.

Reads Arena-Hard's `model_answer` and `question` files (and FastChat's, whose turns are plain
strings), plain or gzipped. It knows only the prompts of the question file; to anything else there
is no recorded answer, and it says so.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.engines.thinking import ThinkSplitter
from arena.errors import EngineError, FileFormatError
from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason, Provenance, Role, Usage

_GZIP_MAGIC = b"\x1f\x8b"
_UPSTREAM_FAILURE = "$ERROR$"  # what Arena-Hard's generator writes when the endpoint failed


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded turn: its text and its token count, None where the file does not say."""

    text: str
    tokens: int | None = None


class RecordedEngine:
    """Answers a conversation whose user messages are those of a known question with the recorded turn.

    `answers` maps a question's identifier to its recorded turns, `questions` to its user messages.
    Text flows at `tokens_per_second` after `first_token_after` seconds; 0 plays everything at once.
    The recording is played whole and as it is, whatever the decoding says, an empty answer included.
    """

    def __init__(
        self,
        answers: Mapping[str, tuple[Recorded, ...]],
        questions: Mapping[str, tuple[str, ...]],
        *,
        tokens_per_second: float = 40.0,
        first_token_after: float = 0.4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        revision: str | None = None,
    ) -> None:
        self._turns = _by_user_messages(answers, questions)
        self._prompts = _openings(answers, questions)
        self._seconds_per_token = 1 / tokens_per_second if tokens_per_second else 0.0
        self._first_token_after = first_token_after
        self._sleep = sleep
        self._provenance = Provenance(revision=revision)

    @classmethod
    def from_files(cls, answers: Path | str, questions: Path | str, **options: Any) -> RecordedEngine:
        """One model's answers; `options` as in the constructor. Raises `FileFormatError`."""
        found = read_answers(Path(answers))
        engine = cls(found, read_questions(Path(questions)), revision=Path(answers).name, **options)
        if not engine._turns:
            raise FileFormatError(f"no answer belongs to a question of {questions}", path=answers)
        return engine

    def prompts(self) -> tuple[str, ...]:
        """First messages with an answer that is not empty, in the question file's order, each once."""
        return self._prompts

    def knows(self, conversation: Conversation) -> bool:
        """Whether there is a recorded answer to this conversation."""
        return _asked(conversation) in self._turns

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
        """Play the recorded turn for the conversation's user messages."""
        answer = self._turns.get(_asked(conversation))
        if answer is None:
            raise EngineError("there is no recorded answer to this conversation; ask one of prompts()")
        if answer.text == _UPSTREAM_FAILURE:
            raise EngineError("the recorded answer is a failure of the endpoint that was asked")
        await self._sleep(self._first_token_after)
        async for chunk in self._play(answer):
            yield chunk
        yield Finish(FinishReason.STOP, Usage(completion_tokens=answer.tokens), decoding.seed, self._provenance)

    async def close(self) -> None:
        """Nothing to give back."""

    async def _play(self, answer: Recorded) -> AsyncIterator[Chunk]:
        splitter = ThinkSplitter()
        pieces = re.findall(r"\s*\S+|\s+$", answer.text) or [answer.text]
        pause = self._seconds_per_token * (len(pieces) if answer.tokens is None else answer.tokens) / len(pieces)
        for piece in pieces:
            chunk = splitter.feed(piece)
            if chunk != Chunk():
                yield chunk
            if pause:
                await self._sleep(pause)
        if (rest := splitter.finish()) != Chunk():
            yield rest


def _asked(conversation: Conversation) -> tuple[str, ...]:
    return tuple(_normal(message.content) for message in conversation if message.role is Role.USER)


def read_answers(path: Path) -> dict[str, tuple[Recorded, ...]]:
    """A `model_answer` file by question; of two answers to one question the later counts, as upstream."""
    answers: dict[str, tuple[Recorded, ...]] = {}
    for line, record in _records(path):
        try:
            turns = record["choices"][0]["turns"]
            answers[str(record["question_id"])] = tuple(_recorded(turn) for turn in turns)
        except (KeyError, IndexError, TypeError) as error:
            raise FileFormatError(
                f"expected question_id and choices[0].turns[].content ({error})", path=path, line=line
            ) from None
    return answers


def read_questions(path: Path) -> dict[str, tuple[str, ...]]:
    """A `question` file: the user messages of each question."""
    questions: dict[str, tuple[str, ...]] = {}
    for line, record in _records(path):
        try:
            turns = tuple(_content(turn) for turn in record["turns"])
            questions[str(record["question_id"])] = turns
        except (KeyError, TypeError) as error:
            raise FileFormatError(f"expected question_id and turns[].content ({error})", path=path, line=line) from None
        if not turns:
            raise FileFormatError("a question without turns", path=path, line=line)
    return questions


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and objects of a JSONL file, gzipped or not, whatever its name says."""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FileFormatError(f"cannot be read: {error}", path=path) from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise FileFormatError(f"no JSON: {error}", path=path, line=number) from None
        if not isinstance(record, dict):
            raise FileFormatError("expected one JSON object on each line", path=path, line=number)
        yield number, record


def _recorded(turn: object) -> Recorded:
    tokens = turn.get("token_len") if isinstance(turn, dict) else None
    return Recorded(_content(turn), tokens if isinstance(tokens, int) else None)


def _content(turn: object) -> str:
    """The text of a turn, which is an object with `content` or the text itself; null is an empty text."""
    content = turn["content"] if isinstance(turn, dict) else turn
    if content is not None and not isinstance(content, str):
        raise TypeError(f"content is no text but {type(content).__name__}")
    return content or ""


def _by_user_messages(
    answers: Mapping[str, tuple[Recorded, ...]], questions: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, ...], Recorded]:
    """Each recorded turn by the user messages that led to it; the first of equal questions counts."""
    turns: dict[tuple[str, ...], Recorded] = {}
    for key, messages in questions.items():
        asked = tuple(map(_normal, messages))
        for index, answer in enumerate(answers.get(key, ())[: len(asked)], start=1):
            turns.setdefault(asked[:index], answer)
    return turns


def _openings(answers: Mapping[str, tuple[Recorded, ...]], questions: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    first = {messages[0]: answers[key][0].text for key, messages in questions.items() if answers.get(key)}
    return tuple(message for message, text in first.items() if text.strip() and text != _UPSTREAM_FAILURE)


def _normal(prompt: str) -> str:
    """White space does not tell prompts apart: a browser trims and turns line ends."""
    return " ".join(prompt.split())
