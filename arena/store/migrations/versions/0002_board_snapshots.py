"""Pair counts of the whole in one piece, so that a start reads one row and not one per pair."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table; the first orderly stop of the program fills it."""
    op.create_table(
        "board_snapshots",
        sa.Column("track", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("pairs", sa.LargeBinary, nullable=False),
    )
