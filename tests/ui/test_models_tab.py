"""The operator's page opens to the token alone, shows how each model is, and acts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from operated import SIGNED, Operated, operated, some_answers
from starlette.requests import Request

from arena import engines, errors
from arena.config import Settings
from arena.engines.health import Health
from arena.engines.local import Failed, Phase
from arena.errors import ArenaError, EngineError
from arena.service.segments import Window
from arena.ui.models_tab import ACTS, entrance, page
from arena.ui.operator import WRONG_TOKENS, Doorkeeper
from arena.ui.texts import LANGUAGES, say

PAGE = "/arena/operator/models"


@pytest.mark.parametrize("act", ["models", *ACTS])
def test_nothing_opens_without_the_right_token(it: Operated, act: str) -> None:
    """No token, a wrong one, one in another scheme: 403 and not a name."""
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": SIGNED["Authorization"][7:]}):
        answer = it.client.post(f"/arena/operator/{act}", headers=headers, json={"model": "home"})
        assert answer.status_code == 403
        assert "home" not in answer.text
    assert it.machine.phase is Phase.WARM
    assert it.machine.enabled


def test_where_no_token_is_set_the_page_stays_closed(tmp_path: Path) -> None:
    """An empty token opens nothing."""
    it = operated(tmp_path, token=None)
    for token in ("", "None", "null"):
        assert it.client.post(PAGE, headers={"Authorization": f"Bearer {token}"}).status_code == 403
    it.arena.store.close()


def test_who_guesses_too_often_waits_a_minute() -> None:
    """One address, one minute; another address is not concerned."""
    now = 0.0
    door = Doorkeeper("right-right-right", clock=lambda: now)
    for _ in range(WRONG_TOKENS):
        assert door.refusal(_from("1.2.3.4", "wrong")) == 403
    assert door.refusal(_from("1.2.3.4", "wrong")) == 429
    assert door.refusal(_from("5.6.7.8", "wrong")) == 403
    now = 61.0
    assert door.refusal(_from("1.2.3.4", "wrong")) == 403


def test_behind_a_proxy_who_guesses_is_known_by_their_own_address() -> None:
    """Tries are counted for the address that the guard believes, not for the proxy's."""
    door = Doorkeeper("right-right-right", clock=lambda: 0.0)
    for _ in range(WRONG_TOKENS):
        assert door.refusal(_from("10.0.0.1", "wrong", before_proxy="1.2.3.4")) == 403
    assert door.refusal(_from("10.0.0.1", "wrong", before_proxy="1.2.3.4")) == 429
    assert door.refusal(_from("10.0.0.1", "wrong", before_proxy="5.6.7.8")) == 403


def test_nobody_who_guesses_locks_the_operator_out() -> None:
    """Where no address is known, strangers and the operator are one; the right token passes all the same."""
    door = Doorkeeper("right-right-right", clock=lambda: 0.0)
    for _ in range(WRONG_TOKENS + 1):
        door.refusal(_from("10.0.0.1", "wrong", before_proxy=""))
    assert door.refusal(_from("10.0.0.1", "wrong", before_proxy="")) == 429
    assert door.refusal(_from("10.0.0.1", "right-right-right", before_proxy="")) is None


def test_who_guesses_is_known_by_a_digest_that_changes_every_day() -> None:
    """No address is kept, here either."""
    now = 0.0
    door = Doorkeeper("right-right-right", clock=lambda: now)
    door.refusal(_from("1.2.3.4", "wrong"))
    now = 86_400.0
    door.refusal(_from("1.2.3.4", "wrong"))
    assert len(door._wrong) == 2
    assert not [kept for kept in door._wrong if "1.2.3.4" in kept]


def test_what_everybody_sees_of_the_page_names_nobody(it: Operated) -> None:
    """Only a field for the token, in both languages."""
    for language in ("ru", "en"):
        door = entrance(language)
        assert "password" in door
        assert not [name for name in it.arena.fleet.entries if name in door]


