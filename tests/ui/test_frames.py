"""What a page is told of a battle while its answers come: only what is new, only by its owner, and nothing of who."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from arena.battles.stream import Phase
from arena.config import Catalog, Contestant, Settings
from arena.engines.fake import FakeEngine, saying
from arena.service import Arena, open_store
from arena.service.fleet import Fleet
from arena.service.opening import masker_of
from arena.service.views import BattleView, TurnView
from arena.types import BattleStatus, Mode
from arena.ui.frames import Frames, Painter
from arena.ui.voters import Voters

WRITING = BattleView("id", Mode.ANONYMOUS, BattleStatus.ANSWERING, Phase.WRITING, (TurnView("why?", "One", "Two"),))
PAGES = {mode: lambda view, language: [[0, str(view.status)]] for mode in Mode}


def test_a_frame_brings_what_is_new_and_nothing_else() -> None:
    """Titles once, text as it grows, everything else when the battle has come to another pass."""
    painter = Painter("en", PAGES[Mode.ANONYMOUS])
    first = painter.frame(WRITING)
    assert first["page"] == [[0, "answering"]]
    assert set(first["head"]) == {"a", "b"}
    assert first["all"] == {"a": "One", "b": "Two"}
    assert painter.frame(grown("One and", "Two")) == {"more": {"a": " and"}}
    assert painter.frame(grown("One and", "Two")) == {}
    ended = painter.frame(replace(grown("One and", "Two"), status=BattleStatus.VOTABLE, phase=Phase.ENDED))
    assert ended["page"] == [[0, "votable"]]
    assert "more" not in ended


def test_a_text_that_reads_differently_as_it_grows_is_sent_whole() -> None:
    """A backtick that turns out to open code changes what stood before it."""
    painter = Painter("en", PAGES[Mode.ANONYMOUS])
    painter.frame(grown("`<b>", "x"))
    assert painter.frame(grown("`<b>`", "x")) == {"all": {"a": "`<b>`"}}


def test_only_the_owner_is_told_of_a_battle(tmp_path: Path) -> None:
    """Another voter and a stranger without a cookie find nothing there; the owner reads it to its end."""
    catalog = Catalog((Contestant(name="one", engine="fake"), Contestant(name="two", engine="fake")))
    settings, voters = Settings(storage=tmp_path, seed=1), Voters(b"key")
    engines = {name: FakeEngine(saying("**word** " * 6, tokens_per_second=40)) for name in ("one", "two")}
    arena = Arena(settings, catalog, open_store(settings), Fleet(catalog, engines), masker=masker_of(catalog))
    owner, other = (voters.set_cookie(voters.new()).partition(";")[0] for _ in range(2))
    app = Starlette(routes=Frames(arena, voters, PAGES).all())
    with TestClient(app) as client:
        assert client.portal is not None
        client.portal.call(arena.start)
        path = "/arena/battle/" + client.portal.call(arena.ask, voters.recognize(owner), "why?")
        assert client.get(path).status_code == 404
        assert client.get(path, headers={"Cookie": other}).status_code == 404
        told = client.get(path, headers={"Cookie": owner}).text
        client.portal.call(arena.close)
    assert "event: over" in told
    assert shown(told) == {"a": "**word** " * 6, "b": "**word** " * 6}
    assert "one" not in told
    assert "two" not in told


def grown(a: str, b: str) -> BattleView:
    """The same battle with so much of its answers."""
    return replace(WRITING, turns=(TurnView("why?", a, b),))


def shown(stream: str) -> dict[str, str]:
    """Both texts after all frames, put together as the page's script does."""
    texts = {"a": "", "b": ""}
    for line in stream.splitlines():
        frame = json.loads(line[6:]) if line.startswith("data: ") else {}
        texts |= frame.get("all", {})
        for side, more in frame.get("more", {}).items():
            texts[side] += more
    return texts
