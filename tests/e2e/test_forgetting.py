"""Whoever quotes the code of their page is forgotten, also while the arena runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from arena_process import ArenaProcess
from typer.testing import Result

from arena.config import Settings
from arena.service import open_store
from arena.service.forgetting import forget_code
from arena.ui.voters import Voters
from perf import visitor
from perf.visitor import Call, send
from tests.cli.commanding import commanded

pytestmark = pytest.mark.browser

KEY = b"k" * 32


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaProcess]:
    """A running arena of two scripted contestants."""
    arena = visitor.start(tmp_path_factory.mktemp("forgetting") / "storage")
    yield arena
    arena.stop()


def command(arena: ArenaProcess, *words: str) -> Result:
    """A command of the operator, on the storage of an arena that runs in a process of its own."""
    return commanded(*words, "--storage", str(arena.storage))


def code_on_page(arena: ArenaProcess, cookie: str) -> str:
    """The code that the voter's page shows."""
    page = send(arena, Call("GET", "/arena/my-data", {"Cookie": cookie})).body.decode()
    found = re.search(r"<code>([0-9a-f-]+)</code>", page)
    assert found is not None
    return found[1]


def test_a_code_on_the_page_erases_what_its_owner_wrote(arena: ArenaProcess) -> None:
    """While the server runs: no byte of the text stays in any file, the vote does, and others lose nothing."""
    first, secret, other = visitor.number_of(arena, "ask"), "зовут меня Аристарх", "вопрос совсем другого человека"
    writer, bystander = visitor.newcomer(arena), visitor.newcomer(arena)
    battle = visitor.ask(arena, writer, first, [secret, ""], "writer")
    kept = visitor.ask(arena, bystander, first, [other, ""], "bystander")
    assert visitor.vote(arena, writer, battle).status == 200
    assert send(arena, Call("GET", "/arena/export.csv")).status == 200
    assert command(arena, "backup").exit_code == 0
    assert secret.encode() in everything(arena)
    done = command(arena, "forget", code_on_page(arena, writer).upper().replace("-", " "))
    assert done.exit_code == 0, done.stderr
    assert "Forgotten: the texts of 1 battle;" in done.stdout
    assert secret.encode() not in everything(arena)
    with open_store(Settings(storage=arena.storage)) as store:
        assert store.load_battle(kept).turns[0].prompt == other
        assert store.load_battle(battle).turns[0].prompt == ""
    assert [row[0] for row in visitor.stored_votes(arena)] == [battle]
    again = visitor.ask(arena, writer, first, ["a new question", ""], "again")
    assert visitor.vote(arena, writer, again).status == 200, "who was forgotten may come back as somebody new"


def test_a_code_that_is_nobodys_is_refused(arena: ArenaProcess) -> None:
    """A mistyped code erases nothing and says what may be wrong."""
    done = command(arena, "forget", "0000-0000-0000-0000")
    assert done.exit_code == 1
    assert "nobody has this code" in done.stderr


def test_without_a_cookie_the_page_says_that_nothing_is_known(arena: ArenaProcess) -> None:
    """In the reader's language."""
    page = send(arena, Call("GET", "/arena/my-data", {"Accept-Language": "en"})).body.decode()
    assert "There is nothing about you here" in page


def test_a_code_tells_neither_cookie_nor_pseudonym() -> None:
    """The three are different digests, and a code from another arena's key is another code."""
    voters = Voters(KEY)
    cookie = voters.set_cookie("code-of-a-browser").partition(";")[0]
    voter = voters.recognize(cookie)
    assert voter is not None
    code = voters.forget_code(voter).replace("-", "")
    assert re.fullmatch(r"[0-9a-f]{16}", code)
    assert code not in cookie
    assert code != voter
    assert forget_code(b"x" * 32, voter).replace("-", "") != code
    assert voters.recognize(f"{voters.cookie}={code}") is None


def everything(arena: ArenaProcess) -> bytes:
    """Every byte of the arena's storage."""
    return b"".join(file.read_bytes() for file in arena.storage.rglob("*") if file.is_file())
