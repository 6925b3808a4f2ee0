"""Texts are sealed under a key of each voter's own; until here they stood as they were written."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import context, op
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

revision = "0004"
down_revision = "0003"

Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PAGE = 500

TEXTS = (
    ("turns", ("position", "attempt"), ("prompt",)),
    ("answers", ("position", "attempt", "side"), ("text", "reasoning")),
    ("votes", (), ("comment",)),
    ("judgments", ("judge",), ("explanation",)),
)
"""Table, the columns that name a row beside its battle, the columns that hold texts."""


def upgrade() -> None:
    """Make a key for every voter and seal what they and the models wrote, five hundred battles at a time."""
    _tables()
    db = op.get_bind()
    keys = _make_keys(db)
    for battles in _pages(db):
        for table, named_by, columns in TEXTS:
            _seal(db, battles, keys, sa.table(table, *map(sa.column, ("battle_id", *named_by, *columns))), columns)


def _tables() -> None:
    op.create_table(
        "voter_keys",
        sa.Column("id", Number, primary_key=True),
        sa.Column("voter_id", Number, sa.ForeignKey("voters.id"), unique=True),
        sa.Column("name", sa.LargeBinary, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("forgotten", sa.Boolean, nullable=False),
        sa.Column("votes_dropped", sa.Boolean, nullable=False),
    )
    op.create_table("forgetting", sa.Column("code", sa.Text, primary_key=True))


def _make_keys(db: sa.Connection) -> dict[int, AESGCM]:
    """A key for everyone but those who were forgotten before there were keys; their texts are gone already."""
    secret: bytes = context.config.attributes.get("secret", b"")
    derived = HKDF(SHA256(), 36, salt=None, info=b"arena: keys of voters").derive(secret)
    master, keys, rows = AESGCM(derived[4:]), {}, []
    for number, code in db.execute(sa.text("SELECT id, code FROM voters ORDER BY id")).all():
        name, key, nonce, gone = os.urandom(16), os.urandom(32), os.urandom(12), code.startswith("forgotten")
        wrapped = bytes(64) if gone else derived[:4] + nonce + master.encrypt(nonce, key, name)
        row = {"voter_id": number, "name": name, "wrapped": wrapped, "forgotten": gone, "votes_dropped": False}
        rows.append(row)
        keys[number] = AESGCM(key)
    columns: list[Any] = [sa.column(name) for name in ("voter_id", "name", "wrapped", "forgotten", "votes_dropped")]
    if rows:
        db.execute(sa.insert(sa.table("voter_keys", *columns)), rows)
    return keys


def _pages(db: sa.Connection) -> Iterator[dict[str, int]]:
    """Every battle's owner by the battle's id."""
    query = sa.text("SELECT id, voter_id FROM battles WHERE id > :last ORDER BY id LIMIT :page")
    last = ""
    while page := dict(map(tuple, db.execute(query, {"last": last, "page": PAGE}))):
        yield page
        last = list(page)[-1]


def _seal(
    db: sa.Connection, owners: dict[str, int], keys: dict[int, AESGCM], table: Any, columns: Sequence[str]
) -> None:
    named_by = [column for column in table.c if column.name not in columns]
    rows = db.execute(sa.select(table).where(table.c.battle_id.in_(list(owners)))).mappings().all()
    for column in columns:
        changed = []
        for row in rows:
            if row[column]:
                place = [row[named.name] for named in named_by]
                key = keys[owners[row["battle_id"]]]
                old = {f"at_{named.name}": row[named.name] for named in named_by}
                changed.append({**old, "sealed": _sealed(key, row[column], [*place, column])})
        if changed:
            where = [named == sa.bindparam(f"at_{named.name}") for named in named_by]
            db.execute(sa.update(table).where(*where).values({column: sa.bindparam("sealed")}), changed)


def _sealed(key: AESGCM, text: str, place: list[Any]) -> str:
    nonce = os.urandom(12)
    bound = "\n".join(map(str, place)).encode()
    return base64.b64encode(nonce + key.encrypt(nonce, zlib.compress(text.encode(), 1), bound)).decode()
