"""The leaderboard as a table and as plots: what is not known is said, and names stay text."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from arena.judge.desk import JudgeDesk
from arena.ratings.elo import EloParameters, Scale
from arena.ratings.leaderboard import Leaderboard, Style
from arena.ratings.live import LiveBoard, LiveVote
from arena.ratings.style import Coefficient, Variant
from arena.service import Arena, BoardView, Nameplate
from arena.service.boards import IMPORTED, Boards, HistoryPoint, labels
from arena.service.head_to_head import Meeting, PairView
from arena.service.vote_fits import VoteFits
from arena.store.records import ALL, Contestant, ContestantRecord
from arena.store.store import Store
from arena.types import Track
from arena.ui import board_files, board_render, charts
from arena.ui.board_routes import drawn
from arena.ui.board_views import BoardViews, Choice, Seen
from arena.ui.names import LONG_NAME, short_name
from arena.ui.texts import say

NAMES = ("first", "second", "third")
ROUND = [("first", "second", 1.0), ("second", "third", 1.0), ("third", "first", 1.0), ("first", "second", 0.5)] * 5


def board_of(votes: Sequence[tuple[str, str, float]], method: str = "bt") -> Leaderboard:
    """A real board of these outcomes."""
    live = LiveBoard(NAMES)
    for a, b, outcome in votes:
        live.add(LiveVote(a, b, outcome, elo_change=2 * (outcome - 0.5)))
    return live.elo_board("human") if method == "elo" else live.board("human", ALL)


def seen(board: Leaderboard, choice: Choice = Choice(), *, plates: Sequence[Nameplate] = (), **more: Any) -> Seen:
    """A board as the answer to a choice."""
    return Seen(choice, BoardView(board, 1, Track.HUMAN, choice.slice, plates), **more)


def shown(board: Leaderboard, language: str = "en") -> str:
    """The table of a board."""
    plates = (Nameplate("first", "Org", 7, "nf4", "mit", family="Qwen"), Nameplate("second", toy=True))
    return board_render.table(seen(board, plates=plates), language)


def test_every_contestant_has_a_row_with_its_numbers() -> None:
    """Headings are headings of columns, names of rows, for those who hear the table."""
    page = shown(board_of(ROUND))
    assert page.count("<tr") == 1 + len(NAMES)
    assert page.count('scope="row"') == len(NAMES)
    assert page.count('scope="col"') == len(board_render.COLUMNS)
    for said in ("Votes: 20", "7B nf4", "Org", "toy model"):
        assert said in page


def test_an_empty_board_invites_to_the_first_battle() -> None:
    """No table of nothing."""
    page = shown(board_of([]))
    assert "<table" not in page
    assert "No votes yet" in page


@pytest.mark.parametrize("choice", [Choice(track="judge"), Choice(slice="language=ru")])
def test_an_empty_choice_does_not_deny_the_votes_that_there_are(choice: Choice) -> None:
    """A battle does not fill a judge's board, and a slice may stay empty on an arena full of votes."""
    page = board_render.table(seen(board_of([]), choice), "en")
    assert "no votes for this choice" in page
    assert "battle" not in page


def test_a_model_that_only_won_has_no_made_up_rating() -> None:
    """It is said to be undetermined, and no infinity reaches the page."""
    page = shown(board_of([("first", "second", 1.0)] * 3))
    assert "Not determined for models" in page
    assert not re.search(r"\b(inf|nan)\b", page, re.IGNORECASE)


def test_groups_that_never_met_are_pointed_out() -> None:
    """Their ratings do not compare."""
    live = LiveBoard(("a", "b", "c", "d"))
    for pair in (("a", "b"), ("c", "d")):
        for outcome in (1.0, 0.0, 1.0):
            live.add(LiveVote(*pair, outcome, elo_change=0.0))
    page = board_render.table(seen(live.board("human", ALL)), "en")
    assert "have not met" in page


def test_elo_says_that_it_depends_on_the_order() -> None:
    """With its K, start and scale."""
    assert "K = 4, start 1,000, scale 400" in shown(board_of(ROUND, "elo"))


@pytest.mark.parametrize("method", ["bt", "elo"])
def test_whoever_fought_no_battle_stands_last_and_says_so(method: str) -> None:
    """By either method, in a row as low as the others: the words are a mark, and no second line of the figure."""
    page = shown(board_of(ROUND[:1] * 3 + [("second", "first", 1.0)], method))
    assert [page.count(word) for word in ("not determined</span>", 'title="not determined">—<')] == [1, 1]
    assert page.index(">third <span") > page.index(">second ")


