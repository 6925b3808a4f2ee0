"""The operator's page: every contestant's state, memory, speed, failures and money, and what can be done about it.

The page itself holds only a door. Everything behind it is fetched with the operator's token by
`static/operator.js`, so that no name stands in a page that a voter can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arena.errors import ModelUnavailable
from arena.service import Arena
from arena.service.watching import ModelReport, Report
from arena.types import AnswerState
from arena.ui.operator import BehindTheDoor, Doorkeeper, door, named
from arena.ui.render import carded
from arena.ui.texts import TEXTS, number, percent, say

ACTS = ("load", "evict", "enable", "disable")

COLUMNS = (
    "board_model", "operator_state", "operator_memory", "fact_speed", "operator_answers", "operator_failures",
    "operator_spent", "operator_acts",
)  # fmt: skip


class OperatorRoutes:
    """Handlers over one arena."""

    def __init__(self, arena: Arena, keeper: Doorkeeper) -> None:
        self._arena, self._manners = arena, BehindTheDoor(keeper, arena.settings.language)

    def all(self) -> list[Route]:
        """What to hand to the server."""
        return [
            Route("/arena/operator/models", self._show, methods=["POST"]),
            Route("/arena/operator/{act}", self._act, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return self._manners.refused(request) or self._answer(request)

    async def _act(self, request: Request) -> Response:
        if refusal := self._manners.refused(request):
            return refusal
        act = request.path_params["act"]
        if act not in ACTS:
            return JSONResponse({"error": f"the operator can {', '.join(ACTS)}"}, 404)
        name = await named(request, "model")
        if name is None:
            return JSONResponse({"error": 'the body must be {"model": NAME}'}, 400)
        try:
            done = await getattr(self._arena.operator, act)(name)
        except ModelUnavailable as error:
            return JSONResponse({"error": str(error)}, 404)
        language = self._manners.language(request)
        return self._answer(request, "" if done else say(language, "operator_stays"))

    def _answer(self, request: Request, said: str = "") -> Response:
        return self._manners.answer(page(self._arena.report(), self._manners.language(request)), said)


def entrance(language: str) -> str:
    """What everybody may see: a field for the token, and an empty place."""
    return door(language, "operator", "operator-models")


def page(report: Report, language: str) -> str:
    """Everything behind the door."""
    headings = [say(language, key) for key in COLUMNS]
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    rows = "".join(_row(one, report, headings, language) for one in report.models)
    return (
        f"<h2>{say(language, 'tab_models')}</h2>{_summary(report, language)}{_memory(report, language)}"
        f'<div class="operator-scroll"><table class="cards"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<p><button type="button" data-leave>{say(language, "operator_leave")}</button></p>'
    )


def _summary(report: Report, language: str) -> str:
    votes = sum(count for verdict, count in report.votes.items() if verdict != "retracted")
    facts = [
        say(language, "operator_battles", battles=report.battles, streams=report.streams, warming=report.warming),
        say(language, "operator_votes", votes=number(votes, language), time=_lasted(report.uptime, language)),
        say(language, "operator_database" if report.database_ok else "operator_database_down"),
    ]
    if report.window is not None:
        seconds = {key: number(getattr(report.window, key), language) for key in ("now", "longest")}
        facts.append(say(language, "operator_unsaved", **seconds))
    if report.wiped:
        facts.append(say(language, "not_kept"))
    facts += [
        say(
            language,
            "operator_gpu",
            name=escape(gpu.name),
            used=number(gpu.used / 2**30, language, 1),
            total=number(gpu.total / 2**30, language, 1),
            watts=say(language, "not_known") if gpu.watts is None else number(gpu.watts, language),
        )
        for gpu in report.gpus
    ]
    return f'<ul class="operator-facts">{"".join(f"<li>{fact}</li>" for fact in facts)}</ul>'


def _lasted(seconds: float, language: str) -> str:
    """A time in the two largest units that it fills."""
    minutes = int(seconds // 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return say(language, "time_days", days=number(days, language), hours=hours)
    if hours:
        return say(language, "time_hours", hours=hours, minutes=minutes % 60)
    return say(language, "time_minutes", minutes=minutes) if minutes else say(language, "time_moment")


def _memory(report: Report, language: str) -> str:
    """What is kept for whom, as shares of the budget."""
    resident = [one for one in report.models if one.resident]
    kept = number(report.resident, language, 1)
    if not report.budget or not report.resident:
        return f"<p>{say(language, 'operator_kept', kept=kept)}</p>" if resident else ""
    parts = "".join(
        f'<i style="width:{100 * one.state.gib / report.budget:.2f}%" title="{escape(one.entry.name, quote=True)}"></i>'
        for one in resident
    )
    text = say(language, "operator_kept_of", kept=kept, budget=number(report.budget, language, 1))
    return (
        f'<p>{text}</p><div class="operator-bar" role="img" aria-label="{text}">{parts}</div>'
        f'<ul class="operator-facts operator-legend">{_legend(resident, report, language)}</ul>'
    )


def _legend(resident: Sequence[ModelReport], report: Report, language: str) -> str:
    """Whose each part of the bar is, in its order and colour, and what is left."""
    shares = [(escape(one.entry.name), one.state.gib) for one in resident]
    shares.append((say(language, "operator_free"), max(0.0, (report.budget or 0.0) - report.resident)))
    return "".join(
        f"<li><i></i>{name} {say(language, 'operator_gib', gib=number(gib, language, 1))}</li>" for name, gib in shares
    )


def _row(one: ModelReport, report: Report, headings: Sequence[str], language: str) -> str:
    engine = f"operator_engine_{one.entry.engine}"
    runs = say(language, engine) if engine in TEXTS else one.entry.engine
    about = " · ".join(filter(None, (one.entry.precision, runs)))
    cells = (
        _state(one, language),
        _share(one, report, language),
        _speed(one, language),
        number(sum(one.tally.answers.values()) - one.tally.answers[AnswerState.FAILED], language),
        _failures(one, language),
        _money(one, language),
        _acts(one, language),
    )
    return carded(headings, f"{escape(one.entry.name)}<small>{escape(about)}</small>", cells)


def _state(one: ModelReport, language: str) -> str:
    state = one.state
    key = one.phase
    if one.health is not None and state.enabled:
        key = {True: "warm", False: "failed", None: "cold"}[one.health.ok]
    word = say(language, f"operator_phase_{key}" if one.local or key == "disabled" else f"operator_endpoint_{key}")
    notes = [state.reason]
    if key == "loading":
        notes.append(percent(state.progress, language))
    if state.answering:
        notes.append(say(language, "operator_answering", count=state.answering))
    if state.retry_in:
        notes.append(say(language, "operator_retry", seconds=round(state.retry_in)))
    if one.health is not None and one.health.ok is not True:
        notes.append(one.health.message)
    said = "".join(f"<small>{escape(note)}</small>" for note in notes if note)
    return f'<span class="state {key}">{word}</span>{said}'


def _share(one: ModelReport, report: Report, language: str) -> str:
    if not one.local or not one.state.gib:
        return "—"
    bar = ""
    if report.budget:
        width = min(100.0, 100 * one.state.gib / report.budget)
        fill = "" if one.resident else " cold"
        bar = f'<div class="operator-bar{fill}" aria-hidden="true"><i style="width:{width:.1f}%"></i></div>'
    said = say(language, "operator_gib" if one.resident else "operator_needs", gib=number(one.state.gib, language, 1))
    return said + bar


def _speed(one: ModelReport, language: str) -> str:
    tally = one.tally
    count = sum(tally.waits.counts)
    if tally.tokens_per_second is None or not count:
        return "—"
    first = number(tally.waits.total / count, language, 2)
    return say(language, "speed_value", speed=number(tally.tokens_per_second, language), first=first)


def _failures(one: ModelReport, language: str) -> str:
    """Of answers, then of loads and workers, which fail without a voter noticing; logs have them by their codes."""
    found = (*sorted(one.tally.failures.items()), *sorted(one.state.failed.items()))
    lines = (
        f'<span title="{escape(code)}">{_befell(code, language)}: {number(count, language)}</span>'
        for code, count in found
    )
    return "<br>".join(lines) or "—"


def _befell(code: str, language: str) -> str:
    key = f"failure_{code}"
    return say(language, key) if key in TEXTS else escape(code)


def _money(one: ModelReport, language: str) -> str:
    if one.spent is None:
        return "—"
    spent = number(one.spent, language, 4)
    cap = "" if one.cap is None else f" / {number(one.cap, language, 2)}"
    return f"{spent}{cap} {escape(one.currency)}"


def _acts(one: ModelReport, language: str) -> str:
    """What makes sense now."""
    loadable = one.entry.engine == "local" and one.state.enabled
    acts = ["load"] if loadable and one.phase in ("cold", "failed") else []
    acts += ["evict"] if loadable and one.phase == "warm" else []
    acts += ["disable" if one.state.enabled else "enable"]
    model = escape(one.entry.name, quote=True)
    return " ".join(
        f'<button type="button" data-act="{act}" data-model="{model}">{say(language, f"operator_{act}")}</button>'
        for act in acts
    )
