"""One client for every OpenAI-compatible endpoint, against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from endpoint import CUT, DONE, HANG, Endpoint, Reply, event, saying, serving, usage

from arena.engines.limits import Backoff, Gate, Meter
from arena.engines.openai import OpenAIEngine
from arena.errors import (
    AccessDenied,
    ConfigError,
    ContextOverflow,
    EndpointError,
    EngineError,
    EngineTimeout,
    RateLimited,
    SpendingCapReached,
)
from arena.types import Chunk, Conversation, Decoding, Finish, FinishReason, Message, Provenance, Role, Usage

QUESTION: Conversation = (Message(Role.USER, "Как дела?"),)
KEY = "sk-very-secret-0123456789"


@asynccontextmanager
async def talking_to(
    *script: Reply, uds: Path | None = None, **options: Any
) -> AsyncIterator[tuple[OpenAIEngine, Endpoint]]:
    """An engine before a scripted server; retries wait next to nothing."""
    options.setdefault("backoff", Backoff(retries=2, first=0.001, rng=random.Random(0)))
    async with serving(*script, uds=uds) as endpoint:
        engine = OpenAIEngine("some-model", endpoint.base_url, api_key=KEY, uds=uds, **options)
        try:
            yield engine, endpoint
        finally:
            await engine.close()


async def ask(
    engine: OpenAIEngine, conversation: Conversation = QUESTION, decoding: Decoding = Decoding()
) -> tuple[str, str, Finish]:
    """Text, reasoning and last item of one answer."""
    text = reasoning = ""
    finish = None
    async for item in engine.stream(conversation, decoding):
        assert finish is None, "nothing follows the Finish"
        if isinstance(item, Chunk):
            text, reasoning = text + item.text, reasoning + item.reasoning
        else:
            finish = item
    assert finish is not None
    return text, reasoning, finish


async def test_text_arrives_in_pieces_and_ends_with_what_it_cost() -> None:
    """Characters outside ASCII, emoji and Unicode line separators come through whole."""
    words = ["Хорошо", ", 😀", " \u2028конец\x85"]
    async with talking_to(saying(*words, prompt=11)) as (engine, _):
        items = [item async for item in engine.stream(QUESTION, Decoding(seed=3))]
    assert items[:-1] == [Chunk(word) for word in words]
    assert items[-1] == Finish(FinishReason.STOP, Usage(11, 3), 3, Provenance(revision="served-name"))


async def test_the_request_says_all_that_the_decoding_says() -> None:
    """Temperature, top_p, length, seed, stop strings, usage and the contestant's own fields."""
    decoding = Decoding(temperature=0.0, top_p=0.5, max_tokens=7, seed=42, stop=("END",))
    async with talking_to(saying("x"), extra_body={"top_k": 1}) as (engine, endpoint):
        await ask(engine, QUESTION, decoding)
    assert endpoint.requests == [
        {
            "model": "some-model",
            "messages": [{"role": "user", "content": "Как дела?"}],
            "temperature": 0.0,
            "top_p": 0.5,
            "max_tokens": 7,
            "seed": 42,
            "stop": ["END"],
            "stream": True,
            "stream_options": {"include_usage": True},
            "top_k": 1,
        }
    ]


async def test_the_system_prompt_opens_a_conversation_that_has_none() -> None:
    """A conversation that brings its own keeps it."""
    own = (Message(Role.SYSTEM, "Own."), *QUESTION)
    async with talking_to(saying("x"), system_prompt="Neutral.") as (engine, endpoint):
        await ask(engine)
        await ask(engine, own)
    first, second = (request["messages"] for request in endpoint.requests)
    assert first == [{"role": "system", "content": "Neutral."}, {"role": "user", "content": "Как дела?"}]
    assert second == [{"role": "system", "content": "Own."}, {"role": "user", "content": "Как дела?"}]


