"""The operator's page about votes: who is suspected and why, what is held back, how firm the first place is.

Like the models' page it is only a door until the operator's token was shown: voters and contestants
are named behind it. It is asked for when its tab is opened, since a look reads every vote.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arena.errors import ArenaError
from arena.ratings.crowds import Alarm
from arena.service import Arena
from arena.service.integrity import REASON, Held, IntegrityDesk, IntegrityView, Suspect
from arena.service.patrol import Sighting
from arena.ui.names import model_name
from arena.ui.operator import BehindTheDoor, Doorkeeper, door, named
from arena.ui.render import carded
from arena.ui.sentences import said
from arena.ui.texts import number, percent, say

SHOWN = 20
"""So many voters are listed, the flagged all."""

Cells = tuple[str, ...]
"""A row of a table, in HTML: whose it is, then the rest."""


class IntegrityRoutes:
    """Handlers over one arena; they stand before the models' routes, whose address is more general."""

    def __init__(self, arena: Arena, keeper: Doorkeeper) -> None:
        self._manners = BehindTheDoor(keeper, arena.settings.language)
        self._arena = arena
        least = arena.settings.preliminary_battles
        self._desk = IntegrityDesk(arena.store, arena.boards.questions, preliminary=least)

    def all(self) -> list[Route]:
        """What to hand to the server."""
        return [
            Route("/arena/operator/integrity", self._show, methods=["POST"]),
            Route("/arena/operator/integrity/quarantine", self._quarantine, methods=["POST"]),
            Route("/arena/operator/integrity/restore", self._restore, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return self._manners.refused(request) or await self._answer(request, "")

    async def _quarantine(self, request: Request) -> Response:
        if refusal := self._manners.refused(request):
            return refusal
        held = await asyncio.to_thread(self._desk.quarantine)
        return await self._answer(request, say(self._manners.language(request), "integrity_held_now", votes=held))

    async def _restore(self, request: Request) -> Response:
        if refusal := self._manners.refused(request):
            return refusal
        voter = await named(request, "voter")
        if voter is None:
            return JSONResponse({"error": 'the body must be {"voter": CODE}'}, 400)
        try:
            back = await asyncio.to_thread(self._desk.release, voter)
        except ArenaError as error:
            return JSONResponse({"error": str(error)}, 404)
        return await self._answer(request, say(self._manners.language(request), "integrity_back_now", votes=back))

    async def _answer(self, request: Request, said: str) -> Response:
        view = await asyncio.to_thread(self._desk.view)
        return self._manners.answer(page(view, self._manners.language(request), self._arena.patrol.sighting), said)


def entrance(language: str) -> str:
    """What stands in the page that everybody gets: a field for the token, and an empty place."""
    return door(language, "integrity", "integrity-report")


def page(view: IntegrityView, language: str, sighting: Sighting | None = None) -> str:
    """Everything behind the door."""
    flagged = sum(len(one.sequences) for one in view.flagged) + sum(len(one.sequences) for one in view.crowds)
    facts = [
        say(language, "integrity_read", votes=number(view.votes, language), voters=number(view.voters, language)),
        _flip(view, language),
        _prompts(view, language),
        _patrolled(sighting, language),
    ]
    act = (
        f'<p><button type="button" data-integrity="quarantine">'
        f"{say(language, 'integrity_quarantine', votes=number(flagged, language))}</button></p>"
        if flagged
        else f"<p>{say(language, 'integrity_clean')}</p>"
    )
    return (
        f"<h2>{say(language, 'tab_integrity')}</h2>"
        f'<ul class="operator-facts">{"".join(f"<li>{fact}</li>" for fact in facts if fact)}</ul>'
        f"{act}{_suspects(view, language)}{_crowds(view, language)}{_held(view.held, language)}"
        f'<p class="note">{_note(view, language)}</p>'
    )


def _note(view: IntegrityView, language: str) -> str:
    """What the figures mean, and how far each may go."""
    limits = {"threshold": view.threshold, "opposed": view.opposed}
    return say(language, "integrity_note", **{key: number(limit, language, 1) for key, limit in limits.items()})


def _flip(view: IntegrityView, language: str) -> str:
    if view.flip is None:
        return ""
    flip = view.flip
    return say(
        language,
        "integrity_flip",
        leader=escape(model_name(flip.leader, language)),
        challenger=escape(model_name(flip.challenger, language)),
        duels=number(flip.duels, language),
        battles=number(flip.battles, language),
        least=number(flip.least, language),
    )


def _prompts(view: IntegrityView, language: str) -> str:
    if not view.repeats.share:
        return ""
    moved = ", ".join(f"{escape(model_name(one.model, language))} {one.place} → {one.place_once}" for one in view.moved)
    share, most = percent(view.repeats.share, language), number(view.repeats.largest, language)
    said = say(language, "integrity_moved", moved=moved) if moved else say(language, "integrity_unmoved")
    return f"{say(language, 'integrity_prompts', share=share, most=most)} {said}"


def _patrolled(sighting: Sighting | None, language: str) -> str:
    """What the arena saw by itself, and when."""
    if sighting is None:
        return say(language, "integrity_patrol_none")
    at = datetime.fromtimestamp(sighting.at, UTC).strftime(
        "%Y-%m-%d %H:%M UTC" if language == "en" else "%d.%m.%Y %H:%M UTC"
    )
    counts = {key: number(getattr(sighting, key), language) for key in ("votes", "voters", "crowds", "held")}
    return say(language, "integrity_patrol", at=at, **counts)


def _suspects(view: IntegrityView, language: str) -> str:
    shown = view.suspects[: max(SHOWN, len(view.flagged))]
    keys = ("voter", "votes", "deed", "score", "expected", "wealth", "agreement")
    return _table([f"integrity_{key}" for key in keys], [_suspect(one, language) for one in shown], language)


def _suspect(one: Suspect, language: str) -> Cells:
    bet, z = one.evidence.bet, one.evidence.agreement
    mark = "trusted" if one.trusted else "flagged" if one.flagged else ""
    said = f'<span class="mark">{say(language, f"integrity_{mark}")}</span>' if mark else ""
    cells = (
        number(one.evidence.votes, language),
        say(language, f"integrity_{bet.direction}", model=escape(model_name(bet.target, language))),
        say(language, "integrity_of", score=_score(bet.score, language), battles=number(bet.battles, language)),
        number(bet.expected, language, 1),
        number(bet.log_e, language, 1),
        "—" if z is None else number(z, language, 1),
    )
    return (f"<code>{escape(one.code[:12])}</code>{said}", *cells)


def _crowds(view: IntegrityView, language: str) -> str:
    if not view.crowds:
        return ""
    rows = [_crowd(one.alarm, language) for one in view.crowds]
    keys = ["integrity_crowd", "board_model", "integrity_score", "integrity_expected", "integrity_z"]
    return f"<h3>{say(language, 'integrity_crowds')}</h3>{_table(keys, rows, language)}"


def _crowd(alarm: Alarm, language: str) -> Cells:
    shift = alarm.shift
    who = say(language, "integrity_newest") if alarm.most is None else say(language, "integrity_few", votes=alarm.most)
    score = say(language, "integrity_of", score=_score(shift.score, language), battles=shift.battles)
    cells = (
        escape(model_name(shift.model, language)),
        score,
        number(shift.expected, language, 1),
        number(shift.z or 0, language, 1),
    )
    return (who, *cells)


def _held(held: tuple[Held, ...], language: str) -> str:
    if not held:
        return ""
    release = say(language, "integrity_release")
    rows = [
        (
            f"<code>{escape(one.code[:12])}</code>",
            number(len(one.sequences), language),
            escape(why_held(one.reason, language)),
            f'<button type="button" data-integrity="restore" data-voter="{escape(one.code, quote=True)}">{release}'
            "</button>",
        )
        for one in held
    ]
    keys = ["integrity_voter", "integrity_votes", "integrity_reason", "operator_acts"]
    return f"<h3>{say(language, 'integrity_held')}</h3>{_table(keys, rows, language)}"


_EXPECTED = "{score} of {battles} where {expected} was expected"
_RUSSIAN = "{score} из {battles}, ожидалось {expected}"
_REASONS = (
    (
        f"{REASON}raises {{model}}: {_EXPECTED}, log-wealth {{wealth}}",
        f"поднимает {{model}}: {_RUSSIAN}, улика {{wealth}}",
    ),
    (f"{REASON}lowers {{model}}: {_EXPECTED}, log-wealth {{wealth}}", f"топит {{model}}: {_RUSSIAN}, улика {{wealth}}"),
    (f"{REASON}votes against everybody else's, {{far}} deviations", "голосует наперекор остальным: {far} σ"),
    (
        f"{REASON}the newest tenth on {{model}}: {_EXPECTED}, z {{z}}",
        f"новейшая десятая часть о {{model}}: {_RUSSIAN}, z {{z}}",
    ),
    (
        f"{REASON}voters of at most {{votes}} votes on {{model}}: {_EXPECTED}, z {{z}}",
        f"те, у кого голосов не больше {{votes}}, о {{model}}: {_RUSSIAN}, z {{z}}",
    ),
)
"""Why votes are held, as `arena.service.integrity` writes it down."""


def why_held(reason: str, language: str) -> str:
    """The reason in the page's language; an operator's own words stay as they are."""
    return said(reason, language, _REASONS, _decimal)


def _decimal(part: str) -> str:
    """A Russian number has a comma."""
    return part.replace(".", ",") if re.fullmatch(r"-?\d+\.\d+", part) else part


def _table(keys: Sequence[str], rows: Sequence[Cells], language: str) -> str:
    headings = [say(language, key) for key in keys]
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "".join(carded(headings, row[0], row[1:]) for row in rows)
    return (
        f'<div class="operator-scroll"><table class="cards"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _score(value: float, language: str) -> str:
    """Wins, ties counted as halves: a whole number without a decimal."""
    return number(value, language, 0 if value == int(value) else 1)
