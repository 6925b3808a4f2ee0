"""The leaderboard as an HTML table: pure, from a board to what a person reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from html import escape

from arena.ratings.leaderboard import Leaderboard, Row
from arena.service import Nameplate
from arena.service.boards import UNMASKED
from arena.service.head_to_head import Meeting, PairView
from arena.ui import charts
from arena.ui.board_views import Choice, Seen
from arena.ui.names import model_name
from arena.ui.render import sorting_heading
from arena.ui.texts import TEXTS, number, percent, say, topic_name

COLUMNS = ("rank", "model", "rating", "interval", "battles", "drawn", "acceptable", "size")

NAMED = 8
"""The most contestants that a note names."""

ASK_AGAIN = 2
"""Seconds after which a page that waits for a background fit asks again."""


def table(seen: Seen, language: str) -> str:
    """Rank, name, rating, drawn interval, battles, how often drawn, acceptability and size of every contestant."""
    again = f' data-again="{ASK_AGAIN}"' if seen.waiting else ""
    if seen.view is None:
        return f'<p class="empty"{again}>{say(language, "board_fitting")}</p>'
    view, board = seen.view, seen.view.board
    live = (
        f'<p class="live" role="status"{again}><i></i><span data-votes="{board.votes}">'
        f"{say(language, 'board_votes', votes=number(board.votes, language))}</span>"
        f" · {say(language, 'board_live')}{_legend(seen, language)}</p>"
    )
    if not board.votes:
        if Choice(track=seen.choice.track, slice=seen.choice.slice) != Choice():
            return f'{live}<p class="empty">{say(language, "board_empty_view")}</p>'
        begin = f'<br><a href="?tab=battle">{say(language, "board_empty_act")}</a>'
        return f'{live}<p class="empty">{say(language, "board_empty")}{begin}</p>'
    plates = {plate.name: plate for plate in view.nameplates}
    drawn = "scale" if board.method == "elo" else "interval"
    head = "".join(_heading(key, language, drawn) for key in COLUMNS)
    span = _span(board)
    rings = seen.rings or {}
    tall = " tall" if len(board.rows) > charts.READABLE else ""
    rows = "".join(
        _row(place, row, plates.get(row.model), span, rings.get(row.model), language)
        for place, row in enumerate(board.rows)
    )
    return (
        f"{live}{_sentences(_said_instead(seen, language))}"
        f'<div class="board-scroll{tall}" tabindex="0" role="region" aria-label="{say(language, "tab_board")}">'
        f'<table class="board-table main" data-sortable="board"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="none-found" hidden>{say(language, "find_nothing")}</p>'
        f"{_sentences([*_roll_call(board, language), *_notes(seen, language)])}"
    )


def finder(language: str) -> str:
    """A field that finds models; the page's script makes it work."""
    return (
        f'<label class="finder"><span>{say(language, "find_label")}</span><input type="search" id="board-find" '
        f'autocomplete="off" placeholder="{say(language, "find")}"></label>'
    )


def table_files(language: str) -> str:
    """The table as files, and a link to the view."""
    files = _links("board", ("csv", "json", "html"), language)
    button = f'<button type="button" id="board-link">{say(language, "copy_link")}</button>'
    return f"<p>{say(language, 'export_board')} {files}{button}</p>"


def plot_files(language: str) -> str:
    """The plot as pictures, which the page makes itself, and what it was drawn from."""
    pictures = "".join(
        f'<button type="button" data-picture="{form}">{form.upper()}</button>' for form in ("png", "svg")
    )
    return f"<p>{say(language, 'export_plot')} {pictures}{_links('plot', ('html', 'csv', 'json'), language)}</p>"


def _links(name: str, forms: Sequence[str], language: str) -> str:
    return " ".join(f'<a href="arena/{name}.{form}" data-board download>{form.upper()}</a>' for form in forms)


def _sentences(notes: Sequence[str]) -> str:
    return "".join(f'<p class="note">{note}</p>' for note in notes)


def _legend(seen: Seen, language: str) -> str:
    """What the marks on the intervals stand for, where there are two kinds."""
    return f'<span class="legend">{say(language, "board_rings")}</span>' if seen.rings else ""


