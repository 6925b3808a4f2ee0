"""Where in an answer names are hidden until the vote, as they were when it was shown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Answers from before stay without: what must be hidden in them is looked for anew."""
    op.add_column("answers", sa.Column("hidden", sa.Text))