@pytest.mark.parametrize(
    ("language", "words"),
    [("ru", ("готова", "Потрачено", "время вышло: 1")), ("en", ("ready", "Spent", "timed out: 1"))],
)
def test_it_shows_state_memory_speed_failures_and_money(it: Operated, language: str, words: tuple[str, ...]) -> None:
    """Each contestant in the operator's language."""
    some_answers(it.arena)
    it.arena.watching.health["cloud"] = Health(False, "refuses the key (401)")
    html = it.client.post(PAGE, headers={**SIGNED, "Accept-Language": language}).json()["html"]
    for expected in (
        *it.arena.fleet.entries,
        *words,
        "refuses the key (401)",
        "operator-bar",
        "operator-legend",
        "USD",
    ):
        assert expected in html


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", "за последние 7 с (с запуска бывало до 31 с)"),
        ("en", "votes of the last 7 s (up to 31 s since the start)"),
    ],
)
def test_the_operator_sees_what_a_wipe_of_the_disk_would_lose(
    it: Operated, monkeypatch: pytest.MonkeyPatch, language: str, words: str
) -> None:
    """Seconds of votes that are not at the hub yet; and where there is no hub, that all of them go."""
    signed = SIGNED | {"Accept-Language": language}
    it.arena.keeper = SimpleNamespace(window=Window(7.2, 31.4))  # type: ignore[assignment]
    assert words in it.client.post(PAGE, headers=signed).json()["html"]
    assert 'arena_votes_unsaved_seconds{when="longest"} 31.4' in it.client.get("/metrics").text
    it.arena.keeper = None
    monkeypatch.setenv("SPACE_ID", "somebody/arena")
    shown = it.client.post(PAGE, headers=signed).json()["html"]
    assert (words in shown, say(language, "not_kept") in shown) == (False, True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_failure_is_told_in_words(it: Operated, language: str) -> None:
    """Of an answer, a load or a worker; a code that nobody knows yet is shown as it is."""
    sources = [*Path(engines.__file__).parent.rglob("*.py"), Path(errors.__file__)]
    named = {code for file in sources for code in re.findall(r'^    code = "(\w+)"', file.read_text("utf-8"), re.M)}
    codes = {one.code for one in descendants(EngineError)} | (named - {one.code for one in descendants(ArenaError)})
    it.arena.watching.tallies["cloud"].failures.update([*codes, *map(str, Failed), "<odd>"])
    html = it.client.post(PAGE, headers={**SIGNED, "Accept-Language": language}).json()["html"]
    told = dict(re.findall(r'<span title="([^"]+)">([^<]+): \d+</span>', html))
    assert {*codes, *Failed} <= set(told)
    assert [code for code, words in told.items() if words == code] == ["&lt;odd&gt;"]


def descendants(error: type[ArenaError]) -> set[type[ArenaError]]:
    """An error and all of the product's that are of its kind."""
    kinds = [one for one in error.__subclasses__() if one.__module__.startswith("arena.")]
    return {error}.union(*map(descendants, kinds))


def test_a_failure_is_not_counted_as_an_answer(it: Operated) -> None:
    """Whoever only failed has answered nothing."""
    some_answers(it.arena)
    html = it.client.post(PAGE, headers={**SIGNED, "Accept-Language": "en"}).json()["html"]
    (row,) = [row for row in html.split("<tr>") if "lazy<small>" in row]
    assert re.search(r'"Answers"[^>]*><div>0<', row)


async def test_how_long_the_arena_stands_is_told_in_the_units_that_it_fills(it: Operated) -> None:
    """It said "0.0 hours"."""
    report = it.arena.report()
    for seconds, said in {59: "меньше минуты", 60: "1 мин", 3_600: "1 ч 0 мин", 90_000: "1 сут 1 ч"}.items():
        assert f"С запуска: {said}, голосов 0" in page(replace(report, uptime=float(seconds)), "ru")


def test_loading_and_a_quarantine_say_how_it_goes(it: Operated) -> None:
    """Progress while it loads, the reason when it failed; both can be loaded by hand afterwards."""
    it.machine.phase = Phase.LOADING
    assert "40%" in it.client.post(PAGE, headers={**SIGNED, "Accept-Language": "en"}).json()["html"]
    it.machine.phase, it.machine.reason = Phase.FAILED, "out of memory <on the card>"
    html = it.client.post(PAGE, headers=SIGNED).json()["html"]
    assert "out of memory &lt;on the card&gt;" in html
    assert "не хватило памяти: 2" in html
    assert 'data-act="load"' in html


def test_a_model_is_put_away_unless_it_answers(it: Operated) -> None:
    """Then it stays, and the operator is told."""
    it.machine.answering = 1
    assert it.client.post("/arena/operator/evict", headers=SIGNED, json={"model": "home"}).json()["said"]
    assert it.machine.phase is Phase.WARM
    it.machine.answering = 0
    assert it.client.post("/arena/operator/evict", headers=SIGNED, json={"model": "home"}).json()["said"] == ""
    assert it.machine.phase is Phase.COLD


def test_a_model_is_loaded_by_hand(it: Operated) -> None:
    """The answer does not wait for it, and a quarantine does not stand in the operator's way."""
    it.machine.phase = Phase.FAILED
    assert it.client.post("/arena/operator/load", headers=SIGNED, json={"model": "home"}).status_code == 200
    it.client.post(PAGE, headers=SIGNED)
    assert (it.machine.warmed, it.machine.pardoned) == (["home"], ["home"])


@pytest.mark.parametrize("name", ["home", "cloud"])
def test_a_disabled_contestant_takes_part_in_no_new_battle(it: Operated, name: str) -> None:
    """Whether it runs here or elsewhere; enabling brings it back."""
    it.client.post("/arena/operator/disable", headers=SIGNED, json={"model": name})
    assert not it.arena.fleet.states()[name].enabled
    it.client.post("/arena/operator/enable", headers=SIGNED, json={"model": name})
    assert it.arena.fleet.states()[name].enabled


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": 5}', b"[" * 100_000])
def test_nonsense_is_refused(it: Operated, body: bytes) -> None:
    """With a 400, not with a crash."""
    assert it.client.post("/arena/operator/evict", headers=SIGNED, content=body).status_code == 400


def test_an_unknown_act_or_model_is_not_found(it: Operated) -> None:
    """404 for both."""
    for act, model in (("explode", "home"), ("load", "nobody"), ("__class__", "home")):
        assert it.client.post(f"/arena/operator/{act}", headers=SIGNED, json={"model": model}).status_code == 404


def test_a_token_that_is_too_short_is_refused_at_the_start() -> None:
    """Twelve characters at least."""
    with pytest.raises(Exception, match="at least 12 characters"):
        Settings(admin_token="short")  # type: ignore[arg-type]


def _from(address: str, token: str, before_proxy: str | None = None) -> Request:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    told = {} if before_proxy is None else {"arena.address": before_proxy}
    return Request({"type": "http", "headers": headers, "client": (address, 1)} | told)
