"""Views as HTML fragments: pure functions from what the service says to what a person reads.

Everything that came from a person or a model is escaped here. No component and no event is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from arena.battles.stream import Phase
from arena.service import BattleView, Facts, Nameplate, Reveal
from arena.service.views import RevealedSide, Why
from arena.types import BattleStatus, Mode, Side, Verdict
from arena.ui.markdown import quoted, safe_markdown
from arena.ui.texts import number, percent, say

_VERDICT_KEYS = {Verdict.MODEL_A: "a", Verdict.MODEL_B: "b", Verdict.TIE: "tie", Verdict.BOTH_BAD: "bad"}
_PHASE_KEYS = {Phase.WAITING: "waiting", Phase.WRITING: "writing", Phase.STOPPED: "stopped"}


def question(view: BattleView, language: str) -> str:
    """The last thing the voter asked."""
    if not view.turns:
        return ""
    prompt, before = escape(view.turns[-1].prompt), len(view.turns) - 1
    more = say(language, "earlier_turns", turns=before)
    button = f'<button type="button" data-earlier aria-expanded="false">{more}</button>' if before else ""
    stamp = f' data-judged="{view.stamp}"' if view.can_vote else ""
    return f'<div class="asked"{stamp}><span>{say(language, "you_asked")}</span><p>{prompt}</p>{button}</div>'


def side_tabs(language: str) -> str:
    """The two tabs that a narrow window shows the sides under."""
    tabs = "".join(
        f'<button type="button" role="tab" data-side="{side}" aria-selected="{str(side == "a").lower()}">'
        f"{say(language, f'side_{side}')}</button>"
        for side in ("a", "b")
    )
    return f'<div class="side-tabs" role="tablist">{tabs}</div>'


def side_head(view: BattleView, side: Side, language: str) -> str:
    """A side's title: anonymous before the vote, the contestant after it."""
    dot = f'<span class="dot" aria-hidden="true">{side.upper()}</span>'
    revealed = _revealed(view.reveal, side)
    if revealed is None:
        note = _doing(view, language)
        title = f"<b>{say(language, f'side_{side}')}</b>"
        return f'<div class="side-head {side}">{dot}{title}<small aria-live="polite">{note}</small></div>'
    plate = revealed.nameplate
    chosen = view.reveal is not None and not view.reveal.retracted and view.reveal.verdict is _CHOOSES[side]
    won = f'<em class="won">✓ {say(language, "your_choice")}</em>' if chosen else ""
    note = (_doing(view, language) if view.writing else "") or _origin(plate, language)
    return (
        f'<div class="side-head {side}">{dot}<b class="name">{escape(plate.name)}</b>{won}<small>{note}</small></div>'
    )


def _doing(view: BattleView, language: str) -> str:
    """What both sides are doing, in the same words for both."""
    if view.writing and view.warming is not None:
        return say(language, "warming", seconds=view.warming)
    if view.status is BattleStatus.EXPIRED:
        return say(language, "expired")
    return say(language, _PHASE_KEYS[view.phase]) if view.phase in _PHASE_KEYS else ""


_CHOOSES = {"a": Verdict.MODEL_A, "b": Verdict.MODEL_B}


def answer(view: BattleView, side: Side, language: str, harmless: Callable[[str], str] = safe_markdown) -> str:
    """The side's last answer as Markdown; `harmless` reads the text of a model."""
    if not view.turns:
        return ""
    if view.phase is Phase.FAILED:
        key = f"{view.turns[-1].why or Why.FAILED}_answer"
        return f"*{say(language, f'{key}_direct' if view.mode is Mode.DIRECT else key)}*"
    text = view.turns[-1].a if side == "a" else view.turns[-1].b
    if not text.strip() and not view.writing and view.phase is not Phase.STOPPED:
        return f"*{say(language, 'empty_answer')}*"
    return harmless(text)


def earlier(view: BattleView, side: Side) -> str:
    """The turns before the last one, as Markdown."""
    turns = view.turns[:-1]
    return "\n\n".join(
        f"{quoted(turn.prompt)}\n\n{safe_markdown(turn.a if side == 'a' else turn.b)}\n\n---" for turn in turns
    )


def facts(view: BattleView, side: Side, language: str) -> str:
    """What is known of how the answer came about, and the reasoning, once names may be known."""
    revealed = _revealed(view.reveal, side)
    if revealed is None or view.writing or view.phase is Phase.FAILED:
        return ""
    rows = [
        ("fact_quantization", escape(revealed.nameplate.quantization) or say(language, "not_known")),
        ("fact_speed", _speed(revealed.facts, language)),
        ("fact_length", _length(revealed.facts, language)),
        ("fact_licence", escape(revealed.nameplate.licence) or say(language, "not_known")),
    ]
    if revealed.facts.joules is not None:
        rows.append(("fact_energy", _energy(revealed.facts, language)))
    table = "".join(f"<dt>{say(language, key)}</dt><dd>{value}</dd>" for key, value in rows)
    return f'<dl class="facts">{table}</dl>{_reasoning(revealed, language)}'


