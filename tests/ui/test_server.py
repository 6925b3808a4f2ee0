"""A start that takes longer than Gradio waits, one that fails, and an end beside an open page."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from gradio import http_server
from gradio.routes import App
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from arena.ui import server as server_module
from arena.ui.server import be_patient
from tests.e2e.arena_process import free_port


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio's five seconds are over at its second look at the clock; the arena's servers are put away afterwards."""
    monkeypatch.setattr(http_server, "Server", http_server.Server)
    clock = SimpleNamespace(time=itertools.count(step=10).__next__, sleep=time.sleep)
    monkeypatch.setattr(http_server, "time", clock)
    be_patient(lambda: asyncio.sleep(0))


def serving(lifespan: object, news: Callable[[], AsyncIterator[str]] | None = None) -> App:
    """Something that says hello, and has news where they are wanted."""
    routes = [Route("/", lambda request: PlainTextResponse("hello"))]
    if news:
        routes.append(Route("/news", lambda request: StreamingResponse(news())))
    return Starlette(routes=routes, lifespan=lifespan)  # type: ignore


def test_a_start_may_take_longer_than_gradio_waits() -> None:
    """Votes that come back from a hub take their time; the port is nobody else's."""
    slow = threading.Event()
    threading.Timer(0.3, slow.set).start()

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        slow.wait()
        yield

    _, _, address, server = http_server.start_server(serving(lifespan), "127.0.0.1", free_port())
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == b"hello"
    server.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # uvicorn ends its thread so
def test_a_start_that_fails_is_not_waited_for() -> None:
    """Its reason stands in the log; nothing hangs."""

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        raise RuntimeError("no")
        yield

    with pytest.raises(OSError, match="port"):
        http_server.start_server(serving(lifespan), "127.0.0.1", free_port())


def test_a_farewell_that_fails_does_not_keep_the_end_from_coming() -> None:
    """The database refuses to write down what was stopped: everything is closed all the same."""
    closed = threading.Event()

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        yield
        closed.set()

    async def refused() -> None:
        raise OSError("the disk is full")

    be_patient(refused)
    _, _, _, server = http_server.start_server(serving(lifespan), "127.0.0.1", free_port())
    server.close()
    assert closed.is_set()


def test_an_open_page_does_not_keep_the_end_from_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of news that would never end is cut, and all is closed when `close` returns."""
    monkeypatch.setattr(server_module, "GRACE_SECONDS", 0.1)
    closed = threading.Event()

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        yield
        await asyncio.sleep(0.3)  # as long as it takes to put things away
        closed.set()

    async def news() -> AsyncIterator[str]:
        yield "hello"
        await asyncio.Event().wait()

    _, _, address, server = http_server.start_server(serving(lifespan, news), "127.0.0.1", free_port())
    with urllib.request.urlopen(address + "news") as line:
        assert line.read(5) == b"hello"
        server.close()
    assert closed.is_set()
