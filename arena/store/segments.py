"""Votes as append-only segments: what a place that forgets its disk sends away and reads back.

A segment is lines of JSON. A vote's line is the export's row without any text; a mark's line says what
became of a vote later (taken back, quarantined, its voter forgotten). Lines may repeat: the last one
about a vote counts. It knows the store's public door only, and no network.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.errors import StoreError
from arena.store.records import VoteFilter, VoteRecord
from arena.store.store import Store

FORGOTTEN = "forgotten"
"""The voter of outcomes whose owner was forgotten."""

_TEXTS = ("conversation_a", "conversation_b", "comment")
_WITHDRAWING = frozenset({"undo", "forget"})
_MARKING = frozenset({"quarantine", "restore", "forgotten"})
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the segments reach: the last vote's number and the last line of the log."""

    vote: int = 0
    event: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Lines to be sent, the cursor after them, and how many votes came new."""

    content: bytes
    cursor: Cursor
    votes: int


def segment_after(store: Store, cursor: Cursor) -> Segment | None:
    """Everything since the cursor; None when there is nothing. Blocks. Reads changed votes only."""
    votes = list(store.votes(VoteFilter(after=cursor.vote, counting_only=False)))
    withdrawn, touched, event = _touched(store, cursor.event)
    after = Cursor(max([cursor.vote, *(vote.sequence for vote in votes)]), event)
    lines = list(_rows(store, cursor.vote, after.vote)) if votes else []
    lines += [{"mark": battle, "retracted": True} for battle in sorted(withdrawn)]
    marked = [vote for vote in votes if not vote.counts]
    if touched:  # rare enough to look at every vote
        marked = [vote for vote in store.votes(VoteFilter(counting_only=False)) if _marked(vote, touched)]
    lines += [_mark(vote) for vote in marked]
    if not lines:
        return Segment(b"", after, 0) if after != cursor else None
    return Segment(b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines), after, len(votes))


def restore_segments(store: Store, files: Iterable[Path]) -> int:
    """Bring back every vote of these segments that is not here yet; returns how many came. Blocks.

    Raises `StoreError` naming a segment that is damaged: then nothing was brought back.
    """
    rows, marks = _folded(sorted(files, key=lambda file: file.name))
    kept = [row for name, row in rows.items() if not marks.get(name, {}).get("retracted")]
    for row in kept:
        if marks.get(row["question_id"], {}).get("forgotten"):
            row["judge"] = FORGOTTEN
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "segments.jsonl"
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), "utf-8")
        added = store.import_votes(file).added if kept else 0
    _quarantine_again(store, {name: mark["quarantined"] for name, mark in marks.items() if mark.get("quarantined")})
    return added


def _rows(store: Store, after: int, last: int) -> Iterator[dict[str, Any]]:
    """The votes' rows without a word of anybody."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "votes.jsonl"
        store.export_votes(file, which=VoteFilter(after=after, counting_only=False), redact=lambda text: "")
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield {name: value for name, value in row.items() if name not in _TEXTS}


def _touched(store: Store, after: int) -> tuple[set[str], set[str | None], int]:
    """Battles whose votes were taken back since, and others that changed (None: a voter was forgotten)."""
    withdrawn: set[str] = set()
    touched: set[str | None] = set()
    while page := store.events(after=after, limit=_PAGE):
        after = page[-1].id
        withdrawn |= {line.battle_id for line in page if line.kind in _WITHDRAWING and line.battle_id}
        touched |= {line.battle_id for line in page if line.kind in _MARKING}
    return withdrawn, touched, after


def _marked(vote: VoteRecord, touched: set[str | None]) -> bool:
    return vote.battle_id in touched or (None in touched and _forgotten(vote))


def _forgotten(vote: VoteRecord) -> bool:
    return vote.voter.startswith(FORGOTTEN)


def _mark(vote: VoteRecord) -> dict[str, Any]:
    return {
        "mark": vote.battle_id,
        "retracted": vote.retracted_at is not None,
        "quarantined": vote.quarantined,
        "forgotten": _forgotten(vote),
    }


def _folded(files: list[Path]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Votes in the order of their first appearance, and the last mark of each."""
    rows: dict[str, dict[str, Any]] = {}
    marks: dict[str, dict[str, Any]] = {}
    for file in files:
        for number, line in enumerate(file.read_bytes().splitlines(), start=1):
            try:
                value = json.loads(line)
                if "mark" in value:
                    marks[value["mark"]] = value
                else:
                    rows.setdefault(value["question_id"], value)
            except (ValueError, KeyError, TypeError):
                raise StoreError(f"segment {file.name}, line {number} is damaged: delete or mend it") from None
    return rows, marks


def _quarantine_again(store: Store, reasons: dict[str, str]) -> None:
    if not reasons:
        return
    standing = [vote for vote in store.votes() if vote.battle_id in reasons]
    for vote in standing:
        store.quarantine([vote.sequence], reasons[vote.battle_id]).result()
