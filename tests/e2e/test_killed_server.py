"""The whole server killed while people vote: the short form of perf/crashes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from perf.crashes import drill
from perf.stage import ballots_in

pytestmark = pytest.mark.soak

VOTES, CLIENTS = 5_010, 32
KINDS = ("load",) * 4 + ("idle",) + ("load",) * 5


def test_a_killed_server_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """Over HTTP, with and without load: no acknowledged vote is lost, doubled or changed. How soon it votes again is
    told beside it."""
    ballots = ballots_in(tmp_path, VOTES, voters_each=200)
    assert asyncio.run(drill(tmp_path, ballots, len(KINDS), CLIENTS, 3, 6, KINDS)).kept