async def test_without_a_system_role_the_prompt_opens_the_first_user_message() -> None:
    """Gemma's template refuses the role; later turns stay as they are."""
    talk = (*QUESTION, Message(Role.ASSISTANT, "Да."), Message(Role.USER, "Точно?"))
    async with talking_to(saying("x"), system_prompt="Neutral.", system_role=False) as (engine, endpoint):
        await ask(engine, talk)
    contents = [(message["role"], message["content"]) for message in endpoint.requests[0]["messages"]]
    assert contents == [("user", "Neutral.\n\nКак дела?"), ("assistant", "Да."), ("user", "Точно?")]


async def test_the_documents_role_reaches_the_endpoint() -> None:
    """Vikhr-Nemo's template knows it."""
    async with talking_to(saying("x")) as (engine, endpoint):
        await ask(engine, (Message(Role.DOCUMENTS, "[]"), *QUESTION))
    assert endpoint.requests[0]["messages"][0] == {"role": "documents", "content": "[]"}


async def test_the_socket_of_a_worker_is_an_endpoint_like_any_other(tmp_path: Path) -> None:
    """The same protocol over a Unix socket; the worker says what exactly answered."""
    facts = {"revision": "abc", "quantization": "nf4", "template_hash": "t1", "seed": 99}
    reply = Reply([event({"content": "hi"}), event(finish="stop"), usage(4, 1, arena=facts), DONE])
    async with talking_to(reply, uds=tmp_path / "w.sock") as (engine, _):
        text, _, finish = await ask(engine)
    assert text == "hi"
    assert finish == Finish(FinishReason.STOP, Usage(4, 1), 99, Provenance("abc", "nf4", "t1"))


async def test_a_worker_may_name_itself_in_headers() -> None:
    """Headers tell the same when the last event does not."""
    reply = Reply(saying("x").steps, headers={"x-arena-revision": "r1", "x-arena-template-hash": "h1"})
    async with talking_to(reply) as (engine, _):
        assert (await ask(engine))[2].provenance == Provenance("r1", None, "h1")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_fields_are_reasoning(name: str) -> None:
    """vLLM, SGLang and DeepSeek name the field differently."""
    reply = Reply([event({name: "hm"}), event({"content": "yes"}), event(finish="stop"), DONE])
    async with talking_to(reply) as (engine, _):
        text, reasoning, finish = await ask(engine)
    assert (text, reasoning, finish.usage) == ("yes", "hm", Usage())


async def test_reasoning_in_think_tags_is_split_across_events() -> None:
    """Endpoints without a reasoning parser leave the tags in the text."""
    async with talking_to(saying("<thi", "nk>why", "</th", "ink>\n\n", "because")) as (engine, _):
        assert (await ask(engine))[:2] == ("because", "why")


async def test_a_template_that_opens_the_tag_leaves_reasoning_without_it() -> None:
    """DeepSeek's distills: the stream starts inside, and may end there."""
    async with talking_to(saying("why</think>yes"), saying("only why"), starts_in_think=True) as (engine, _):
        assert (await ask(engine))[:2] == ("yes", "why")
        assert (await ask(engine))[:2] == ("", "only why")


async def test_content_may_come_in_typed_parts() -> None:
    """Mistral's reasoning models send lists instead of strings."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    reply = Reply([event({"content": parts}), event(finish="stop"), DONE])
    async with talking_to(reply) as (engine, _):
        assert (await ask(engine))[:2] == ("yes", "hm")


async def test_an_answer_cut_by_its_length_says_so() -> None:
    """The finish reason is the endpoint's."""
    async with talking_to(saying("x", finish="length")) as (engine, _):
        assert (await ask(engine))[2].reason is FinishReason.LENGTH


async def test_an_empty_answer_is_an_answer() -> None:
    """A model may say nothing; that is for the voter to judge."""
    async with talking_to(saying()) as (engine, _):
        text, reasoning, finish = await ask(engine)
    assert (text, reasoning, finish.reason) == ("", "", FinishReason.STOP)


