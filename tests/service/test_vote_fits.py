"""Ratings at equal style and clustered intervals of the stored votes: the same as from an exported file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from arena.errors import StoreUnavailable
from arena.markup import count_markup
from arena.offline import Rating, rate_file
from arena.ratings.elo import EloParameters, Scale
from arena.service.boards import UNMASKED, Boards
from arena.service.vote_fits import FEATURES, VoteFits
from arena.store.records import ALL, Contestant, NewBattle, VoteTable
from arena.store.store import Store
from arena.types import Answer, AnswerState, Mode, Verdict

TEXTS = ("Plain words.", "# One\ntext that is somewhat longer", "- one\n- two\n- three", "**bold** words", "x" * 90)
NAMES = ("x", "y", "z")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Sixty voters who like long answers, whoever wrote them; some answers name their model, some votes are undone."""
    draw = Random(5)
    with Store.open(None, storage_dir=tmp_path_factory.mktemp("fits"), elo_step=lambda a, b, _: (a, b)) as store:
        ids = [one.id for one in store.register_contestants([Contestant(name) for name in NAMES]).result()]
        for number in range(180):
            a, b = draw.sample(ids, 2)
            voter = f"voter-{number % 60}"
            battle = store.create_battle(NewBattle(voter, Mode.ANONYMOUS, a, b, propensity=0.1 + 0.05 * a)).result()
            store.append_turn(battle.id, "?").result()
            texts = [draw.choice(TEXTS) + draw.choice(TEXTS) + "." * draw.randrange(9) for _ in "ab"]
            answers = [Answer(text, AnswerState.COMPLETE) for text in texts]
            store.finish_turn(battle.id, 0, *answers, masked=number % 7 == 0).result()
            liked = len(texts[0]) - len(texts[1]) + draw.gauss(0, 40)
            verdict = Verdict.MODEL_A if liked > 0 else Verdict.MODEL_B
            markup = (count_markup(texts[0]), count_markup(texts[1]))
            store.cast_vote(battle.id, voter, verdict, slices=["hard"] * (number % 2), markup=markup).result()
            if number % 30 == 0:
                store.retract_vote(battle.id, voter).result()
        yield store


@pytest.fixture
def fits(store: Store) -> Iterator[VoteFits]:
    """Fits over these votes."""
    fits = VoteFits(store, Scale())
    yield fits
    fits.close()


def boards_of(store: Store) -> Boards:
    """Boards over these votes."""
    return Boards(store, parameters=EloParameters(), preliminary=30)


def test_a_fit_over_stored_votes_is_that_of_their_export(store: Store, fits: VoteFits, tmp_path: Path) -> None:
    """Ratings, intervals and what length bought; undone votes count in neither."""
    store.export_votes(tmp_path / "votes.parquet")
    filed = rate_file(tmp_path / "votes.parquet", Rating(style_control=True, features=FEATURES))
    found = fits.fit_style().board
    assert found is not None
    assert found.style is not None
    assert filed.style is not None
    assert found.votes == filed.votes == 174
    for mine, theirs in zip(found.style.coefficients, filed.style.coefficients, strict=True):
        assert (mine.value, mine.low, mine.high) == pytest.approx((theirs.value, theirs.low, theirs.high), abs=1e-9)
    for row in filed.rows:
        assert found.row(row.model).rating == pytest.approx(row.rating, abs=1e-7)
        assert found.row(row.model).ci_low == pytest.approx(row.ci_low, abs=1e-7)
    length = found.style.coefficients[0]
    assert length.low is not None
    assert length.low > 0, "these voters pay for length"


def test_votes_from_before_styles_were_kept_are_counted_once(tmp_path: Path) -> None:
    """From their texts, by the first fit, and kept; a vote whose texts were never here stays uncounted."""
    (tmp_path / "bare.csv").write_text("model_a,model_b,winner\nx,y,model_a\n", encoding="utf-8")
    with Store.open(None, storage_dir=tmp_path, elo_step=lambda a, b, _: (a, b)) as store:
        store.import_votes(tmp_path / "bare.csv")
        a, b = (one.id for one in store.register_contestants([Contestant(name) for name in "xy"]).result())
        battle = store.create_battle(NewBattle("voter", Mode.ANONYMOUS, a, b)).result()
        store.append_turn(battle.id, "?").result()
        answers = [Answer(text, AnswerState.COMPLETE) for text in TEXTS[:2]]
        store.finish_turn(battle.id, 0, *answers).result()
        store.cast_vote(battle.id, "voter", Verdict.MODEL_A).result()
        assert [vote.markup for vote in store.votes()] == [None, None]
        fits = VoteFits(store, Scale())
        assert fits.fit_style().counted == 1
        fits.close()
        expected = (count_markup(TEXTS[0]), count_markup(TEXTS[1]))
        assert [vote.markup for vote in store.votes()] == [None, expected]
        assert store.uncounted_styles() == (0, {})


def test_votes_that_came_or_went_are_followed(store: Store, fits: VoteFits) -> None:
    """The next fit has read only what is new, and is a fresh one's equal."""
    before = fits.fit_style().counted
    store.quarantine([9, 10], "test").result()
    assert fits.fit_style().counted == before - 2
    store.restore([9, 10]).result()
    assert fits.fit_style().counted == before
    fresh = VoteFits(store, Scale())
    assert fresh.fit_style().counted == before
    fresh.close()


