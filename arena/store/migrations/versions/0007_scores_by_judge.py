"""Score sheets of one task and model by several judges and protocols, which no longer replace each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"


def upgrade() -> None:
    """Move the sheets into a table with the wider key; who judged those from before is not known."""
    op.rename_table("scores", "scores_before")
    op.create_table(
        "scores",
        sa.Column("task", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("judge", sa.Text),
        sa.Column("protocol", sa.Text),
        sa.Column("kept_at", sa.Double, nullable=False),
        sa.Column("sheet", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("task", "model", "judge", "protocol", name="scores_key"),
    )
    op.execute("INSERT INTO scores SELECT task, model, '', '', kept_at, sheet FROM scores_before")
    op.drop_table("scores_before")
