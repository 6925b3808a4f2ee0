"""Rate a battle file that somebody has, without a database: read it, choose the method, hand back the board.

It knows the readers of files and the methods of rating; it prints nothing and writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from arena.config.source import nearest
from arena.errors import ConfigError, FileFormatError
from arena.ratings.bradley_terry import Ties
from arena.ratings.comparisons import Comparisons, PairCounts
from arena.ratings.elo import EloParameters, Scale
from arena.ratings.leaderboard import Anchor, Leaderboard, Row, bradley_terry_board, elo_board, style_board
from arena.ratings.separation import Separation, separation
from arena.ratings.style import STYLE_FEATURES, Variant
from arena.store.files import STYLE_COLUMNS, YES, read_comparisons
from arena.types import Comparison

SLICES = 12
"""The most slices that are named to whoever asked for another."""

ONCE_COLUMN = "dedupe_weight"
"""1/n in an export, where n votes were cast on the row's question."""


class Method(StrEnum):
    """How ratings are computed."""

    BT = "bt"
    ELO = "elo"


@dataclass(frozen=True, slots=True)
class Rating:
    """What to compute from a file; the defaults are those of the live board.

    `features` are the style features to control for: known ones, or NAME where the file has
    columns NAME_a and NAME_b. `slice` keeps only comparisons whose tags have these values (language, topic, turn …).
    `inverse_propensity` weighs every battle by 1/propensity: as if all pairs had been equally likely.
    `weights` is a column that multiplies every vote's weight; `ONCE_COLUMN` makes each question count once.
    """

    method: Method = Method.BT
    k: float = 4.0
    start: float = 1000.0
    scale: float = 400.0
    anchor: Anchor | None = None
    ties: Ties = Ties.HALF
    style_control: bool = False
    variant: Variant = Variant.OURS
    features: tuple[str, ...] = STYLE_FEATURES
    slice: Mapping[str, str] = field(default_factory=dict)
    inverse_propensity: bool = False
    weights: str | None = None


def rate_file(path: Path, rating: Rating = Rating()) -> Leaderboard:
    """Rate every comparison of a battle file.

    Raises `FileFormatError` naming the line that cannot be understood, or `ConfigError` when
    what is asked for does not fit the file (an unknown anchor, a slice without battles).
    """
    named = [name for name in rating.features if name not in STYLE_COLUMNS] if rating.style_control else []
    rows = read_comparisons(path, features=named, inverse_propensity=rating.inverse_propensity, weights=rating.weights)
    board = rate(_sliced(rows, rating.slice), rating)
    if not board.rows:
        kept = " of this slice" if rating.slice else ""
        raise FileFormatError(f"no battles{kept} between two different models", path=path)
    return board


def rate(rows: Iterable[Comparison], rating: Rating = Rating()) -> Leaderboard:
    """Rate comparisons in their order. Raises `ConfigError` when the request does not fit them."""
    _check(rating)
    try:
        comparisons = Comparisons.of(rows)
        board = _board(comparisons, rating)
        return _weighed(board, comparisons) if rating.inverse_propensity else board
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _weighed(board: Leaderboard, rows: Comparisons) -> Leaderboard:
    """Say that battles were weighed, and what they are worth (Kish's effective size, (Σw)²/Σw²)."""
    worth = len(rows) if rows.weight is None else round(float(rows.weight.sum() ** 2 / (rows.weight**2).sum()))
    note = (
        "Every battle weighs 1/propensity, as if all pairs had been equally likely: "
        f"{len(rows)} battles are worth {worth} equal ones."
    )
    return replace(board, notes=(*board.notes, note))


def _check(rating: Rating) -> None:
    """Refuse combinations that no method computes."""
    if rating.method is Method.ELO and (rating.style_control or rating.ties is not Ties.HALF):
        raise ConfigError("style control and tie models belong to Bradley-Terry", key="--method", suggestion="bt")
    if rating.method is Method.ELO and rating.inverse_propensity:
        raise ConfigError("inverse propensity belongs to Bradley-Terry", key="--method", suggestion="bt")
    if rating.style_control and rating.ties is not Ties.HALF:
        raise ConfigError("style control counts ties as half a win", key="--ties", suggestion="half")


