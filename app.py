"""Starts the arena: what `python app.py` and a Hugging Face Space run."""

from __future__ import annotations

from arena.cli.serve import main

if __name__ == "__main__":
    main()