async def test_a_lone_surrogate_harms_neither_way() -> None:
    """Half an emoji can be said by a server and typed by a script; UTF-8 cannot carry it."""
    broken = 'data: {"choices": [{"index": 0, "delta": {"content": "a\\ud83d"}, "finish_reason": "stop"}]}\n\n'
    async with talking_to(Reply([broken, DONE])) as (engine, endpoint):
        text, _, _ = await ask(engine, (Message(Role.USER, "b\ud83d"),))
    assert text == "a\ufffd"
    assert endpoint.requests[0]["messages"][0]["content"] == "b\ufffd"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
async def test_a_passing_failure_is_tried_again(status: int) -> None:
    """Nothing was said yet, so the voter need not know."""
    broken = Reply(status=status, body={"error": {"message": "busy"}}, headers={"retry-after": "0"})
    async with talking_to(broken, broken, saying("ok")) as (engine, endpoint):
        assert (await ask(engine))[0] == "ok"
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("steps", [[CUT], [event({"role": "assistant"}), CUT], [event({"role": "assistant"})], []])
async def test_a_connection_lost_before_the_first_token_is_tried_again(steps: list[object]) -> None:
    """Whether the server drops the connection or ends the stream without an answer."""
    async with talking_to(Reply(steps), saying("ok")) as (engine, _):
        assert (await ask(engine))[0] == "ok"


@pytest.mark.parametrize("end", [[CUT], [], ['data: {"error": {"message": "out of memory", "code": 500}}\n\n']])
async def test_a_failure_after_the_first_token_is_never_tried_again(end: list[object]) -> None:
    """A second answer glued to the first half of another would be nobody's answer."""
    async with talking_to(Reply([event({"content": "half"}), *end]), saying("other")) as (engine, endpoint):
        answer = engine.stream(QUESTION, Decoding())
        assert await anext(answer) == Chunk("half")
        with pytest.raises(EndpointError):
            await anext(answer)
    assert len(endpoint.requests) == 1


async def test_what_breaks_after_the_answers_end_does_not_matter() -> None:
    """The finish reason was said; only the token counts are missing."""
    reply = Reply([event({"content": "whole"}), event(finish="stop"), CUT])
    async with talking_to(reply) as (engine, _):
        text, _, finish = await ask(engine)
    assert (text, finish.reason, finish.usage) == ("whole", FinishReason.STOP, Usage())


async def test_the_wait_is_as_long_as_the_endpoint_asks() -> None:
    """A Retry-After beyond the time for the first token ends the attempt at once."""
    busy = Reply(status=429, body={"error": {"message": "later"}}, headers={"retry-after": "3600"})
    async with talking_to(busy, saying("never")) as (engine, endpoint):
        with pytest.raises(RateLimited, match="later"):
            await ask(engine)
    assert len(endpoint.requests) == 1


async def test_retries_have_an_end() -> None:
    """Two retries make three requests, then the last failure is told."""
    async with talking_to(Reply(status=503, body={"error": {"message": "down"}})) as (engine, endpoint):
        with pytest.raises(EndpointError, match="503: down") as caught:
            await ask(engine)
    assert caught.value.status == 503
    assert len(endpoint.requests) == 3


async def test_an_endpoint_that_is_not_there_is_told_plainly() -> None:
    """Nobody listens on the port."""
    async with serving(saying("x")) as endpoint:
        address = endpoint.base_url
    engine = OpenAIEngine("m", address, backoff=Backoff(retries=1, first=0.001))
    with pytest.raises(EndpointError, match="connection failed"):
        await ask(engine)
    await engine.close()


