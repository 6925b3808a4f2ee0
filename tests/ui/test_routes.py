"""Votes, undo and reasons as plain requests over a real arena: each answered by its status, counted once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from arena.config import Catalog, Contestant, Settings
from arena.engines.fake import FakeEngine, saying
from arena.errors import StoreUnavailable
from arena.service import Arena, open_store
from arena.service.fleet import Fleet
from arena.service.opening import masker_of
from arena.service.views import Preparation
from arena.store import connections
from arena.types import Mode
from arena.ui.exports import Exports
from arena.ui.routes import COMMENT_LIMIT, Routes, news_line
from arena.ui.texts import TEXTS
from arena.ui.voters import Voters

VOTERS = Voters(b"a key of at least sixteen bytes")


class Desk:
    """A client of the routes, and the arena behind them."""

    def __init__(self, arena: Arena, client: TestClient) -> None:
        self.arena, self.client = arena, client
        self.cookie = VOTERS.set_cookie("me").split(";")[0]
        self.other = VOTERS.set_cookie("somebody else").split(";")[0]

    def battle(self, mode: Mode = Mode.ANONYMOUS, *, answered: bool = True) -> str:
        """A battle of this client's voter."""
        assert self.client.portal is not None
        return str(self.client.portal.call(self._battle, mode, answered))

    async def _battle(self, mode: Mode, answered: bool) -> str:
        voter = VOTERS.recognize(self.cookie)
        assert voter is not None
        choice = () if mode is Mode.ANONYMOUS else ("quick", "slow")
        battle = await self.arena.ask(voter, "почему?", mode=mode, choice=choice)
        async for view in self.arena.watch(voter, battle):
            if not answered or view.turns[-1].a or view.turns[-1].b:
                break
        if answered:
            await self.arena.stop(voter, battle)
        return battle

    def post(self, path: str, body: Any, cookie: str | None = None) -> int:
        """The status of a request by the page."""
        return self.client.post(f"/arena/{path}", json=body, headers={"Cookie": cookie or self.cookie}).status_code

    def votes(self) -> int:
        """How many votes count."""
        return self.arena.boards.view().board.votes


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Two contestants, one of whom talks for long."""
    settings = Settings(storage=tmp_path, seed=1, grace_seconds=60)
    catalog = Catalog((Contestant(name="quick", engine="fake"), Contestant(name="slow", engine="fake")))
    engines = {
        "quick": FakeEngine(saying("short")),
        "slow": FakeEngine(saying("long " * 300, tokens_per_second=30)),
    }
    arena = Arena(settings, catalog, open_store(settings), Fleet(catalog, engines), masker=masker_of(catalog))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await arena.start()
        yield
        await arena.close()

    with TestClient(Starlette(routes=Routes(arena, VOTERS).all(), lifespan=lifespan)) as client:
        yield Desk(arena, client)


def test_ten_parallel_clicks_make_one_vote(desk: Desk) -> None:
    """All are acknowledged, one is counted."""
    body = {"battle": desk.battle(), "verdict": "model_a"}
    with ThreadPoolExecutor(10) as threads:
        statuses = list(threads.map(lambda _: desk.post("vote", body), range(10)))
    assert statuses == [200] * 10
    assert desk.votes() == 1


def test_whoever_says_so_is_forgotten_at_once(desk: Desk) -> None:
    """Also what is being answered; the vote stays, the browser becomes nobody, and nobody else is touched."""
    voted, going_on = desk.battle(), desk.battle(answered=False)
    assert desk.post("vote", {"battle": voted, "verdict": "tie"}) == 200
    me, somebody = (VOTERS.recognize(cookie) or "" for cookie in (desk.cookie, desk.other))
    for cookie, code in ((desk.other, me), (desk.cookie, somebody), ("", me)):
        answer = desk.client.post(
            "/arena/forget", data={"code": VOTERS.forget_code(code)}, headers={"Cookie": cookie} if cookie else {}
        )
        assert answer.status_code == 404
    assert desk.arena.store.load_battle(voted).turns[0].prompt == "почему?"
    mine = {"code": VOTERS.forget_code(me)}
    backups = desk.arena.settings.storage / "backups"
    backups.mkdir()
    (backups / "damaged.db").write_text("no database" * 999)  # is the operator's to mend, and keeps nobody here
    answer = desk.client.post("/arena/forget", data=mine, headers={"Cookie": desk.cookie, "Accept-Language": "en"})
    assert answer.status_code == 200
    assert "Erased battles: 2" in answer.text
    assert answer.headers["set-cookie"].startswith(f"{VOTERS.cookie}=; Path=/; Max-Age=0; HttpOnly")
    for battle in (voted, going_on):
        (turn,) = desk.arena.store.load_battle(battle).turns
        assert (turn.prompt, turn.a.text if turn.a else "", turn.b.text if turn.b else "") == ("", "", "")
        assert desk.post("vote", {"battle": battle, "verdict": "tie"}) == 404
    assert desk.votes() == 1


def test_of_two_verdicts_the_first_counts_and_the_second_is_refused(desk: Desk) -> None:
    """Names are known after the first."""
    battle = desk.battle()
    assert desk.post("vote", {"battle": battle, "verdict": "model_a"}) == 200
    assert desk.post("vote", {"battle": battle, "verdict": "model_b"}) == 409
    assert desk.votes() == 1


def test_for_another_voter_the_battle_does_not_exist(desk: Desk) -> None:
    """Neither to vote, nor to undo, nor to comment."""
    battle = desk.battle()
    assert desk.post("vote", {"battle": battle, "verdict": "tie"}, desk.other) == 404
    assert desk.post("vote", {"battle": "no such battle", "verdict": "tie"}) == 404
    assert desk.post("vote", {"battle": battle, "verdict": "tie"}) == 200
    assert desk.post("undo", {"battle": battle}, desk.other) == 404
    assert desk.votes() == 1


def test_a_battle_that_takes_no_vote_says_so(desk: Desk) -> None:
    """Still writing, or with names known."""
    writing, named = desk.battle(answered=False), desk.battle(Mode.NAMED)
    assert desk.post("vote", {"battle": writing, "verdict": "tie"}) == 409
    assert desk.post("vote", {"battle": named, "verdict": "tie"}) == 409
    assert desk.votes() == 0


def test_a_battle_left_too_long_takes_no_vote(desk: Desk) -> None:
    """It expired while its page lay open."""
    battle = desk.battle()
    assert desk.client.portal is not None
    desk.client.portal.call(desk.arena.store.expire_battles, time.time() + 60)
    assert desk.post("vote", {"battle": battle, "verdict": "tie"}) == 409
    assert desk.votes() == 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that waits a tenth of a second for a database that takes no writes."""
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.1)