def test_elo_promises_no_intervals() -> None:
    """It has none: what is drawn are places on the scale."""
    assert ">95% interval<" in shown(board_of(ROUND))
    assert ">95% interval<" not in shown(board_of(ROUND, "elo"))


def test_a_matrix_leaves_out_who_met_nobody_and_cuts_long_names() -> None:
    """An empty row says nothing; a name is whole where it is pointed at."""
    long = "A-model-whose-name-fills-a-whole-line-of-the-page-9B"
    live = LiveBoard(["idle", "x", long])
    for outcome in (1.0, 0.0, 1.0):
        live.add(LiveVote("x", long, outcome, elo_change=0.0))
    for figure in (charts.wins(live.board("human", ALL), "en"), charts.counts(live.board("human", ALL), "en")):
        assert sorted(figure.data[0].x) == sorted([long, "x"])
        assert max(map(len, figure.layout.xaxis.ticktext)) < LONG_NAME
        assert figure.layout.height < 300


@pytest.mark.parametrize("name", ["<b>q</b>", "<b>a-name-that-goes-on-in-a-second-line</b>", "a&lt;b"])
def test_a_name_is_text_in_every_plot(name: str) -> None:
    """Plots read HTML and entities in every text: a name is shown letter by letter, cut or whole."""
    live = LiveBoard((name, "x"))
    for outcome in (1.0, 0.0, 1.0):
        live.add(LiveVote("x", name, outcome, elo_change=0.0))
    board = live.board("human", ALL)
    points = [HistoryPoint(number, 1_700_000_000.0, name, 1002.0) for number in range(2)]
    figures = [charts.wins(board, "en"), charts.counts(board, "en"), charts.history(points, board, "en")]
    for figure in [*figures, charts.forest(board, "en"), charts.tracks([("human", board)], "en")]:
        said = figure.to_dict()
        axes = [said["layout"][axis].get("ticktext", ()) for axis in ("xaxis", "yaxis")]
        texts = [trace.get(part, ()) for trace in said["data"] for part in ("name", "text", "x", "y")]
        words = [one for text in [*axes, *texts] for one in ([text] if isinstance(text, str) else text)]
        names = [word for word in words if isinstance(word, str) and name[-4:] in unescape(word)]
        assert names
        assert not any("<b>" in word or "</b>" in word or word[1:] == "&lt;b" for word in names)
        assert name in {unescape(word.replace("<br>", "")) for word in names}


def test_a_hostile_name_is_text_in_the_table() -> None:
    """Names come from the operator's file and from imported votes."""
    board = board_of(ROUND)
    hostile = replace(board, rows=tuple(replace(row, model="<img src=x>") for row in board.rows))
    assert "<img" not in shown(hostile)


def test_whoever_came_with_a_files_votes_is_named_in_the_readers_words() -> None:
    """Beside a contestant of the same name, which may be another make."""
    of_a_file = ContestantRecord(1, Contestant("second"), 0.0, 9.0)
    label = labels([of_a_file, ContestantRecord(2, Contestant("second", "ab"), 0.0)])[1]
    board = board_of(ROUND)
    rows = tuple(replace(row, model=label) if row.model == "second" else row for row in board.rows)
    for language, said in (("ru", "second · импорт"), ("en", "second · imported")):
        assert f">{said} <" in shown(replace(board, rows=rows), language)
        assert said in board_render.pair(PairView("first", label, Meeting("", 1, 0, 0, 0), ()), language)


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("votes", [[], [("first", "second", 1.0)], ROUND], ids=["none", "one", "many"])
@pytest.mark.parametrize("method", ["bt", "elo"])
def test_plots_are_drawn_for_any_number_of_votes(
    votes: list[tuple[str, str, float]], method: str, language: str
) -> None:
    """Each is a figure that can be sent as JSON, with no address in it."""
    board = board_of(votes, method)
    points = [HistoryPoint(1, 1_700_000_000.0, "first", 1002.0)] if votes else []
    figures = [charts.forest(board, language), charts.wins(board, language), charts.counts(board, language)]
    for figure in [*figures, charts.history(points, board, language)]:
        assert "http" not in figure.to_json()


def test_a_plots_figures_are_written_as_its_language_writes_them() -> None:
    """Also in what is taken away: the figure itself says so."""
    board = board_of(ROUND)
    marks = {language: charts.forest(board, language).layout.separators for language in ("ru", "en")}
    assert marks == {"ru": ",\u202f", "en": ".,"}