OVERFLOWS = [
    ({"message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."}, 4096),
    ({"message": "too big", "code": "context_length_exceeded"}, None),
    ({"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}, None),
    ({"message": "The input (9000 tokens) is longer than the model's context length (8192 tokens)."}, 8192),
]


@pytest.mark.parametrize(("error", "limit"), OVERFLOWS)
async def test_a_conversation_that_does_not_fit_is_its_own_error(error: dict[str, str], limit: int | None) -> None:
    """vLLM, OpenAI, llama.cpp and SGLang say it differently."""
    async with talking_to(Reply(status=400, body={"error": error})) as (engine, endpoint):
        with pytest.raises(ContextOverflow) as caught:
            await ask(engine)
    assert caught.value.limit == limit
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AccessDenied), (403, AccessDenied), (429, RateLimited), (404, EndpointError), (400, EndpointError)],
)
async def test_a_lasting_failure_has_its_own_kind(status: int, kind: type[EngineError]) -> None:
    """The kinds of the error tree, with the endpoint's own words."""
    async with talking_to(Reply(status=status, body={"error": {"message": "said so"}}), backoff=Backoff(retries=0)) as (
        engine,
        _,
    ):
        with pytest.raises(kind, match="said so") as caught:
            await ask(engine)
    assert type(caught.value) is kind


async def test_a_used_up_quota_is_not_tried_again() -> None:
    """Waiting does not fill an account."""
    body = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
    async with talking_to(Reply(status=429, body=body)) as (engine, endpoint):
        with pytest.raises(RateLimited):
            await ask(engine)
    assert len(endpoint.requests) == 1


async def test_redirects_are_not_followed() -> None:
    """A redirect could carry the conversation and the key elsewhere."""
    async with serving(saying("stolen")) as other:
        redirect = Reply(status=307, body={}, headers={"location": other.base_url + "/chat/completions"})
        async with talking_to(redirect) as (engine, _):
            with pytest.raises(EndpointError, match="redirected"):
                await ask(engine)
    assert other.requests == []


async def test_a_page_in_place_of_a_stream_is_an_error() -> None:
    """A proxy's login page answers 200 with something else."""
    async with talking_to(Reply(["<html>please log in</html>"])) as (engine, _):
        with pytest.raises(EndpointError):
            await ask(engine)


async def test_nonsense_in_the_stream_is_an_error_of_the_endpoint() -> None:
    """Broken JSON after the first token, and events of another shape."""
    for nonsense in ("data: {broken\n\n", "data: [1, 2]\n\n", 'data: {"choices": [{"finish_reason": "error"}]}\n\n'):
        async with talking_to(Reply([event({"content": "x"}), nonsense])) as (engine, _):
            with pytest.raises(EndpointError):
                await ask(engine)


async def test_silence_before_the_first_token_is_a_timeout() -> None:
    """An event that only opens the answer is no token."""
    async with talking_to(Reply([event({"role": "assistant"}), HANG]), first_token_timeout=0.2) as (engine, endpoint):
        with pytest.raises(EngineTimeout):
            await ask(engine)
        await asyncio.wait_for(endpoint.left.wait(), 60)


async def test_silence_between_tokens_is_a_timeout_even_with_empty_events() -> None:
    """Events without text or reasoning do not keep a stalled answer alive."""
    empty = [step for _ in range(200) for step in (0.02, event({"content": ""}))]
    async with talking_to(Reply([event({"content": "x"}), *empty]), stall_timeout=0.2) as (engine, endpoint):
        with pytest.raises(EngineTimeout):
            await ask(engine)
        await asyncio.wait_for(endpoint.left.wait(), 60)


