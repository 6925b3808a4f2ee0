"""An endpoint's health is one sentence, over real HTTP."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from arena.engines.health import ask


@contextmanager
def server(status: int, body: str, seen: list[str] | None = None, **headers: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if seen is not None:
                seen.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        http.shutdown()
        http.server_close()


def test_a_server_that_lists_the_model_is_well() -> None:
    """The key is sent as the protocol says."""
    seen: list[str] = []
    with server(200, json.dumps({"data": [{"id": "m"}, {"id": "n"}]}), seen) as url:
        health = ask(url, "m", "key")
    assert (health.ok, health.models) == (True, ("m", "n"))
    assert seen == ["Bearer key"]


@pytest.mark.parametrize(
    ("status", "body", "key", "ok", "words"),
    [
        (200, '{"data": [{"id": "other"}]}', None, None, "does not list m"),
        (200, "<html>", None, None, "not as an OpenAI-compatible server"),
        (401, "{}", "k", False, "refuses the key"),
        (401, "{}", None, False, "asks for a key"),
        (404, "{}", None, None, "does not list its models"),
        (500, "{}", None, False, "answers 500"),
    ],
)
def test_every_other_answer_is_told(status: int, body: str, key: str | None, ok: bool | None, words: str) -> None:
    """Each with what it means."""
    with server(status, body) as url:
        health = ask(url, "m", key)
    assert health.ok is ok
    assert words in health.message


def test_a_redirect_is_not_followed_with_the_key() -> None:
    """It could lead anywhere."""
    seen: list[str] = []
    with server(200, '{"data": []}', seen) as other, server(302, "", Location=f"{other}/models") as url:
        assert ask(url, "m", "key").message == "answers 302"
    assert seen == []


def test_a_silent_or_absent_server_is_told() -> None:
    """A refused connection, and one that is never answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        assert "cannot be reached" in ask(url, "m").message
        listener.listen()
        assert ask(url, "m", timeout=0.2).message == "does not answer within 0.2 s"
