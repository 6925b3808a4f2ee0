"""Votes in the columns of the field's public battle sets, both ways; no database here.

    question_id, model_a, model_b, winner, judge, turn, anony, language, tstamp, conversation_a, conversation_b

come first and mean what they mean elsewhere (`judge` is the voter's pseudonym, `tstamp` Unix seconds); a file
that is read may call its voters `worker`, as crowds do. The columns after them make an export complete enough
to be imported without loss.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from arena.markup import Markup, count_markup
from arena.store.files import Row, models_of, verdict_of, voter_of, weight_of
from arena.store.records import BattleRecord, BothMarkups, VoteRecord
from arena.types import Conversation, Message, Role, Side, Verdict

COLUMNS = (
    "question_id",
    "model_a",
    "model_b",
    "winner",
    "judge",
    "turn",
    "anony",
    "language",
    "tstamp",
    "conversation_a",
    "conversation_b",
    "topic",
    "weight",
    "masked",
    "propensity",
    "fingerprint_a",
    "fingerprint_b",
    "slices",
    "reasons",
    "comment",
    "dedupe_weight",
    "joules_a",
    "joules_b",
    "sum_assistant_a_tokens",
    "sum_assistant_b_tokens",
    "character_count_a",
    "character_count_b",
    "header_count_a",
    "header_count_b",
    "list_count_a",
    "list_count_b",
    "bold_count_a",
    "bold_count_b",
)

_COUNTS = ("character_count", "header_count", "list_count", "bold_count")

WINNER_WORDS: Mapping[Verdict, str] = {
    Verdict.MODEL_A: "model_a",
    Verdict.MODEL_B: "model_b",
    Verdict.TIE: "tie",
    Verdict.BOTH_BAD: "tie (bothbad)",
}

Redact = Callable[[str], str]
"""Takes personal data out of a text."""

_LONGEST_ID = 200
"""Characters."""
_DERIVED = ("language=", "topic=", "month=")


@dataclass(frozen=True, slots=True)
class ImportedBattle:
    """A row of a battle file, checked and in the arena's own words."""

    question_id: str
    model_a: str
    model_b: str
    fingerprint_a: str
    fingerprint_b: str
    verdict: Verdict
    voter: str
    weight: float
    at: float | None
    language: str = ""
    topic: str = ""
    masked: bool = False
    propensity: float = 1.0
    slices: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    comment: str = ""
    conversation_a: Conversation = ()
    conversation_b: Conversation = ()
    markup: BothMarkups | None = None


def exported(vote: VoteRecord, battle: BattleRecord, redact: Redact, asked: int = 1) -> dict[str, Any]:
    """A vote as a row, conversations and lists as plain JSON values; its question was voted on `asked` times."""
    other = battle.contestant_b
    assert other is not None, "only battles of two are voted"
    return {
        "question_id": vote.battle_id,
        "model_a": battle.contestant_a.name,
        "model_b": other.name,
        "winner": WINNER_WORDS[vote.verdict],
        "judge": vote.voter,
        "turn": _turn(vote, battle),
        "anony": True,
        "language": vote.language,
        "tstamp": vote.cast_at,
        "conversation_a": _messages(battle.conversation("a"), redact),
        "conversation_b": _messages(battle.conversation("b"), redact),
        "topic": vote.topic,
        "weight": vote.weight,
        "masked": battle.masked,
        "propensity": battle.propensity,
        "fingerprint_a": battle.contestant_a.contestant.fingerprint,
        "fingerprint_b": other.contestant.fingerprint,
        "slices": own_slices(vote.slices),
        "reasons": list(vote.reasons),
        "comment": redact(vote.comment),
        "dedupe_weight": 1 / asked,
        "joules_a": _joules(battle, "a"),
        "joules_b": _joules(battle, "b"),
        **_tokens(battle),
        **_counts(vote.markup or counted(battle.conversation("a"), battle.conversation("b"))),
    }


def counted(a: Conversation, b: Conversation) -> BothMarkups | None:
    """Length and Markdown of both sides' answers; None where there are none."""
    answers = [[message.content for message in one if message.role is Role.ASSISTANT] for one in (a, b)]
    return (count_markup(*answers[0]), count_markup(*answers[1])) if all(answers) else None


def same_question(text: str) -> bytes | None:
    """The same for questions of the same words, letters' case and spaces apart; None where there is no text."""
    words = " ".join(text.casefold().split())
    return hashlib.blake2b(words.encode(errors="replace"), digest_size=16).digest() if words else None


def own_slices(names: Sequence[str]) -> list[str]:
    """Slices that do not follow from the battle itself."""
    return [name for name in names if not name.startswith(_DERIVED) and name != "masked"]


def imported(row: Row) -> ImportedBattle | None:
    """A row as a battle; None for one whose voter knew the names. Raises `ValueError` saying what is wrong."""
    if str(row.get("anony", True)).strip().lower() in ("false", "0", "ложь"):  # the last is Excel's, in Russian
        return None
    model_a, model_b = models_of(row)
    if model_a == model_b:
        raise ValueError(f"{model_a} cannot battle itself")
    said = _conversation(row, "conversation_a"), _conversation(row, "conversation_b")
    return ImportedBattle(
        question_id=_identity(row.get("question_id")),
        model_a=model_a,
        model_b=model_b,
        fingerprint_a=_text(row, "fingerprint_a"),
        fingerprint_b=_text(row, "fingerprint_b"),
        verdict=verdict_of(row),
        voter=voter_of(row),
        weight=weight_of(row),
        at=_moment(row.get("tstamp")),
        language=_text(row, "language"),
        topic=_text(row, "topic"),
        masked=str(row.get("masked", "")).strip().lower() in ("true", "1"),
        propensity=_share(row.get("propensity")),
        slices=_turn_slice(row) + _words(row, "slices"),
        reasons=_words(row, "reasons"),
        comment=_text(row, "comment"),
        conversation_a=said[0],
        conversation_b=said[1],
        markup=_told(row) or counted(*said),
    )


