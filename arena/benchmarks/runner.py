"""Answering a benchmark's questions with any engine: many at once, and never one twice.

Every finished item is on disk before it counts, so a run that is killed goes on where it was; an
item that was under way begins anew. Each item has a seed of its own, derived from the run's and
stored with the answer. Knows neither scores nor judges.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from arena.benchmarks.questions import Dialogue, Question, chat, digest
from arena.benchmarks.runlog import RunLog, kept
from arena.benchmarks.scoreboard import file_name
from arena.engines.base import Engine
from arena.errors import (
    AccessDenied,
    ArenaError,
    ContextOverflow,
    EndpointError,
    EngineError,
    FileFormatError,
    SpendingCapReached,
)
from arena.types import Chunk, Conversation, Decoding, Finish

TRIES = 4
"""Attempts at one answer; the last one's error counts."""
_MISSING, _TOO_EARLY, _BUSY, _SERVER = 408, 425, 429, 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run promises: the same plan on the same questions is the same run."""

    task: str
    model: str
    seed: int = 42
    decoding: Decoding = Decoding(temperature=0.0, top_p=1.0, max_tokens=4096)
    temperatures: Mapping[str, float] = field(default_factory=dict)

    def decoding_of(self, question: Question) -> Decoding:
        """How this item's tokens are drawn: its category's temperature and a seed of its own."""
        temperature = self.temperatures.get(question.category, self.decoding.temperature)
        return replace(self.decoding, temperature=temperature, seed=seed_of(self.seed, question.key))


@dataclass(slots=True)
class Progress:
    """How far a run is; failed items were tried in vain and are tried again by the next run, `outdated` ones were
    there and no longer count."""

    total: int
    done: int = 0
    failed: int = 0
    outdated: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def fail(self, error: EngineError) -> None:
        """Count an item that could not be done, by the kind of error."""
        self.failed += 1
        self.reasons[str(error)] = self.reasons.get(str(error), 0) + 1


Shown = Callable[[Progress], None]
Sleep = Callable[[float], Awaitable[None]]


def seed_of(seed: int, key: str) -> int:
    """A 31-bit seed for one item, independent of the order in which items are done."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:4], "big") & 0x7FFFFFFF


def run_folder(root: Path, task: str, model: str) -> Path:
    """Where a run's files lie: `<root>/<task>/<model>`."""
    return root / file_name(task) / file_name(model)


def open_run(root: Path, plan: Plan, questions: Sequence[Question]) -> RunLog:
    """The run's answers, begun or gone on with. Raises `FileFormatError` when it was begun on other terms."""
    folder = run_folder(root, plan.task, plan.model)
    log = RunLog(folder / "answers.jsonl")
    terms = {**asdict(plan), "questions": digest(questions)}
    try:
        _agree(folder / "run.json", json.loads(json.dumps(terms)))
    except FileFormatError:
        log.close()
        raise
    return log


def _agree(path: Path, terms: Mapping[str, Any]) -> None:
    if not path.exists():
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")
        os.replace(draft, path)
        return
    begun = json.loads(path.read_text(encoding="utf-8"))
    other = [name for name in terms if begun.get(name) != terms[name]]
    if other:
        raise FileFormatError(
            f"this run was begun with another {', '.join(other)}; go on with the same, or begin anew with --fresh",
            path=path,
        )


async def answer_all(
    questions: Sequence[Question],
    engine: Engine,
    log: RunLog,
    plan: Plan,
    *,
    dialogue: Dialogue = chat,
    concurrency: int = 8,
    shown: Shown = lambda progress: None,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
) -> Progress:
    """Answer what is not answered yet, at most `concurrency` items at once."""

    async def work(question: Question) -> None:
        begun = clock()
        turns = await _dialogue(question, engine, plan.decoding_of(question), dialogue, sleep)
        record = answer_record(question, plan, turns, begun, clock())
        await kept(log, record)

    waiting = [question for question in questions if question.key not in log]
    return await work_through(waiting, work, len(questions), concurrency, shown)


