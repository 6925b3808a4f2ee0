"""The layout of a battle: anonymous, named and direct are one builder with a mode.

It places components and gives them names; what happens is in `battle_events`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from arena.types import SIDES, Mode, Side
from arena.ui.texts import say

VERDICT_BUTTONS = ("a", "tie", "bad", "b")
SUGGESTIONS = 4
"""Prompts that are offered at once."""
PUT_AWAY: Literal["hidden"] = "hidden"
"""Not shown and yet in the page: what was taken out of it misses what it is told while Gradio puts it in again."""

LATEX: list[dict[str, str | bool]] = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
    {"left": "\\[", "right": "\\]", "display": True},
]
"""Single dollars are rewritten by `safe_markdown`, which tells a formula from a price."""


@dataclass(frozen=True, slots=True)
class SideSlots:
    """The components of one side."""

    head: gr.HTML
    earlier: gr.Markdown
    answer: gr.Markdown
    facts: gr.HTML


@dataclass(frozen=True, slots=True)
class BattleTab:
    """Every component of a battle that an event reads or writes."""

    mode: Mode
    battle: gr.Textbox
    paint: gr.Button
    repaint: gr.Button
    choices: tuple[gr.Dropdown, ...]
    welcome: gr.Column
    topic: gr.Radio
    suggestions: tuple[gr.Button, ...]
    others: gr.Button
    stage: gr.Column
    question: gr.HTML
    verdict: gr.Row
    verdict_text: gr.HTML
    undo: gr.Button
    new_after: gr.Button
    sides: dict[Side, SideSlots]
    after: gr.Column
    reasons: gr.CheckboxGroup
    comment: gr.Textbox
    send_feedback: gr.Button
    votes: gr.Row
    vote: dict[str, gr.Button]
    prompt: gr.Textbox
    send: gr.Button
    stop: gr.Button
    again: gr.Button
    drop: gr.Button
    new: gr.Button


def build_battle(mode: Mode, i18n: gr.I18n) -> BattleTab:
    """Place a battle's components in the current tab."""
    with gr.Column(elem_id=f"{mode}-battle", elem_classes=["arena-battle", f"mode-{mode}"]):
        battle = gr.Textbox(visible="hidden", elem_id=f"{mode}-id", label="battle", show_label=False)
        paint, repaint = (gr.Button("…", visible="hidden", elem_id=f"{mode}-{part}") for part in ("paint", "repaint"))
        choices = _choices(mode, i18n)
        parts = {**_welcome(mode, i18n), **_stage(mode, i18n), **_bar(mode, i18n)}
    return BattleTab(mode=mode, battle=battle, paint=paint, repaint=repaint, choices=choices, **parts)


def _button(
    mode: Mode, part: str, text: Any, look: str | list[str], *, width: int = 100, shown: bool | Literal["hidden"] = True
) -> gr.Button:
    return gr.Button(text, visible=shown, elem_id=f"{mode}-{part}", elem_classes=look, size="sm", min_width=width)


def _welcome(mode: Mode, i18n: gr.I18n) -> dict[str, Any]:
    """What to ask, before anything was asked."""
    with gr.Column(elem_classes="welcome") as welcome:
        gr.HTML(i18n(f"welcome_html_{mode}"), elem_classes="welcome-text")
        topic = gr.Radio([], label=i18n("topic"), elem_id=f"{mode}-topic", elem_classes=["chips", "topics"])
        with gr.Row(elem_classes="suggestions"):
            suggestions = tuple(
                _button(mode, f"suggestion-{index}", "…", "suggestion", width=120) for index in range(SUGGESTIONS)
            )
        others = _button(mode, "others", i18n("other_suggestions"), "ghost")
    return {"welcome": welcome, "topic": topic, "suggestions": suggestions, "others": others}


def _stage(mode: Mode, i18n: gr.I18n) -> dict[str, Any]:
    """The question, the two answers, and what comes after the vote."""
    taken = SIDES if mode is not Mode.DIRECT else SIDES[:1]
    with gr.Column(visible=False, elem_classes="stage") as stage:
        question = gr.HTML(elem_id=f"{mode}-question")
        with gr.Row(visible=False, elem_classes="verdict-row") as verdict:
            verdict_text = gr.HTML(elem_id=f"{mode}-verdict", scale=5)
            undo = _button(mode, "undo", i18n("undo"), ["ghost", "undo"], width=120)
            new_after = _button(mode, "new-after", i18n("new_battle"), "prim", width=120)
        if mode is not Mode.DIRECT:
            gr.HTML(i18n("side_tabs_html"), elem_classes="side-tabs-holder")
        with gr.Row(elem_classes="pair", equal_height=True):
            sides = {side: _side(mode, side) for side in taken}
        feedback = _feedback(mode, i18n)
    return {
        "stage": stage, "question": question, "verdict": verdict, "verdict_text": verdict_text, "undo": undo,
        "new_after": new_after, "sides": sides, **feedback,
    }  # fmt: skip