def test_while_the_database_takes_no_writes_a_vote_is_refused_as_that(impatient: None, desk: Desk) -> None:
    """503 and a code that the page has words for, nothing counted, no question taken; then as if nothing had been."""
    battle = desk.battle()
    assert desk.arena.store._database.path is not None
    with closing(sqlite3.connect(desk.arena.store._database.path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        body = {"battle": battle, "verdict": "tie"}
        answer = desk.client.post("/arena/vote", json=body, headers={"Cookie": desk.cookie})
        assert (answer.status_code, answer.json()) == (503, {"error": "store_unavailable"})
        assert "error_store_unavailable" in TEXTS
        with pytest.raises(StoreUnavailable):
            desk.battle(answered=False)
    assert desk.votes() == 0
    assert desk.post("vote", {"battle": battle, "verdict": "tie"}) == 200
    assert desk.votes() == 1


def test_an_undone_vote_is_gone_and_stays_gone(desk: Desk) -> None:
    """Undoing twice, or voting again, is refused."""
    battle = desk.battle()
    desk.post("vote", {"battle": battle, "verdict": "tie"})
    assert desk.post("undo", {"battle": battle}) == 200
    assert desk.votes() == 0
    assert desk.post("vote", {"battle": battle, "verdict": "tie"}) == 409
    assert desk.votes() == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"battle": "x"},
        {"battle": "", "verdict": "tie"},
        {"battle": 7, "verdict": "tie"},
        {"battle": "x", "verdict": "A"},
        {"battle": "x", "verdict": None},
        {"battle": "x\x00", "verdict": "tie"},
        {"battle": ["x"], "verdict": "tie"},
        [],
        "tie",
        None,
    ],
)
def test_a_request_of_another_form_is_refused(desk: Desk, body: Any) -> None:
    """400, and the answer says what is wrong."""
    answer = desk.client.post("/arena/vote", json=body, headers={"Cookie": desk.cookie})
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b'{"battle": "\\ud800", "verdict": "tie"}', b"[" * 9000])
def test_what_is_no_sane_json_is_refused(desk: Desk, raw: bytes) -> None:
    """Half a character and a tower of brackets too."""
    assert desk.client.post("/arena/vote", content=raw, headers={"Cookie": desk.cookie}).status_code == 400


