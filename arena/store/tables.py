"""The tables as SQLAlchemy sees them. Migrations make them; a test holds both to each other.

Times are Unix seconds (UTC). Verdicts are small numbers because the votes table is the one that
grows to tens of millions. Nothing here is imported outside this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from arena.store.records import MARKUP_COLUMNS
from arena.types import Verdict

VERDICT_CODES: Mapping[Verdict, int] = {
    Verdict.MODEL_A: 0,
    Verdict.MODEL_B: 1,
    Verdict.TIE: 2,
    Verdict.BOTH_BAD: 3,
}
VERDICTS: tuple[Verdict, ...] = tuple(VERDICT_CODES)
"""Verdicts by their code."""

Number = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; SQLite makes it the row's own id only when it is called INTEGER."""

AnyRow = Row[*tuple[Any, ...]]
"""A row of whatever columns its query names."""

metadata = MetaData()

contestants = Table(
    "contestants",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("parameters", Double),
    Column("quantization", Text, nullable=False),
    Column("licence", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("toy", Boolean, nullable=False),
    Column("first_seen", Double, nullable=False),
    Column("retired_at", Double),
    UniqueConstraint("name", "fingerprint", name="contestants_identity"),
)

voters = Table(
    "voters",
    metadata,
    Column("id", Number, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("first_seen", Double, nullable=False),
)

voter_keys = Table(
    "voter_keys",
    metadata,
    Column("id", Number, primary_key=True),  # rows are only ever added at the end and overwritten in their length
    Column("voter_id", Number, ForeignKey("voters.id"), unique=True),  # empty: forgotten elsewhere in the arena's past
    Column("name", LargeBinary, nullable=False),  # random: tells the same key in two copies of the database
    Column("wrapped", LargeBinary, nullable=False),
    Column("forgotten", Boolean, nullable=False),
    Column("votes_dropped", Boolean, nullable=False),
)

forgetting = Table(
    "forgetting",
    metadata,
    Column("code", Text, primary_key=True),  # of voters whose texts are gone here, and perhaps not yet from files
)

battles = Table(
    "battles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("voter_id", Number, ForeignKey("voters.id"), nullable=False),
    Column("mode", Text, nullable=False),
    Column("contestant_a", Number, ForeignKey("contestants.id"), nullable=False),
    Column("contestant_b", Number, ForeignKey("contestants.id")),
    Column("propensity", Double, nullable=False),
    Column("language", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("masked", Boolean, nullable=False),
    Column("system_prompt", Text, nullable=False),
    Column("seed", BigInteger),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Index("battles_by_voter", "voter_id", "created_at"),
    Index("battles_by_status", "status", "created_at"),
    Index("battles_by_time", "created_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("battle_id", Text, ForeignKey("battles.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("prompt", Text, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("dropped_at", Double),
    sqlite_with_rowid=False,
)

answers = Table(
    "answers",
    metadata,
    Column("battle_id", Text, ForeignKey("battles.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("side", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("reasoning", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("error_code", Text),
    Column("finish_reason", Text),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("first_token_after", Double),
    Column("tokens_per_second", Double),
    Column("seed", BigInteger),
    Column("revision", Text),
    Column("quantization", Text),
    Column("template_hash", Text),
    Column("joules", Double),
    Column("hidden", Text),  # spans of `text`: "4-11 30-36"
    sqlite_with_rowid=False,
)

slices = Table(
    "slices",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

slice_sets = Table(
    "slice_sets",
    metadata,
    Column("id", Number, primary_key=True),
    Column("names", Text, nullable=False, unique=True),  # joined by line feeds
    Column("slice_ids", Text, nullable=False),  # joined by commas, the whole track's slice left out
)

votes = Table(
    "votes",
    metadata,
    Column("sequence", Number, primary_key=True, autoincrement=False),
    Column("battle_id", Text, ForeignKey("battles.id"), nullable=False),
    Column("voter_id", Number, ForeignKey("voters.id"), nullable=False),
    Column("contestant_a", Number, nullable=False),
    Column("contestant_b", Number, nullable=False),
    Column("verdict", SmallInteger, nullable=False),
    Column("weight", Double, nullable=False),
    Column("slice_set_id", Number, nullable=False),
    Column("cast_at", Double, nullable=False),
    Column("elo_before_a", Double, nullable=False),
    Column("elo_before_b", Double, nullable=False),
    Column("elo_delta_a", Double, nullable=False),
    Column("elo_delta_b", Double, nullable=False),
    Column("retracted_at", Double),
    Column("quarantined", Text),
    Column("reasons", Text),  # JSON array
    Column("comment", Text),
    *[Column(name, Integer) for name in MARKUP_COLUMNS],  # None where the texts were never here
    UniqueConstraint("battle_id", "voter_id", name="one_vote_per_battle_and_voter"),
    Index("votes_by_voter", "voter_id"),
)

pair_counts = Table(
    "pair_counts",
    metadata,
    Column("track", Text, primary_key=True),
    Column("slice_id", Number, primary_key=True, autoincrement=False),
    Column("a", Number, primary_key=True, autoincrement=False),
    Column("b", Number, primary_key=True, autoincrement=False),
    Column("wins_a", Double, nullable=False),
    Column("wins_b", Double, nullable=False),
    Column("ties", Double, nullable=False),
    Column("both_bad", Double, nullable=False),
    sqlite_with_rowid=False,
)

board_snapshots = Table(
    "board_snapshots",
    metadata,
    Column("track", Text, primary_key=True),
    Column("version", Number, nullable=False),  # what is here counts only while the board has this version
    Column("pairs", LargeBinary, nullable=False),  # the columns of `PairTable` one after the other
)

elo = Table(
    "elo",
    metadata,
    Column("track", Text, primary_key=True),
    Column("contestant_id", Number, primary_key=True, autoincrement=False),
    Column("rating", Double, nullable=False),
    Column("games", Number, nullable=False),
    sqlite_with_rowid=False,
)

judgments = Table(
    "judgments",
    metadata,
    Column("id", Number, primary_key=True),
    Column("battle_id", Text, ForeignKey("battles.id"), nullable=False),
    Column("judge", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("leased_until", Double),
    Column("attempts", Integer, nullable=False),
    Column("done_at", Double),
    Column("verdict", SmallInteger),
    Column("first_order", SmallInteger),
    Column("second_order", SmallInteger),
    Column("explanation", Text),
    Column("cost", Double, nullable=False),
    Column("error", Text),
    Column("sequence", Number, unique=True),  # only where the verdict counts on the judge track
    Column("contestant_a", Number),
    Column("contestant_b", Number),
    Column("slice_set_id", Number),
    Column("elo_delta_a", Double),
    Column("elo_delta_b", Double),
    UniqueConstraint("battle_id", "judge", name="one_judgment_per_battle_and_judge"),
    Index("judgments_by_status", "judge", "status", "id"),
)

events = Table(
    "events",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("battle_id", Text),
    Column("detail", Text, nullable=False),
    Column("sequence", Number),  # only where the board changed
    Column("vote_sequence", Number),  # the vote that the change concerns
    Index("events_by_sequence", "sequence", sqlite_where=text("sequence IS NOT NULL")),
    Index("events_by_kind", "kind", "id"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Number, nullable=False),
)

scores = Table(
    "scores",
    metadata,
    Column("task", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("judge", Text, primary_key=True),  # empty: nobody judged, or a sheet from before it was written down
    Column("protocol", Text, primary_key=True),
    Column("kept_at", Double, nullable=False),
    Column("sheet", Text, nullable=False),  # JSON
)

spending = Table(
    "spending",
    metadata,
    Column("name", Text, primary_key=True),
    Column("amount", Double, nullable=False),
)
