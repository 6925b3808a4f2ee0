"""The batch against `generate`: same tokens for every family, through paging, padding and sharing."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from checkpoints import FAMILIES, build

from arena.engines.worker.answering import Ask, Delta, Ticket
from arena.engines.worker.spec import WorkerSpec

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

BATCHED = sorted(name for name, family in FAMILIES.items() if family.template and name != "rwkv")
QUESTIONS = ("Привет!", "What is the capital of France? " * 3, "Сколько будет два плюс два?")


class Desk:
    """Submits requests to an answerer and gathers what it delivers."""

    def __init__(self, loaded: Any, spec: WorkerSpec) -> None:
        from arena.engines.worker.serving import answerer_for

        self.loaded = loaded
        self._said: dict[Ticket, list[Delta]] = {}
        self._news = threading.Condition()
        self.answerer = answerer_for(loaded, spec, self._deliver)
        self.answerer.start()

    def ask(self, question: str, **decoding: Any) -> Ticket:
        prompt = self.loaded.prompter.prompt([{"role": "user", "content": question}])
        options = {"seed": 1, "temperature": 0.0, "max_tokens": 24} | decoding
        return self.ask_ids(prompt.ids, starts_in_think=prompt.starts_in_think, **options)

    def ask_ids(self, ids: Sequence[int], **options: Any) -> Ticket:
        return self.answerer.submit(Ask(tuple(ids), **options))

    def answer(self, ticket: Ticket) -> Delta:
        """The whole answer as one delta."""
        with self._news:
            assert self._news.wait_for(lambda: self._ended(ticket), timeout=60)
            deltas = self._said[ticket]
        last = deltas[-1]
        text, reasoning = "".join(d.text for d in deltas), "".join(d.reasoning for d in deltas)
        text = text.rstrip("\ufffd")  # random weights end in bytes that are no character; how many were said is chance
        return Delta(text, reasoning, last.finish, last.error, last.completion_tokens)

    @contextmanager
    def heard(self, condition: Any) -> Iterator[None]:
        """The moment at which it becomes so: as long as it lasts nothing more is delivered, so no step follows."""
        with self._news:
            assert self._news.wait_for(condition, timeout=60)
            yield

    def said(self, ticket: Ticket) -> list[Delta]:
        return self._said.get(ticket, [])

    def _ended(self, ticket: Ticket) -> bool:
        return bool(self._said.get(ticket)) and self._said[ticket][-1].last

    def _deliver(self, said: Sequence[tuple[Ticket, Delta]]) -> None:
        with self._news:
            for ticket, delta in said:
                self._said.setdefault(ticket, []).append(delta)
            self._news.notify_all()


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A qwen2 checkpoint whose greedy answers end at their limit only, loaded in fp32."""
    return _load(build(tmp_path_factory.mktemp("endless"), "qwen2", context=512, endless=True))


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns every few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.parametrize("family", BATCHED)
def test_a_batch_says_what_generate_says(family: str, tmp_path: Path) -> None:
    """Three prompts of different lengths at once, greedy, against the library's own loop one by one."""
    loaded = _load(build(tmp_path, family), **FAMILIES[family].quirks)
    desk = Desk(loaded, WorkerSpec(str(tmp_path), quantization="fp32", device="cpu", num_blocks=64))
    tickets = [desk.ask(question) for question in QUESTIONS]
    answers = [desk.answer(ticket).text for ticket in tickets]
    desk.answerer.stop()
    loaded.model.set_attn_implementation("eager")
    assert answers == [_generated(loaded, ticket.ask.ids, 24) for ticket in tickets]


def test_a_model_that_is_spread_over_devices_answers_the_same(tmp_path: Path) -> None:
    """What accelerate hangs between the layers of a model on several GPUs lets our cache and its step through."""
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module

    spec = WorkerSpec(str(build(tmp_path, "qwen2", endless=True)), num_blocks=64)
    answers = []
    for spread in (False, True):
        loaded = _load(tmp_path)
        for name, module in list(loaded.model.named_modules()):
            if spread and name.count(".") <= 2:  # the model, its layers, their parts
                add_hook_to_module(module, AlignDevicesHook(execution_device="cpu", io_same_device=True))
        desk = Desk(loaded, spec)
        answers.append(desk.answer(desk.ask("Hello", max_tokens=16)))
        desk.answerer.stop()
    assert answers[0].error is None
    assert answers[1] == answers[0]


