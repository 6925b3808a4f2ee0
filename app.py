"""Starts the arena: what `python app.py` and a Hugging Face Space run."""

from __future__ import annotations

import os

if os.environ.get("SPACES_ZERO_GPU"):  # such a Space wants `spaces` before torch, and to know what borrows its GPU
    import arena.engines.zerogpu  # noqa: F401

from arena.cli.serve import main

if __name__ == "__main__":
    main()
