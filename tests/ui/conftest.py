"""What tests of the operator's pages, of metrics and of benchmarks look at: an arena that somebody operates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from operated import Operated, operated


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Operated]:
    """Three contestants and the operator's token, over a database of its own."""
    made = operated(tmp_path)
    yield made
    made.arena.store.close()
