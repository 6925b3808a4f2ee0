"""A real OpenAI-compatible server on loopback or a Unix socket that plays what a test scripts.

Each request takes the next `Reply` of the script (the last one repeats). The server remembers the
requests and how many streams are open, and says when a client left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

HANG = object()
"""A step of a reply: say nothing until the client leaves."""

CUT = object()
"""A step of a reply: drop the connection in the middle of the body."""

DONE = "data: [DONE]\n\n"


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **fields: Any) -> str:
    """One event of a chat-completions stream."""
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    return f"data: {json.dumps({'model': 'served-name', 'choices': choices, **fields}, ensure_ascii=False)}\n\n"


def usage(prompt: int, completion: int, **fields: Any) -> str:
    """The event that closes a stream with its token counts."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return f"data: {json.dumps({'model': 'served-name', 'choices': [], 'usage': counts, **fields})}\n\n"


@dataclass(frozen=True)
class Reply:
    """What one request gets: a status with a JSON body, or a stream of steps."""

    steps: Sequence[object] = ()
    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


def saying(*words: str, finish: str = "stop", prompt: int = 3) -> Reply:
    """A well-behaved reply, one event for each word."""
    events = [event({"content": word}) for word in words]
    return Reply(
        [event({"role": "assistant", "content": ""}), *events, event(finish=finish), usage(prompt, len(words)), DONE]
    )


@dataclass
class Endpoint:
    """The running server: its address, what it was asked, and how many streams are open."""

    base_url: str
    script: list[Reply]
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    open_streams: int = 0
    most_open: int = 0
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: Request) -> Response:
        """Play the next reply."""
        self.requests.append(await request.json())
        self.headers.append(dict(request.headers))
        reply = self.script[min(len(self.requests), len(self.script)) - 1]
        if reply.body is not None or reply.status != 200:
            return JSONResponse(reply.body, reply.status, reply.headers)
        return StreamingResponse(self._play(reply), media_type="text/event-stream", headers=reply.headers)

    async def _play(self, reply: Reply) -> AsyncIterator[str]:
        self.open_streams += 1
        self.most_open = max(self.most_open, self.open_streams)
        self.entered.set()
        try:
            for step in reply.steps:
                if step is HANG:
                    await asyncio.Event().wait()
                elif step is CUT:
                    raise ConnectionAbortedError
                elif isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield str(step)
        finally:
            self.open_streams -= 1
            self.left.set()


async def _models(request: Request) -> Response:
    if request.headers.get("authorization") == "Bearer wrong":
        return JSONResponse({"error": {"message": "Incorrect API key provided: wrong"}}, 401)
    return JSONResponse({"object": "list", "data": [{"id": "served-name", "object": "model"}]})


@asynccontextmanager
async def serving(*script: Reply, uds: Path | None = None) -> AsyncIterator[Endpoint]:
    """Serve the script until the block ends."""
    endpoint = Endpoint("http://worker/v1", list(script))
    routes = [
        Route("/v1/chat/completions", endpoint.answer, methods=["POST"]),
        Route("/v1/models", _models, methods=["GET"]),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes),
        port=0,
        uds=str(uds) if uds else None,
        log_level="critical",
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    if uds is None:
        port = server.servers[0].sockets[0].getsockname()[1]
        endpoint.base_url = f"http://127.0.0.1:{port}/v1"
    try:
        yield endpoint
    finally:
        await _ended(server)


async def _ended(server: uvicorn.Server) -> None:
    """Close as uvicorn does, but without its loop, which looks ten times a second whether to end."""
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    running = list(server.server_state.tasks)
    if running:
        _, late = await asyncio.wait(running, timeout=1)
        for task in late:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
