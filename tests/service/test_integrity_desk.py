"""The desk holds rigged votes back with a reason, and puts them back to the last digit."""

from __future__ import annotations

import asyncio
import json
import shutil
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from typer.testing import CliRunner

from arena.cli.commands import app
from arena.config import Catalog, Settings
from arena.config import Contestant as Entry
from arena.engines.fake import FakeEngine, saying
from arena.errors import ArenaError
from arena.service import Arena
from arena.service.boards import Boards, default_parameters
from arena.service.fleet import Fleet
from arena.service.integrity import EVERYBODY, IntegrityDesk
from arena.service.opening import masker_of, open_store
from arena.service.patrol import Patrol
from arena.store.records import Contestant, NewBattle
from arena.store.store import Store
from arena.types import Answer, AnswerState, Mode, Verdict
from arena.ui.integrity_tab import IntegrityRoutes, entrance
from arena.ui.operator import Doorkeeper
from perf.promises import tell

NAMES = ("alpha", "beta", "gamma", "delta")
RIGGER = "rigger"
MANY = 5_000
"""Votes of a look whose memory is measured."""


@pytest.fixture(scope="module")
def rigged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four contestants of falling strength, sixteen honest voters, and one for whom delta always wins."""
    folder = tmp_path_factory.mktemp("rigged")
    with open_store(Settings(storage=folder)) as store:
        records = store.register_contestants([Contestant(name) for name in NAMES]).result()
        numbers = [record.id for record in records]
        rng, votes = np.random.default_rng(3), []
        for i in range(340):
            voter = RIGGER if i % 17 == 0 else f"honest-{i % 17}"
            a, b = (int(one) for one in rng.choice(4, 2, replace=False))
            verdict = honest(rng, a, b)
            if voter == RIGGER and 3 in (a, b):
                verdict = Verdict.MODEL_A if a == 3 else Verdict.MODEL_B
            battle = NewBattle(voter, Mode.ANONYMOUS, numbers[a], numbers[b])
            votes.append((battle, verdict, "Почему небо голубое?" if i < 34 else f"Вопрос {i}"))
        cast(store, votes)
    return folder


@pytest.fixture
def store(rigged: Path, tmp_path: Path) -> Iterator[Store]:
    """The rigged votes, each test's own."""
    shutil.copytree(rigged, tmp_path, dirs_exist_ok=True)
    with open_store(Settings(storage=tmp_path)) as store:
        yield store


def honest(rng: np.random.Generator, a: int, b: int) -> Verdict:
    if rng.random() < 0.2:
        return Verdict.TIE
    return Verdict.MODEL_A if rng.random() < 1 / (1 + np.exp(-0.8 * (b - a))) else Verdict.MODEL_B


def cast(store: Store, votes: list[tuple[NewBattle, Verdict, str]]) -> None:
    """Each step for all battles, so they share commits."""
    answer = Answer("Ответ.", AnswerState.COMPLETE)
    begun = [store.create_battle(battle) for battle, _, _ in votes]
    ids = [battle.result().id for battle in begun]
    asked = [store.append_turn(one, prompt) for one, (_, _, prompt) in zip(ids, votes, strict=True)]
    turns = [turn.result() for turn in asked]
    said = [store.finish_turn(one, turn, answer, answer) for one, turn in zip(ids, turns, strict=True)]
    done = [store.cast_vote(one, battle.voter, verdict) for one, (battle, verdict, _) in zip(ids, votes, strict=True)]
    for pending in (*said, *done):
        pending.result()


def ratings(store: Store) -> Mapping[str, tuple[float, float]]:
    """Every contestant's Bradley–Terry and Elo rating."""
    boards = Boards(store, parameters=default_parameters(4.0, 1000.0, 400.0), preliminary=0)
    names = {record.id: record.name for record in store.contestants()}
    elo = {names[number]: state.rating for number, state in store.elo_state().items()}
    return {row.model: (row.rating or 0.0, elo[row.model]) for row in boards.view().board.rows}


def test_a_rigger_is_held_and_the_honest_are_not(store: Store) -> None:
    """Its votes leave the board with a reason that names the contestant; nobody else's do."""
    desk = IntegrityDesk(store)
    before = ratings(store)
    assert [one.code for one in desk.view().flagged] == [RIGGER]
    assert desk.quarantine() == 20
    (held,) = desk.view().held
    assert (held.code, len(held.sequences)) == (RIGGER, 20)
    assert held.reason.startswith("integrity: raises delta: ")
    assert ratings(store)["delta"][0] < before["delta"][0]
    assert desk.view().votes == 320