async def work_through(
    waiting: Sequence[Question],
    work: Callable[[Question], Awaitable[None]],
    total: int,
    concurrency: int,
    shown: Shown,
) -> Progress:
    """Do items side by side; one that fails is counted, lack of access or money stops them all.

    Where money lacks only because others hold the most that they can cost, fewer go on: what they say is paid for.
    """
    progress = Progress(total, done=total - len(waiting))
    shown(progress)
    left, busy = deque(waiting), 0

    async def worker() -> None:
        nonlocal busy
        while left:
            question = left.popleft()
            busy += 1
            try:
                await work(question)
                progress.done += 1
            except SpendingCapReached:
                if busy == 1:
                    raise
                left.appendleft(question)
                return
            except AccessDenied:
                raise
            except EngineError as error:
                progress.fail(error)
            finally:
                busy -= 1
            shown(progress)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(waiting))):
                group.create_task(worker())
    except* ArenaError as stopped:
        raise stopped.exceptions[0] from None
    return progress


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of an item: visible text, tokens as the engine counted them, why it ended."""

    text: str
    tokens: int | None
    reason: str
    seed: int | None


async def _dialogue(
    question: Question, engine: Engine, decoding: Decoding, dialogue: Dialogue, sleep: Sleep
) -> list[Turn]:
    turns: list[Turn] = []
    while (conversation := dialogue(question, [turn.text for turn in turns])) is not None:
        turns.append(await patient_answer(engine, conversation, decoding, sleep))
    return turns


async def patient_answer(
    engine: Engine, conversation: Conversation, decoding: Decoding, sleep: Sleep = asyncio.sleep
) -> Turn:
    """One answer; what may pass (429, 5xx, timeouts, a model that is loading) is tried again, ever later."""
    for attempt in range(TRIES):
        try:
            return await _answer(engine, conversation, decoding)
        except EngineError as error:
            if attempt + 1 == TRIES or not passing(error):
                raise
            await sleep(2.0**attempt)
    raise AssertionError("unreachable")


def passing(error: EngineError) -> bool:
    """Whether trying the same again later may help."""
    if isinstance(error, AccessDenied | SpendingCapReached | ContextOverflow):
        return False
    if isinstance(error, EndpointError):
        status = error.status
        return status is None or status >= _SERVER or status in (_MISSING, _TOO_EARLY, _BUSY)
    return True


async def _answer(engine: Engine, conversation: Conversation, decoding: Decoding) -> Turn:
    text, finish = "", None
    async with aclosing(cast(Any, engine.stream(conversation, decoding))) as items:
        async for item in items:
            match item:
                case Chunk():
                    text += item.text
                case Finish():
                    finish = item
    if finish is None:
        raise EngineError("the answer ended without saying why")
    seed = finish.seed if finish.seed is not None else decoding.seed
    return Turn(text, finish.usage.completion_tokens, finish.reason.value, seed)


def answer_record(question: Question, plan: Plan, turns: Sequence[Turn], begun: float, ended: float) -> dict[str, Any]:
    """A line in Arena-Hard's `model_answer` format, with what else is known of the answer."""
    return {
        "question_id": question.key,
        "answer_id": f"{plan.seed}-{question.key}",
        "model_id": plan.model,
        "prompt": list(question.turns),
        "category": question.category,
        "choices": [
            {"index": 0, "turns": [{"content": turn.text, "token_len": turn.tokens} for turn in turns]},
        ],
        "finish": [turn.reason for turn in turns],
        "seed": turns[0].seed if turns else None,
        "seconds": round(ended - begun, 3),
        "tstamp": ended,
    }


def answers_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of a finished item, one per turn."""
    return tuple(str(turn["content"]) for turn in record["choices"][0]["turns"])
