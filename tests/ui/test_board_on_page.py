"""The leaderboard as a table and as plots: what is not known is said, and names stay text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from arena.ratings.leaderboard import Leaderboard
from arena.ratings.live import LiveBoard, LiveVote
from arena.service import BoardView, Nameplate
from arena.service.boards import HistoryPoint
from arena.store.records import ALL
from arena.types import Track
from arena.ui import board_render, charts

NAMES = ("first", "second", "third")
ROUND = [("first", "second", 1.0), ("second", "third", 1.0), ("third", "first", 1.0), ("first", "second", 0.5)] * 5


def board_of(votes: Sequence[tuple[str, str, float]], method: str = "bt") -> Leaderboard:
    """A real board of these outcomes."""
    live = LiveBoard(NAMES)
    for a, b, outcome in votes:
        live.add(LiveVote(a, b, outcome, elo_change=2 * (outcome - 0.5)))
    return live.elo_board("human") if method == "elo" else live.board("human", ALL)


def shown(board: Leaderboard, language: str = "en") -> str:
    """The table of a board."""
    plates = (Nameplate("first", "Org", 7, "nf4"), Nameplate("second", toy=True))
    return board_render.table(BoardView(board, 1, Track.HUMAN, ALL, plates), language)


def test_every_contestant_has_a_row_with_its_numbers() -> None:
    """Headings are headings of columns, names of rows, for those who hear the table."""
    page = shown(board_of(ROUND))
    assert page.count("<tr>") == 1 + len(NAMES)
    assert page.count('scope="row"') == len(NAMES)
    assert page.count('scope="col"') == 7
    for said in ("Votes: 20", "7B nf4", "Org", "toy model"):
        assert said in page


def test_an_empty_board_invites_to_the_first_battle() -> None:
    """No table of nothing."""
    page = shown(board_of([]))
    assert "<table" not in page
    assert "No votes yet" in page


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
    page = board_render.table(BoardView(live.board("human", ALL), 1, Track.HUMAN, ALL), "en")
    assert "have not met" in page


def test_elo_says_that_it_depends_on_the_order() -> None:
    """With its K, start and scale."""
    assert "K = 4, start 1,000, scale 400" in shown(board_of(ROUND, "elo"))


def test_a_hostile_name_is_text_in_the_table() -> None:
    """Names come from the operator's file and from imported votes."""
    board = board_of(ROUND)
    hostile = replace(board, rows=tuple(replace(row, model="<img src=x>") for row in board.rows))
    assert "<img" not in shown(hostile)


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
