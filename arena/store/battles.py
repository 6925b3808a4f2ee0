"""Battles, turns and answers as rows. A turn that was tried again stays on record as an earlier attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, or_, select, update

from arena.errors import BattleError, UnknownBattle, VotingClosed
from arena.store import keyring, roster
from arena.store.log import write_event
from arena.store.prepared import Prepared, inserting
from arena.store.records import BattleRecord, ContestantRecord, NewBattle, TurnRecord
from arena.store.sealing import Sealer
from arena.store.tables import AnyRow, answers, battles, contestants, turns, voter_keys, voters
from arena.types import Answer, AnswerState, BattleStatus, FinishReason, Mode, Provenance, Usage

CLOSED = (BattleStatus.VOTED, BattleStatus.RETRACTED, BattleStatus.EXPIRED)
"""Statuses in which a battle's text stands as it is."""

UNDER_WAY = tuple(status for status in BattleStatus if status not in CLOSED)
"""Statuses in which a battle's vote may still come, so that nobody may learn who plays it."""


def create(db: Connection, battle_id: str, battle: NewBattle, now: float) -> BattleRecord:
    """See `Store.create_battle`."""
    if battle.contestant_a == battle.contestant_b:
        raise BattleError("a contestant cannot battle itself")
    row = {
        "id": battle_id,
        "voter_id": roster.voter_number(db, battle.voter, now),
        "mode": battle.mode,
        "contestant_a": battle.contestant_a,
        "contestant_b": battle.contestant_b,
        "propensity": battle.propensity,
        "language": battle.language,
        "topic": battle.topic,
        "masked": False,
        "system_prompt": storable(battle.system_prompt),
        "seed": battle.seed,
        "status": BattleStatus.OPEN,
        "created_at": now,
        "changed_at": now,
    }
    _INSERT.run(db, **row)
    return _record(SimpleNamespace(**row, code=battle.voter), _contestants(db, row), ())


def replace_pair(db: Connection, battle_id: str, a: int, b: int, propensity: float, now: float) -> BattleRecord:
    """See `Store.replace_pair`."""
    voter = load(db, battle_id, None).voter
    begun = or_(answers.c.state != AnswerState.STOPPED, answers.c.first_token_after.is_not(None))
    if db.execute(select(answers.c.battle_id).where(answers.c.battle_id == battle_id, begun).limit(1)).first():
        raise VotingClosed(f"battle {battle_id} has answers of the pair that it began with")
    _change(db, battle_id, now, contestant_a=a, contestant_b=b, propensity=propensity)
    write_event(db, now, "another pair", "", battle_id=battle_id)
    return load(db, battle_id, voter)


def append_turn(db: Connection, battle_id: str, prompt: str, now: float) -> int:
    """See `Store.append_turn`."""
    battle = _standing(db, battle_id)
    sealer = keyring.writing_sealer(db, battle.voter_id)
    last, dropped = _LAST_TURN.first(db, wanted=battle_id) or (-1, None)
    position = last + (dropped is None)
    attempt = _attempts(db, battle_id, position)
    key = turn_key(battle_id, int(position), attempt)
    sealed = sealer.seal(storable(prompt), *key.values(), "prompt")
    _INSERT_TURN.run(db, **key, prompt=sealed, asked_at=now)
    put_status(db, battle_id, BattleStatus.ANSWERING, now)
    return int(position)


def finish_turn(
    db: Connection,
    battle_id: str,
    index: int,
    a: Answer,
    b: Answer | None,
    status: str,
    masked: bool,
    now: float,
) -> None:
    """See `Store.finish_turn`."""
    attempt = _attempts(db, battle_id, index) - 1
    if not _END_TURN.run(db, wanted=battle_id, place=index, times=attempt, now=now):
        raise UnknownBattle(f"battle {battle_id} has no turn {index}")
    sides = {"a": a} if b is None else {"a": a, "b": b}
    sealer = keyring.sealer_of_battle(db, battle_id)
    keys = [turn_key(battle_id, index, attempt) | {"side": side} for side in sides]
    _INSERT_ANSWER.run_many(db, [key | _columns(sides[key["side"]], sealer, key) for key in keys])
    put_status(db, battle_id, status, now)
    if masked:
        _MARK_MASKED.run(db, wanted=battle_id)


def fail_turn(db: Connection, battle_id: str, index: int, a: Answer, b: Answer | None, now: float) -> None:
    """See `Store.fail_turn`."""
    finish_turn(db, battle_id, index, a, b, BattleStatus.FAILED, False, now)
    failed = [answer.error_code or "error" for answer in (a, b) if answer and answer.state is AnswerState.FAILED]
    write_event(db, now, "failure", ", ".join(failed), battle_id=battle_id)


