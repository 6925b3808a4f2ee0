"""`integrity`: who favours somebody whatever it answers, what is held back for it, and how firm the first place is.

Prints what the desk found; holding and releasing votes are options, never a side effect of looking.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from arena.cli.storage import opened
from arena.cli.terminal import Column, DatabaseOption, StorageOption, console, counted, fitted, told, visible
from arena.config import Settings
from arena.service.integrity import IntegrityDesk, IntegrityView, Suspect, reason_of, reason_of_crowd

SHOWN = 10
"""So many voters are listed, the flagged all."""


def integrity(
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Take the votes of flagged voters and crowds off the board.")
    ] = False,
    restore: Annotated[
        list[str] | None,
        typer.Option("--restore", help="CODE (or its beginning, or `all`): put held votes back and trust the voter."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Look for rigged votes; hold them back, or put them back, without deleting any."""
    with told(), opened(database, storage) as store:
        settings = Settings.from_environment(database=database, storage=storage)
        desk = IntegrityDesk(store, preliminary=settings.preliminary_battles)
        restored = sum(desk.release(code) for code in restore or [])
        held = desk.quarantine() if quarantine else 0
        view = desk.view()
    if as_json:
        report = as_values(view) | {"restored_now": restored, "held_now": held}
        json.dump(report, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
        sys.stdout.write("\n")
        return
    _print(console(), view)
    if restore:
        typer.echo(f"{counted(restored, 'vote')} put back")
    if quarantine:
        typer.echo(f"{counted(held, 'vote')} held back; --restore puts {'it' if held == 1 else 'them'} back")


def as_values(view: IntegrityView) -> dict[str, Any]:
    """Plain values for JSON: every voter's evidence, crowds, held votes, the flip and the repeated prompts."""
    return {
        "votes": view.votes,
        "voters": view.voters,
        "threshold": view.threshold,
        "suspects": [_suspect(one) for one in view.suspects],
        "crowds": [
            {"most_votes": one.alarm.most, **asdict(one.alarm.shift), "sequences": one.sequences} for one in view.crowds
        ],
        "held": [asdict(one) for one in view.held],
        "flip": None if view.flip is None else asdict(view.flip),
        "prompts": {
            "known": view.repeats.known,
            "distinct": view.repeats.distinct,
            "repeated": view.repeats.repeated,
            "largest": view.repeats.largest,
            "share": view.repeats.share,
            "moved_if_each_counted_once": [asdict(one) for one in view.moved],
        },
    }


def _suspect(one: Suspect) -> dict[str, Any]:
    evidence = one.evidence
    return {
        "voter": one.code,
        "flagged": one.flagged,
        "trusted": one.trusted,
        "votes": evidence.votes,
        "agreement": evidence.agreement,
        **asdict(evidence.bet),
    }


COLUMNS = (
    Column("voter", words=True), Column("votes", lesser=1), Column("unlike honest", words=True), Column("score"),
    Column("expected", lesser=2), Column("log-wealth"), Column("agreement", lesser=3), Column("", words=True),
)  # fmt: skip


def _print(out: Console, view: IntegrityView) -> None:
    rows = [_row(one) for one in view.suspects[: max(SHOWN, len(view.flagged))]]
    read = f"{counted(view.votes, 'vote')} of {counted(view.voters, 'voter')}"
    title = f"{read}; flagged above {view.threshold:.1f}"
    out.print(fitted(out, COLUMNS, rows, title=title))
    for line in _lines(view):
        out.print(visible(line), markup=False)


def _row(one: Suspect) -> tuple[str, ...]:
    bet, z = one.evidence.bet, one.evidence.agreement
    return (
        one.code,
        str(one.evidence.votes),
        f"{bet.direction}s {bet.target}",
        f"{bet.score:g} of {bet.battles}",
        f"{bet.expected:.1f}",
        f"{bet.log_e:z.1f}",
        "–" if z is None else f"{z:+z.1f}",
        "trusted" if one.trusted else "flagged" if one.flagged else "",
    )


def _lines(view: IntegrityView) -> list[str]:
    """What is no table."""
    lines = [f"flagged: {one.code}: {reason_of(one.evidence)}" for one in view.flagged]
    lines += [f"crowd: {reason_of_crowd(one.alarm)}" for one in view.crowds]
    lines += [f"held: {counted(len(one.sequences), 'vote')} of {one.code}: {one.reason}" for one in view.held]
    if view.flip is not None:
        flip = view.flip
        lines.append(
            f"{counted(flip.duels, 'vote')} for {flip.challenger} against {flip.leader} would put it first "
            f"(about {counted(flip.battles, 'battle')} of a rigger who cannot choose pairs), "
            f"among rated models of at least {counted(flip.least, 'battle')}"
        )
    if view.repeats.share:
        moved = (
            ", ".join(f"{one.model} {one.place} → {one.place_once}" for one in view.moved) or "no place would change"
        )
        lines.append(
            f"{view.repeats.share:.0%} of votes repeat a prompt ({view.repeats.largest} at most on one); "
            f"if each prompt counted once: {moved}"
        )
    return lines
