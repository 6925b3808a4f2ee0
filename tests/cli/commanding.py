"""A command of the operator inside the test's own process: starting a program for each costs over a second."""

from __future__ import annotations

import os

from typer.testing import CliRunner, Result

from arena.cli.commands import app


def commanded(*words: str) -> Result:
    """What `python -m arena WORDS` says and ends with, without the settings of whoever runs the tests."""
    unset = {name: None for name in os.environ if name.startswith("ARENA_")}
    return CliRunner().invoke(app, words, env=unset)