def test_votes_that_had_been_read_when_the_store_refused_are_read_again(
    store: Store, fits: VoteFits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run of them came, the next one did not."""
    expected, read = fits.fit_style().counted, store.vote_columns

    def refusing(after: int) -> VoteTable:
        if after:
            raise StoreUnavailable("another program has locked it")
        return read(after)

    interrupted = VoteFits(store, Scale())
    with monkeypatch.context() as patch:
        patch.setattr(store, "vote_columns", refusing)
        with pytest.raises(StoreUnavailable):
            interrupted.fit_style()
    assert interrupted.fit_style().counted == expected
    interrupted.close()


def test_between_two_fits_the_board_follows_the_votes(store: Store) -> None:
    """Votes that leave and come back move it at once, to where the next fit will be."""
    fits = VoteFits(store, Scale())
    while (first := fits.style()) is None:
        pass
    assert first.value.board is not None
    leave, come_back = (lambda: store.quarantine([9, 10], "test")), (lambda: store.restore([9, 10]))
    for change, by in ((leave, -2), (come_back, 0)):
        change().result()
        followed, refit = fits.style(), fits.fit_style().board
        assert followed is not None
        assert followed.value.counted == first.value.counted + by
        found = followed.value.board
        assert found is not None
        assert refit is not None
        assert found.votes == refit.votes == first.value.board.votes + by
        for row in refit.rows:
            assert found.row(row.model).rating == pytest.approx(row.rating, abs=2)
            assert found.row(row.model).ci_low == pytest.approx(row.ci_low, abs=4)
    fits.close()


def test_slices_are_fitted_apart(store: Store, fits: VoteFits) -> None:
    """A slice and what is left of the whole."""
    boards = boards_of(store)
    for slice in ("hard", "masked", UNMASKED):
        assert fits.fit_style(slice).counted == boards.view(slice=slice).board.votes
    assert boards.view(slice=UNMASKED).board.votes + boards.view(slice="masked").board.votes == 174


def test_intervals_of_the_board_know_who_voted(store: Store, tmp_path: Path) -> None:
    """Once the votes were looked at they are as wide as a fit by voter makes them, also after one more vote."""
    boards = boards_of(store)
    assert boards.view().board.parameters["intervals"] == "sandwich"
    fits = VoteFits(store, Scale(), boards.widen)
    fits.cluster(ALL)
    store.export_votes(tmp_path / "votes.parquet")
    exact = rate_file(tmp_path / "votes.parquet")
    board = boards.view().board
    assert board.parameters["intervals"] == exact.parameters["intervals"] == "sandwich, clustered by voter"
    for row in exact.rows:
        assert board.row(row.model).ci_low == pytest.approx(row.ci_low, abs=1e-3)
    fits.close()


def test_votes_of_a_file_that_names_no_voter_are_not_one_person(store: Store, tmp_path: Path) -> None:
    """Beside votes of known people their intervals stay those of as many strangers, also from an export."""
    draw = Random(7)
    rows = [f"{a},{b},{draw.choice(('model_a', 'model_a', 'model_b'))}" for a, b in (["p", "q"], ["q", "r"]) * 90]
    (tmp_path / "file.csv").write_text("\n".join(["model_a,model_b,winner", *rows]))
    alone = rate_file(tmp_path / "file.csv")
    store.export_votes(tmp_path / "own.jsonl")
    with Store.open(None, storage_dir=tmp_path / "both", elo_step=lambda a, b, _: (a, b)) as both:
        for file in ("own.jsonl", "file.csv"):
            both.import_votes(tmp_path / file)
        boards = boards_of(both)
        with closing(VoteFits(both, Scale(), boards.widen)) as fits:
            fits.cluster(ALL)
        both.export_votes(tmp_path / "both.jsonl")
        assert boards.view().board.parameters["intervals"] == "sandwich, clustered by voter"
        for board in (boards.view().board, rate_file(tmp_path / "both.jsonl")):
            for name in "pqr":
                low, high = (board.row(name).ci_low or 0, board.row(name).ci_high or 0)
                wide = (alone.row(name).ci_high or 0) - (alone.row(name).ci_low or 0)
                assert high - low == pytest.approx(wide, rel=0.02)


def test_who_was_drawn_how_often_stands_on_the_board(store: Store) -> None:
    """Shares of the latest battles: two contestants are drawn for each."""
    rates = [row.sampling_rate for row in boards_of(store).view().board.rows]
    assert sum(rate for rate in rates if rate is not None) == pytest.approx(2.0)


def test_inverse_propensity_weighs_what_was_seldom_drawn(store: Store, tmp_path: Path) -> None:
    """The export carries each draw's probability; the board says what the votes are worth then."""
    store.export_votes(tmp_path / "votes.csv")
    plain = rate_file(tmp_path / "votes.csv")
    weighed = rate_file(tmp_path / "votes.csv", Rating(inverse_propensity=True))
    assert weighed.votes == plain.votes
    assert weighed.notes[-1].startswith("Every battle weighs 1/propensity")
    assert [weighed.row(name).rating for name in NAMES] != [plain.row(name).rating for name in NAMES]
    assert rate_file(tmp_path / "votes.csv", Rating(slice={"hard": "yes"})).votes == 90
