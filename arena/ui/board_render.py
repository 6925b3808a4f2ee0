"""The leaderboard as an HTML table: pure, from a board to what a person reads."""

from __future__ import annotations

import math
from html import escape

from arena.ratings.leaderboard import Leaderboard, Row
from arena.service import BoardView, Nameplate
from arena.service.head_to_head import Meeting, PairView
from arena.ui.texts import TEXTS, number, percent, say, topic_name


def table(view: BoardView, language: str) -> str:
    """Rank, name, rating, drawn interval, battles, acceptability and size of every contestant."""
    board = view.board
    plates = {plate.name: plate for plate in view.nameplates}
    live = (
        f'<p class="live" role="status"><i></i>{say(language, "board_votes", votes=number(board.votes, language))}'
        f" · {say(language, 'board_live')}</p>"
    )
    if not board.votes:
        return f'{live}<p class="empty">{say(language, "board_empty")}</p>'
    keys = ("rank", "model", "rating", "interval", "battles", "acceptable", "size")
    head = "".join(f'<th scope="col" class="{key}">{say(language, f"board_{key}")}</th>' for key in keys)
    low, high = _span(board)
    rows = "".join(_row(row, plates.get(row.model), (low, high), language) for row in board.rows)
    return (
        f'{live}<div class="board-scroll"><table class="board-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_notes(board, language)}"
    )


def slice_name(name: str, language: str) -> str:
    """A stored slice in the voter's words."""
    key, _, value = name.partition("=")
    direct = f"slice_{key}_{value}" if value else f"slice_{key}"
    if not name:
        return say(language, "slice_all")
    if direct in TEXTS:
        return say(language, direct)
    if key == "month":
        return say(language, "slice_month", month=value)
    return say(language, "slice_topic", topic=topic_name(value, language)) if key == "topic" else name


def pair(view: PairView, language: str) -> str:
    """Two contestants against each other, in words and a bar."""
    met = view.met
    lines = []
    if view.better is not None and view.difference is not None and view.low is not None and view.high is not None:
        ahead = (view.a, view.better) if view.better >= 0.5 else (view.b, 1 - view.better)
        lines.append(say(language, "compare_better", model=escape(ahead[0]), percent=_sure(ahead[1], language)))
        ends = f"{number(view.low, language)} … {number(view.high, language)}"
        lines.append(say(language, "compare_difference", points=number(view.difference, language), interval=ends))
        lines.append(_needed(view, language))
    else:
        lines.append(say(language, "compare_unknown"))
    rows = "".join(_meeting(one, language) for one in (met, *view.topics))
    head = "".join(
        f'<th scope="col">{text}</th>'
        for text in ("", escape(view.a), escape(view.b), say(language, "vote_tie"), say(language, "vote_bad"))
    )
    sentences = "".join(f"<p>{line}</p>" for line in lines)
    return (
        f'<div class="compare">{sentences}<div class="board-scroll"><table class="board-table"><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></div>"
    )


def _sure(probability: float, language: str) -> str:
    """A probability that never claims certainty."""
    return f"> {percent(0.99, language)}" if probability > 0.99 else percent(probability, language)


def _needed(view: PairView, language: str) -> str:
    if view.votes_needed == 0:
        return say(language, "compare_settled")
    if view.votes_needed is None:
        return say(language, "compare_never")
    return say(language, "compare_needed", votes=number(view.votes_needed, language))


def _meeting(met: Meeting, language: str) -> str:
    name = topic_name(met.topic, language) if met.topic else say(language, "slice_all")
    cells = "".join(f"<td>{number(value, language)}</td>" for value in (met.wins_a, met.wins_b, met.ties, met.both_bad))
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'


def _row(row: Row, plate: Nameplate | None, span: tuple[float, float], language: str) -> str:
    rank = str(row.rank_low) if row.rank_low == row.rank_high else f"{row.rank_low}–{row.rank_high}"
    rating = say(language, "unrated") if row.rating is None else number(row.rating, language)
    marks = "".join(
        f'<span class="mark">{say(language, key)}</span>'
        for key, shown in (("retired", row.retired), ("preliminary", row.preliminary and not row.retired))
        if shown
    )
    toy = f'<span class="mark">{say(language, "toy")}</span>' if plate and plate.toy else ""
    acceptable = "—" if row.acceptability is None else percent(row.acceptability, language)
    origin = escape(plate.organisation) if plate and plate.organisation else ""
    return (
        f'<tr><td class="rank">{rank}</td><th scope="row" class="model">{escape(row.model)}{marks}{toy}'
        f"<small>{origin}</small></th><td class='rating'>{rating}</td>"
        f'<td class="interval">{_track(row, span, language)}</td>'
        f'<td class="battles">{number(row.battles, language)}</td>'
        f'<td class="acceptable">{acceptable}</td><td class="size">{_size(plate)}</td></tr>'
    )


def _track(row: Row, span: tuple[float, float], language: str) -> str:
    """The interval drawn on the scale of the board, with its numbers for those who do not see it."""
    low = span[0] if row.ci_low is None else row.ci_low
    high = span[1] if row.ci_high is None else row.ci_high
    if row.rating is None and row.ci_low is None and row.ci_high is None:
        return '<span class="none">—</span>'
    left, right = _place(low, span), _place(high, span)
    dot = "" if row.rating is None else f'<u style="left:{_place(row.rating, span):.1f}%"></u>'
    ends = " – ".join("…" if end is None else number(end, language) for end in (row.ci_low, row.ci_high))
    open_ends = ("" if row.ci_low is not None else " open-low") + ("" if row.ci_high is not None else " open-high")
    return (
        f'<span class="track{open_ends}" role="img" aria-label="{ends}" title="{ends}">'
        f'<i style="left:{left:.1f}%;width:{max(0.5, right - left):.1f}%"></i>{dot}</span>'
    )


def _place(value: float, span: tuple[float, float]) -> float:
    return 100 * min(1.0, max(0.0, (value - span[0]) / (span[1] - span[0])))


def _span(board: Leaderboard) -> tuple[float, float]:
    """The range of points that the drawn intervals share."""
    ends = [
        value
        for row in board.rows
        for value in (row.rating, row.ci_low, row.ci_high)
        if value is not None and math.isfinite(value)
    ]
    low, high = (min(ends), max(ends)) if ends else (900.0, 1100.0)
    margin = max(10.0, (high - low) * 0.06)
    return low - margin, high + margin


def _size(plate: Nameplate | None) -> str:
    if plate is None:
        return ""
    parts = ["" if plate.parameters is None else f"{plate.parameters:g}B", plate.quantization]
    return escape(" ".join(part for part in parts if part))


def _notes(board: Leaderboard, language: str) -> str:
    """What a reader must know about these numbers."""
    parameters = {key: value for key, value in board.parameters.items() if isinstance(value, int | float)}
    method = "note_elo" if board.method == "elo" else "note_bt"
    shown = {key: number(float(value), language) for key, value in parameters.items()}
    notes = [say(language, method, **{"k": "", "start": "", "scale": "", **shown})]
    if board.parameters.get("each_question_once"):
        notes.append(say(language, "note_once"))
    if any(row.piece > 0 for row in board.rows):
        notes.append(say(language, "note_pieces"))
    open_ended = [row.model for row in board.rows if not row.identified and row.battles]
    if board.method != "elo" and open_ended:
        notes.append(say(language, "note_unrated", models=escape(", ".join(open_ended))))
    return "".join(f'<p class="note">{note}</p>' for note in notes)