def _heading(key: str, language: str, drawn: str) -> str:
    """A column's heading; it sorts, but for what is drawn (intervals, or where there are none places on the scale)."""
    if key == "interval":
        return f'<th scope="col" class="{key}">{say(language, f"board_{drawn}")}</th>'
    label = say(language, f"board_{key}")
    if key == "drawn":
        label = f'<abbr title="{say(language, "board_drawn_title")}">{label}</abbr>'
    order = "ascending" if key == "rank" else "none"
    return sorting_heading(label, language, order, rising=key in ("rank", "model"), kind=key)


def _roll_call(board: Leaderboard, language: str) -> list[str]:
    """How many are listed, and that nobody is left out."""
    retired = sum(row.retired for row in board.rows)
    everyone = number(len(board.rows), language)
    return [say(language, "board_roll_call", models=everyone, retired=number(retired, language))]


def _said_instead(seen: Seen, language: str) -> list[str]:
    return [say(language, key) for key in seen.instead]


def slice_name(name: str, language: str) -> str:
    """A stored slice in the voter's words."""
    key, _, value = name.partition("=")
    direct = f"slice_{key}_{value}" if value else f"slice_{key}"
    if not name:
        return say(language, "slice_all")
    if name == UNMASKED:
        return say(language, "slice_unmasked")
    if direct in TEXTS:
        return say(language, direct)
    if key == "month":
        return say(language, "slice_month", month=value)
    return say(language, "slice_topic", topic=topic_name(value, language)) if key == "topic" else name


def pair(view: PairView, language: str, slice: str = "") -> str:
    """Two contestants against each other, in words and a bar."""
    view = replace(view, a=model_name(view.a, language), b=model_name(view.b, language))
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
    rows = "".join(_meeting(one, language, slice) for one in (met, *view.topics))
    head = "".join(
        f'<th scope="col" class="count">{text}</th>'
        for text in ("", escape(view.a), escape(view.b), say(language, "vote_tie"), say(language, "vote_bad"))
    )
    sentences = "".join(f"<p>{line}</p>" for line in lines)
    files = f"{say(language, 'export_board')} {_links('compare', ('csv', 'json'), language)}"
    return (
        f'<div class="compare">{_scales(view, language)}{sentences}<div class="board-scroll">'
        f'<table class="board-table"><thead><tr>{head}</tr>'
        f'</thead><tbody>{rows}</tbody></table></div><p class="export files">{files}</p></div>'
    )


def _scales(view: PairView, language: str) -> str:
    """The chance that each is the stronger one, as a bar in their colours."""
    if view.better is None:
        return ""
    share = f"{100 * view.better:.1f}%"
    return (
        f'<div class="duel"><b class="a">{escape(view.a)}</b><b class="b">{escape(view.b)}</b>'
        f'<span class="split" role="img" aria-label="{escape(view.a)}: {_sure(view.better, language)}">'
        f'<i style="width:{share}"></i></span></div>'
    )


def _sure(probability: float, language: str) -> str:
    """A probability that never claims certainty."""
    if probability > 0.99:
        return f"&gt; {percent(0.99, language)}"
    return f"&lt; {percent(0.01, language)}" if probability < 0.01 else percent(probability, language)


def _needed(view: PairView, language: str) -> str:
    if view.votes_needed == 0:
        return say(language, "compare_settled")
    if view.votes_needed is None:
        return say(language, "compare_never")
    names = {"a": escape(view.a), "b": escape(view.b)}
    return say(language, "compare_needed", votes=number(view.votes_needed, language), **names)


def _meeting(met: Meeting, language: str, slice: str) -> str:
    name = topic_name(met.topic, language) if met.topic else slice_name(slice, language)
    amounts = (met.wins_a, met.wins_b, met.ties, met.both_bad)
    cells = "".join(f'<td class="count">{number(value, language)}</td>' for value in amounts)
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'


