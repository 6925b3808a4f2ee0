"""Whoever signs in is one voter in every browser, and of the account nothing stays but a keyed digest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import httpx
import pytest
from arena_process import ArenaProcess, free_port

from arena.errors import ConfigError
from arena.ui import sign_in
from perf import visitor
from tests.ui.fake_accounts import CLIENT, FakeAccounts

pytestmark = pytest.mark.browser

PERSON = "account-4711"


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeAccounts]:
    """Where people sign in."""
    hub = FakeAccounts(PERSON)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def space(hub: FakeAccounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaProcess]:
    """An arena as a Space starts it, in which only votes of people who signed in are taken."""
    port = free_port()
    told = {
        "SYSTEM": "spaces",
        "SPACE_ID": "somebody/arena",
        "SPACE_HOST": f"127.0.0.1:{port}",
        "OAUTH_CLIENT_ID": CLIENT,
        "OAUTH_CLIENT_SECRET": "space-secret",
        "OAUTH_SCOPES": "openid profile",
        "OPENID_PROVIDER_URL": hub.address,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("space")
        models = folder / "models.yaml"
        models.write_text(visitor.MODELS)
        quiet = visitor.QUIET | {"sign_in": "required", "host": "127.0.0.1"}
        arena = ArenaProcess(folder, profile="fuzz", models=models, port=port, **quiet).wait_until_ready(2)
    yield arena
    arena.stop()


class Browser:
    """Keeps cookies as a browser behind the Space's TLS does, which ends before the arena."""

    def __init__(self, arena: ArenaProcess) -> None:
        self.arena = arena
        self.cookies: dict[str, str] = {}

    @property
    def header(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def voter(self) -> str:
        """The value of the arena's own cookie."""
        return next(value for name, value in self.cookies.items() if name.startswith("arena_voter_"))

    def get(self, address: str) -> httpx.Response:
        """One request, without following."""
        place = urlparse(address)
        ours = place.port in (None, self.arena.port)
        base = self.arena.address if ours else f"http://{place.netloc}"
        query = f"?{place.query}" if place.query else ""
        answer = httpx.get(f"{base}{place.path}{query}", headers={"Cookie": self.header} if ours else {}, timeout=60)
        for one in answer.headers.get_list("set-cookie") if ours else []:
            name, _, value = one.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def follow(self, address: str) -> httpx.Response:
        """The page at the end of all redirections."""
        answer = self.get(address)
        for _ in range(8):
            if not answer.is_redirect:
                return answer
            answer = self.get(answer.headers["location"])
        raise AssertionError("redirected for ever")

    def signed_in(self) -> Browser:
        """After the button was pressed."""
        self.follow("/")
        assert self.follow("/login/huggingface?_target_url=/").status_code == 200
        return self


def battle_of(browser: Browser, session: str) -> str:
    """A battle that can be voted."""
    return visitor.ask(
        browser.arena, browser.header, visitor.number_of(browser.arena, "ask"), ["question", ""], session
    )


def test_only_votes_of_people_who_signed_in_are_taken_where_it_is_required(space: ArenaProcess) -> None:
    """The refusal says so; after signing in by the real flow the vote counts."""
    stranger = Browser(space)
    stranger.follow("/")
    refused = visitor.vote(space, stranger.header, battle_of(stranger, "s1"))
    assert (refused.status, b'"sign_in"' in refused.body) == (403, True)
    assert visitor.stored_votes(space) == []
    known = Browser(space).signed_in()
    assert visitor.vote(space, known.header, battle_of(known, "s2")).status == 200
    assert len(visitor.stored_votes(space)) == 1


def test_one_account_is_one_voter_in_every_browser(space: ArenaProcess) -> None:
    """Two browsers of a person get the same cookie; signing out makes a stranger of either."""
    one, other = (Browser(space).signed_in() for _ in range(2))
    assert one.voter == other.voter
    other.follow("/logout?_target_url=/")
    assert other.voter != one.voter
    assert visitor.vote(space, other.header, battle_of(one, "s3")).status == 403


def test_nothing_of_the_account_is_kept(space: ArenaProcess) -> None:
    """Neither name nor number nor token: not in the storage, and no token in the browser's own cookie."""
    known = Browser(space).signed_in()
    assert visitor.vote(space, known.header, battle_of(known, "s4")).status == 200
    known.follow("/")
    telling = (PERSON, "somebody.png", "Somebody Real", "a-secret-access-token")
    for file in Path(space.storage).rglob("*"):
        if file.is_file():
            held = file.read_bytes()
            assert not [word for word in telling if word.encode() in held], file
    assert PERSON not in known.voter
    assert "a-secret" not in _unpacked(known.cookies["session"])


def _unpacked(cookie: str) -> str:
    import base64

    return base64.b64decode(cookie.partition(".")[0] + "==", altchars=None).decode(errors="replace")


def test_an_arena_in_which_nobody_could_vote_is_not_started() -> None:
    """Signing in is a Space's; elsewhere requiring it is a mistake that is told."""
    assert not sign_in.offered({"OAUTH_CLIENT_ID": "x"})
    with pytest.raises(ConfigError, match="hf_oauth"):
        sign_in.check(True)
    sign_in.check(False)