@pytest.mark.parametrize("quantization", ["bf16", "int8", "nf4"])
@pytest.mark.parametrize("family", BATCHED)
def test_every_family_answers_in_every_quantization(family: str, quantization: str, tmp_path: Path) -> None:
    """The whole path runs, and the logits are those of full precision but for rounding (chance gives 0 ± 0.05)."""
    path = build(tmp_path, family)
    loaded = _load(path, quantization=quantization, **FAMILIES[family].quirks)
    desk = Desk(loaded, WorkerSpec(str(path), quantization="fp32", device="cpu", num_blocks=64))
    answers = [desk.answer(desk.ask(question, max_tokens=6)) for question in QUESTIONS]
    desk.answerer.stop()
    assert all(answer.error is None and answer.finish in ("stop", "length") for answer in answers)
    assert _likeness(loaded, _load(path, **FAMILIES[family].quirks)) > 0.6


@pytest.mark.parametrize("family", sorted(set(BATCHED) | {"rwkv"}))
def test_every_declared_terminator_ends_an_answer(family: str, tmp_path: Path) -> None:
    """Generation config, tokenizer and the operator's stop tokens all count."""
    loaded = _load(build(tmp_path, family), **FAMILIES[family].quirks)
    declared = {*FAMILIES[family].terminators, *FAMILIES[family].quirks.get("stop", ())}
    assert {loaded.tokenizer.convert_tokens_to_ids(text) for text in declared} <= loaded.terminators
    for terminator in loaded.terminators:
        ticket = Ticket(Ask((1,), seed=0), loaded.decode, loaded.terminators)
        ticket.take(loaded.tokenizer.convert_tokens_to_ids("a"))
        ticket.take(terminator)
        delta = ticket.say()
        assert delta is not None
        assert (delta.text, delta.finish) == ("a", "stop")


def test_a_recurrent_model_answers_one_by_one(tmp_path: Path) -> None:
    """RWKV keeps a state instead of keys and values; `generate` drives it and our sampler draws."""
    loaded = _load(build(tmp_path, "rwkv"))
    assert not loaded.paged
    desk = Desk(loaded, WorkerSpec(str(tmp_path), quantization="fp32", device="cpu"))
    greedy, hot, again, other = (
        desk.ask("Привет!", max_tokens=12, temperature=temperature, seed=seed)
        for temperature, seed in ((0.0, 1), (1.5, 1), (1.5, 1), (1.5, 2))
    )
    answers = [desk.answer(ticket) for ticket in (greedy, hot, again, other)]
    desk.answerer.stop()
    assert [answer.error for answer in answers] == [None] * 4
    assert answers[0].text == _generated(loaded, greedy.ask.ids, 12)
    assert answers[1].text == answers[2].text != answers[3].text


@pytest.mark.parametrize("quantization", ["bf16", "int8", "nf4"])
def test_a_recurrent_model_answers_in_every_quantization_too(quantization: str, tmp_path: Path) -> None:
    """It goes another way than the batch, through the same loading."""
    desk = Desk(_load(build(tmp_path, "rwkv"), quantization=quantization), WorkerSpec(str(tmp_path)))
    answer = desk.answer(desk.ask("Привет!", max_tokens=6))
    desk.answerer.stop()
    assert (answer.error, answer.finish in ("stop", "length")) == (None, True)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_draft_model_changes_the_pace_and_not_the_text(temperature: float, tmp_path: Path) -> None:
    """What a small model guesses is kept only where the large one would have drawn the same."""
    large = build(tmp_path / "large", "qwen2", endless=True)
    small = build(tmp_path / "small", "qwen2", seed=1, endless=True)
    spec = WorkerSpec(str(large), num_blocks=64)
    plain = Desk(_load(large), spec)
    expected = plain.answer(plain.ask("Hello", temperature=temperature, seed=4))
    plain.answerer.stop()
    desk = Desk(_load(large, draft=str(small)), spec)
    drafted = desk.answer(desk.ask("Hello", temperature=temperature, seed=4))
    desk.answerer.stop()
    assert drafted.error is None
    assert drafted == expected


def test_a_seed_repeats_its_text_whoever_else_is_in_the_batch(endless: Any) -> None:
    """Every request draws from randomness of its own."""
    desk = _desk(endless)
    alone = desk.answer(desk.ask("Hello", temperature=1.2, seed=11))
    crowd = [desk.ask(f"Hello {n}", temperature=1.2, seed=n) for n in range(5)]
    together = desk.answer(desk.ask("Hello", temperature=1.2, seed=11))
    assert together.text == alone.text
    assert len({desk.answer(ticket).text for ticket in crowd}) == 5
    desk.answerer.stop()


def test_a_long_prompt_is_computed_in_pieces_and_says_the_same(endless: Any) -> None:
    """Pieces of 32 tokens instead of one of 400 change nothing."""
    desk = _desk(endless)
    whole = desk.answer(desk.ask("long " * 60))
    desk.answerer.stop()
    pieces = _desk(endless, prefill_tokens=32)
    assert pieces.answer(pieces.ask("long " * 60)).text == whole.text
    pieces.answerer.stop()