def test_a_file_that_names_no_voter_is_nobodys_fraud(store: Store, tmp_path: Path) -> None:
    """However lopsided, imported votes of unknown people are not held as one person's."""
    (tmp_path / "file.csv").write_text("model_a,model_b,winner\n" + "delta,alpha,model_a\n" * 60)
    before = IntegrityDesk(store).view()
    store.import_votes(tmp_path / "file.csv")
    after = IntegrityDesk(store).view()
    assert (after.votes, after.voters) == (before.votes + 60, before.voters)
    assert "imported" not in {one.code for one in after.suspects}


def test_releasing_brings_the_ratings_back(store: Store) -> None:
    """Held and released, every rating is what it was to 1e-9; the released voter is not held again."""
    desk = IntegrityDesk(store)
    before = ratings(store)
    desk.quarantine()
    assert desk.release("rig") == 20
    after = ratings(store)
    apart = max(abs(x - y) for name in NAMES for x, y in zip(before[name], after[name], strict=True))
    assert tell("ratings after a quarantine was undone", asked="the prior ones to 1e-9", measured=f"{apart:.0e}",
                size="20 of 320 votes", held=apart <= 1e-9)  # fmt: skip
    assert store.check().ok
    assert [one.code for one in desk.view().suspects if one.trusted] == [RIGGER]
    assert desk.quarantine() == 0


def test_releasing_nobody_is_an_error(store: Store) -> None:
    """A code that fits no held vote is told, not passed over."""
    desk = IntegrityDesk(store)
    for code in ("nobody", "", EVERYBODY):
        with pytest.raises(ArenaError, match="no vote of a voter"):
            desk.release(code)


def test_votes_held_by_hand_are_not_released_with_the_rest(store: Store) -> None:
    """What an operator held for reasons of their own stays held until they release it themselves."""
    desk = IntegrityDesk(store)
    own = [vote.sequence for vote in store.votes() if vote.voter == "honest-3"]
    store.quarantine(own, "asked for by the voter").result()
    desk.quarantine()
    desk.release(EVERYBODY)
    assert [one.reason for one in desk.view().held] == ["asked for by the voter"]


def test_repeated_prompts_are_counted(store: Store) -> None:
    """Thirty-four votes on one prompt, the others each on their own: each prompt weighs one vote in all."""
    repeats = IntegrityDesk(store).view().repeats
    assert (repeats.known, repeats.distinct, repeats.largest) == (340, 307, 34)
    assert repeats.weight.sum() == pytest.approx(307)


def test_an_empty_arena_has_nothing_to_say(tmp_path: Path) -> None:
    """No vote, no suspicion, no first place to flip."""
    with open_store(Settings(storage=tmp_path)) as empty:
        view = IntegrityDesk(empty).view()
    assert (view.votes, view.suspects, view.crowds, view.held, view.flip) == (0, (), (), (), None)


def test_the_command_shows_holds_and_puts_back(store: Store, tmp_path: Path) -> None:
    """The same from the terminal, beside an open store."""
    place = ["--storage", str(tmp_path), "--database", f"sqlite:///{tmp_path / 'arena.db'}"]
    shown = CliRunner().invoke(app, ["integrity", *place])
    assert shown.exit_code == 0, shown.output
    assert "raises delta" in shown.output
    assert "would put it first" in shown.output
    assert "among rated models of at least 30 battles" in " ".join(shown.output.split())
    held = json.loads(CliRunner().invoke(app, ["integrity", "--quarantine", "--json", *place]).output)
    assert (held["held_now"], held["votes"], held["held"][0]["code"]) == (20, 320, RIGGER)
    back = json.loads(CliRunner().invoke(app, ["integrity", "--restore", RIGGER, "--json", *place]).output)
    assert (back["restored_now"], back["votes"], back["held"]) == (20, 340, [])
    wrong = CliRunner().invoke(app, ["integrity", "--restore", "nobody", *place])
    assert wrong.exit_code == 2


@pytest.fixture
def page(store: Store, tmp_path: Path) -> TestClient:
    """The page's routes behind a door with a key."""
    catalog = Catalog(tuple(Entry(name=name, engine="fake") for name in NAMES))
    fleet = Fleet(catalog, {name: FakeEngine(saying("да")) for name in NAMES})
    arena = Arena(Settings(storage=tmp_path), catalog, store, fleet, masker=masker_of(catalog))
    return TestClient(Starlette(routes=IntegrityRoutes(arena, Doorkeeper("a-long-secret")).all()))


TOKEN = {"Authorization": "Bearer a-long-secret", "Accept-Language": "en"}


