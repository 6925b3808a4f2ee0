"""What stands before everything: the page's policy to the letter, and who comes to a full arena is told to wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from arena.config import Settings
from arena.ui.guard import BUSY_SECONDS, Guard
from arena.ui.presence import Presence
from arena.ui.voters import Voters

NOTHING_BUT = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "frame-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}


def guarded(storage: Path, *, in_frame: bool = False, **settings: Any) -> tuple[Guard, TestClient]:
    """A guard before an application that says no more than "here"."""
    app = Starlette(routes=[Route("/{path:path}", lambda request: PlainTextResponse("<head></head>here"))])
    guard = Guard(
        app,
        voters=Voters(b"a key of at least sixteen bytes", in_frame=in_frame),
        forms=None,  # type: ignore[arg-type]
        presence=Presence(),
        settings=Settings(storage=storage, **settings),
        in_frame=in_frame,
    )
    return guard, TestClient(guard)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[TestClient]:
    """An arena that takes one open connection, and has it."""
    guard, client = guarded(tmp_path, max_streams=1)
    with ExitStack() as open_connection:
        open_connection.enter_context(guard._rates.stream("somebody", None))
        yield client


@pytest.mark.parametrize(
    ("in_frame", "ancestors"), [(False, "'self'"), (True, "'self' https://huggingface.co https://*.hf.space")]
)
def test_every_answer_carries_the_policy_and_nothing_more_is_allowed(
    tmp_path: Path, in_frame: bool, ancestors: str
) -> None:
    """No foreign script, frame, object, form or connection, on the page, on files and on refusals."""
    _, client = guarded(tmp_path, in_frame=in_frame)
    for path in ("/", "/config", "/nowhere", "/arena/vote"):
        policy = client.get(path).headers["content-security-policy"]
        told = dict(part.split(" ", 1) for part in policy.split("; "))
        assert told == NOTHING_BUT | {"frame-ancestors": ancestors}


@pytest.mark.parametrize(
    ("language", "words"), [("ru", "откроется сама примерно через 10 с"), ("en", "open by itself in about 10 s")]
)
@pytest.mark.parametrize("path", ["/", "/arena/events"])
def test_who_comes_to_a_full_arena_is_told_how_long_to_wait(
    full: TestClient, path: str, language: str, words: str
) -> None:
    """In their language, with a page that opens by itself; the door opens again when somebody leaves."""
    answer = full.get(path, headers={"Accept-Language": language})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, str(BUSY_SECONDS))
    assert words in answer.text
    assert f'<html lang="{language}">' in answer.text


@pytest.mark.parametrize(("language", "words"), [("ru", "примерно через 30 с"), ("en", "in about 30 s")])
def test_who_votes_too_fast_is_told_when_to_try_again(tmp_path: Path, language: str, words: str) -> None:
    """Two votes a minute: the third comes half a minute later."""
    guard, client = guarded(tmp_path, votes_per_minute=2)
    guard._rates._clock = lambda: 0.0
    cookie = Voters(b"a key of at least sixteen bytes").set_cookie("me").split(";")[0]
    headers = {"Cookie": cookie, "Accept-Language": language}
    answer = [client.post("/arena/vote", json={}, headers=headers) for _ in range(3)][-1]
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(("language", "words"), [("ru", "Подождите немного"), ("en", "One moment, please")])
def test_who_sends_the_form_of_my_data_too_fast_is_shown_a_page(tmp_path: Path, language: str, words: str) -> None:
    """A browser shows what it is answered: their language, not a program's line. So it is at the door."""
    _, client = guarded(tmp_path, votes_per_minute=1)
    cookie = Voters(b"a key of at least sixteen bytes").set_cookie("me").split(";")[0]
    headers = {"Cookie": cookie, "Accept-Language": language, "Accept": "text/html,*/*;q=0.8"}
    answer = [client.post("/arena/forget", data={"code": "x"}, headers=headers) for _ in range(2)][-1]
    assert (answer.status_code, answer.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert f'<html lang="{language}">' in answer.text
    assert f"<h1>{words}</h1>" in answer.text
    assert int(answer.headers["retry-after"]) > 0


def test_a_place_that_became_free_is_given_to_the_next(tmp_path: Path) -> None:
    """Being full is no state that stays."""
    guard, client = guarded(tmp_path, max_streams=1)
    with guard._rates.stream("somebody", None):
        assert client.get("/").status_code == 503
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(("scheme", "secure"), [("http", 0), ("https", 1)])
@pytest.mark.parametrize("in_frame", [False, True])
def test_a_cookie_of_a_page_that_came_by_https_goes_by_nothing_else(
    tmp_path: Path, scheme: str, secure: int, in_frame: bool
) -> None:
    """By plain HTTP a browser would drop such a one; in a Space's frame it is always so, and said once."""
    guard, _ = guarded(tmp_path, in_frame=in_frame)
    given = TestClient(guard, base_url=f"{scheme}://arena").get("/").headers["set-cookie"]
    assert given.split("; ").count("Secure") == (1 if in_frame else secure)


@pytest.mark.parametrize("prefix", ["/arena", "", "/models/arena", "/models"], ids=["left", "cut", "deep", "other"])
@pytest.mark.parametrize("asked", ["/", "/config", "/arena/my-data", "/arena/battle/x"])
def test_a_proxy_may_take_its_path_away_or_leave_it(tmp_path: Path, prefix: str, asked: str) -> None:
    """Under `/arena`, where our own routes begin alike, and under any other path."""
    published = prefix or "/arena"
    app = Starlette(routes=[Route(asked, lambda request: PlainTextResponse("<head></head>here"))])
    guard = Guard(
        app, voters=Voters(b"a key of at least sixteen bytes"), forms=None, presence=Presence(),  # type: ignore[arg-type]
        settings=Settings(storage=tmp_path, root_path=published),
    )  # fmt: skip
    answer = TestClient(guard, root_path=published).get(prefix + asked)
    assert (answer.status_code, answer.text[-4:]) == (200, "here")
