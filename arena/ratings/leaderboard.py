"""The board: one row per contestant, ready to be shown, sent or compared.

It turns results of the methods into points of a scale, ranks and plain marks ("identified",
"preliminary"). It does not know votes' sources, pages or terminals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from arena.ratings import bradley_terry, elo
from arena.ratings.bradley_terry import Strengths, Ties
from arena.ratings.comparisons import BoolArray, Comparisons, FloatArray, PairCounts
from arena.ratings.elo import EloParameters, Scale
from arena.ratings.intervals import CONFIDENCE, normal_quantile, rank_ranges
from arena.ratings.live_style import LiveStyle
from arena.ratings.style import STYLE_FEATURES, Coefficient, StyleResult, Variant, fit_style

PRELIMINARY_BELOW = 30
"""A contestant with fewer battles is shown as preliminary: the normal interval is not yet to be trusted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant. None stands for "not determined by the votes there are", never for zero.

    `strength` is exp of the log-strength, scaled to sum to one over the rated. `acceptability`
    is the share of its battles in which its answer was not called bad. `piece` numbers the
    groups that never met; ratings compare within one piece only, and 0 is the main one.
    """

    model: str
    rating: float | None
    ci_low: float | None
    ci_high: float | None
    rank_low: int
    rank_high: int
    battles: int
    strength: float | None
    identified: bool
    preliminary: bool
    acceptability: float | None = None
    piece: int = 0
    retired: bool = False
    sampling_rate: float | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Anchor:
    """A contestant whose rating is fixed by agreement; intervals of the others are relative to it."""

    model: str
    rating: float


@dataclass(frozen=True, slots=True)
class Style:
    """What style was worth on a board that was rated at equal style."""

    variant: Variant
    coefficients: tuple[Coefficient, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Leaderboard:
    """Rows from best to worst with the method and parameters that they came from.

    `notes` are sentences a reader must know: what could not be rated and why, what the order of
    votes would change. `log_strength` and `counts` keep what matrices are drawn from.
    """

    rows: tuple[Row, ...]
    method: str
    parameters: Mapping[str, object]
    votes: int
    notes: tuple[str, ...] = ()
    scale: Scale = Scale()
    counts: PairCounts | None = None
    style: Style | None = None

    def row(self, model: str) -> Row:
        """The row of a contestant. Raises KeyError when it is not on the board."""
        for row in self.rows:
            if row.model == model:
                return row
        raise KeyError(model)

    def to_json(self) -> dict[str, object]:
        """Plain values for JSON: `models` from best to worst, then how they were rated."""
        return {
            "models": [row.to_json() for row in self.rows],
            "method": self.method,
            "parameters": dict(self.parameters),
            "votes": self.votes,
            "notes": list(self.notes),
            **({} if self.style is None else {"style": asdict(self.style)}),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A square table over contestants, from best to worst; NaN where there is nothing to say."""

    names: tuple[str, ...]
    values: FloatArray


def win_matrix(board: Leaderboard) -> Matrix:
    """Predicted probability that the row's contestant beats the column's; NaN between pieces."""
    names = tuple(row.model for row in board.rows)
    ratings = np.array([math.nan if row.rating is None else row.rating for row in board.rows])
    piece = np.array([row.piece for row in board.rows])
    with np.errstate(over="ignore"):
        values = 1 / (1 + np.exp((ratings[None, :] - ratings[:, None]) / board.scale.per_nat))
    values[piece[:, None] != piece[None, :]] = np.nan
    np.fill_diagonal(values, np.nan)
    return Matrix(names, values)


def counts_matrix(board: Leaderboard) -> Matrix:
    """How many battles each two contestants fought. Raises ValueError on a board without counts."""
    if board.counts is None:
        raise ValueError("this board was made without pair counts")
    names = tuple(row.model for row in board.rows)
    order = [board.counts.names.index(name) for name in names]
    return Matrix(names, board.counts.battles[np.ix_(order, order)])


def bradley_terry_board(
    counts: PairCounts,
    *,
    voters: Comparisons | None = None,
    scale: Scale = Scale(),
    anchor: Anchor | None = None,
    ties: Ties = Ties.HALF,
) -> Leaderboard:
    """Rate pair counts by Bradley–Terry; with `voters`, intervals are clustered by voter.

    Raises ValueError when the anchor is unknown or has no rating itself.
    """
    result = bradley_terry.fit(counts, voters=voters, ties=ties)
    fixed = None if anchor is None else anchor_index(result.names, result.identified, anchor)
    return board_of(result.strengths(fixed), counts, scale=scale, anchor=anchor)


