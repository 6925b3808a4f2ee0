"""The worker's protocol over a real socket: what it refuses, what it streams, what its last event carries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import uvicorn  # noqa: E402
from checkpoints import build  # noqa: E402

from arena.engines.limits import Gate  # noqa: E402
from arena.engines.openai import OpenAIEngine  # noqa: E402
from arena.engines.worker.loading import load  # noqa: E402
from arena.engines.worker.server import Identity, Post, Server  # noqa: E402
from arena.engines.worker.serving import answerer_for  # noqa: E402
from arena.engines.worker.spec import WorkerSpec  # noqa: E402
from arena.errors import AccessDenied  # noqa: E402
from arena.types import Chunk, Decoding, Finish, Message, Role  # noqa: E402

HELLO = [{"role": "user", "content": "Привет!"}]


class Desk:
    """A worker's server in this process, and the crudest of clients before it."""

    def __init__(self, socket: Path, answerer: Any) -> None:
        self.socket, self.answerer = socket, answerer

    async def post(self, body: object, *, token: str | None = None) -> tuple[int, str]:
        """Status and body of one request to the chat route."""
        reader, writer = await self.open(body, token=token)
        answer = (await reader.read()).decode()
        writer.close()
        head, _, rest = answer.partition("\r\n\r\n")
        return int(head.split()[1]), rest

    async def open(self, body: object, *, token: str | None = None) -> Any:
        """A request on its way."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        head = f"POST /v1/chat/completions HTTP/1.0\r\nHost: w\r\nContent-Length: {len(data)}\r\n"
        writer.write((head + (f"Authorization: Bearer {token}\r\n" if token else "") + "\r\n").encode() + data)
        return reader, writer


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = build(tmp_path_factory.mktemp("qwen2"), "qwen2", context=2048, endless=True)
    return load(WorkerSpec(str(path), quantization="fp32", device="cpu"))


@asynccontextmanager
async def serving(loaded: Any, socket: Path, **options: Any) -> AsyncIterator[Desk]:
    post = Post(asyncio.get_running_loop())
    answerer = answerer_for(loaded, WorkerSpec("x", num_blocks=512), post.deliver)
    answerer.start()
    server = Server(answerer, post, loaded.prompter, Identity("rev", "fp32", "hash"), **options)
    config = uvicorn.Config(server.app(), uds=str(socket), log_level="warning", lifespan="off")
    listener = uvicorn.Server(config)
    task = asyncio.create_task(listener._serve())
    while not listener.started:  # noqa: ASYNC110  uvicorn tells it no other way
        await asyncio.sleep(0.01)
    yield Desk(socket, answerer)
    listener.should_exit = True
    await task
    answerer.stop()


@pytest.fixture
async def desk(loaded: Any, tmp_path: Path) -> AsyncIterator[Desk]:
    async with serving(loaded, tmp_path / "s") as desk:
        yield desk


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ([], "an object"),
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": HELLO, "temperature": "hot"}, "temperature"),
        ({"messages": HELLO, "temperature": -1}, "temperature"),
        ({"messages": HELLO, "top_p": 2}, "top_p"),
        ({"messages": HELLO, "max_tokens": -3}, "max_tokens"),
        ({"messages": HELLO, "seed": True}, "seed"),
        ({"messages": HELLO, "stop": [1]}, "stop"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": {"x": 1}}]}, "text"),
    ],
)
async def test_nonsense_is_refused_with_its_name(desk: Desk, body: object, named: str) -> None:
    """Status 400 and a sentence, whatever was sent; the model is not asked."""
    status, answer = await desk.post(body)
    assert status == 400
    assert named in json.loads(answer)["error"]["message"]
    assert desk.answerer.steps == 0


async def test_an_overlong_prompt_is_refused_by_the_code_that_clients_know(desk: Desk) -> None:
    """`context_length_exceeded`, as OpenAI's own API calls it."""
    status, answer = await desk.post({"messages": [{"role": "user", "content": "щ" * 5000}]})
    assert (status, json.loads(answer)["error"]["code"]) == (400, "context_length_exceeded")
    assert desk.answerer.steps == 0