def verdict(view: BattleView, language: str) -> str:
    """The panel after the vote: what was counted, what was expected, what it changed."""
    reveal = view.reveal
    if reveal is None or reveal.verdict is None or reveal.b is None or reveal.expected is None:
        return ""
    if reveal.retracted:
        return f'<div class="verdict"><p role="status">{say(language, "vote_retracted")}</p></div>'
    counted = say(language, f"vote_counted_{_VERDICT_KEYS[reveal.verdict]}")
    chance = say(language, "expected", percent=percent(reveal.expected, language))
    split = f'<div class="split" aria-hidden="true"><i style="width:{reveal.expected * 100:.1f}%"></i></div>'
    changes = "".join(_change(one, side, language) for one, side in ((reveal.a, "a"), (reveal.b, "b")))
    return (
        f'<div class="verdict"><div><p role="status">{counted}</p><b>{chance}</b>{split}</div>'
        f"<div><p>{say(language, 'what_changed')}</p>{changes}</div>"
        f'<span hidden data-undo-seconds="{reveal.undo_seconds:.1f}"></span></div>'
    )


def _change(side: RevealedSide, letter: str, language: str) -> str:
    before, after = (number(value or 0, language, 1) for value in (side.rating_before, side.rating_after))
    return f'<div class="change {letter}"><b>{escape(side.nameplate.name)}</b> <span>{before} → {after}</span></div>'


def _revealed(reveal: Reveal | None, side: Side) -> RevealedSide | None:
    if reveal is None:
        return None
    return reveal.a if side == "a" else reveal.b


def _origin(plate: Nameplate, language: str) -> str:
    size = "" if plate.parameters is None else f"{plate.parameters:g}B"
    toy = say(language, "toy") if plate.toy else ""
    return escape(" · ".join(part for part in (plate.organisation, size, toy) if part))


def _speed(facts: Facts, language: str) -> str:
    if facts.tokens_per_second is None or facts.first_token_after is None:
        return say(language, "not_known")
    speed = number(facts.tokens_per_second, language)
    return say(language, "speed_value", speed=speed, first=number(facts.first_token_after, language, 2))


def _length(facts: Facts, language: str) -> str:
    characters = number(facts.characters, language)
    if facts.completion_tokens is None:
        return say(language, "length_characters", characters=characters)
    tokens = number(facts.completion_tokens, language)
    return say(language, "length_value", tokens=tokens, characters=characters)


def _energy(facts: Facts, language: str) -> str:
    """Joules of the answer, and of each of its tokens."""
    joules = facts.joules or 0.0
    whole = say(language, "energy_value", joules=number(joules, language, 1 if joules < 10 else 0))
    if not facts.completion_tokens:
        return whole
    return f"{whole} · {say(language, 'energy_each', joules=number(joules / facts.completion_tokens, language, 2))}"


def _reasoning(side: RevealedSide, language: str) -> str:
    if not side.reasoning.strip():
        return ""
    text = escape(side.reasoning.strip())
    return f'<details class="reasoning"><summary>{say(language, "reasoning")}</summary><pre>{text}</pre></details>'


def my_data(code: str | None, language: str, *, note: str = "") -> str:
    """A page of its own: what is stored of its reader, and how to have it erased; `note` is a text to begin with."""
    if code is None:
        return plain_page(say(language, "my_data"), f"<p>{say(language, 'my_data_none')}</p>", language)
    begin = f'<p role="alert"><b>{say(language, note)}</b></p>' if note else ""
    form = (
        f'<form method="post" action="forget"><input type="hidden" name="code" value="{code}">'
        f'<label><input type="checkbox" required> <span>{say(language, "my_data_sure")}</span></label>'
        f"<button>{say(language, 'my_data_erase')}</button></form>"
    )
    body = (
        f"{begin}<p>{say(language, 'my_data_stored')}</p>{form}<p>{say(language, 'my_data_code')}</p>"
        f"<p><code>{code}</code></p><p>{say(language, 'my_data_after')}</p>"
    )
    return plain_page(say(language, "my_data"), body, language)


def forgotten(battles: int, language: str) -> str:
    """The page after it: what was erased."""
    said = say(language, "my_data_gone", battles=number(battles, language))
    return plain_page(say(language, "my_data"), f'<p role="status">{said}</p>', language)


_PLAIN = (Path(__file__).parent / "static" / "plain.css").read_text(encoding="utf-8")


def plain_page(title: str, body: str, language: str, *, head: str = "", home: str = "..") -> str:
    """A page beside the arena's own, in its colours, with nothing to load; `home` is the arena's address from there."""
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">{head}<title>{title}</title><style>{_PLAIN}</style>'
        f'<main><a href="{escape(home)}">← {say(language, "brand")}</a><h1>{title}</h1>{body}</main></html>'
    )


NOTHING = ' class="none"'


def carded(headings: Sequence[str], first: str, cells: Sequence[str]) -> str:
    """A row of a table of class `cards`: each cell knows its heading, beside which a phone shows it.

    `first` is what the row's own heading holds; all are HTML, `headings` plain words, the first's among them. A cell
    that says nothing is marked as such: where rows are piled up, it needs no line.
    """
    named = zip(headings[1:], cells, strict=True)
    rest = "".join(
        f'<td data-label="{escape(heading)}"{NOTHING if cell == "—" else ""}><div>{cell}</div></td>'
        for heading, cell in named
    )
    return f'<tr><th scope="row">{first}</th>{rest}</tr>'


def sorting_heading(label: str, language: str, order: str, *, rising: bool = False, kind: str = "") -> str:
    """A column's heading that sorts its table; `rising` where the first press shows the smallest first.

    `order` is what `aria-sort` says at first; each cell of the column carries `data-value`, empty where not known.
    """
    return (
        f'<th scope="col" class="{kind}" aria-sort="{order}"><button type="button" '
        f'data-sort="{"rising" if rising else ""}" title="{say(language, "sort")}">{label}</button></th>'
    )