def test_a_request_that_is_too_large_is_refused_as_that(desk: Desk) -> None:
    """Before it is read to its end."""
    answer = desk.client.post("/arena/vote", content=b"x" * 20_000, headers={"Cookie": desk.cookie})
    assert answer.status_code == 413


def test_without_a_cookie_of_ours_nobody_votes(desk: Desk) -> None:
    """None, a forged one, one for another code."""
    battle = desk.battle()
    for cookie in ("x=1", f"{VOTERS.cookie}=me.00000000", desk.cookie.replace("me.", "you.")):
        body = {"battle": battle, "verdict": "tie"}
        answer = desk.client.post("/arena/vote", json=body, headers={"Cookie": cookie})
        assert (answer.status_code, answer.json()["error"]) == (400, "cookies"), (
            "the page says that cookies are missing"
        )
    assert desk.votes() == 0


def test_reasons_are_of_the_list_and_a_long_comment_is_refused(desk: Desk) -> None:
    """An unknown reason is refused whole."""
    battle = desk.battle()
    desk.post("vote", {"battle": battle, "verdict": "tie"})
    assert desk.post("feedback", {"battle": battle, "reasons": ["useful", "rude"], "comment": ""}) == 400
    assert desk.post("feedback", {"battle": battle, "reasons": "useful", "comment": ""}) == 400
    assert desk.post("feedback", {"battle": battle, "reasons": ["useful"], "comment": "ы" * (COMMENT_LIMIT + 5)}) == 413


def test_a_vote_is_a_post_and_an_unknown_file_is_not_there(desk: Desk) -> None:
    """Nothing is changed by a link."""
    assert desk.client.get("/arena/vote").status_code == 405
    assert desk.client.get("/arena/export.exe").status_code == 404
    assert desk.client.get("/arena/elsewhere").status_code == 404


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_votes_can_be_taken_away_in_every_form(desk: Desk, form: str) -> None:
    """With a file name of its own."""
    desk.post("vote", {"battle": desk.battle(), "verdict": "tie"})
    answer = desk.client.get(f"/arena/export.{form}")
    assert answer.status_code == 200
    assert f"arena-votes.{form}" in answer.headers["content-disposition"]
    assert len(answer.content) > 100