def _feedback(mode: Mode, i18n: gr.I18n) -> dict[str, Any]:
    """Reasons and a comment, once there is a vote."""
    with gr.Column(visible=False, elem_classes="after") as after:
        reasons = gr.CheckboxGroup([], label=i18n("why"), elem_id=f"{mode}-reasons", elem_classes="chips")
        with gr.Row(elem_classes="comment-row"):
            comment = gr.Textbox(
                label=i18n("comment"), placeholder=i18n("comment_hint"), show_label=False,
                elem_id=f"{mode}-comment", max_length=2000, scale=6, container=False,
            )  # fmt: skip
            send = _button(mode, "send-feedback", i18n("send_feedback"), "ghost", width=110)
    return {"after": after, "reasons": reasons, "comment": comment, "send_feedback": send}


def _bar(mode: Mode, i18n: gr.I18n) -> dict[str, Any]:
    """The verdicts and the field for the next message, always within reach."""
    direct = mode is Mode.DIRECT
    with gr.Column(elem_classes="bar"):
        with gr.Row(visible=False, elem_classes="votes", elem_id=f"{mode}-votes") as votes:
            vote = {key: _vote_button(mode, key, i18n) for key in VERDICT_BUTTONS}
        with gr.Row(elem_classes="say"):
            prompt = gr.Textbox(
                label=i18n("question"), placeholder=i18n("ask_one" if direct else "ask_first"), show_label=False,
                container=False, lines=1, max_lines=6, scale=8, elem_id=f"{mode}-prompt",
            )  # fmt: skip
            send = _button(mode, "send", i18n("send"), "prim")
            stop = _button(mode, "stop", i18n("stop"), "ghost", shown=PUT_AWAY)
            again = _button(mode, "again", i18n("again"), "ghost", width=80, shown=False)
            drop = _button(mode, "drop", i18n("drop"), "ghost", shown=False)
            new = _button(mode, "new", i18n("new_chat" if direct else "new_battle"), "ghost", shown=False)
    return {
        "votes": votes, "vote": vote, "prompt": prompt, "send": send, "stop": stop, "again": again, "drop": drop,
        "new": new,
    }  # fmt: skip


def _choices(mode: Mode, i18n: gr.I18n) -> tuple[gr.Dropdown, ...]:
    """Which contestants, where the voter chooses; the names come when the tab is opened."""
    labels = {Mode.ANONYMOUS: (), Mode.NAMED: ("model_a_choice", "model_b_choice"), Mode.DIRECT: ("model_choice",)}
    if not labels[mode]:
        return ()
    with gr.Row(elem_classes="choices"):
        return tuple(
            gr.Dropdown([], label=i18n(label), elem_id=f"{mode}-choice-{index}", allow_custom_value=False)
            for index, label in enumerate(labels[mode])
        )


def _side(mode: Mode, side: Side) -> SideSlots:
    with gr.Column(elem_classes=["side", f"side-{side}"], elem_id=f"{mode}-side-{side}", min_width=260):
        head = gr.HTML(elem_id=f"{mode}-head-{side}", elem_classes="side-head-holder")
        earlier = gr.Markdown(
            elem_id=f"{mode}-earlier-{side}", elem_classes=["answer", "earlier"], latex_delimiters=LATEX
        )
        answer = gr.Markdown(
            elem_id=f"{mode}-answer-{side}",
            elem_classes=["answer", "current"],
            latex_delimiters=LATEX,
            line_breaks=True,
        )
        facts = gr.HTML(elem_id=f"{mode}-facts-{side}")
    return SideSlots(head, earlier, answer, facts)


def _vote_button(mode: Mode, key: str, i18n: gr.I18n) -> gr.Button:
    return gr.Button(
        i18n(f"vote_{key}"), elem_id=f"{mode}-vote-{key}", elem_classes=["vote", f"vote-{key}"], interactive=False,
        size="md", min_width=90,
    )  # fmt: skip


def welcome_html(mode: Mode, language: str) -> str:
    """The words above the suggestions, and those that stand there while fewer than two models take part."""
    link = f'<a href="arena/my-data" target="_blank" rel="noopener">{say(language, "my_data")}</a>'
    consent = f'<p class="consent">{say(language, "consent")} {link}</p>'
    about = {Mode.ANONYMOUS: "welcome_battle", Mode.NAMED: "welcome_named", Mode.DIRECT: "welcome_direct"}[mode]
    keys = f'<p class="keys">{say(language, "keys_hint")}</p>' if mode is Mode.ANONYMOUS else ""
    words = f"<h1>{say(language, 'welcome')}</h1><p>{say(language, about)}</p>{keys}{consent}"
    if mode is Mode.DIRECT:
        return words
    act = f'<a href="?tab=direct">{say(language, "alone_act")}</a>'
    alone = f"<h1>{say(language, 'alone_title')}</h1><p>{say(language, 'alone')}</p>{act}"
    return f'<div class="paired">{words}</div><div class="alone">{alone}</div>'