def ask_again(db: Connection, battle_id: str, now: float) -> int:
    """See `Store.ask_again`."""
    return append_turn(db, battle_id, drop_last_turn(db, battle_id, now), now)


def drop_turn(db: Connection, battle_id: str, status: str, now: float) -> None:
    """See `Store.drop_turn`."""
    drop_last_turn(db, battle_id, now)
    put_status(db, battle_id, status, now)


def drop_last_turn(db: Connection, battle_id: str, now: float) -> str:
    """Set the last turn aside and return its prompt. Raises `VotingClosed` or `UnknownBattle`."""
    battle = _standing(db, battle_id)
    last = db.execute(
        select(turns)
        .where(turns.c.battle_id == battle_id, turns.c.dropped_at.is_(None))
        .order_by(turns.c.position.desc())
        .limit(1)
    ).first()
    if last is None:
        raise UnknownBattle(f"battle {battle_id} has no turn to drop")
    this = (turns.c.battle_id == battle_id, turns.c.position == last.position, turns.c.attempt == last.attempt)
    db.execute(update(turns).where(*this).values(dropped_at=now))
    _change(db, battle_id, now, status=BattleStatus.OPEN)
    sealer = keyring.writing_sealer(db, battle.voter_id)
    return sealer.open(last.prompt, battle_id, last.position, last.attempt, "prompt")


def set_status(db: Connection, battle_id: str, status: str, expected: Sequence[str] | None, now: float) -> bool:
    """See `Store.set_battle_status`."""
    if expected is not None and require(db, battle_id).status not in expected:
        return False
    put_status(db, battle_id, status, now)
    return True


def put_status(db: Connection, battle_id: str, status: str, now: float) -> None:
    """The battle's status from now on, whatever it was. Raises `UnknownBattle`."""
    if not _SET_STATUS.run(db, wanted=battle_id, new=status, now=now):
        raise UnknownBattle(f"there is no battle {battle_id}")


def mark_masked(db: Connection, battle_id: str) -> None:
    """See `Store.mark_masked`."""
    require(db, battle_id)
    _MARK_MASKED.run(db, wanted=battle_id)


def expire(db: Connection, before: float, now: float) -> int:
    """See `Store.expire_battles`."""
    stale = (battles.c.status.not_in(CLOSED), battles.c.created_at < before)
    change = update(battles).where(*stale).values(status=BattleStatus.EXPIRED, changed_at=now)
    expired = db.execute(change.returning(battles.c.id)).scalars().all()
    for battle_id in expired:
        write_event(db, now, "expiry", "", battle_id=battle_id)
    return len(expired)


def recent_pairs(db: Connection, limit: int) -> tuple[tuple[int, int], ...]:
    """See `Store.recent_pairs`. Not sought as `in_(CLOSED)`, which takes the index by status and sorts all."""
    pair = select(battles.c.contestant_a, battles.c.contestant_b, battles.c.mode)
    over = pair.where(battles.c.status.not_in(UNDER_WAY))
    latest = db.execute(over.order_by(battles.c.created_at.desc()).limit(limit))
    return tuple((a, b) for a, b, mode in latest if mode == Mode.ANONYMOUS)


def require(db: Connection, battle_id: str) -> AnyRow:
    """The battle's row. Raises `UnknownBattle`."""
    row: AnyRow | None = _BATTLE.row(db, wanted=battle_id)
    if row is None:
        raise UnknownBattle(f"there is no battle {battle_id}")
    return row


def _standing(db: Connection, battle_id: str) -> AnyRow:
    """The row of a battle that may still go on. Raises `VotingClosed` or `UnknownBattle`."""
    row = require(db, battle_id)
    if row.status in CLOSED:
        raise VotingClosed(f"battle {battle_id} is closed: its answers stand as they are")
    return row


def load(db: Connection, battle_id: str, voter: str | None) -> BattleRecord:
    """See `Store.load_battle`."""
    row = _OWNED.row(db, wanted=battle_id)
    if row is None or voter not in (None, row.code):
        raise UnknownBattle(f"there is no battle {battle_id} for this voter")
    kept, said = _TURNS.rows(db, wanted=battle_id), _ANSWERS.rows(db, wanted=battle_id)
    turns_of = _turns(kept, said, {battle_id: keyring.sealer(db, row.key_name, row.wrapped)})
    return _record(row, _contestants(db, row._asdict()), turns_of.get(battle_id, ()))


