"""The worker's face: OpenAI-compatible chat completions, streamed, over whatever uvicorn listens on.

It turns JSON into an `Ask`, deltas into events, and a lost connection into a cancellation. It owns
no model; the answerer behind it does.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from arena.engines.worker.answering import Answerer, Ask, Delta, Ticket
from arena.engines.worker.prompting import Prompter, PromptError, asked
from arena.errors import ContextOverflow
from arena.types import Decoding

MODEL_NAME = "local"
_MAX_BODY = 4 << 20


class BadRequest(Exception):
    """The request cannot be served as it is; `param` names what to change."""

    def __init__(self, message: str, *, param: str | None = None, code: str = "invalid_request_error") -> None:
        self.param, self.code = param, code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Identity:
    """What produced the answers: sent with every last event."""

    revision: str
    quantization: str
    template_hash: str


class Post:
    """Brings deltas from the model's thread to the requests that wait for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._boxes: dict[Ticket, asyncio.Queue[Delta]] = {}

    def deliver(self, said: Sequence[tuple[Ticket, Delta]]) -> None:
        """Called in the model's thread; one hop to the loop for the whole batch."""
        self._loop.call_soon_threadsafe(self._sort, said)

    def open(self, ticket: Ticket) -> asyncio.Queue[Delta]:
        """The box of a ticket; open it in the loop, before anything can have been sorted into it."""
        return self._boxes.setdefault(ticket, asyncio.Queue())

    def close(self, ticket: Ticket) -> None:
        """Throw the box away."""
        self._boxes.pop(ticket, None)

    def _sort(self, said: Sequence[tuple[Ticket, Delta]]) -> None:
        for ticket, delta in said:
            if box := self._boxes.get(ticket):
                box.put_nowait(delta)


class Server:
    """The routes around one answerer."""

    def __init__(
        self,
        answerer: Answerer,
        post: Post,
        prompter: Prompter,
        identity: Identity,
        *,
        stop: tuple[str, ...] = (),
        think: bool = False,
        token: str | None = None,
    ) -> None:
        self._answerer, self._post, self._prompter, self._identity = answerer, post, prompter, identity
        self._stop, self._think, self._token = stop, think, token

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/health", self._health),
            ]
        )

    async def _chat(self, request: Request) -> Response:
        if not self._allowed(request):
            return _refused("a token is needed", code="unauthorized", status=401)
        try:
            body = await _body(request)
            ask = self._ask(body)
        except BadRequest as error:
            return _refused(str(error), code=error.code, param=error.param)
        except PromptError as error:
            return _refused(str(error), code="invalid_prompt", param="messages")
        except ContextOverflow as error:
            return _refused(str(error), code="context_length_exceeded", param="messages")
        head = {"id": f"chatcmpl-{secrets.token_hex(8)}", "created": int(time.time()), "model": MODEL_NAME}
        if body.get("stream"):
            return StreamingResponse(self._events(ask, head), media_type="text/event-stream")
        return await self._whole(ask, head)

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": MODEL_NAME, "object": "model", "owned_by": "arena"}]})

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"ready": True, "steps": self._answerer.steps, "active": self._answerer.active})

    def _allowed(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return self._token is None or hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode())

    def _ask(self, body: dict[str, Any]) -> Ask:
        """What the body asks for. Raises BadRequest, PromptError or ContextOverflow."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise BadRequest("messages must be a list with at least one message", param="messages")
        decoding = _decoding(body)
        return asked(self._prompter, messages, decoding, stop=self._stop, think=self._think)

    async def _deltas(self, ask: Ask) -> AsyncIterator[Delta]:
        """The answer's deltas; leaving early cancels it."""
        ticket = self._answerer.submit(ask)
        box = self._post.open(ticket)
        try:
            while True:
                delta = await box.get()
                yield delta
                if delta.last:
                    return
        finally:
            self._post.close(ticket)
            self._answerer.cancel(ticket)

    async def _events(self, ask: Ask, head: dict[str, Any]) -> AsyncIterator[bytes]:
        """Server-sent events. The last one carries finish reason, usage and identity."""
        frame = head | {"object": "chat.completion.chunk"}
        role: dict[str, str] = {"role": "assistant"}
        deltas = self._deltas(ask)
        try:
            async for delta in deltas:
                if delta.error is not None:
                    yield _event({"error": {"message": delta.error, "type": "server_error", "code": "model_failed"}})
                    return
                content = role | {
                    k: v for k, v in (("content", delta.text), ("reasoning_content", delta.reasoning)) if v
                }
                role = {}
                choice = {"index": 0, "delta": content, "finish_reason": delta.finish}
                end = self._end(ask, delta) if delta.last else {"arena": {"tokens": delta.completion_tokens}}
                yield _event(frame | {"choices": [choice]} | end)
            yield b"data: [DONE]\n\n"
        finally:
            await deltas.aclose()  # type: ignore[attr-defined]

    async def _whole(self, ask: Ask, head: dict[str, Any]) -> Response:
        text = reasoning = ""
        async for delta in self._deltas(ask):
            if delta.error is not None:
                return _refused(delta.error, code="model_failed", status=500)
            text, reasoning = text + delta.text, reasoning + delta.reasoning
        message = {"role": "assistant", "content": text} | ({"reasoning_content": reasoning} if reasoning else {})
        choice = {"index": 0, "message": message, "finish_reason": delta.finish}
        return JSONResponse(head | {"object": "chat.completion", "choices": [choice]} | self._end(ask, delta))

    def _end(self, ask: Ask, delta: Delta) -> dict[str, Any]:
        prompt, completion = len(ask.ids), delta.completion_tokens
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        identity = self._identity
        return {
            "usage": usage,
            "arena": {
                "revision": identity.revision,
                "quantization": identity.quantization,
                "template_hash": identity.template_hash,
                "seed": ask.seed,
            },
        }


def _decoding(body: dict[str, Any]) -> Decoding:
    stop = body.get("stop") or []
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise BadRequest("stop must be a string or a list of strings", param="stop")
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    seed = body.get("seed")
    return Decoding(
        seed=None if seed is None else int(_number(body, "seed", 0, -(2**63), 2**64)),
        temperature=_number(body, "temperature", 1.0, 0.0, 100.0),
        top_p=_number(body, "top_p", 1.0, 0.0, 1.0),
        max_tokens=int(_number({"max_tokens": limit}, "max_tokens", 1024, 1, 2**31)),
        stop=tuple(stops),
    )


def _number(body: dict[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = body.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadRequest(f"{key} must be a number from {low:g} to {high:g}", param=key)
    return value


async def _body(request: Request) -> dict[str, Any]:
    if int(request.headers.get("content-length") or 0) > _MAX_BODY:
        raise BadRequest("the body is too large", code="too_large")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be an object")
    return body


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _refused(message: str, *, code: str, param: str | None = None, status: int = 400) -> Response:
    error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
    return JSONResponse({"error": error}, status_code=status)
