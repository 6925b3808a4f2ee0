"""Runs of our own: everything answered once, whatever kills the process in between."""

from __future__ import annotations

import asyncio
import json
import signal
import textwrap
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from made_files import write_jsonl

from arena.benchmarks.answers import AnswerLengths
from arena.benchmarks.questions import Question, read_questions
from arena.benchmarks.runlog import Record, RunLog, read_log
from arena.benchmarks.runner import Plan, Progress, answer_all, answers_of, open_run, seed_of, work_through
from arena.engines.fake import FakeEngine, Step, Wait, failing, saying
from arena.engines.limits import Meter
from arena.errors import (
    AccessDenied,
    ContextOverflow,
    FileFormatError,
    RateLimited,
    SpendingCapReached,
    StoreUnavailable,
)
from arena.types import Chunk, Conversation, Decoding, Finish
from tests.forked import Forked

QUESTIONS = [Question(str(number), (f"question {number}",)) for number in range(12)]
PLAN = Plan("toy", "org/model")


async def no_sleep(seconds: float) -> None:
    """Time is an argument."""


def echo(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
    """Says the last message back with its seed."""
    return [Chunk(f"{conversation[-1].content} / {decoding.seed}")]


async def test_every_question_is_answered_and_readable_as_model_answers(tmp_path: Path) -> None:
    """The file is Arena-Hard's own format; the seed of each answer is stored."""
    shown: list[int] = []
    with open_run(tmp_path, PLAN, QUESTIONS) as log:
        progress = await answer_all(
            QUESTIONS, FakeEngine(echo), log, PLAN, concurrency=5, shown=lambda now: shown.append(now.done)
        )
    assert (progress.done, progress.failed) == (12, 0)
    assert shown == sorted(shown)
    assert shown[-1] == 12
    path = tmp_path / "toy" / "org_model" / "answers.jsonl"
    for record in read_log(path):
        assert record["seed"] == seed_of(42, record["question_id"])
        assert answers_of(record) == (f"question {record['question_id']} / {record['seed']}",)
    assert AnswerLengths.read(path).average("org/model") == 1


async def test_what_is_answered_is_not_asked_again(tmp_path: Path) -> None:
    """A second run of the same plan asks for the rest alone."""
    for _ in range(2):
        engine = FakeEngine(echo)
        with open_run(tmp_path, PLAN, QUESTIONS) as log:
            await answer_all(QUESTIONS[:7], engine, log, PLAN)
    assert engine.asked == []
    with open_run(tmp_path, PLAN, QUESTIONS) as log:
        await answer_all(QUESTIONS, engine, log, PLAN)
    assert len(engine.asked) == 5


async def test_no_more_items_are_under_way_than_allowed(tmp_path: Path) -> None:
    """The bound is a bound."""
    most = 0

    def watched(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
        nonlocal most
        most = max(most, engine.open_streams)
        return [Wait(0.001), Chunk("x")]

    engine = FakeEngine(watched)
    with open_run(tmp_path, PLAN, QUESTIONS) as log:
        await answer_all(QUESTIONS, engine, log, PLAN, concurrency=3)
    assert most == 3


async def test_later_turns_see_the_models_own_answers(tmp_path: Path) -> None:
    """Two-turn items are one conversation."""
    engine = FakeEngine(saying("yes"))
    question = Question("1", ("first", "second"))
    with open_run(tmp_path, PLAN, [question]) as log:
        await answer_all([question], engine, log, PLAN)
        record = log.get("1")
    assert record is not None
    assert answers_of(record) == ("yes", "yes")
    assert [message.content for message in engine.asked[1][0]] == ["first", "yes", "second"]


async def test_passing_troubles_are_waited_out_and_lasting_ones_counted(tmp_path: Path) -> None:
    """A 429 is tried again; an item too long for the model fails alone and is tried by the next run."""
    tries: Counter[str] = Counter()

    def moody(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
        text = conversation[-1].content
        tries[text] += 1
        if text == "question 3" and tries[text] < 3:
            return [RateLimited("busy", status=429)]
        if text == "question 4":
            return [Chunk("part"), ContextOverflow("too long")]
        return [Chunk("fine")]

    with open_run(tmp_path, PLAN, QUESTIONS) as log:
        progress = await answer_all(QUESTIONS, FakeEngine(moody), log, PLAN, sleep=no_sleep)
    assert (progress.done, progress.failed, progress.reasons) == (11, 1, {"too long": 1})
    assert (tries["question 3"], tries["question 4"]) == (3, 1)
    with open_run(tmp_path, PLAN, QUESTIONS) as log:
        assert "4" not in log
        again = await answer_all(QUESTIONS, FakeEngine(echo), log, PLAN)
    assert (again.done, again.failed) == (12, 0)


async def test_lack_of_access_stops_the_run_at_once(tmp_path: Path) -> None:
    """A thousand refusals tell no more than one."""
    engine = FakeEngine(failing(AccessDenied("no key", status=401)))
    with open_run(tmp_path, PLAN, QUESTIONS) as log, pytest.raises(AccessDenied):
        await answer_all(QUESTIONS, engine, log, PLAN, concurrency=2)
    assert len(engine.asked) <= 2


async def test_an_answer_that_is_being_written_when_the_run_is_stopped_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is paid for: the next run need not ask again."""
    begun, disk = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    with open_run(tmp_path, PLAN, QUESTIONS) as log:
        append = log.append

        def slow(record: Record) -> None:
            loop.call_soon_threadsafe(begun.set)
            disk.wait(60)
            append(record)

        monkeypatch.setattr(log, "append", slow)
        run = asyncio.create_task(answer_all(QUESTIONS, FakeEngine(echo), log, PLAN, concurrency=1))
        await begun.wait()
        run.cancel()
        loop.call_later(0.05, disk.set)
        assert isinstance(*await asyncio.gather(run, return_exceptions=True), asyncio.CancelledError)
    disk.set()
    assert [record["question_id"] for record in read_log(log.path)] == ["0"]


async def test_a_database_that_refuses_stops_the_run_by_its_own_name() -> None:
    """One error that can be told in a line, not a group of them."""

    async def unpaid(question: Question) -> None:
        raise StoreUnavailable("another program has locked it")

    with pytest.raises(StoreUnavailable, match="locked"):
        await work_through(QUESTIONS, unpaid, len(QUESTIONS), 2, lambda progress: None)


async def test_before_its_cap_a_run_says_what_it_pays_for(tmp_path: Path) -> None:
    """Each answer holds twice what it costs: four at once do not fit, and nobody's answer is cut off for that."""
    meter = Meter(0.0, 1e6, cap=2.5)

    class Paid(FakeEngine):
        async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncIterator[Chunk | Finish]:
            held = meter.reserve(0, 1)
            try:
                async for item in super().stream(conversation, decoding):
                    yield item
            finally:
                meter.settle(held, 0, 0)
                meter.spent += 0.5

    def slow(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
        return [Wait(0.001), Chunk("well")]

    engine = Paid(slow)
    with open_run(tmp_path, PLAN, QUESTIONS) as log:
        with pytest.raises(SpendingCapReached):
            await answer_all(QUESTIONS, engine, log, PLAN, concurrency=4)
        assert (len(log), len(engine.asked), meter.spent) == (4, 4, 2.0)


def test_a_run_is_not_continued_on_other_terms(tmp_path: Path) -> None:
    """Another seed, other decoding or other questions would mix two runs in one file."""
    open_run(tmp_path, PLAN, QUESTIONS).close()
    for plan, questions in (
        (Plan("toy", "org/model", seed=1), QUESTIONS),
        (Plan("toy", "org/model", decoding=Decoding(temperature=0.5)), QUESTIONS),
        (PLAN, QUESTIONS[1:]),
    ):
        with pytest.raises(FileFormatError, match="--fresh"):
            open_run(tmp_path, plan, questions)
    open_run(tmp_path, PLAN, QUESTIONS).close()


def test_a_torn_last_line_is_cut_off_and_a_damaged_one_named(tmp_path: Path) -> None:
    """What a kill leaves is mended; what only an editor can do is told."""
    path = tmp_path / "log.jsonl"
    whole = json.dumps({"question_id": 1}) + "\n"
    path.write_text(whole + '{"question_id": 2, "text": "to')
    with RunLog(path) as log:
        assert [record["question_id"] for record in log] == [1]
        log.append({"question_id": 2, "text": "a\u2028b"})
    assert [record["question_id"] for record in read_log(path)] == [1, 2]
    path.write_text("broken\n" + whole)
    with pytest.raises(FileFormatError, match=r"log\.jsonl:1"):
        RunLog(path)


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    """The second one is told."""
    with RunLog(tmp_path / "log.jsonl"), pytest.raises(FileFormatError, match="another process"):
        RunLog(tmp_path / "log.jsonl")


PROCESS = """
import asyncio, sys
from pathlib import Path
from arena.benchmarks.questions import Question
from arena.benchmarks.runner import Plan, answer_all, open_run
from arena.engines.fake import FakeEngine
from arena.engines.fake import Wait
from arena.types import Chunk

questions = [Question(str(number), (f"q{number}",)) for number in range(40)]
plan = Plan("toy", "m")
def script(conversation, decoding):
    return [Wait(0.02), Chunk(conversation[-1].content)]
with open_run(Path(sys.argv[1]), plan, questions) as log:
    asyncio.run(answer_all(questions, FakeEngine(script), log, plan, concurrency=4))
"""


def test_after_kills_at_any_moment_every_question_is_answered_once(tmp_path: Path) -> None:
    """kill -9 in the middle, several times; the last run completes and no key stands twice."""
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(PROCESS))
    path = tmp_path / "toy" / "m" / "answers.jsonl"
    for wanted in (3, 9, 20):
        process = Forked(script, tmp_path)
        while not path.exists() or path.read_bytes().count(b"\n") < wanted:
            assert process.alive
            time.sleep(0.005)
        process.kill()
        assert process.wait() in (-signal.SIGKILL, 0)  # on a busy machine it may have come to its end
    assert Forked(script, tmp_path).wait() == 0
    keys = [json.loads(line)["question_id"] for line in path.read_text().splitlines()]
    assert sorted(keys, key=int) == [str(number) for number in range(40)]


def test_questions_of_every_known_shape_are_read(tmp_path: Path) -> None:
    """Turns as texts or contents, single prompts, instructions; keys by name or by place."""
    path = write_jsonl(
        tmp_path / "q.jsonl",
        [
            {"question_id": 81, "category": "math", "turns": ["a", "b"]},
            {"uid": "u1", "turns": [{"content": "c"}]},
            {"key": 5, "prompt": "d"},
            {"instruction": "e"},
        ],
    )
    found = read_questions(path)
    assert [(item.key, item.turns) for item in found] == [
        ("81", ("a", "b")),
        ("u1", ("c",)),
        ("5", ("d",)),
        ("3", ("e",)),
    ]
    assert found[0].category == "math"
    for rows in ([{"question_id": 1, "prompt": "a"}, {"question_id": 1, "prompt": "b"}], [{"question_id": 1}]):
        with pytest.raises(FileFormatError):
            read_questions(write_jsonl(tmp_path / "bad.jsonl", rows))


async def test_cancelling_a_run_leaves_what_is_done(tmp_path: Path) -> None:
    """Ctrl-C is a gentle kill."""

    def slow(conversation: Conversation, decoding: Decoding) -> Sequence[Step]:
        return [Wait(60 if conversation[-1].content == "question 5" else 0), Chunk("x")]

    reached = asyncio.Event()

    def shown(progress: Progress) -> None:
        if progress.done == 11:
            reached.set()

    with open_run(tmp_path, PLAN, QUESTIONS) as log:
        task = asyncio.create_task(answer_all(QUESTIONS, FakeEngine(slow), log, PLAN, shown=shown))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(log) == 11
