"""The first schema: contestants, battles, votes, counts, ratings, judgments, log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table; a migration never changes once it was released, so nothing is imported from the program."""
    _people()
    _battles()
    _votes()
    _board()
    _judgments()
    _records()


def _people() -> None:
    op.create_table(
        "contestants",
        sa.Column("id", Number, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("parameters", sa.Double),
        sa.Column("quantization", sa.Text, nullable=False),
        sa.Column("licence", sa.Text, nullable=False),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("toy", sa.Boolean, nullable=False),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("retired_at", sa.Double),
        sa.UniqueConstraint("name", "fingerprint", name="contestants_identity"),
    )
    op.create_table(
        "voters",
        sa.Column("id", Number, primary_key=True),
        sa.Column("code", sa.Text, nullable=False, unique=True),
        sa.Column("first_seen", sa.Double, nullable=False),
    )


def _battles() -> None:
    op.create_table(
        "battles",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("voter_id", Number, sa.ForeignKey("voters.id"), nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("contestant_a", Number, sa.ForeignKey("contestants.id"), nullable=False),
        sa.Column("contestant_b", Number, sa.ForeignKey("contestants.id")),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("masked", sa.Boolean, nullable=False),
        sa.Column("system_prompt", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False),
    )
    op.create_index("battles_by_voter", "battles", ["voter_id", "created_at"])
    op.create_index("battles_by_status", "battles", ["status", "created_at"])
    op.create_table(
        "turns",
        sa.Column("battle_id", sa.Text, sa.ForeignKey("battles.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("dropped_at", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "answers",
        sa.Column("battle_id", sa.Text, sa.ForeignKey("battles.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("side", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("reasoning", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("finish_reason", sa.Text),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("first_token_after", sa.Double),
        sa.Column("tokens_per_second", sa.Double),
        sa.Column("seed", sa.BigInteger),
        sa.Column("revision", sa.Text),
        sa.Column("quantization", sa.Text),
        sa.Column("template_hash", sa.Text),
        sqlite_with_rowid=False,
    )


def _votes() -> None:
    op.create_table(
        "slices",
        sa.Column("id", Number, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "slice_sets",
        sa.Column("id", Number, primary_key=True),
        sa.Column("names", sa.Text, nullable=False, unique=True),
        sa.Column("slice_ids", sa.Text, nullable=False),
    )
    op.create_table(
        "votes",
        sa.Column("sequence", Number, primary_key=True, autoincrement=False),
        sa.Column("battle_id", sa.Text, sa.ForeignKey("battles.id"), nullable=False),
        sa.Column("voter_id", Number, sa.ForeignKey("voters.id"), nullable=False),
        sa.Column("contestant_a", Number, nullable=False),
        sa.Column("contestant_b", Number, nullable=False),
        sa.Column("verdict", sa.SmallInteger, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("slice_set_id", Number, nullable=False),
        sa.Column("cast_at", sa.Double, nullable=False),
        sa.Column("elo_before_a", sa.Double, nullable=False),
        sa.Column("elo_before_b", sa.Double, nullable=False),
        sa.Column("elo_delta_a", sa.Double, nullable=False),
        sa.Column("elo_delta_b", sa.Double, nullable=False),
        sa.Column("retracted_at", sa.Double),
        sa.Column("quarantined", sa.Text),
        sa.Column("reasons", sa.Text),
        sa.Column("comment", sa.Text),
        sa.UniqueConstraint("battle_id", "voter_id", name="one_vote_per_battle_and_voter"),
    )
    op.create_index("votes_by_voter", "votes", ["voter_id"])


def _board() -> None:
    op.create_table(
        "pair_counts",
        sa.Column("track", sa.Text, primary_key=True),
        sa.Column("slice_id", Number, primary_key=True, autoincrement=False),
        sa.Column("a", Number, primary_key=True, autoincrement=False),
        sa.Column("b", Number, primary_key=True, autoincrement=False),
        sa.Column("wins_a", sa.Double, nullable=False),
        sa.Column("wins_b", sa.Double, nullable=False),
        sa.Column("ties", sa.Double, nullable=False),
        sa.Column("both_bad", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "elo",
        sa.Column("track", sa.Text, primary_key=True),
        sa.Column("contestant_id", Number, primary_key=True, autoincrement=False),
        sa.Column("rating", sa.Double, nullable=False),
        sa.Column("games", Number, nullable=False),
        sqlite_with_rowid=False,
    )
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", Number, nullable=False),
    )
    op.bulk_insert(counters, [{"name": "sequence", "value": 0}])


def _judgments() -> None:
    op.create_table(
        "judgments",
        sa.Column("id", Number, primary_key=True),
        sa.Column("battle_id", sa.Text, sa.ForeignKey("battles.id"), nullable=False),
        sa.Column("judge", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("queued_at", sa.Double, nullable=False),
        sa.Column("leased_until", sa.Double),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("done_at", sa.Double),
        sa.Column("verdict", sa.SmallInteger),
        sa.Column("first_order", sa.SmallInteger),
        sa.Column("second_order", sa.SmallInteger),
        sa.Column("explanation", sa.Text),
        sa.Column("cost", sa.Double, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("sequence", Number, unique=True),
        sa.Column("contestant_a", Number),
        sa.Column("contestant_b", Number),
        sa.Column("slice_set_id", Number),
        sa.Column("elo_delta_a", sa.Double),
        sa.Column("elo_delta_b", sa.Double),
        sa.UniqueConstraint("battle_id", "judge", name="one_judgment_per_battle_and_judge"),
    )
    op.create_index("judgments_by_status", "judgments", ["judge", "status", "id"])


def _records() -> None:
    op.create_table(
        "events",
        sa.Column("id", Number, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("battle_id", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("sequence", Number),
        sa.Column("vote_sequence", Number),
    )
    op.create_index("events_by_sequence", "events", ["sequence"], sqlite_where=sa.text("sequence IS NOT NULL"))
    op.create_index("events_by_kind", "events", ["kind", "id"])
    op.create_table(
        "spending",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("amount", sa.Double, nullable=False),
    )
