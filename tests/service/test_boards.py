"""How contestants are named on the boards."""

from __future__ import annotations

from arena.service.boards import labels
from arena.store.records import Contestant, ContestantRecord


def record(number: int, name: str, fingerprint: str, retired_at: float | None = None) -> ContestantRecord:
    return ContestantRecord(number, Contestant(name, fingerprint), 0.0, retired_at)


def test_the_catalogues_make_has_the_plain_name_whenever_others_came() -> None:
    """Votes of a file can bring a namesake after it; makes that left carry their fingerprint, or their number."""
    earlier, current, imported = (
        record(1, "alpha", "0123456789", 5.0), record(2, "alpha", "abcdef0123"), record(3, "alpha", "", 9.0)
    )  # fmt: skip
    assert labels([earlier, current, imported]) == {1: "alpha · 012345", 2: "alpha", 3: "alpha · 3"}
    assert labels([earlier, imported]) == {1: "alpha · 012345", 3: "alpha"}
