"""`python -m arena leaderboard`: ratings in the terminal, of the arena's own votes or of a file.

With `--votes` nothing but that file is read. It translates options and prints; it computes nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from arena.cli.terminal import Column, console, counted, fitted, told, visible
from arena.config import Settings
from arena.errors import ConfigError, FileFormatError
from arena.offline import ONCE_COLUMN, Method, Rating, anchor_of, compared, rate_file, tag_of
from arena.ratings.bradley_terry import Ties
from arena.ratings.elo import Scale
from arena.ratings.leaderboard import Leaderboard, Row
from arena.ratings.separation import Separation
from arena.ratings.style import STYLE_FEATURES, Variant
from arena.service import open_store
from arena.service.boards import Boards, default_parameters
from arena.service.vote_fits import FEATURES, VoteFits
from arena.store.files import YES
from arena.store.records import ALL
from arena.store.store import Store
from arena.types import Track

_UNASKED = (4.0, 1000.0, 400.0)
"""K, start and scale where nobody named others: the settings' own are taken then."""


VotesFile = Annotated[
    Path | None, typer.Option("--votes", help="Rate this battle file instead of the arena's own votes.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
HowRated = Annotated[Method, typer.Option("--method", help="Bradley-Terry, or Elo in the order of votes.")]
MostMoved = Annotated[float, typer.Option("--k", help="Elo: the most one vote can move a rating.")]
Start = Annotated[float, typer.Option("--start", help="Rating of an average (Elo: new) contestant.")]
Points = Annotated[float, typer.Option("--scale", help="Points that mean odds of ten to one.")]
Fixed = Annotated[str | None, typer.Option("--anchor", help="NAME=RATING: fix one contestant's rating.")]
WhatATieSays = Annotated[Ties, typer.Option("--ties", help="What a tie says.")]
StyleControl = Annotated[bool, typer.Option("--style-control", help="Rate at equal length and Markdown.")]
WhoseControl = Annotated[Variant, typer.Option("--variant", help="Whose style control.")]
Features = Annotated[
    list[str] | None,
    typer.Option("--feature", help="Control for this feature (repeat): a known one, or columns NAME_a, NAME_b."),
]
Language = Annotated[str | None, typer.Option("--language", help="Only battles in this language.")]
Topic = Annotated[str | None, typer.Option("--topic", help="Only battles on this topic.")]
Slices = Annotated[
    list[str] | None, typer.Option("--slice", help="TAG=VALUE or TAG (hard): only battles with this tag (repeat).")
]
ByPropensity = Annotated[
    bool, typer.Option("--inverse-propensity", help="Weigh battles as if all pairs had been equally likely.")
]
Weights = Annotated[
    str | None, typer.Option("--weights", help="Multiply every vote's weight with this column of the file.")
]
Once = Annotated[
    bool, typer.Option("--once", help="Each question counts once: asked n times, it weighs 1/n in each vote.")
]
TwoModels = Annotated[
    tuple[str, str] | None, typer.Option("--compare", help="Two models: which is better, and how surely.")
]
Database = Annotated[str | None, typer.Option("--database", envvar="ARENA_DATABASE", help="Database URL of the arena.")]


def leaderboard(
    votes: VotesFile = None,
    as_json: AsJson = False,
    method: HowRated = Method.BT,
    k: MostMoved = 4.0,
    start: Start = 1000.0,
    scale: Points = 400.0,
    anchor: Fixed = None,
    ties: WhatATieSays = Ties.HALF,
    style_control: StyleControl = False,
    variant: WhoseControl = Variant.OURS,
    feature: Features = None,
    language: Language = None,
    topic: Topic = None,
    slice: Slices = None,
    inverse_propensity: ByPropensity = False,
    weights: Weights = None,
    once: Once = False,
    compare: TwoModels = None,
    database: Database = None,
) -> None:
    """Show ratings with their intervals, ranks and what is not known."""
    with told():
        if (feature or variant is not Variant.OURS) and not style_control:
            message = "--feature and --variant say how style is controlled for, and it is not"
            raise ConfigError(message, suggestion="add --style-control")
        features = tuple(feature or (STYLE_FEATURES if votes else FEATURES))
        wanted = _slice(language, topic, slice or [])
        rating = Rating(
            method, k, start, scale, anchor=anchor_of(anchor) if anchor else None, ties=ties, slice=wanted,
            style_control=style_control, variant=variant, features=features, inverse_propensity=inverse_propensity,
            weights=ONCE_COLUMN if once else weights,
        )  # fmt: skip
        rate_by = partial(rate_file, votes) if votes else partial(_from_database, database)
        board = rate_by(rating)
        pair = compared(rate_by, rating, board, *compare) if compare else None
    if as_json:
        _print_json(board, pair)
    else:
        _print(board, pair)


def _slice(language: str | None, topic: str | None, tags: list[str]) -> dict[str, str]:
    named = {name: value for name, value in (("language", language), ("topic", topic)) if value}
    return named | dict(tag_of(tag) for tag in tags)


def _from_database(database: str | None, rating: Rating) -> Leaderboard:
    """The board of the arena's own votes, read beside a running server without disturbing it.

    What the page shows is computed as there; the rest (Elo with other parameters, other style controls, weights)
    from an export. Raises `ConfigError` for an anchor without a rating.
    """
    settings = Settings.from_environment(database=database)
    with closing(open_store(settings, new=False)) as store:
        try:
            board = _as_on_the_page(store, rating, settings)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        if board is not None:
            return board
        with TemporaryDirectory() as folder:
            votes = Path(folder) / "votes.parquet"
            if not store.export_votes(votes):
                raise ConfigError("nobody has voted yet")
            try:
                return rate_file(votes, rating)
            except FileFormatError as error:  # the file is ours: nobody knows its name
                raise ConfigError(str(error).partition(": ")[2]) from error


def _as_on_the_page(store: Store, rating: Rating, settings: Settings) -> Leaderboard | None:
    """The page's own board at this rating; None where the page has none."""
    slices = ["=".join(pair).removesuffix(f"={YES}") for pair in rating.slice.items()]
    if len(slices) > 1 or rating.ties is not Ties.HALF or rating.inverse_propensity or rating.weights:
        return None
    slice = slices[0] if slices else ALL
    settings_scale = (settings.elo_k, settings.elo_start, settings.elo_scale)
    if (rating.k, rating.start, rating.scale) == _UNASKED:  # nothing else was asked for
        rating = replace(rating, k=settings.elo_k, start=settings.elo_start, scale=settings.elo_scale)
    boards = Boards(
        store,
        parameters=default_parameters(rating.k, rating.start, rating.scale),
        preliminary=settings.preliminary_battles,
    )
    if slice not in (ALL, *boards.slices()):
        return None
    if rating.method is Method.ELO:
        kept = slice == ALL and (rating.k, rating.start, rating.scale) == settings_scale
        return boards.view(method="elo", anchor=rating.anchor).board if kept else None
    with closing(VoteFits(store, Scale(rating.start, rating.scale), boards.widen)) as fits:
        if not rating.style_control:
            fits.cluster(slice)
            return boards.view(slice=slice, anchor=rating.anchor).board
        if rating.variant is not Variant.OURS or rating.features != FEATURES:
            return None
        fit = fits.fit_style(slice, anchor=rating.anchor)
        if fit.board is None:
            raise ConfigError(fit.trouble or "no vote has its answers' style counted", key="--style-control")
        return boards.dressed(fit.board, Track.HUMAN, slice).board


def _print_json(board: Leaderboard, pair: Separation | None) -> None:
    shown = board.to_json() | ({"compare": asdict(pair)} if pair else {})
    json.dump(shown, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def _print(board: Leaderboard, pair: Separation | None) -> None:
    """The table, what style was worth, what a reader must know, and the comparison that was asked for."""
    out = console()
    drawn = any(row.sampling_rate is not None for row in board.rows)
    out.print(fitted(out, *_with_remarks(board, drawn), title=f"{counted(board.votes, 'vote')}, {_stated(board)}"))
    if drawn:
        retired = sum(row.retired for row in board.rows)
        out.print(
            f"{counted(len(board.rows), 'model')}, {retired} no longer taking part; whoever was ever drawn stays listed"
        )
    _print_style(out, board)
    for note in board.notes:
        out.print(visible(note), style="yellow", markup=False)
    if pair:
        out.print(visible(pair.sentence()), markup=False)


def _with_remarks(board: Leaderboard, drawn: bool) -> tuple[list[Column], list[tuple[str, ...]]]:
    """Columns and rows; a column of remarks only where there is one."""
    bounded = board.method != "elo"
    columns = [Column("rank"), Column("model", words=True), Column("rating")]
    columns += [Column("95% interval")] if bounded else []
    columns += [Column("battles", lesser=1), Column("acceptable", lesser=2)]
    columns += [Column("drawn", lesser=3)] if drawn else []
    rows = [_cells(row, drawn, bounded) for row in board.rows]
    if any(row[-1] for row in rows):
        return [*columns, Column("", words=True)], rows
    return columns, [row[:-1] for row in rows]


def _print_style(out: Console, board: Leaderboard) -> None:
    """What each style feature was worth, where style was controlled for."""
    if board.style is None:
        return
    title = f"style coefficients ({board.style.variant}): logits per spread of the relative excess"
    columns = [Column("feature", words=True), Column("coefficient"), Column("95% interval")]
    rows = []
    for found in board.style.coefficients:
        value = "–" if found.value is None else f"{found.value:+z.3f}"
        rows.append((found.feature, value, f"{found.low:+z.3f} … {found.high:+z.3f}" if found.value else "–"))
    out.print(fitted(out, columns, rows, title=title))


def _stated(board: Leaderboard) -> str:
    named = {name: value for name, value in board.parameters.items() if value is not None}
    return board.method + ": " + ", ".join(f"{name} {_value(value)}" for name, value in named.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):  # the anchor
        return " at ".join(map(str, value.values()))
    return str(round(value, 4) if isinstance(value, float) else value)


def _cells(row: Row, drawn: bool, bounded: bool) -> tuple[str, ...]:
    ranks = str(row.rank_low) if row.rank_low == row.rank_high else f"{row.rank_low}–{row.rank_high}"
    unsure = "not rated" if not row.identified else "preliminary" if row.preliminary else ""
    rate = "–" if row.sampling_rate is None else f"{row.sampling_rate:.0%}"
    return (
        ranks,
        row.model,
        "–" if row.rating is None else f"{row.rating:z.1f}",
        *([_interval(row)] if bounded else []),
        str(row.battles),
        "–" if row.acceptability is None else f"{row.acceptability:.0%}",
        *([rate] if drawn else []),
        ", ".join(filter(None, ("retired" if row.retired else "", unsure))),
    )


def _interval(row: Row) -> str:
    match row.ci_low, row.ci_high:
        case None, None:
            return "–"
        case low, None:
            return f"at least {low:z.0f}"
        case None, high:
            return f"at most {high:z.0f}"
        case low, high:
            return f"{low:z.1f} … {high:z.1f}"