def test_the_page_names_nobody_without_the_token(page: TestClient) -> None:
    """Neither looking nor acting is possible, and the door itself holds no name."""
    for act in ("", "/quarantine", "/restore"):
        for headers in ({}, {"Authorization": "Bearer another"}):
            answer = page.post(f"/arena/operator/integrity{act}", json={"voter": RIGGER}, headers=headers)
            assert answer.status_code == 403
            assert RIGGER not in answer.text
    assert not any(name in entrance(language) for name in (*NAMES, RIGGER) for language in ("ru", "en"))


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_page_shows_holds_and_puts_back(page: TestClient, store: Store, language: str) -> None:
    """The operator sees the evidence, holds the votes, sees the reason, and puts them back."""
    address, headers = "/arena/operator/integrity", TOKEN | {"Accept-Language": language}
    shown = page.post(address, headers=headers).json()["html"]
    assert RIGGER in shown
    assert 'data-integrity="quarantine"' in shown
    assert {"ru": "боёв не меньше 30", "en": "at least 30 battles"}[language] in shown
    assert {"ru": "ниже −4,0 σ", "en": "below −4.0 σ"}[language] in shown, "either way of being flagged is explained"
    held = page.post(f"{address}/quarantine", headers=headers).json()["html"]
    assert {"ru": "поднимает delta", "en": "integrity: raises delta"}[language] in held
    assert len(list(store.votes())) == 320
    back = page.post(f"{address}/restore", json={"voter": RIGGER}, headers=headers)
    assert 'data-integrity="restore"' not in back.json()["html"]
    assert len(list(store.votes())) == 340


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"voter": 7}', '{"voter": ""}', "[" * 100_000])
def test_nonsense_is_refused(page: TestClient, body: str) -> None:
    """A body without a voter restores nobody."""
    assert page.post("/arena/operator/integrity/restore", content=body, headers=TOKEN).status_code == 400
    unknown = page.post("/arena/operator/integrity/restore", json={"voter": "nobody"}, headers=TOKEN)
    assert unknown.status_code == 404


def test_the_patrol_tells_and_leaves_the_deed_to_a_person(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The operator's log has the reason once, and every vote still counts; without new votes it does not look again."""
    patrol = Patrol(store, auto=False, now=lambda: 5.0)
    seen = patrol.look_if_due()
    assert seen is not None
    assert (seen.at, seen.votes, seen.voters, seen.held) == (5.0, 340, 1, 0)
    assert [record.getMessage() for record in caplog.records if "raises delta" in record.getMessage()] != []
    assert len(list(store.votes())) == 340
    assert patrol.look_if_due() is None


def test_the_patrol_holds_by_itself_where_the_operator_said_so(store: Store) -> None:
    """With the same reason as by hand; what the operator then puts back it leaves alone."""
    patrol, desk = Patrol(store, auto=True), IntegrityDesk(store)
    before = ratings(store)
    assert (patrol.look_if_due(), patrol.held) == (patrol.sighting, 20)
    (held,) = desk.view().held
    assert (held.code, held.reason.startswith("integrity: raises delta: ")) == (RIGGER, True)
    assert desk.release(RIGGER) == 20
    after = ratings(store)
    assert max(abs(x - y) for name in NAMES for x, y in zip(before[name], after[name], strict=True)) <= 1e-9
    assert Patrol(store, auto=True).look_if_due().held == 0  # type: ignore[union-attr]


def test_a_look_takes_less_than_a_kilobyte_a_vote(tmp_path: Path) -> None:
    """Most votes are of voters who come once: a record and a suspicion of each would be two kilobytes."""
    rng = np.random.default_rng(4)
    verdicts = [str(one) for one in Verdict]
    rows = (f"{NAMES[i % 4]},{NAMES[(i + 1) % 4]},{verdicts[rng.integers(4)]},voter-{i}\n" for i in range(MANY))
    (tmp_path / "file.csv").write_text("model_a,model_b,winner,judge\n" + "".join(rows))
    with open_store(Settings(storage=tmp_path)) as store:
        store.import_votes(tmp_path / "file.csv")
        desk = IntegrityDesk(store)
        desk.sweep(100, hold=False)
        tracemalloc.start()
        try:
            seen = desk.sweep(MANY, hold=False)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (seen.votes, seen.flagged) == (MANY, ())
    assert tell("memory of a look, a vote", asked="1,000 bytes at most", measured=f"{peak / MANY:.0f} bytes",
                size=f"{MANY} votes of as many voters", held=peak <= 1_000 * MANY)  # fmt: skip


async def test_an_open_arena_looks_by_itself(store: Store) -> None:
    """In a thread, on its own schedule."""
    patrol = Patrol(store, auto=False, tick=0.01)
    looking = asyncio.create_task(patrol.keep_looking())
    try:
        for _ in range(1500):
            await asyncio.sleep(0.02)
            if patrol.sighting is not None:
                break
    finally:
        looking.cancel()
    assert patrol.sighting is not None
    assert patrol.sighting.voters == 1
