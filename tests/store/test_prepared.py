"""Statements past SQLAlchemy: their faults are told as all others are."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from arena.errors import StoreError
from arena.store.prepared import Prepared
from arena.store.store import Store

SECOND_ROW = "(SELECT 1 AS n UNION ALL SELECT -9223372036854775808) AS numbers"
"""Its first row can be taken the amount of, the second overflows."""


def test_a_fault_met_while_fetching_is_told_like_one_met_at_once(store: Store) -> None:
    """SQLite looks at a row when it is fetched, and so at a page that is damaged."""
    amounts = Prepared(lambda _: select(func.abs(text("n"))).select_from(text(SECOND_ROW)))
    with store._database.reading() as db, pytest.raises(StoreError):
        amounts.all(db)
    assert store.check().ok