def board_of(
    found: Strengths, counts: PairCounts, *, scale: Scale = Scale(), anchor: Anchor | None = None
) -> Leaderboard:
    """Put strengths on a scale and into rows.

    Unanchored, the rated of a piece average `scale.start` and an interval is that of the distance
    to this average. Anchored, it is that of the distance to the anchor, whose own is a point;
    `found` must then have been asked for relative to that contestant (`relative_to`).
    """
    points = placed_on_scale(found, scale, anchor)
    free = points if anchor is None else placed_on_scale(found, scale, None)
    comparable = found.piece[:, None] == found.piece[None, :]
    best, worst = rank_ranges(free.low, free.high, comparable)
    rows = _rows(found, counts, points, (best, worst))
    parameters: dict[str, object] = {
        "start": scale.start,
        "scale": scale.points,
        "base": scale.base,
        "ties": found.ties,
        "confidence": CONFIDENCE,
        "intervals": found.intervals,
        "anchor": None if anchor is None else {"model": anchor.model, "rating": anchor.rating},
    }
    if found.tie_strength is not None:
        parameters["tie_strength"] = found.tie_strength
    votes = round(float(counts.battles.sum()) / 2)
    return Leaderboard(rows, "bt", parameters, votes, _notes(found), scale, counts)


def style_board(
    comparisons: Comparisons,
    features: Sequence[str] = STYLE_FEATURES,
    variant: Variant = Variant.OURS,
    *,
    scale: Scale = Scale(),
    anchor: Anchor | None = None,
) -> Leaderboard:
    """Rate at equal style; the board carries what each feature was worth under `style`.

    Raises ValueError as `fit_style` and `anchor_index` do.
    """
    result = fit_style(comparisons, features, variant)
    return style_board_of(result, PairCounts.of(comparisons), scale=scale, anchor=anchor)


def style_board_of(
    result: StyleResult, counts: PairCounts, *, scale: Scale = Scale(), anchor: Anchor | None = None
) -> Leaderboard:
    """Put a fit at equal style into rows. Raises ValueError as `anchor_index` does."""
    fixed = None if anchor is None else anchor_index(result.names, result.strengths().identified, anchor)
    board = board_of(result.strengths(fixed), counts, scale=scale, anchor=anchor)
    return replace(board, style=Style(result.variant, result.coefficients))


def live_style_board(live: LiveStyle, counts: PairCounts, *, scale: Scale = Scale()) -> Leaderboard:
    """The same between two fits, up to the last vote that was followed; `counts` must have followed it too."""
    return replace(board_of(live.strengths(), counts, scale=scale), style=Style(Variant.OURS, live.coefficients()))


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Ratings and bounds in points; NaN or infinite where not determined."""

    rating: FloatArray
    low: FloatArray
    high: FloatArray


def placed_on_scale(found: Strengths, scale: Scale, anchor: Anchor | None = None) -> Points:
    """Log-strengths, intervals and one-sided bounds in points."""
    relative = anchor is not None and found.relative_to is not None
    reach = normal_quantile() * (found.relative_deviation if relative else found.deviation)
    rated = np.isfinite(found.theta)
    low = np.where(rated, found.theta - reach, found.low)
    high = np.where(rated, found.theta + reach, found.high)
    shift = np.full(len(rated), scale.start)
    if anchor is not None and found.relative_to is not None:
        shift[found.piece == 0] = anchor.rating - float(found.theta[found.relative_to]) * scale.per_nat
    return Points(found.theta * scale.per_nat + shift, low * scale.per_nat + shift, high * scale.per_nat + shift)


def anchor_index(names: Sequence[str], identified: BoolArray, anchor: Anchor) -> int:
    """Where the anchor stands. Raises ValueError when it is unknown or has no rating itself."""
    if anchor.model not in names:
        raise ValueError(f"the anchor {anchor.model!r} is not among the contestants")
    index = names.index(anchor.model)
    if not identified[index]:
        raise ValueError(f"the anchor {anchor.model!r} has no rating of its own: choose one that both won and lost")
    return index


def _rows(found: Strengths, counts: PairCounts, points: Points, ranks: tuple[list[int], list[int]]) -> tuple[Row, ...]:
    fought = counts.battles.sum(axis=1).tolist()
    acceptable, strength = acceptability(counts).tolist(), _strength(found.theta, found.identified).tolist()
    rating, low, high = points.rating.tolist(), points.low.tolist(), points.high.tolist()
    identified, piece = found.identified.tolist(), found.piece.tolist()
    return tuple(
        Row(
            model=found.names[i],
            rating=_known(rating[i]),
            ci_low=_known(low[i]),
            ci_high=_known(high[i]),
            rank_low=ranks[0][i],
            rank_high=ranks[1][i],
            battles=round(fought[i]),
            strength=_known(strength[i]),
            identified=identified[i],
            preliminary=not identified[i] or fought[i] < PRELIMINARY_BELOW,
            acceptability=_known(acceptable[i]),
            piece=piece[i],
        )
        for i in _best_first(rating, low, high, piece)
    )


def _best_first(rating: list[float], low: list[float], high: list[float], piece: list[int]) -> list[int]:
    """Within a piece: the rated by rating, then those bounded from below, from above, not at all."""

    def key(i: int) -> tuple[int, int, float, int]:
        for kind, values in enumerate((rating, low, high)):
            if math.isfinite(values[i]):
                return piece[i], kind, -values[i], i
        return piece[i], 3, 0.0, i

    return sorted(range(len(piece)), key=key)


def acceptability(counts: PairCounts) -> FloatArray:
    """Share of each contestant's battles in which its answer was not called bad; NaN without battles."""
    total = counts.total.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - counts.both_bad.sum(axis=1) / total)


