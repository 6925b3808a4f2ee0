"""People who came, voted and left leave nothing behind in the server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.e2e.arena_process import ROOT, environment

pytestmark = pytest.mark.soak  # half a minute


def test_python_keeps_nothing_of_a_session_that_is_over() -> None:
    """The page, the news, the question, the answers, the vote, the reveal: the short form of `perf.sessions`."""
    done = subprocess.run(
        [sys.executable, "-m", "perf.kept"], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    )
    print(done.stdout)
    assert done.returncode == 0
