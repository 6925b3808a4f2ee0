"""The energy of every answer, where this machine's GPUs measure it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Answers from before stay without: nobody measured them."""
    op.add_column("answers", sa.Column("joules", sa.Double))