def _strength(theta: FloatArray, rated: BoolArray) -> FloatArray:
    """exp(θ) scaled to sum to one over the rated."""
    strength = np.full(len(theta), np.nan)
    if rated.any():
        raised = np.exp(theta[rated] - theta[rated].max())
        strength[rated] = raised / raised.sum()
    return strength


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _notes(found: Strengths) -> tuple[str, ...]:
    notes = []
    if found.piece.max(initial=0) > 0:
        notes.append(
            "Some contestants never met the others, directly or through anyone: ratings compare within a piece."
        )
    open_ended = [name for name, theta in zip(found.names, found.theta, strict=True) if not math.isfinite(theta)]
    if open_ended:
        notes.append(
            f"Votes do not determine a rating of: {', '.join(open_ended)}. A bound is shown where there is one."
        )
    return tuple(notes)


ORDER_MATTERS = "Elo depends on the order of votes: the same votes in another order give other ratings."


def elo_board(
    comparisons: Comparisons, parameters: EloParameters = EloParameters(), *, anchor: Anchor | None = None
) -> Leaderboard:
    """Rate comparisons by online Elo, in the order given."""
    ratings = elo.fold(comparisons, parameters).ratings
    return elo_board_of(ratings, PairCounts.of(comparisons), parameters, anchor=anchor)


def elo_board_of(
    ratings: FloatArray, counts: PairCounts, parameters: EloParameters, *, anchor: Anchor | None = None
) -> Leaderboard:
    """Put Elo ratings that were folded already into rows; Elo has no intervals and says so by None.

    Whoever fought no battle stands at the end without a rating: the start is an agreement and no finding.
    """
    scale, fought, acceptable = parameters.scale, counts.battles.sum(axis=1), acceptability(counts)
    played = fought > 0
    if anchor is not None:
        ratings = ratings + (anchor.rating - ratings[anchor_index(counts.names, played, anchor)])
    ratings = np.where(played, ratings, np.nan)
    strength = _strength(ratings / scale.per_nat, played)
    low = [1 + int((ratings > one).sum()) for one in ratings]
    high = [int(played.sum()) - int((ratings < one).sum()) if math.isfinite(one) else len(ratings) for one in ratings]
    rows = tuple(
        Row(
            model=counts.names[i],
            rating=_known(float(ratings[i])),
            ci_low=None,
            ci_high=None,
            rank_low=low[i],
            rank_high=high[i],
            battles=round(float(fought[i])),
            strength=_known(float(strength[i])),
            identified=bool(played[i]),
            preliminary=bool(fought[i] < PRELIMINARY_BELOW),
            acceptability=_known(float(acceptable[i])),
        )
        for i in sorted(range(len(ratings)), key=lambda i: (not played[i], -float(ratings[i]) if played[i] else 0.0, i))
    )
    stated: dict[str, object] = {
        "k": parameters.k,
        "start": scale.start,
        "scale": scale.points,
        "base": scale.base,
        "anchor": None if anchor is None else {"model": anchor.model, "rating": anchor.rating},
    }
    return Leaderboard(rows, "elo", stated, round(float(counts.battles.sum()) / 2), (ORDER_MATTERS,), scale, counts)
