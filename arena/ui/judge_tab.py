"""The judges' tab: how each stands to people, with intervals and the number behind every figure."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from arena.judge.agreement import Estimate, JudgeReport
from arena.judge.desk import JudgeDesk, JudgesView
from arena.store.records import JudgeStanding
from arena.ui.render import carded
from arena.ui.texts import number, percent, say
from arena.ui.voters import language_of_request

COLUMNS = (
    "with_ties", "without_ties", "kappa", "flips", "inconsistent", "longer", "length_preference", "self_preference",
)  # fmt: skip
KEYS = ("judge_name", "judge_language", "judge_judgments", "judge_unscored", *(f"judge_{key}" for key in COLUMNS))
_SHARES = ("with_ties", "without_ties", "flips", "inconsistent", "longer")


class JudgeTab:
    """Layout and handler; nothing is read before the tab is opened."""

    def __init__(self, desk: JudgeDesk, default_language: str) -> None:
        self._desk, self._default = desk, default_language
        self.table = gr.HTML(elem_id="judge-table")

    def connect(self, opened: Any) -> None:
        """Wire the opening of the tab (an event)."""
        opened(self.show, [], [self.table], show_progress="hidden", api_visibility="private", concurrency_limit=None)

    async def show(self, request: gr.Request) -> str:
        """The reports as of now."""
        language = language_of_request(request.headers, self._default)
        return table(await asyncio.to_thread(self._desk.view), language)


def table(view: JudgesView, language: str) -> str:
    """Every judge over all languages, then in each, and how far each one's work is."""
    work = "".join(_work(standing, language) for standing in view.standings)
    if not view.reports:
        return f'<p class="empty">{say(language, "judge_empty")}</p>{work}'
    headings = [say(language, key) for key in KEYS]
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    rows = "".join(_row(report, report.judge in view.admitted, headings, language) for report in view.reports)
    least, battles = percent(view.gate.agreement, language), number(view.gate.battles, language)
    notes = (say(language, "judge_gate", share=least, battles=battles), say(language, "judge_note"))
    return (
        f'<div class="board-scroll"><table class="board-table judges cards"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{work}{''.join(f'<p class=note>{note}</p>' for note in notes)}"
    )


def _work(standing: JudgeStanding, language: str) -> str:
    """How many battles wait, are being judged, are done and failed; how to try the failed again.

    Why they failed stands in the command's output: an endpoint's words may hold addresses that are not for voters.
    """
    counts = {state: number(getattr(standing, state), language) for state in ("queued", "claimed", "done", "failed")}
    line = say(language, "judge_work", judge=escape(standing.judge), **counts)
    if standing.failed:
        command = f"python -m arena judge --judge {shlex.quote(standing.judge)} --retry-failed"
        line += f"<br>{say(language, 'judge_retry')} <code>{escape(command)}</code>"
    return f'<p class="note">{line}</p>'


def _row(report: JudgeReport, admitted: bool, headings: Sequence[str], language: str) -> str:
    mark = f'<span class="mark">{say(language, "judge_admitted")}</span>' if admitted and not report.language else ""
    spoken = say(language, f"slice_language_{report.language}") if report.language in ("ru", "en") else report.language
    cells = (
        escape(spoken) or say(language, "judge_all"),
        number(report.judgments, language),
        number(report.unscored, language),
        *(_estimate(getattr(report, key), key in _SHARES, language) for key in COLUMNS),
    )
    return carded(headings, escape(report.judge) + mark, cells)


def _estimate(found: Estimate, share: bool, language: str) -> str:
    """The figure, its interval and the battles behind it."""
    if found.value is None:
        return f"—<small>n = {number(found.n, language)}</small>"

    def shown(value: float | None) -> str:
        if value is None:
            return "…"
        return percent(value, language) if share else number(value, language, 2)

    ends = "" if found.low is None and found.high is None else f"{shown(found.low)} … {shown(found.high)}<br> "
    return f"{shown(found.value)}<small>{ends}n = {number(found.n, language)}</small>"