async def test_however_many_ask_for_a_file_the_threads_of_all_others_stay_free() -> None:
    """Those who come while one is being made share the next one, which holds the votes that came meanwhile."""
    begun, go_on, made = threading.Event(), threading.Event(), list[str]()

    def make(form: str) -> Path:
        made.append(form)
        begun.set()
        assert go_on.wait(60)
        return Path(f"{len(made)}.{form}")

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    exports = Exports(make)
    first = asyncio.ensure_future(exports.file("csv"))
    assert await asyncio.to_thread(begun.wait, 60)
    crowd = [asyncio.ensure_future(exports.file(form)) for form in ("csv", "parquet") for _ in range(20)]
    crowd.pop().cancel()
    await asyncio.sleep(0)
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 60) == "free"
    go_on.set()
    assert await first == Path("1.csv")
    assert {str(path) for path in await asyncio.gather(*crowd)} == {"2.csv", "3.parquet"}
    assert made == ["csv", "csv", "parquet"]


FAR = "\u202eпривет\u202c"  # read from right to left
REFUSED = [
    ("vote", {"battle": "no such battle", "verdict": "tie"}, 404),
    ("vote", {"battle": "x" * 1_000_000, "verdict": "tie"}, 413),
    ("vote", {"battle": FAR, "verdict": "tie"}, 404),
    ("vote", {"battle": "a\x00b", "verdict": "tie"}, 400),
    ("vote", {"battle": ["HERE"], "verdict": "tie"}, 400),
    ("vote", {"battle": "HERE"}, 400),
    ("vote", {"battle": "HERE", "verdict": "model_c"}, 400),
    ("vote", {"battle": "HERE", "verdict": FAR}, 400),
    ("vote", {"battle": "HERE", "verdict": 1}, 400),
    ("undo", {"battle": "HERE"}, 404),
    ("undo", {}, 400),
    ("feedback", {"battle": "HERE", "reasons": ["useful"], "comment": "before the vote"}, 404),
    ("feedback", {"battle": "HERE", "reasons": ["unheard of"]}, 400),
    ("feedback", {"battle": "HERE", "reasons": "useful"}, 400),
    ("feedback", {"battle": "HERE", "comment": "я" * 2001}, 413),
    ("feedback", {"battle": "HERE", "comment": "\x00"}, 400),
    ("feedback", [], 400),
]


@pytest.mark.parametrize(("path", "body", "status"), REFUSED)
def test_a_field_past_its_limit_is_refused_in_words_and_nothing_is_stored(
    desk: Desk, path: str, body: Any, status: int
) -> None:
    """Every field of every route; the battle still takes its vote afterwards."""
    battle = desk.battle()
    text = json.dumps(body).replace("HERE", battle)
    answer = desk.client.post(f"/arena/{path}", content=text, headers={"Cookie": desk.cookie})
    assert answer.status_code == status
    assert answer.json()["error"]
    assert desk.votes() == 0
    assert desk.post("vote", {"battle": battle, "verdict": "tie"}) == 200


@pytest.mark.parametrize("half", [b'"\\ud800"', b'"\xed\xa0\x80"', b'"\xff"'])
def test_halves_of_characters_are_refused(desk: Desk, half: bytes) -> None:
    """Escaped or as bytes that are no UTF-8."""
    battle = desk.battle()
    body = b'{"battle": "%s", "comment": %s}' % (battle.encode(), half)
    assert desk.client.post("/arena/feedback", content=body, headers={"Cookie": desk.cookie}).status_code == 400


def test_a_comment_at_its_limit_is_kept_whole(desk: Desk) -> None:
    """Whatever direction it is read in."""
    battle = desk.battle()
    desk.post("vote", {"battle": battle, "verdict": "tie"})
    comment = FAR + "я" * (2000 - len(FAR))
    assert desk.post("feedback", {"battle": battle, "reasons": ["useful"], "comment": comment}) == 200
    (vote,) = desk.arena.store.votes()
    assert vote.comment == comment


def test_every_page_hears_whether_a_battle_is_possible() -> None:
    """With fewer than two contestants none is, however ready they are; with two still loading, one will be."""
    for ready, total, alone in ((1, 1, True), (0, 0, True), (0, 2, False), (2, 2, False)):
        assert json.loads(news_line(Preparation(ready, total), 1).removeprefix("data: "))["alone"] is alone
