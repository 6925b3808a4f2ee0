"""Benchmarks' score sheets, one per task and model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table, empty: sheets that lie in files are still read from there."""
    op.create_table(
        "scores",
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("kept_at", sa.Double, nullable=False),
        sa.Column("sheet", sa.Text, nullable=False),
    )