def load_many(db: Connection, ids: Sequence[str]) -> tuple[BattleRecord, ...]:
    """These battles, in no order; ids of none are passed over."""
    return _records(db, db.execute(_with_voter().where(battles.c.id.in_(ids))).all())


def latest(db: Connection, voter: str, mode: Mode | None, statuses: Sequence[str] | None) -> BattleRecord | None:
    """See `Store.latest_battle`."""
    query = _with_voter().where(voters.c.code == voter)
    query = query if mode is None else query.where(battles.c.mode == mode)
    query = query if statuses is None else query.where(battles.c.status.in_(statuses))
    row = db.execute(query.order_by(battles.c.created_at.desc()).limit(1)).first()
    return None if row is None else _records(db, [row])[0]


def ids_with(db: Connection, statuses: Sequence[str], after_id: str, limit: int) -> tuple[str, ...]:
    """See `Store.battles_with`."""
    query = select(battles.c.id).where(battles.c.status.in_(statuses), battles.c.id > after_id)
    return tuple(db.execute(query.order_by(battles.c.id).limit(limit)).scalars())


def storable(text: str) -> str:
    """Text that every database takes: NUL and lone surrogates (half a character) become U+FFFD."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        return "".join("\ufffd" if char == "\x00" or "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def turn_key(battle_id: str, position: int, attempt: int = 0) -> dict[str, Any]:
    """The columns that name a turn, in the order in which the place of a sealed text names them."""
    return {"battle_id": battle_id, "position": position, "attempt": attempt}


def sealed_answer(answer: Answer, sealer: Sealer, key: Mapping[str, Any]) -> dict[str, str]:
    """An answer's texts as its row (named by turn and side) holds them."""
    said = {"text": answer.text, "reasoning": answer.reasoning}
    return {column: sealer.seal(storable(text), *key.values(), column) for column, text in said.items()}


def _with_voter() -> Select[Any]:
    return (
        select(battles, voters.c.code, *keyring.KEY)
        .join(voters, voters.c.id == battles.c.voter_id)
        .outerjoin(voter_keys, voter_keys.c.voter_id == battles.c.voter_id)
    )


def _attempts(db: Connection, battle_id: str, position: int) -> int:
    """How often this turn was asked so far."""
    return len(_ATTEMPTS.all(db, wanted=battle_id, place=position))


def _change(db: Connection, battle_id: str, now: float, **values: object) -> None:
    db.execute(update(battles).where(battles.c.id == battle_id).values(changed_at=now, **values))


def _columns(answer: Answer, sealer: Sealer, key: Mapping[str, Any]) -> dict[str, object]:
    return sealed_answer(answer, sealer, key) | {
        "state": answer.state,
        "error_code": answer.error_code,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "first_token_after": answer.first_token_after,
        "tokens_per_second": answer.tokens_per_second,
        "seed": answer.seed,
        "revision": answer.provenance.revision,
        "quantization": answer.provenance.quantization,
        "template_hash": answer.provenance.template_hash,
        "joules": answer.joules,
        "hidden": None if answer.hidden is None else " ".join(f"{start}-{end}" for start, end in answer.hidden),
    }


def _answer(row: AnyRow, sealer: Sealer) -> Answer:
    place = (row.battle_id, row.position, row.attempt, row.side)
    return Answer(
        text=sealer.open(row.text, *place, "text"),
        state=AnswerState(row.state),
        reasoning=sealer.open(row.reasoning, *place, "reasoning"),
        error_code=row.error_code,
        finish_reason=FinishReason(row.finish_reason) if row.finish_reason else None,
        usage=Usage(row.prompt_tokens, row.completion_tokens),
        first_token_after=row.first_token_after,
        tokens_per_second=row.tokens_per_second,
        seed=row.seed,
        provenance=Provenance(row.revision, row.quantization, row.template_hash),
        joules=row.joules,
        hidden=None if row.hidden is None else tuple(map(_place, row.hidden.split())),
    )


def _place(said: str) -> tuple[int, int]:
    """A span of a text as its row holds it: "4-11"."""
    start, end = said.split("-")
    return int(start), int(end)