def _turn(vote: VoteRecord, battle: BattleRecord) -> int:
    told = [name.removeprefix("turn=") for name in vote.slices if name.startswith("turn=")]
    return int(told[0]) if told and told[0].isdecimal() else max(1, len(battle.turns))


def _turn_slice(row: Row) -> tuple[str, ...]:
    """A file without conversations may still say which turn was judged: keep it as a slice."""
    turn = str(row.get("turn") or "").strip()
    known = bool(row.get("conversation_a")) or "slices" in row
    return (f"turn={turn}",) if turn.isdecimal() and not known else ()


def _tokens(battle: BattleRecord) -> dict[str, int | None]:
    """Tokens by the engines' own counts, for both sides or for none: half a pair compares nothing."""
    a, b = _tokens_of(battle, "a"), _tokens_of(battle, "b")
    known = a is not None and b is not None
    return {"sum_assistant_a_tokens": a if known else None, "sum_assistant_b_tokens": b if known else None}


def _tokens_of(battle: BattleRecord, side: Side) -> int | None:
    answers = [turn.a if side == "a" else turn.b for turn in battle.turns]
    counted = [answer.usage.completion_tokens for answer in answers if answer is not None]
    return None if not counted or None in counted else sum(tokens for tokens in counted if tokens is not None)


def _joules(battle: BattleRecord, side: Side) -> float | None:
    """Energy of a side's answers, where that of each was measured."""
    answers = [answer for turn in battle.turns if (answer := turn.a if side == "a" else turn.b) is not None]
    spent = [answer.joules for answer in answers if answer.joules is not None]
    return sum(spent) if spent and len(spent) == len(answers) else None


def _counts(markup: BothMarkups | None) -> dict[str, int | None]:
    """The field's columns of length and Markdown."""
    amounts = [(None,) * 4] * 2 if markup is None else [(m.characters, m.headers, m.lists, m.bold) for m in markup]
    return {
        f"{name}_{side}": amount
        for name, both in zip(_COUNTS, zip(*amounts, strict=True), strict=True)
        for side, amount in zip(("a", "b"), both, strict=True)
    }


def _told(row: Row) -> BothMarkups | None:
    """Length and Markdown as the file's own columns have them, where it has all of them."""
    cells = [[row.get(f"{name}_{side}") for name in _COUNTS] for side in ("a", "b")]
    if any(cell is None or cell == "" for side in cells for cell in side):
        return None
    a, b = ([_whole(cell) for cell in side] for side in cells)
    return Markup(*a), Markup(*b)


def _whole(cell: Any) -> int:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < 2**31 or number != int(number):
        raise ValueError(f"a count of characters or Markdown is a whole number, not {cell!r}")
    return int(number)


def _messages(conversation: Conversation, redact: Redact) -> list[dict[str, str]]:
    return [{"role": message.role.value, "content": redact(message.content)} for message in conversation]


def _identity(value: Any) -> str:
    identity = "" if value is None else str(value).strip()
    if len(identity) > _LONGEST_ID:
        raise ValueError(f"question_id has {len(identity)} characters, {_LONGEST_ID} are allowed")
    return identity


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def _moment(value: Any) -> float | None:
    """Unix seconds or an ISO date; None where there is neither. A time that names no zone is UTC's."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return _seconds(value)
    try:
        moment = float(value)
    except (TypeError, ValueError):
        moment = _iso(str(value))
    if not 0 <= moment < 1e11:
        raise ValueError(f"tstamp {value!r} is not a time: write Unix seconds or an ISO date")
    return moment


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(value: str) -> float:
    try:
        return _seconds(datetime.fromisoformat(value))
    except ValueError:
        raise ValueError(f"tstamp {value!r} is not a time: write Unix seconds or an ISO date") from None


def _share(value: Any) -> float:
    if value is None or value == "":
        return 1.0
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = math.nan
    if not 0 < share <= 1:
        raise ValueError(f"propensity {value!r} is not a probability above 0")
    return share


def _words(row: Row, column: str) -> tuple[str, ...]:
    value = _decoded(row.get(column), column)
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{column} is not a list of words")
    return tuple(value)


def _conversation(row: Row, column: str) -> Conversation:
    value = _decoded(row.get(column), column)
    if not isinstance(value, list):
        raise ValueError(f"{column} is not a list of messages")
    return tuple(_message(item, column) for item in value)


def _message(item: Any, column: str) -> Message:
    roles = {role.value for role in Role}
    if not isinstance(item, Mapping) or item.get("role") not in roles:
        raise ValueError(f"{column} holds something that is not a message with a role of {', '.join(sorted(roles))}")
    content = item.get("content")
    if isinstance(content, list):  # parts, as in newer sets: {"type": "text", "text": …}
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    if content is not None and not isinstance(content, str):
        raise ValueError(f"{column} holds a message whose content is not text")
    return Message(Role(item["role"]), content or "")


def _decoded(value: Any, column: str) -> Any:
    """Lists stand in CSV as JSON text, elsewhere as they are."""
    if value is None or value == "":
        return []
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{column} is not valid JSON: {error}") from None
