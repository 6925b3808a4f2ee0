"""`python -m arena`: every command of the arena."""

from __future__ import annotations

from arena.cli.commands import app

if __name__ == "__main__":
    app(prog_name="arena")
