"""Nonsense at every door of a real arena: always a clear refusal, never a fault, and nothing grows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from arena.config import Settings
from arena.ui.voters import Voters
from perf import fuzz, visitor
from perf.visitor import Call, as_json, send
from tests.e2e.arena_process import ArenaProcess

pytestmark = pytest.mark.soak

CALLS, FORGERIES, UPLOAD_MB = 500, 300, 64


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaProcess]:
    """An arena of two scripted contestants, without limits of pace."""
    arena = visitor.start(tmp_path_factory.mktemp("fuzz"))
    yield arena
    arena.stop()


def test_no_nonsense_is_answered_with_a_fault(arena: ArenaProcess) -> None:
    """Broken JSON, halves of characters, wrong kinds, strange headers, every method at every door: no 5xx."""
    assert fuzz.no_fault(arena, CALLS, seed=7)


def test_a_forged_vote_is_never_counted(arena: ArenaProcess) -> None:
    """Forged, replayed, another's, after the reveal, names known, by Gradio's own doors: none changes a row."""
    assert fuzz.no_forgery(arena, FORGERIES, seed=7)


def test_an_upload_is_refused_and_leaves_nothing(arena: ArenaProcess) -> None:
    """Gradio takes files where no page has a field for them; here nothing reaches the disk."""
    assert fuzz.no_trace(arena, UPLOAD_MB)


@pytest.mark.parametrize("door", ["run/ask", "call/ask", "cancel", "reset", "component_server", "upload", "info"])
def test_doors_that_the_page_does_not_use_are_walls(arena: ArenaProcess, door: str) -> None:
    """What the page never calls is not there."""
    assert send(arena, as_json("", {"data": []}, f"/gradio_api/{door}")).status in (404, 405)


def test_a_message_past_its_limit_is_refused_in_words(arena: ArenaProcess) -> None:
    """A megabyte is too much for the door, and says so in the voter's language."""
    voter = visitor.newcomer(arena)
    event = {"data": ["я" * 600_000, ""], "fn_index": visitor.number_of(arena, "ask"), "session_hash": "long"}
    call = as_json(voter, event, visitor.JOIN)
    reply = send(arena, Call(call.method, call.path, {**call.headers, "Accept-Language": "en"}, call.body))
    assert reply.status == 413
    assert json.loads(reply.body)["detail"] == "The message is too long."


def test_a_message_over_the_battles_limit_begins_no_battle(arena: ArenaProcess) -> None:
    """Long and unreadable messages are refused in words, empty ones with a warning on the page; nothing is stored."""
    voter = visitor.newcomer(arena)
    first = visitor.number_of(arena, "ask")
    for text, status, why in (("x" * 8001, 413, "8\u202f000 знаков"), ("a\x00b", 400, "не читаются как текст")):
        event = {"data": [text, ""], "fn_index": first, "session_hash": "limit"}
        reply = send(arena, as_json(voter, event, visitor.JOIN))
        assert reply.status == status
        assert why in json.loads(reply.body)["detail"]
    for number, text in enumerate(("", " \n ")):
        said = visitor.play(arena, voter, first, [text, ""], f"limit{number}")
        assert '"level":"warning"' in said, said[:400]
    with closing(sqlite3.connect(f"file:{arena.storage / 'arena.db'}?mode=ro", uri=True)) as stored:
        mine = Voters(Settings(storage=arena.storage).signing_key()).recognize(voter)
        query = "SELECT count(*) FROM battles JOIN voters ON voters.id = voter_id WHERE code = ?"
        assert stored.execute(query, (mine,)).fetchone() == (0,)


def test_a_voter_without_a_cookie_cannot_make_models_answer(arena: ArenaProcess) -> None:
    """Nobody could own such a battle: the refusal says what to allow."""
    event = {"data": ["hello", ""], "fn_index": visitor.number_of(arena, "ask"), "session_hash": "none"}
    reply = send(arena, as_json("", event, visitor.JOIN))
    assert (reply.status, json.loads(reply.body)["error"]) == (403, "cookies")
