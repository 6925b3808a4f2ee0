"""Benchmarks' score sheets: the latest of every task and model. A sheet is JSON that others write and read."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from arena.store.battles import storable
from arena.store.records import ScoreRecord
from arena.store.tables import scores


def keep(db: Connection, task: str, model: str, sheet: str, now: float) -> ScoreRecord:
    """See `Store.keep_score`."""
    kept = ScoreRecord(storable(task), storable(model), now, storable(sheet))
    place = (scores.c.task == kept.task, scores.c.model == kept.model)
    replaced = db.execute(update(scores).where(*place).values(kept_at=now, sheet=kept.sheet))
    if not replaced.rowcount:
        db.execute(scores.insert().values(task=kept.task, model=kept.model, kept_at=now, sheet=kept.sheet))
    return kept


def find(db: Connection, task: str | None, model: str | None) -> tuple[ScoreRecord, ...]:
    """See `Store.scores`."""
    query = select(scores).order_by(scores.c.task, scores.c.model)
    if task is not None:
        query = query.where(scores.c.task == task)
    if model is not None:
        query = query.where(scores.c.model == model)
    return tuple(ScoreRecord(row.task, row.model, row.kept_at, row.sheet) for row in db.execute(query))
