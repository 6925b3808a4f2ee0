"""A start that takes longer than Gradio waits, and one that fails."""

from __future__ import annotations

import itertools
import threading
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from gradio import http_server
from gradio.routes import App
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from arena.ui.starting import wait_for_the_start
from tests.e2e.arena_process import free_port


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio's five seconds are over at its second look at the clock; the arena's servers are put away afterwards."""
    monkeypatch.setattr(http_server, "Server", http_server.Server)
    clock = SimpleNamespace(time=itertools.count(step=10).__next__, sleep=time.sleep)
    monkeypatch.setattr(http_server, "time", clock)
    wait_for_the_start()


def serving(lifespan: object) -> App:
    """Something that says hello."""
    return Starlette(routes=[Route("/", lambda request: PlainTextResponse("hello"))], lifespan=lifespan)  # type: ignore


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