def test_the_next_turn_finds_its_beginning_computed(endless: Any) -> None:
    """Two prompts with a common beginning share its blocks; the answer is the same as without."""
    fresh = _desk(endless, reuse=False)
    expected = fresh.answer(fresh.ask("one two three four five six seven"))
    fresh.answerer.stop()
    desk = _desk(endless)
    first = desk.ask("one two three four five six seven")
    desk.answer(first)
    second = desk.ask("one two three four five six seven")
    answer = desk.answer(second)
    desk.answerer.stop()
    assert second.reused >= 16  # type: ignore[attr-defined]
    assert first.reused == 0  # type: ignore[attr-defined]
    assert answer.text == expected.text


def test_a_full_cache_makes_the_youngest_wait_and_changes_no_text(endless: Any) -> None:
    """Blocks for two and a half answers, four asked: all end, all as if alone."""
    roomy = _desk(endless)
    expected = [roomy.answer(roomy.ask(f"Question {n}", max_tokens=60)).text for n in range(4)]
    roomy.answerer.stop()
    tight = _desk(endless, blocks=24)
    tickets = [tight.ask(f"Question {n}", max_tokens=60) for n in range(4)]
    assert [tight.answer(ticket).text for ticket in tickets] == expected
    tight.answerer.stop()


def test_a_cancelled_request_frees_its_place_within_one_step(endless: Any) -> None:
    """One place, two requests: the second begins when the first is cancelled, after one more step at most."""
    desk = _desk(endless, max_batch=1)
    first = desk.ask("Hello", max_tokens=400)
    with desk.heard(lambda: desk.said(first)):
        second = desk.ask("Bye", max_tokens=2)
        desk.answerer.cancel(first)
        drawn = first.generated
    desk.answer(second)
    assert first.generated <= drawn + 1
    assert not desk.said(first)[-1].last
    assert desk.answerer.active == 0
    desk.answerer.stop()


def test_a_stop_string_that_is_no_token_ends_the_answer_before_it(endless: Any) -> None:
    """Looked for in the text, across tokens."""
    desk = _desk(endless)
    whole = desk.answer(desk.ask("Hello", max_tokens=40)).text
    stop = re.findall("[^\ufffd]{3}", whole[1:])[0]
    cut = desk.answer(desk.ask("Hello", max_tokens=40, stop=(stop,)))
    assert cut.text == whole[: whole.find(stop)].rstrip("\ufffd")
    assert cut.finish == "stop"
    desk.answerer.stop()


def test_an_answer_ends_where_the_context_ends(endless: Any) -> None:
    """No token is computed behind the last position."""
    desk = _desk(endless)
    ids = [5] * 500
    answer = desk.answer(desk.ask_ids(ids, seed=0, temperature=0.0, max_tokens=400))
    assert answer.finish == "length"
    assert answer.completion_tokens == 12
    desk.answerer.stop()


def test_a_model_that_breaks_fails_its_requests_and_goes_on(endless: Any) -> None:
    """An error of one pass reaches every request of the pass, and the next request is served."""
    desk = _desk(endless)
    broken = desk.ask_ids([10**6], seed=0, max_tokens=4)
    assert "IndexError" in (desk.answer(broken).error or "")
    assert desk.answer(desk.ask("Hello", max_tokens=4)).error is None
    desk.answerer.stop()


def test_a_request_that_comes_while_the_batch_looks_at_its_queue_disturbs_nobody(endless: Any) -> None:
    """Somebody asks at the very moment at which another who waits is looked at: both are answered."""
    desk = _desk(endless)
    desk.answerer.stop()  # from here on the passes are made by hand
    tickets = [desk.ask("Hello", max_tokens=2)]

    class Watched(type(tickets[0])):  # type: ignore[misc]
        @property
        def cancelled(self) -> bool:
            if len(tickets) < 3:
                tickets.append(desk.ask("Bye", max_tokens=2))
            return False

    tickets[0].__class__ = Watched
    while desk.answerer.active:
        desk.answerer.round()
    assert [desk.answer(ticket).error for ticket in tickets] == [None] * 3


def test_requests_that_come_while_a_pass_breaks_are_told_or_answered(endless: Any, hasty: None) -> None:
    """Nobody is forgotten between those that fail with the pass and those that come after it."""
    desk = _desk(endless, max_batch=4)
    tickets = []
    for number in range(300):
        if number % 3:
            tickets.append(desk.ask("Hello", max_tokens=1))
        else:
            tickets.append(desk.ask_ids([10**6], seed=0, max_tokens=4))
    errors = [desk.answer(ticket).error or "" for ticket in tickets]
    assert all("IndexError" in error for error in errors[::3])
    assert {error.partition(":")[0] for error in errors} <= {"", "IndexError"}
    desk.answerer.stop()


