"""Answers through any OpenAI-compatible endpoint: vLLM, SGLang, llama.cpp, a vendor, or a local worker.

Speaks the chat-completions stream over HTTP or a Unix socket, retries only while nothing has been
said, and counts tokens and money. It knows no battles, loads no model and reads no environment.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import openai

from arena.engines.limits import Backoff, Bill, Gate, Meter
from arena.engines.openai_answer import AnswerReader, readable
from arena.engines.openai_errors import Failure, translate
from arena.engines.thinking import ThinkSplitter
from arena.errors import ConfigError, EndpointError, EngineError
from arena.types import Chunk, Conversation, Decoding, Finish, Message, Role

_LOG = logging.getLogger(__name__)
Answer = AsyncGenerator[Chunk | Finish, None]
"""A running answer; closing it closes the HTTP stream at once."""

_NO_KEY = "none"  # the client insists on a key; servers without keys ignore it
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DISPENSABLE = frozenset({"stream_options", "seed", "max_tokens"})
_RAISED = (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, EngineError, ValueError, OSError, TimeoutError)


class OpenAIEngine:
    """One contestant behind an OpenAI-compatible `base_url`.

    `uds` is the path of a Unix socket to reach it by. `system_prompt` is put before conversations
    that bring none (into the first user message where the model has no `system_role`). Think tags
    are split from the answer unless `think_tags` is None; `starts_in_think` is for templates that
    open the tag in the prompt. `first_token_timeout` bounds the wait for a free place, for a turn
    within the rate limit and retries included, for the first token; `stall_timeout` every later
    silence. Both in seconds. Share a `gate` or a `meter` between engines of one endpoint.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        api_key: str | None = None,
        uds: Path | str | None = None,
        system_prompt: str | None = None,
        system_role: bool = True,
        think_tags: tuple[str, str] | None = ("<think>", "</think>"),
        starts_in_think: bool = False,
        extra_body: Mapping[str, object] | None = None,
        first_token_timeout: float = 60.0,
        stall_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        gate: Gate | None = None,
        meter: Meter | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.model = model
        self._place = f"{model} at {_address(base_url, uds)}"
        self._secrets = (_checked_key(api_key),) if api_key else ()
        self._system_prompt, self._system_role = system_prompt, system_role
        self._think_tags, self._starts_in_think = think_tags, starts_in_think
        self._extra_body = dict(extra_body or {})
        self._first_token_timeout, self._stall_timeout = first_token_timeout, stall_timeout
        self._gate, self._meter, self._backoff = gate or Gate(), meter or Meter(), backoff or Backoff()
        self._refused: set[str] = set()
        self._client = _client(base_url, self._secrets[0] if self._secrets else _NO_KEY, uds, connect_timeout)

    @property
    def spent(self) -> float:
        """Money spent on answers so far, in the currency of the prices."""
        return self._meter.spent

    async def stream(self, conversation: Conversation, decoding: Decoding) -> Answer:
        """Answer the conversation's last user message; closing the iterator closes the HTTP stream."""
        messages = _messages(conversation, self._system_prompt, self._system_role)
        bill = Bill(self._meter, _most_tokens(messages), decoding.max_tokens)
        try:
            async with self._gate.slot(self._first_token_timeout):
                answer, item = await self._begin(messages, decoding, bill)
                async with aclosing(answer):
                    while isinstance(item, Chunk):
                        bill.completion += 1 + (len(item.text) + len(item.reasoning)) // 4
                        yield item
                        item = await self._next(answer, messages)
                    bill.prompt = _known(item.usage.prompt_tokens, bill.prompt)
                    bill.completion = _known(item.usage.completion_tokens, bill.completion)
                    yield item
        finally:
            bill.settle()

    async def models(self) -> tuple[str, ...]:
        """Names the endpoint serves: a cheap question that tells whether it is up and the key is good."""
        try:
            async with asyncio.timeout(self._first_token_timeout):
                listed = await self._client.get("/models", cast_to=object)
        except _RAISED as error:
            raise self._failure(error).error from None
        served = listed.get("data") if isinstance(listed, Mapping) else None
        if not isinstance(served, list):
            raise EndpointError(f"{self._place}: the answer is no list of models; is base_url right?")
        return tuple(str(model["id"]) for model in served if isinstance(model, Mapping) and "id" in model)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _begin(
        self, messages: list[dict[str, str]], decoding: Decoding, bill: Bill
    ) -> tuple[Answer, Chunk | Finish]:
        """The running answer and its first item, after as many attempts as patience, time and money allow."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._first_token_timeout
        attempt = 0
        while True:
            answer = self._attempt(messages, decoding, deadline, bill)
            try:
                async with asyncio.timeout_at(deadline):
                    await self._gate.pace()
                return answer, await anext(answer)
            except _RAISED as error:
                failure = self._failure(error, messages)
            if self._learned(failure.error):
                continue
            delay = self._backoff.delay(attempt, failure.retry_after) if failure.transient else None
            if delay is None or clock() + delay >= deadline:
                raise failure.error from None
            _LOG.warning("attempt %d failed, trying again in %.1f s: %s", attempt + 1, delay, failure.error)
            bill.again()
            await asyncio.sleep(delay)
            attempt += 1

    async def _next(self, answer: Answer, messages: list[dict[str, str]]) -> Chunk | Finish:
        try:
            return await anext(answer)
        except _RAISED as error:
            raise self._failure(error, messages).error from None

    async def _attempt(self, messages: list[dict[str, str]], decoding: Decoding, deadline: float, bill: Bill) -> Answer:
        """One request. The deadline moves on with every token; once the endpoint took it, its prompt costs."""
        clock = asyncio.get_running_loop().time
        body = self._body(messages, decoding)
        async with asyncio.timeout_at(deadline):
            stream = await self._client.post(
                "/chat/completions", body=body, cast_to=object, stream=True, stream_cls=openai.AsyncStream[object]
            )
        bill.accept()
        reader = AnswerReader(self._splitter(), stream.response.headers)
        try:
            while (event := await _event(stream, deadline, reader)) is not None:
                chunk = reader.take(event)
                if chunk is not None or reader.ended:
                    deadline = clock() + self._stall_timeout
                if chunk is not None:
                    yield chunk
            if not reader.ended:
                raise EndpointError(f"{self._place}: the stream broke off before the answer's end")
            if (rest := reader.rest()) is not None:
                yield rest
            yield reader.finish(decoding.seed)
        finally:
            await stream.close()

    def _body(self, messages: list[dict[str, str]], decoding: Decoding) -> dict[str, object]:
        body: dict[str, object] = {
            "model": self.model,
            "messages": messages,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "max_tokens": decoding.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if decoding.seed is not None:
            body["seed"] = decoding.seed
        if decoding.stop:
            body["stop"] = list(decoding.stop)
        for name in self._refused:
            value = body.pop(name, None)
            if name == "max_tokens":
                body["max_completion_tokens"] = value
        return body | self._extra_body

    def _learned(self, error: EngineError) -> bool:
        """Whether the endpoint refused a field that it can be asked without; remembered from then on.

        Newer OpenAI models want `max_completion_tokens`, some servers know no `stream_options` or `seed`.
        """
        if not isinstance(error, EndpointError) or error.status not in (400, 422):
            return False
        for name in {"stream_options", "seed", "max_tokens"} - self._refused:
            if re.search(rf"\b{name}\b", str(error)) and re.search(
                r"support|extra|unknown|unrecogni", str(error), re.I
            ):
                self._refused.add(name)
                return True
        return False

    def _splitter(self) -> ThinkSplitter | None:
        return ThinkSplitter(*self._think_tags, starts_inside=self._starts_in_think) if self._think_tags else None

    def _failure(self, error: Exception, messages: Sequence[Mapping[str, str]] = ()) -> Failure:
        conversation = tuple(message["content"] for message in messages)
        return translate(error, place=self._place, secrets=self._secrets, conversation=conversation)


async def _event(stream: openai.AsyncStream[object], deadline: float, reader: AnswerReader) -> object | None:
    """The next event, None at the end; what goes wrong after the answer's end no longer matters."""
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(stream, None)
    except (openai.OpenAIError, httpx2.HTTPError, TimeoutError):
        if reader.ended:
            return None
        raise