@pytest.mark.parametrize("begun", [False, True])
async def test_cancelling_the_reader_closes_the_stream(begun: bool) -> None:
    """The server sees its client leave, whether or not anything was said."""
    steps = [event({"content": "x"}), HANG] if begun else [HANG]
    async with talking_to(Reply(steps), gate=Gate(concurrency=1)) as (engine, endpoint):
        task = asyncio.create_task(ask(engine))
        await asyncio.wait_for(endpoint.entered.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(endpoint.left.wait(), 60)
        assert endpoint.open_streams == 0
        endpoint.script[:] = [saying("next")]
        assert (await ask(engine))[0] == "next"


async def test_closing_the_iterator_closes_the_stream() -> None:
    """Stop is `aclose`; the place before the endpoint is free again."""
    async with talking_to(Reply([event({"content": "x"}), HANG]), gate=Gate(concurrency=1)) as (engine, endpoint):
        answer = engine.stream(QUESTION, Decoding())
        await anext(answer)
        await answer.aclose()
        await asyncio.wait_for(endpoint.left.wait(), 60)
        endpoint.script[:] = [saying("next")]
        assert (await ask(engine))[0] == "next"


async def test_an_endpoint_is_asked_for_no_more_at_once_than_it_allows() -> None:
    """Eight questions before a gate of two."""
    slow = Reply([event({"content": "x"}), 0.02, event(finish="stop"), DONE])
    async with talking_to(slow, gate=Gate(concurrency=2)) as (engine, endpoint):
        await asyncio.gather(*(ask(engine) for _ in range(8)))
    assert endpoint.most_open == 2
    assert len(endpoint.requests) == 8


async def test_money_is_counted_from_the_endpoints_own_usage() -> None:
    """11 prompt tokens at 1 and 2 completion tokens at 2 a million."""
    async with talking_to(saying("a", "b", prompt=11), meter=Meter(1.0, 2.0)) as (engine, _):
        await ask(engine)
        assert engine.spent == pytest.approx(15e-6)


async def test_a_question_beyond_the_cap_never_leaves() -> None:
    """The most that an answer can cost is set aside before it is asked for."""
    async with talking_to(saying("a"), meter=Meter(0.0, 1.0, cap=0.0005)) as (engine, endpoint):
        with pytest.raises(SpendingCapReached):
            await ask(engine, QUESTION, Decoding(max_tokens=1024))
        await ask(engine, QUESTION, Decoding(max_tokens=100))
    assert len(endpoint.requests) == 1


async def test_a_stopped_answer_is_paid_for_by_estimate() -> None:
    """Vendors bill what was made although the usage never arrives; nothing stays set aside."""
    meter = Meter(1.0, 1.0)
    async with talking_to(Reply([event({"content": "word " * 20}), HANG]), meter=meter) as (engine, _):
        answer = engine.stream(QUESTION, Decoding())
        await anext(answer)
        await answer.aclose()
    assert meter.spent >= 20e-6
    assert meter.reserved == 0


async def test_an_attempt_that_was_taken_and_broke_off_before_its_first_token_is_paid_for_by_estimate() -> None:
    """Each of them read the prompt; the answer's own usage counts once, for the attempt that brought it."""
    broken = Reply([event({"role": "assistant", "content": ""}), CUT])
    meter = Meter(1.0, 1.0)
    async with talking_to(broken, saying("a", "b", prompt=11), meter=meter) as (engine, _):
        await ask(engine)
    estimate = (len(QUESTION[0].content) + 8) // 2
    assert meter.spent == pytest.approx((estimate + 11 + 2) * 1e-6)
    async with talking_to(broken, meter=meter) as (engine, endpoint):
        with pytest.raises(EndpointError):
            await ask(engine)
    assert len(endpoint.requests) == 3
    assert meter.spent == pytest.approx((4 * estimate + 11 + 2) * 1e-6)
    assert meter.reserved == 0


async def test_a_broken_attempt_is_not_repeated_beyond_the_cap() -> None:
    """The first one's cost and the most of a second one do not fit: no second request leaves."""
    meter = Meter(1.0, 1.0, cap=120e-6)
    broken = Reply([event({"role": "assistant", "content": ""}), CUT])
    async with talking_to(broken, meter=meter) as (engine, endpoint):
        with pytest.raises(SpendingCapReached):
            await ask(engine, QUESTION, Decoding(max_tokens=100))
    assert len(endpoint.requests) == 1
    assert meter.spent > 0
    assert meter.reserved == 0


async def test_a_refused_question_costs_nothing() -> None:
    """Neither money nor what was set aside."""
    meter = Meter(1.0, 1.0, cap=1.0)
    async with talking_to(Reply(status=400, body={"error": {"message": "no"}}), meter=meter) as (engine, _):
        with pytest.raises(EndpointError):
            await ask(engine)
    assert (meter.spent, meter.reserved) == (0.0, 0.0)


async def test_the_key_is_sent_and_shown_nowhere(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in errors, although the endpoint repeats it, and not in logs; the environment's own key stays home."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-from-environment")
    caplog.set_level(logging.DEBUG)
    body = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    async with talking_to(Reply(status=500, body=body)) as (engine, endpoint):
        with pytest.raises(EndpointError) as caught:
            await ask(engine)
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    assert "org-from-environment" not in endpoint.headers[0].values()
    assert KEY not in str(caught.value)
    assert KEY not in caplog.text
    assert KEY not in repr(vars(caught.value))


@pytest.mark.parametrize("question", ["Мой паспорт 4509 123456, скажи   всё", "Ой, Петя"])
async def test_what_people_asked_is_in_no_error_although_the_endpoint_repeats_it(question: str) -> None:
    """Errors are logged, and a judge's are kept: vLLM quotes the request that it refuses, some escape it."""
    conversation = (*QUESTION, Message(Role.ASSISTANT, "Хорошо, спасибо."), Message(Role.USER, question))
    repeated = f"unknown value at messages.2: {question!r} {json.dumps(question)} {question[:30]}"
    refused = Reply(status=400, body={"error": {"message": repeated}})
    async with talking_to(refused) as (engine, _):
        with pytest.raises(EndpointError) as caught:
            await ask(engine, conversation)
    told = str(caught.value)
    assert "unknown value at messages.2" in told
    assert not any(word in told for word in ("паспорт", "4509", "скажи", "Петя"))


@pytest.mark.parametrize(
    ("field", "refusal"),
    [
        ("stream_options", "Extra inputs are not permitted: stream_options"),
        ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        ("seed", "Unrecognized request argument supplied: seed"),
    ],
)
async def test_a_field_that_the_endpoint_does_not_know_is_left_out_from_then_on(field: str, refusal: str) -> None:
    """Mistral once knew no stream_options, OpenAI's reasoning models no max_tokens."""
    refused = Reply(status=400, body={"error": {"message": refusal}})
    async with talking_to(refused, saying("ok")) as (engine, endpoint):
        await ask(engine, QUESTION, Decoding(seed=1, max_tokens=50))
        await ask(engine, QUESTION, Decoding(seed=1, max_tokens=50))
    assert [field in request for request in endpoint.requests] == [True, False, False]
    assert endpoint.requests[2].get("max_completion_tokens") == (50 if field == "max_tokens" else None)


@pytest.mark.parametrize(
    "arguments",
    [
        {"base_url": "localhost:8000"},
        {"base_url": "http://user:password@host/v1"},
        {"base_url": "http://host/v1", "api_key": "ключ"},
        {"base_url": "http://host/v1", "api_key": "two words"},
    ],
)
def test_an_address_or_key_that_cannot_work_is_refused_without_being_shown(arguments: dict[str, str]) -> None:
    """At construction, not in the first battle."""
    with pytest.raises(ConfigError) as caught:
        OpenAIEngine("m", **arguments)
    for secret in ("password", "ключ", "two words"):
        assert secret not in str(caught.value)


async def test_no_proxy_stands_between_the_arena_and_its_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is for the world outside; workers on loopback are not there."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with talking_to(saying("ok")) as (engine, _):
        assert (await ask(engine))[0] == "ok"


async def test_the_endpoint_tells_which_models_it_serves() -> None:
    """The cheap question behind a health mark; a wrong key is told as such."""
    async with talking_to(saying("x")) as (engine, endpoint):
        assert await engine.models() == ("served-name",)
        stranger = OpenAIEngine("m", endpoint.base_url, api_key="wrong")
        with pytest.raises(AccessDenied):
            await stranger.models()
        await stranger.close()