def _record(row: Any, by_number: Mapping[int | None, ContestantRecord], turns: tuple[TurnRecord, ...]) -> BattleRecord:
    return BattleRecord(
        id=row.id,
        voter=row.code,
        mode=Mode(row.mode),
        contestant_a=by_number[row.contestant_a],
        contestant_b=by_number.get(row.contestant_b),
        status=BattleStatus(row.status),
        created_at=row.created_at,
        propensity=row.propensity,
        language=row.language,
        topic=row.topic,
        masked=bool(row.masked),
        system_prompt=row.system_prompt,
        seed=row.seed,
        turns=turns,
    )


def _contestants(db: Connection, battle: Mapping[str, Any]) -> dict[int | None, ContestantRecord]:
    """Both of a battle, by number."""
    both = _BOTH.all(db, a=battle["contestant_a"], b=battle["contestant_b"])
    return {row[0]: roster.record(row) for row in both}


def _records(db: Connection, rows: Sequence[AnyRow]) -> tuple[BattleRecord, ...]:
    """Rows as battles, with one query each for everybody's contestants, turns and answers."""
    numbers = {number for row in rows for number in (row.contestant_a, row.contestant_b)}
    known = db.execute(select(contestants).where(contestants.c.id.in_(numbers - {None})))
    by_number: dict[int | None, ContestantRecord] = {row.id: roster.record(row) for row in known}
    sealers = {row.id: keyring.sealer(db, row.key_name, row.wrapped) for row in rows}
    kept = db.execute(_KEPT_TURNS.where(turns.c.battle_id.in_(sealers)))
    said = db.execute(select(answers).where(answers.c.battle_id.in_(sealers)))
    turns_of = _turns(kept, said, sealers)
    return tuple(_record(row, by_number, turns_of.get(row.id, ())) for row in rows)


def _turns(
    kept: Iterable[Any], said: Iterable[Any], sealers: Mapping[str, Sealer]
) -> dict[str, tuple[TurnRecord, ...]]:
    """Rows of turns and answers as turns by battle, opened by the battles' sealers."""
    answer_of = {
        (row.battle_id, row.position, row.attempt, row.side): _answer(row, sealers[row.battle_id]) for row in said
    }
    found: dict[str, tuple[TurnRecord, ...]] = {}
    for row in kept:
        key = (row.battle_id, row.position, row.attempt)
        prompt = sealers[row.battle_id].open(row.prompt, *key, "prompt")
        turn = TurnRecord(row.position, prompt, answer_of.get((*key, "a")), answer_of.get((*key, "b")), row.asked_at)
        found[row.battle_id] = (*found.get(row.battle_id, ()), turn)
    return found


_KEPT_TURNS = (
    select(turns).where(turns.c.dropped_at.is_(None)).order_by(turns.c.battle_id, turns.c.position)
)  # fmt: skip

_INSERT, _INSERT_ANSWER = inserting(battles), inserting(answers)
_INSERT_TURN = inserting(turns, "ended_at", "dropped_at")
_BATTLE = Prepared(lambda _: select(battles).where(battles.c.id == bindparam("wanted")))
_OWNED = Prepared(lambda _: _with_voter().where(battles.c.id == bindparam("wanted")))
_TURNS = Prepared(lambda _: _KEPT_TURNS.where(turns.c.battle_id == bindparam("wanted")))
_ANSWERS = Prepared(lambda _: select(answers).where(answers.c.battle_id == bindparam("wanted")))
_BOTH = Prepared(
    lambda _: select(contestants).where(or_(contestants.c.id == bindparam("a"), contestants.c.id == bindparam("b")))
)
_LAST_TURN = Prepared(
    lambda _: (
        select(turns.c.position, turns.c.dropped_at)
        .where(turns.c.battle_id == bindparam("wanted"))
        .order_by(turns.c.position.desc(), turns.c.attempt.desc())
        .limit(1)
    )
)
_ATTEMPTS = Prepared(
    lambda _: select(turns.c.attempt).where(
        turns.c.battle_id == bindparam("wanted"), turns.c.position == bindparam("place")
    )
)
_END_TURN = Prepared(
    lambda _: (
        update(turns)
        .where(
            turns.c.battle_id == bindparam("wanted"),
            turns.c.position == bindparam("place"),
            turns.c.attempt == bindparam("times"),
            turns.c.dropped_at.is_(None),
        )
        .values(ended_at=bindparam("now"))
    )
)
_MARK_MASKED = Prepared(lambda _: update(battles).where(battles.c.id == bindparam("wanted")).values(masked=True))
_SET_STATUS = Prepared(
    lambda _: (
        update(battles)
        .where(battles.c.id == bindparam("wanted"))
        .values(status=bindparam("new"), changed_at=bindparam("now"))
    )
)
