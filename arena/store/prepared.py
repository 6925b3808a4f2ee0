"""Statements of the vote's own path: written in SQLAlchemy, compiled once, run by the driver.

A vote needs a dozen statements; putting each through SQLAlchemy's machinery costs ten times what
the database takes for it. What is compiled here is the same text, for either database. Values pass
as the driver gives them: no booleans, enums or dates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql.expression import ClauseElement

from arena.store.connections import told_by_driver

Build = Callable[[Any], ClauseElement]
"""Makes the statement; is handed the database's own `insert`, which knows ON CONFLICT."""

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_SPEECH = {"sqlite": sqlite.dialect(paramstyle="named"), "postgresql": psycopg.dialect()}  # type: ignore[no-untyped-call]


class Prepared:
    """One statement, compiled at its first use on each kind of database."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}

    def first(self, db: Connection, **values: Any) -> tuple[Any, ...] | None:
        """Run with these values; the first row, None when there is none."""
        return self._execute(db, values).fetchone()  # type: ignore[no-any-return]

    def all(self, db: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Run with these values; every row."""
        return self._execute(db, values).fetchall()  # type: ignore[no-any-return]

    def run(self, db: Connection, **values: Any) -> None:
        """Run with these values."""
        self._execute(db, values)

    def run_many(self, db: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Run once per row."""
        text, fixed = self._text(db)
        cursor = _cursor(db)
        try:
            cursor.executemany(text, [{**fixed, **row} for row in rows] if fixed else rows)
        except _driver_error(db) as error:
            raise told_by_driver(error) from error

    def _execute(self, db: Connection, values: dict[str, Any]) -> Any:
        text, fixed = self._text(db)
        cursor = _cursor(db)
        try:
            cursor.execute(text, {**fixed, **values})
        except _driver_error(db) as error:
            raise told_by_driver(error) from error
        return cursor

    def _text(self, db: Connection) -> tuple[str, dict[str, Any]]:
        name = db.dialect.name
        found = self._compiled.get(name)
        if found is None:
            compiled = self._build(_INSERTS[name]).compile(dialect=_SPEECH[name])
            fixed = {key: value for key, value in compiled.params.items() if value is not None}
            found = self._compiled[name] = (str(compiled), fixed)
        return found


def run_text(db: Connection, text: str) -> None:
    """Run a statement that is the same on every database (savepoints)."""
    try:
        _cursor(db).execute(text)
    except _driver_error(db) as error:
        raise told_by_driver(error) from error


def _cursor(db: Connection) -> Any:
    return db.connection.cursor()


def _driver_error(db: Connection) -> Any:
    return db.dialect.loaded_dbapi.Error