def test_an_answerer_ends_although_its_answer_ends_at_that_moment(endless: Any) -> None:
    """The one that answers one after another: it has an answer in hand at the first look and none at the second."""
    from arena.engines.worker.single import OneByOne

    class Fleeting(OneByOne):
        @property
        def _current(self) -> Ticket | None:  # type: ignore[override]
            return self._in_hand.pop()

        @_current.setter
        def _current(self, ticket: Ticket | None) -> None:
            self._in_hand = [None, Ticket(Ask((1,), seed=0), endless.decode, endless.terminators)]

    answerer = Fleeting(endless, lambda said: None)
    answerer.start()
    answerer.stop()
    assert not answerer._thread.is_alive()


def test_steps_that_are_recorded_say_what_plain_ones_say(endless: Any) -> None:
    """Padded to the shapes of a few graphs, at changing numbers of rows and lengths; read from one place in memory."""
    questions = [(QUESTIONS[n % 3], 8 + 7 * n) for n in range(7)]
    plain = _desk(endless)
    expected = [plain.answer(plain.ask(text, max_tokens=limit)).text for text, limit in questions]
    plain.answerer.stop()
    recorded: list[Any] = []

    def record(run: Any) -> Any:
        recorded.append(run)
        return run

    desk = _desk(endless, max_batch=7, record=record)
    tickets = [desk.ask(text, max_tokens=limit) for text, limit in questions]
    assert [desk.answer(ticket).text for ticket in tickets] == expected
    assert len(recorded) > 1
    desk.answerer.stop()


def test_a_model_whose_steps_cannot_be_recorded_takes_plain_ones(endless: Any, caplog: Any) -> None:
    """It is tried once, the reason is logged, and nobody's answer suffers."""
    attempts: list[Any] = []

    def refuse(run: Any) -> Any:
        attempts.append(run)
        raise RuntimeError("operation not permitted when stream is capturing")

    desk = _desk(endless, record=refuse)
    answers = [desk.answer(desk.ask(QUESTIONS[0], max_tokens=20)) for _ in range(2)]
    assert answers[0].text == answers[1].text
    assert answers[0].error is None
    assert len(attempts) == 1
    assert "operation not permitted" in caplog.text
    desk.answerer.stop()


@pytest.mark.parametrize(("smallest", "largest"), [(1, 1), (1, 16), (16, 257), (16, 10)])
def test_shapes_grow_by_a_half_at_most_and_end_at_the_largest(smallest: int, largest: int) -> None:
    """Padding costs at most a third of a step, and a handful of graphs is enough."""
    from arena.engines.worker.graphs import sizes

    found = sizes(smallest, largest)
    assert found[-1] == largest
    assert found == sorted(set(found))
    assert all(after <= max(before * 1.5, before + 1) for before, after in pairwise(found))


def _load(path: Path, quantization: str = "fp32", **quirks: Any) -> Any:
    from arena.engines.worker.loading import load

    torch.set_num_threads(1)
    return load(WorkerSpec(str(path), quantization=quantization, device="cpu", **quirks))  # type: ignore[arg-type]


def _desk(
    loaded: Any,
    *,
    blocks: int = 256,
    max_batch: int = 8,
    reuse: bool = True,
    prefill_tokens: int = 512,
    record: Any = None,
) -> Desk:
    from arena.engines.worker.batching import Batcher
    from arena.engines.worker.paging import BlockPool

    desk = Desk(loaded, WorkerSpec("x", num_blocks=8))
    desk.answerer.stop()
    pool = BlockPool(blocks, 16, reuse=reuse)
    options: dict[str, Any] = {"max_batch": max_batch, "prefill_tokens": prefill_tokens, "record": record}
    desk.answerer = Batcher(loaded, desk._deliver, pool=pool, **options)
    desk.answerer.start()
    return desk


def _generated(loaded: Any, ids: Sequence[int], tokens: int) -> str:
    output = loaded.model.generate(
        torch.tensor([ids]), max_new_tokens=tokens, do_sample=False, eos_token_id=sorted(loaded.terminators)
    )
    return loaded.decode(output[0, len(ids) :].tolist()).rstrip("\ufffd")


def _likeness(loaded: Any, reference: Any) -> float:
    """Cosine of the two models' last logits for one prompt."""
    ids = torch.tensor([loaded.prompter.prompt([{"role": "user", "content": QUESTIONS[0]}]).ids])
    with torch.inference_mode():
        for each in (loaded, reference):
            each.model.set_attn_implementation("eager")
        rows = [each.model(ids).logits[0, -1].float() for each in (loaded, reference)]
    return float(torch.nn.functional.cosine_similarity(*rows, dim=0))
