"""Statements of a question's and a vote's own path: written in SQLAlchemy, compiled once, run by the driver.

Each needs a dozen statements; putting one through SQLAlchemy's machinery costs ten times what the
database takes for it. What is compiled here is the same text, for either database. Values pass
as the drivers take and give them: strings that are enums go in as they are, SQLite's booleans
come out as numbers, and there are no dates.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter, methodcaller
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql.expression import ClauseElement

from arena.store.connections import told_by_driver

Build = Callable[[Any], ClauseElement]
"""Makes the statement; is handed the database's own `insert`, which knows ON CONFLICT."""

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_SPEECH = {"sqlite": sqlite.dialect(paramstyle="named"), "postgresql": psycopg.dialect()}  # type: ignore[no-untyped-call]


_FIRST, _ALL, _COUNT = methodcaller("fetchone"), methodcaller("fetchall"), attrgetter("rowcount")
"""What is taken from a cursor."""


class _Compiled(NamedTuple):
    """A statement's text, the values that are part of it, and what names the columns of a row."""

    text: str
    fixed: dict[str, Any]
    named: Callable[[Iterable[Any]], Any]


class Prepared:
    """One statement, compiled at its first use on each kind of database."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def first(self, db: Connection, **values: Any) -> tuple[Any, ...] | None:
        """Run with these values; the first row, None when there is none."""
        return self._execute(db, values, _FIRST)  # type: ignore[no-any-return]

    def all(self, db: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Run with these values; every row."""
        return self._execute(db, values, _ALL)  # type: ignore[no-any-return]

    def row(self, db: Connection, **values: Any) -> Any:
        """The first row as `first`, its values by their columns' names too."""
        row = self.first(db, **values)
        return None if row is None else self._speech(db).named(row)

    def rows(self, db: Connection, **values: Any) -> list[Any]:
        """Every row as `all`, its values by their columns' names too."""
        return list(map(self._speech(db).named, self.all(db, **values)))

    def run(self, db: Connection, **values: Any) -> int:
        """Run with these values; how many rows it met."""
        return self._execute(db, values, _COUNT)  # type: ignore[no-any-return]

    def run_many(self, db: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Run once per row."""
        text, fixed, _ = self._speech(db)
        cursor = _cursor(db)
        try:
            cursor.executemany(text, [{**fixed, **row} for row in rows] if fixed else rows)
        except _driver_error(db) as error:
            raise told_by_driver(error) from error

    def _execute(self, db: Connection, values: dict[str, Any], taken: Callable[[Any], Any]) -> Any:
        text, fixed, _ = self._speech(db)
        cursor = _cursor(db)
        try:
            cursor.execute(text, {**fixed, **values})
            return taken(cursor)  # SQLite meets a damaged page, or the disk's fault, while it fetches
        except _driver_error(db) as error:
            raise told_by_driver(error) from error

    def _speech(self, db: Connection) -> _Compiled:
        name = db.dialect.name
        found = self._compiled.get(name)
        if found is None:
            statement = self._build(_INSERTS[name])
            compiled = statement.compile(dialect=_SPEECH[name])
            fixed = {key: value for key, value in compiled.params.items() if value is not None}
            columns = statement.selected_columns.keys() if isinstance(statement, Select) else ()
            found = self._compiled[name] = _Compiled(str(compiled), fixed, _naming(columns))
        return found


def _naming(columns: Iterable[str]) -> Callable[[Iterable[Any]], Any]:
    make_type: Any = namedtuple
    return make_type("Row", columns, rename=True)._make  # type: ignore[no-any-return]


def inserting(table: Table, *later: str) -> Prepared:
    """Puts in a row with all of a table's columns given but those that are filled later."""
    names = [column.name for column in table.c if column.name not in later]
    return Prepared(lambda fresh_row: fresh_row(table).values({name: bindparam(name) for name in names}))


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