def _row(
    place: int, row: Row, plate: Nameplate | None, span: tuple[float, float], ring: float | None, language: str
) -> str:
    rank = str(row.rank_low) if row.rank_low == row.rank_high else f"{row.rank_low}–{row.rank_high}"
    said = say(language, "unrated")
    unrated = f'<span class="unrated" role="img" aria-label="{said}" title="{said}">—</span>'
    rating = unrated if row.rating is None else number(row.rating, language)
    key = "retired" if row.retired else "unrated" if row.rating is None else "preliminary" if row.preliminary else ""
    marks = f'<span class="mark">{say(language, key)}</span>' if key else ""
    toy = f'<span class="mark">{say(language, "toy")}</span>' if plate and plate.toy else ""
    acceptable = "—" if row.acceptability is None else percent(row.acceptability, language)
    drawn = "—" if row.sampling_rate is None else percent(row.sampling_rate, language, int(row.sampling_rate < 0.1))
    about = (plate.organisation, plate.licence) if plate else ()
    name = model_name(row.model, language)
    sought = escape(" ".join((name, plate.family if plate else "", *about)).lower())
    return (
        f'<tr data-find="{sought}"><td class="rank" data-value="{place}">{rank}</td>'
        f'<th scope="row" class="model" data-value="{escape(name)}">{escape(name)}'
        f" {marks}{toy}<small>{escape(' · '.join(part for part in about if part))}</small></th>"
        f'<td class="rating" data-value="{_plain(row.rating)}">{rating}</td>'
        f'<td class="interval">{_track(row, span, ring, language)}</td>'
        f'<td class="battles" data-value="{row.battles}">{number(row.battles, language)}</td>'
        f'<td class="drawn" data-value="{_plain(row.sampling_rate)}">{drawn}</td>'
        f'<td class="acceptable" data-value="{_plain(row.acceptability)}">{acceptable}</td>'
        f'<td class="size" data-value="{_plain(plate.parameters if plate else None)}">{_size(plate)}</td></tr>'
    )


def _plain(value: float | None) -> str:
    """What a heading sorts by; empty where it is not known."""
    return "" if value is None else f"{value:.6g}"


def _track(row: Row, span: tuple[float, float], ring: float | None, language: str) -> str:
    """The interval drawn on the scale of the board, with its numbers for those who do not see it."""
    low = span[0] if row.ci_low is None else row.ci_low
    high = span[1] if row.ci_high is None else row.ci_high
    other = "" if ring is None else f'<u class="ring" style="left:{_place(ring, span):.1f}%"></u>'
    if row.ci_low is None and row.ci_high is None:
        dot = "" if row.rating is None else f'<u style="left:{_place(row.rating, span):.1f}%"></u>'
        return f'<span class="track">{dot}{other}</span>' if dot else '<span class="none">—</span>'
    left, right = _place(low, span), _place(high, span)
    dot = "" if row.rating is None else f'<u style="left:{_place(row.rating, span):.1f}%"></u>'
    ends = " – ".join("…" if end is None else number(end, language) for end in (row.ci_low, row.ci_high))
    open_ends = ("" if row.ci_low is not None else " open-low") + ("" if row.ci_high is not None else " open-high")
    return (
        f'<span class="track{open_ends}" role="img" aria-label="{ends}" title="{ends}">'
        f'<i style="left:{left:.1f}%;width:{max(0.5, right - left):.1f}%"></i>{other}{dot}</span>'
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


def _notes(seen: Seen, language: str) -> list[str]:
    """What a reader must know about these numbers."""
    assert seen.view is not None
    board, choice = seen.view.board, seen.choice
    parameters = {key: value for key, value in board.parameters.items() if isinstance(value, int | float)}
    method = "note_elo" if board.method == "elo" else "note_bt"
    shown = {key: number(float(value), language) for key, value in parameters.items()}
    notes = [say(language, method, **{"k": "", "start": "", "scale": "", **shown})]
    if board.parameters.get("each_question_once"):
        notes.append(say(language, "note_once"))
    if seen.style is not None and seen.style.value.board is not None:
        age, fit = number(max(1, round(seen.style.age)), language), seen.style.value
        notes.append(say(language, "note_style"))
        notes.append(say(language, "note_style_age", votes=number(fit.counted, language), seconds=age))
    explained = "slice_note_" + ("unmasked" if choice.slice == UNMASKED else choice.slice.partition("=")[0])
    if explained in TEXTS:
        notes.append(say(language, explained))
    if any(row.piece > 0 for row in board.rows):
        notes.append(say(language, "note_pieces"))
    bounded = [row for row in board.rows if row.ci_low is not None and row.ci_high is not None]
    undetermined = [row for row in board.rows if not row.identified and row.battles and row not in bounded]
    open_ended = [model_name(row.model, language) for row in undetermined]
    if board.method != "elo" and open_ended:
        names = ", ".join(open_ended[:NAMED]) + (" …" if len(open_ended) > NAMED else "")
        notes.append(say(language, "note_unrated", models=escape(names)))
    return notes
