"""Judges' work as durable jobs, and their verdicts as the judge track of the board."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, insert, literal, or_, select, update

from arena.errors import StoreError
from arena.store import keyring
from arena.store.battles import require, storable
from arena.store.counting import Counted, count, move_rating, ratings, slice_names, slice_set
from arena.store.log import next_sequence
from arena.store.records import JudgeStanding, JudgmentRecord, JudgmentResult, JudgmentStatus
from arena.store.tables import VERDICT_CODES, VERDICTS, AnyRow, battles, judgments, voter_keys
from arena.store.voting import Rules
from arena.types import Track, Verdict


def queue_missing(db: Connection, judge: str, statuses: Sequence[str], now: float) -> int:
    """See `Store.queue_missing_judgments`."""
    asked = exists().where(judgments.c.battle_id == battles.c.id, judgments.c.judge == judge)
    wanted = battles.c.status.in_(statuses) & battles.c.contestant_b.is_not(None) & ~asked
    job = {"battle_id": battles.c.id, "judge": literal(judge), "status": literal(str(JudgmentStatus.QUEUED))}
    job |= {"queued_at": literal(now), "attempts": literal(0), "cost": literal(0.0)}
    rows = select(*job.values()).where(wanted).order_by(battles.c.created_at, battles.c.id)
    return db.execute(insert(judgments).from_select(list(job), rows)).rowcount


def claim(db: Connection, judge: str, limit: int, lease: float, now: float) -> tuple[JudgmentRecord, ...]:
    """See `Store.claim_judgments`."""
    lapsed = and_(judgments.c.status == JudgmentStatus.CLAIMED, judgments.c.leased_until < now)
    free = or_(judgments.c.status == JudgmentStatus.QUEUED, lapsed)
    query = select(judgments.c.id).where(judgments.c.judge == judge, free).order_by(judgments.c.id).limit(limit)
    numbers = db.execute(query).scalars().all()
    change = update(judgments).where(judgments.c.id.in_(numbers))
    db.execute(
        change.values(status=JudgmentStatus.CLAIMED, leased_until=now + lease, attempts=judgments.c.attempts + 1)
    )
    return _records(db, _WITH_KEY.where(judgments.c.id.in_(numbers)).order_by(judgments.c.id))


def record(
    db: Connection, battle_id: str, judge: str, result: JudgmentResult, rules: Rules, now: float
) -> JudgmentRecord:
    """See `Store.record_judgment`."""
    _ensure(db, battle_id, judge, now)
    row = _find(db, battle_id, judge)
    if row.status == JudgmentStatus.DONE:
        return _record(db, row)
    sealed = keyring.sealer_of_battle(db, battle_id).seal(storable(result.explanation), battle_id, judge, "explanation")
    columns = {
        "status": JudgmentStatus.DONE,
        "done_at": now,
        "leased_until": None,
        "verdict": _code(result.verdict),
        "first_order": _code(result.first_order),
        "second_order": _code(result.second_order),
        "explanation": sealed,
        "cost": result.cost,
        "error": None,
    }
    columns |= {} if result.verdict is None else _counted(db, battle_id, result.verdict, rules, now)
    db.execute(update(judgments).where(judgments.c.id == row.id).values(**columns))
    return _record(db, _find(db, battle_id, judge))


def fail(db: Connection, judgment_id: int, error: str, retry: bool) -> None:
    """See `Store.fail_judgment`."""
    status = JudgmentStatus.QUEUED if retry else JudgmentStatus.FAILED
    this = (judgments.c.id == judgment_id, judgments.c.status == JudgmentStatus.CLAIMED)
    db.execute(update(judgments).where(*this).values(status=status, error=storable(error), leased_until=None))


def give_back(db: Connection, judgment_id: int, attempts: int, reason: str) -> None:
    """See `Store.give_back_judgment`."""
    mine = (judgments.c.id == judgment_id, judgments.c.status == JudgmentStatus.CLAIMED)
    anew = {"status": JudgmentStatus.QUEUED, "attempts": attempts - 1, "error": storable(reason), "leased_until": None}
    db.execute(update(judgments).where(*mine, judgments.c.attempts == attempts).values(**anew))


def renew(db: Connection, judgment_id: int, attempts: int, lease: float, now: float) -> bool:
    """See `Store.renew_judgment`."""
    mine = (judgments.c.id == judgment_id, judgments.c.status == JudgmentStatus.CLAIMED)
    held = update(judgments).where(*mine, judgments.c.attempts == attempts).values(leased_until=now + lease)
    return db.execute(held).rowcount == 1


def retry(db: Connection, judge: str, now: float) -> int:
    """See `Store.retry_judgments`."""
    failed = (judgments.c.judge == judge, judgments.c.status == JudgmentStatus.FAILED)
    anew = {"status": JudgmentStatus.QUEUED, "queued_at": now, "attempts": 0, "error": None}
    return db.execute(update(judgments).where(*failed).values(**anew)).rowcount


def standings(db: Connection) -> tuple[JudgeStanding, ...]:
    """See `Store.judge_standings`."""
    state = (judgments.c.judge, judgments.c.status)
    found: dict[str, dict[str, int]] = {}
    for judge, status, jobs in db.execute(select(*state, func.count()).group_by(*state).order_by(*state)):
        found.setdefault(judge, {})[status] = jobs
    return tuple(JudgeStanding(judge, **jobs, errors=_errors(db, judge)) for judge, jobs in found.items())


def _errors(db: Connection, judge: str) -> tuple[tuple[str, int], ...]:
    """Why jobs failed, the commonest first."""
    failed = (judgments.c.judge == judge, judgments.c.status == JudgmentStatus.FAILED)
    grouped = select(judgments.c.error, func.count()).where(*failed).group_by(judgments.c.error)
    return tuple((error or "", jobs) for error, jobs in db.execute(grouped.order_by(func.count().desc())))


def find(db: Connection, battle_id: str | None, judge: str | None) -> tuple[JudgmentRecord, ...]:
    """See `Store.judgments`."""
    query = _WITH_KEY.order_by(judgments.c.id)
    query = query if battle_id is None else query.where(judgments.c.battle_id == battle_id)
    query = query if judge is None else query.where(judgments.c.judge == judge)
    return _records(db, query)


def _ensure(db: Connection, battle_id: str, judge: str, now: float) -> bool:
    """Make sure there is a job; True when it is new."""
    known = select(judgments.c.id).where(judgments.c.battle_id == battle_id, judgments.c.judge == judge)
    if db.execute(known).first() is not None:
        return False
    if require(db, battle_id).contestant_b is None:
        raise StoreError(f"battle {battle_id} has one side only: there is nothing to compare")
    job = {"battle_id": battle_id, "judge": judge, "status": JudgmentStatus.QUEUED, "queued_at": now}
    db.execute(insert(judgments).values(**job, attempts=0, cost=0.0))
    return True


def _counted(db: Connection, battle_id: str, verdict: Verdict, rules: Rules, now: float) -> dict[str, Any]:
    """Count a verdict on the judge track; the columns that remember how. A judge is blind in named battles too."""
    battle = require(db, battle_id)
    a, b = battle.contestant_a, battle.contestant_b
    slices = slice_set(db, slice_names(battle.language, battle.topic, battle.masked, battle.created_at, ()))
    before = ratings(db, Track.JUDGE, a, b, rules.elo_start)
    delta_a, delta_b = rules.deltas(*before, verdict.outcome, 1.0)
    count(db, Counted(Track.JUDGE, a, b, verdict, 1.0, slices), 1)
    move_rating(db, Track.JUDGE, a, delta_a, 1, rules.elo_start)
    move_rating(db, Track.JUDGE, b, delta_b, 1, rules.elo_start)
    return {
        "sequence": next_sequence(db),
        "contestant_a": a,
        "contestant_b": b,
        "slice_set_id": slices.id,
        "elo_delta_a": delta_a,
        "elo_delta_b": delta_b,
    }


def _find(db: Connection, battle_id: str, judge: str) -> AnyRow:
    return db.execute(_WITH_KEY.where(judgments.c.battle_id == battle_id, judgments.c.judge == judge)).one()


def _code(verdict: Verdict | None) -> int | None:
    return None if verdict is None else VERDICT_CODES[verdict]


def _verdict(code: int | None) -> Verdict | None:
    return None if code is None else VERDICTS[code]


def _records(db: Connection, query: Select[Any]) -> tuple[JudgmentRecord, ...]:
    return tuple(_record(db, row) for row in db.execute(query))


def _record(db: Connection, row: AnyRow) -> JudgmentRecord:
    """A row of `_WITH_KEY` as the value that leaves the store."""
    result = None
    if row.status == JudgmentStatus.DONE:
        orders = (_verdict(row.first_order), _verdict(row.second_order))
        sealer = keyring.sealer(db, row.key_name, row.wrapped)
        explanation = sealer.open(row.explanation, row.battle_id, row.judge, "explanation")
        result = JudgmentResult(_verdict(row.verdict), *orders, explanation, row.cost)
    return JudgmentRecord(
        id=row.id,
        battle_id=row.battle_id,
        judge=row.judge,
        status=JudgmentStatus(row.status),
        queued_at=row.queued_at,
        attempts=row.attempts,
        done_at=row.done_at,
        result=result,
        error=row.error,
        sequence=row.sequence,
    )


_WITH_KEY = (
    select(judgments, *keyring.KEY)
    .join(battles, battles.c.id == judgments.c.battle_id)
    .outerjoin(voter_keys, voter_keys.c.voter_id == battles.c.voter_id)
)