def _board(comparisons: Comparisons, rating: Rating) -> Leaderboard:
    scale = Scale(rating.start, rating.scale)
    if rating.method is Method.ELO:
        return elo_board(comparisons, EloParameters(rating.k, scale), anchor=rating.anchor)
    if rating.style_control:
        return style_board(comparisons, rating.features, rating.variant, scale=scale, anchor=rating.anchor)
    return bradley_terry_board(
        PairCounts.of(comparisons), voters=comparisons, scale=scale, anchor=rating.anchor, ties=rating.ties
    )


def _sliced(rows: Iterable[Comparison], wanted: Mapping[str, str]) -> Iterator[Comparison]:
    """The rows of a slice. Where there are none, it raises `ConfigError` at their end for a tag that no row has."""
    held: set[str] = set()
    none = bool(wanted)
    for row in rows:
        if none:
            held.update(_slice(name, value) for name, value in row.tags.items())
        if all(_tagged(row.tags, name, value) for name, value in wanted.items()):
            none = False
            yield row
    if none:
        _require_known([_slice(name, value) for name, value in wanted.items()], sorted(held))


def _require_known(wanted: Iterable[str], held: Sequence[str]) -> None:
    for slice in wanted:
        if slice.removeprefix("-") not in held:
            suggestion = nearest(slice, held, most=3) or (_beginning(held, SLICES) if held else None)
            raise ConfigError(f"there is no slice {slice!r}", suggestion=suggestion)


def _slice(name: str, value: str) -> str:
    """A tag in the words of `--slice`."""
    return name if value == YES else f"{name}={value}"


def _tagged(tags: Mapping[str, str], name: str, value: str) -> bool:
    """Whether a battle has the tag; `-NAME` is what it must not have, and a column may stand beside a slice's name."""
    if name.startswith("-"):
        return name[1:] not in tags
    return tags.get(name) == value or tags.get(f"{name}={value}") == YES


def anchor_of(text: str) -> Anchor:
    """Read "NAME=RATING"; a name may itself hold "=". Raises `ConfigError` for anything else."""
    name, _, number = text.rpartition("=")
    try:
        rating = float(number)
    except ValueError:
        rating = math.nan
    if not name or not math.isfinite(rating):
        raise ConfigError(f"{text!r} does not name a model and its rating", key="--anchor", suggestion="NAME=1000")
    return Anchor(name, rating)


def tag_of(text: str) -> tuple[str, str]:
    """Read "NAME=VALUE", or "NAME" for what is there or not ("hard"). Raises `ConfigError` for anything else."""
    name, sign, value = text.partition("=")
    if not name or (sign and not value):
        raise ConfigError(f"{text!r} does not name a tag and its value", key="--slice", suggestion="turn=1")
    return name, value or YES


def compared(
    rate_by: Callable[[Rating], Leaderboard], rating: Rating, board: Leaderboard, first: str, second: str
) -> Separation:
    """Two contestants of a board compared, whatever `rate_by` rates. Raises `ConfigError` where they cannot be."""
    names = [row.model for row in board.rows]
    for name in (first, second):
        if name not in names:
            message = f"there is no contestant {name!r} on this board"
            raise ConfigError(message, key="--compare", suggestion=nearest(name, names, most=3) or _beginning(names))
    _require_comparable(board.row(first), board.row(second))
    try:
        return separation(rate_by(replace(rating, anchor=Anchor(second, rating.start))), first, second)
    except (ValueError, ConfigError) as error:
        raise ConfigError(str(error), key="--compare") from error


def _require_comparable(one: Row, other: Row) -> None:
    if one.piece != other.piece:
        message = f"{one.model!r} and {other.model!r} never met, directly or through anyone"
        raise ConfigError(message, key="--compare")
    for row in (one, other):
        if not row.identified:
            raise ConfigError(f"votes do not determine a rating of {row.model!r}", key="--compare")


def _beginning(names: Sequence[str], most: int = 3) -> str:
    return "it has " + ", ".join(names[:most]) + (" …" if len(names) > most else "")
