"""Length and Markdown of the answers that a vote compared, and battles in the order of time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Votes from before are counted from their texts when style is first asked for."""
    for side in ("a", "b"):
        for name in ("characters", "headers", "lists", "bold"):
            op.add_column("votes", sa.Column(f"{name}_{side}", sa.Integer))
    op.create_index("battles_by_time", "battles", ["created_at"])