def test_many_names_leave_a_phone_its_plot_and_stay_apart() -> None:
    """Where rows are too low for two lines a name is its beginning and its end: versions stand there."""
    board = board_of(ROUND)
    many = tuple(replace(board.rows[0], model=f"Organisation-Model-{n}B-Instruct-v{n}.1") for n in range(10, 60))
    names = charts.forest(replace(board, rows=many), "ru").layout.yaxis.ticktext
    assert len(set(names)) == len(many)
    assert max(map(len, names)) <= LONG_NAME
    marked = short_name(f"Organisation-Model-9B · {IMPORTED}", "en")
    assert (marked, len(marked) <= LONG_NAME) == ("Organisat…imported", True)


def test_votes_that_tell_no_times_are_drawn_in_their_order() -> None:
    """An imported file comes in an instant: its ratings over time are ratings over votes."""
    board = board_of(ROUND)
    at_once = [HistoryPoint(number, 1_700_000_000.0, "first", 1000.0 + number) for number in range(3)]
    assert list(charts.history(at_once, board, "en").data[0].x) == [0, 1, 2]
    later = [replace(point, at=point.at + 60 * point.sequence) for point in at_once]
    assert all(isinstance(at, datetime) for at in charts.history(later, board, "en").data[0].x)


def test_predicted_wins_of_a_pair_add_up_to_one() -> None:
    """Row over column and column over row are one question."""
    matrix = charts.wins(board_of(ROUND), "en").data[0]
    size = len(matrix.x)
    for i in range(size):
        for j in range(i):
            assert matrix.z[i][j] + matrix.z[j][i] == pytest.approx(1.0)


def test_slices_are_named_in_the_readers_words() -> None:
    """Stored keys never reach the page."""
    assert board_render.slice_name("language=ru", "en") == "In Russian"
    assert board_render.slice_name("month=2026-11", "ru") == "Месяц 2026-11"
    assert board_render.slice_name("topic=capitals", "ru") == "Тема: Столицы"
    assert board_render.slice_name("-masked", "en") == "The model did not name itself"


def test_a_slice_says_what_is_in_it() -> None:
    """What a hard question is stands below its board, in one sentence."""
    assert "at least two of four signs" in board_render.table(seen(board_of(ROUND), Choice(slice="hard")), "en")


def test_what_is_shown_instead_is_said() -> None:
    """Elo is kept for whole tracks only."""
    page = board_render.table(seen(board_of(ROUND), instead=("instead_bt",)), "en")
    assert "Bradley–Terry is shown" in page


def test_nobody_is_left_out_and_that_is_said() -> None:
    """Who takes part no longer is counted and marked."""
    board = board_of(ROUND)
    rows = (replace(board.rows[0], retired=True, sampling_rate=0.031), *board.rows[1:])
    page = shown(replace(board, rows=rows))
    assert "Models: 3, no longer taking part: 1" in page
    assert ">3.1%<" in page


def test_rows_can_be_found_by_family_and_licence() -> None:
    """In small letters, whatever the reader types."""
    assert 'data-find="first qwen org mit"' in shown(board_of(ROUND))


def test_the_judges_rating_is_a_ring_beside_peoples() -> None:
    """With a legend; without a judge there is neither."""
    page = board_render.table(seen(board_of(ROUND), rings={"first": 1010.0}), "en")
    assert page.count('class="ring"') == 1
    assert "● people ○ judge" in page
    assert "ring" not in shown(board_of(ROUND))


def test_a_board_that_is_being_fitted_asks_again() -> None:
    """The page is told to come back in a moment."""
    assert "data-again" in board_render.table(Seen(Choice(method="style"), None), "en")
    assert "data-again" not in shown(board_of(ROUND))


def styled() -> Leaderboard:
    """A board at equal style: one feature that pays, one that never differed."""
    coefficients = (
        Coefficient("characters", 0.5, 0.3, 0.7, spread=0.25),
        Coefficient("headers", None, None, None, spread=0.0),
    )
    return replace(board_of(ROUND), style=Style(Variant.OURS, coefficients))


def test_what_length_buys_is_told_in_points() -> None:
    """Twice as long is an excess of a third: 0.5 per 0.25 makes ⅔ of a logit, 116 points, and wins 66% of battles."""
    board = styled()
    assert board.style is not None
    length, headers = charts.style_points(board.style, board.scale)
    assert length.points == pytest.approx(0.5 / 0.25 / 3 * 400 / math.log(10))
    assert length.chance == pytest.approx(1 / (1 + math.exp(-2 / 3)))
    assert headers.points is None
    figure = charts.style(board.style, board.scale, "en")
    assert "wins 66% of battles" in figure.to_json()
    assert "Twice as long" in figure.to_json()
    assert board.style is not None
    bare = replace(board.style, coefficients=())
    assert "too few votes" in charts.style(bare, board.scale, "en").to_json().replace("<br>", " ")


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_stands_in_place_of_a_plot_is_as_tall_as_its_words(language: str) -> None:
    """It reads from the left, where the page does, in lines that a phone shows whole; no empty field goes with it."""
    figure = charts.nothing(say(language, "style_no_texts"), language)
    lines = figure.layout.annotations[0].text.split("<br>")
    assert " ".join(lines) == say(language, "style_no_texts")
    assert max(map(len, lines)) <= charts.PHONE
    assert (figure.layout.annotations[0].x, figure.layout.height < 150) == (0, True)