async def test_the_last_event_carries_usage_reason_and_what_produced_the_answer(desk: Desk) -> None:
    """One finish reason, one usage, one identity, then [DONE]."""
    body = {"messages": HELLO, "stream": True, "max_tokens": 30, "temperature": 0, "seed": 9}
    status, answer = await desk.post(body)
    events = [line.removeprefix("data: ") for line in answer.splitlines() if line]
    assert (status, events[-1]) == (200, "[DONE]")
    parsed = [json.loads(event) for event in events[:-1]]
    assert [event["choices"][0]["finish_reason"] for event in parsed[:-1]] == [None] * (len(parsed) - 1)
    last = parsed[-1]
    assert last["choices"][0]["finish_reason"] == "length"
    assert last["usage"]["completion_tokens"] == 30
    assert last["usage"]["total_tokens"] == 30 + last["usage"]["prompt_tokens"]
    assert last["arena"] == {"revision": "rev", "quantization": "fp32", "template_hash": "hash", "seed": 9}


async def test_a_whole_answer_is_the_stream_put_together(desk: Desk) -> None:
    """Without `stream` the same words come at once."""
    body = {"messages": HELLO, "max_tokens": 30, "temperature": 0}
    _, whole = await desk.post(body)
    _, streamed = await desk.post(body | {"stream": True})
    events = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    assert json.loads(whole)["choices"][0]["message"]["content"] == text


async def test_a_client_that_hangs_up_frees_its_place(desk: Desk) -> None:
    """The model has nothing to do any more although two thousand tokens were asked for."""
    reader, writer = await desk.open({"messages": HELLO, "stream": True, "max_tokens": 1900, "temperature": 0})
    while b"data:" not in await reader.readline():
        pass
    assert desk.answerer.active == 1
    writer.close()
    async with asyncio.timeout(60):
        while desk.answerer.active:  # noqa: ASYNC110  the model's thread has no event for it
            await asyncio.sleep(0.01)


async def test_on_a_port_a_token_is_needed(loaded: Any, tmp_path: Path) -> None:
    """A Unix socket is guarded by its folder; loopback is open to every user of the machine."""
    async with serving(loaded, tmp_path / "s", token="secret") as desk:
        body = {"messages": HELLO, "max_tokens": 1}
        assert (await desk.post(body))[0] == 401
        assert (await desk.post(body, token="wrong"))[0] == 401
        assert (await desk.post(body, token="secret"))[0] == 200


async def test_the_arenas_own_client_understands_the_worker(loaded: Any, tmp_path: Path) -> None:
    """Sixteen answers at once, each with its own seed and its own count."""
    async with serving(loaded, tmp_path / "s") as desk:
        engine = OpenAIEngine("local", "http://w/v1", uds=desk.socket, gate=Gate(64))

        async def ask(seed: int) -> tuple[str, Finish]:
            decoding = Decoding(temperature=1.0, max_tokens=20 + seed, seed=seed)
            items = [item async for item in engine.stream((Message(Role.USER, "Привет!"),), decoding)]
            assert isinstance(items[-1], Finish)
            return "".join(item.text for item in items if isinstance(item, Chunk)), items[-1]

        answers = await asyncio.gather(*(ask(seed) for seed in range(16)))
        await engine.close()
    assert len({text for text, _ in answers}) == 16
    assert [finish.seed for _, finish in answers] == list(range(16))
    assert all((finish.usage.completion_tokens or 0) <= 20 + seed for seed, (_, finish) in enumerate(answers))


async def test_a_wrong_token_is_access_denied_for_the_client(loaded: Any, tmp_path: Path) -> None:
    """The client's error tells the operator what kind of failure it is."""
    async with serving(loaded, tmp_path / "s", token="secret") as desk:
        engine = OpenAIEngine("local", "http://w/v1", uds=desk.socket, api_key="wrong")
        with pytest.raises(AccessDenied):
            await anext(engine.stream((Message(Role.USER, "Hi"),), Decoding()))
        await engine.close()
