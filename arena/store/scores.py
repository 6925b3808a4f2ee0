"""Benchmarks' score sheets: the latest of every task, model, judge and protocol.

A sheet is JSON that others write and read.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from arena.store.battles import storable
from arena.store.records import ScoreRecord
from arena.store.tables import scores


def keep(db: Connection, kept: ScoreRecord) -> ScoreRecord:
    """See `Store.keep_score`."""
    kept = ScoreRecord(
        storable(kept.task), storable(kept.model), kept.kept_at, storable(kept.sheet),
        storable(kept.judge), storable(kept.protocol),
    )  # fmt: skip
    of_model = (scores.c.task == kept.task, scores.c.model == kept.model)
    place = (*of_model, scores.c.judge == kept.judge, scores.c.protocol == kept.protocol)
    if kept.judge:  # what nobody judged holds nothing that a judged sheet has not
        db.execute(delete(scores).where(*of_model, scores.c.judge == ""))
    columns = {"kept_at": kept.kept_at, "sheet": kept.sheet}
    if not db.execute(update(scores).where(*place).values(**columns)).rowcount:
        named = {"task": kept.task, "model": kept.model, "judge": kept.judge, "protocol": kept.protocol}
        db.execute(scores.insert().values(**named, **columns))
    return kept


def find(db: Connection, task: str | None, model: str | None) -> tuple[ScoreRecord, ...]:
    """See `Store.scores`."""
    query = select(scores).order_by(scores.c.task, scores.c.model, scores.c.judge, scores.c.protocol)
    if task is not None:
        query = query.where(scores.c.task == task)
    if model is not None:
        query = query.where(scores.c.model == model)
    return tuple(
        ScoreRecord(row.task, row.model, row.kept_at, row.sheet, row.judge, row.protocol) for row in db.execute(query)
    )