def _client(base_url: str, api_key: str, uds: Path | str | None, connect_timeout: float) -> openai.AsyncOpenAI:
    """A client that follows no redirect, does not retry by itself and takes nothing from OPENAI_… variables."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
    from_environment = uds is None and urlsplit(base_url).hostname not in _LOOPBACK  # no proxy leads there
    trusted = _trusted(from_environment)
    transport = httpx2.AsyncHTTPTransport(uds=str(uds), limits=limits, verify=trusted) if uds else None
    http_client = httpx2.AsyncClient(
        transport=transport,
        verify=trusted,
        limits=limits,
        follow_redirects=False,
        timeout=httpx2.Timeout(connect=connect_timeout, read=None, write=connect_timeout, pool=None),
        trust_env=from_environment,
    )
    client = openai.AsyncOpenAI(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        http_client=http_client,
        default_headers={"Authorization": f"Bearer {api_key}", "Accept-Encoding": "identity"},
    )
    client.organization = client.project = None
    return client


@cache
def _trusted(from_environment: bool) -> ssl.SSLContext:
    """The machine's certificates, read once for all clients (25 ms each); SSL_CERT_FILE is heeded when asked to."""
    return httpx2.create_ssl_context(trust_env=from_environment)


def _messages(conversation: Conversation, system_prompt: str | None, system_role: bool) -> list[dict[str, str]]:
    """The conversation on the wire, opened by the system prompt in the way the model can take it."""
    messages = list(conversation)
    if system_prompt and not any(message.role is Role.SYSTEM for message in messages):
        messages.insert(0, Message(Role.SYSTEM, system_prompt))
    if not system_role:
        messages = _without_system_role(messages)
    return [{"role": message.role.value, "content": readable(message.content)} for message in messages]


def _without_system_role(messages: list[Message]) -> list[Message]:
    """System messages become the beginning of the user message that follows them."""
    folded: list[Message] = []
    pending: list[str] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            pending.append(message.content)
        elif message.role is Role.USER:
            folded.append(Message(Role.USER, "\n\n".join([*pending, message.content])))
            pending = []
        else:
            folded.append(message)
    return folded


def _most_tokens(messages: list[dict[str, str]]) -> int:
    """A ceiling for the prompt's tokens: one per character and eight for each message's frame."""
    return sum(len(message["content"]) + 8 for message in messages)


def _known(count: int | None, estimate: int) -> int:
    return estimate if count is None else count


def _address(base_url: str, uds: Path | str | None) -> str:
    """Where the endpoint is, for messages: never with credentials or a query."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("base_url must begin with http:// or https:// and name a host", key="base_url")
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            "base_url carries credentials",
            key="base_url",
            suggestion="put the key into the environment, see api_key_env",
        )
    return str(uds) if uds else f"{parts.scheme}://{parts.netloc}{parts.path}"


def _checked_key(api_key: str) -> str:
    """The key without surrounding white space; refused when it cannot be a header, without showing it."""
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError("the API key is empty or has characters that no key has", key="api_key_env")
    return key