def test_votes_without_texts_are_not_called_too_few(tmp_path: Path) -> None:
    """Nine hundred votes of a bare file lack the words to count, not more votes: table and plot both say it."""
    path = tmp_path / "bare.csv"
    path.write_text("model_a,model_b,winner\n" + "x,y,model_a\ny,x,model_a\n" * 450, "utf-8")
    with Store.open(None, storage_dir=tmp_path, elo_step=lambda a, b, _: (a, b)) as store:
        store.import_votes(path)
        fits = VoteFits(store, Scale())
        boards = Boards(store, parameters=EloParameters(), preliminary=30)
        views = BoardViews(cast(Arena, SimpleNamespace(store=store, boards=boards, fits=fits)), cast(JudgeDesk, None))
        choice = Choice(method="style", plot="style")
        while views.style_lack(ALL) == "style_fitting":
            time.sleep(0.01)
        answer = views.seen(choice)
        assert "no columns of style" in board_render.table(answer, "en")
        assert "no columns of style" in drawn(views, answer, "en").to_json().replace("<br>", " ")
        fits.close()


def test_people_and_judge_stand_one_under_the_other() -> None:
    """One series each, in the order of people's board."""
    figure = charts.tracks([("human", board_of(ROUND)), ("judge", board_of(ROUND))], "en")
    marks = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.name for trace in marks] == ["People", "Judge"]
    assert all(mine < theirs for mine, theirs in zip(marks[0].y, marks[1].y, strict=True))


def test_a_large_matrix_shows_what_can_be_read_and_says_so() -> None:
    """The first forty; the file has all."""
    live = LiveBoard([f"m{number:02}" for number in range(50)])
    for number in range(49):
        for outcome in (1.0, 0.0, 0.5):
            live.add(LiveVote(f"m{number:02}", f"m{number + 1:02}", outcome, elo_change=0.0))
    board = live.board("human", ALL)
    figure = charts.wins(board, "en")
    assert len(figure.data[0].x) == charts.READABLE
    assert "first 40 of 50" in figure.to_json()
    assert len(board_files.matrix_rows(board, "wins")) == 50
    assert "tall" in board_render.table(seen(board), "en")


def test_files_hold_what_the_page_shows() -> None:
    """Every plot has its rows, and a spreadsheet runs none of their text."""
    board = board_of(ROUND)
    hostile = replace(board, rows=tuple(replace(row, model="=1+1") for row in board.rows))
    content, kind = board_files.as_csv(board_files.board_rows(hostile))
    assert kind.startswith("text/csv")
    assert content.splitlines()[1].startswith("'=1+1,")
    grid = board_files.matrix_rows(board, "counts")
    assert [row["model"] for row in grid] == [row.model for row in board.rows]
    assert sum(value for row in grid for name, value in row.items() if name != "model" and value) == 2 * board.votes
    namesake = replace(board, rows=(replace(board.rows[0], model="model"), *board.rows[1:]))
    square = board_files.matrix_rows(namesake, "wins")
    assert {len(row) for row in square} == {len(square) + 1}
    assert board_files.style_rows(styled())[0]["points_for_twice"] == pytest.approx(115.8, abs=0.1)
    assert json.loads(board_files.as_json(board_files.style_rows(styled()))[0])[1]["value"] is None
    assert board_files.as_csv([]) == ("", kind)


def test_a_matrix_of_many_is_as_wide_as_its_figures_need() -> None:
    """A phone slides it sideways; pressed into a phone's width nothing could be read."""
    many = [(f"m{i}", f"m{i + 1}", outcome) for i in range(11) for outcome in (0.0, 1.0)]
    assert charts.wins(board_of(many), "en").layout.width >= 12 * 26
    assert charts.wins(board_of(ROUND), "en").layout.width is None


def test_a_russian_reader_sees_no_english_months() -> None:
    """Times along the axis are numbers there."""
    points = [HistoryPoint(at, 1_700_000_000.0 + 90_000 * at, "first", 1002.0) for at in range(1, 4)]
    axis = charts.history(points, board_of(ROUND), "ru").layout.xaxis
    assert [stop.value.split("\n")[0] for stop in axis.tickformatstops] == ["%H:%M", "%d.%m"]
    assert not charts.history(points, board_of(ROUND), "en").layout.xaxis.tickformatstops
