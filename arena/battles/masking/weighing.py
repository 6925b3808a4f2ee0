"""Adds up signs: a file of weights, written by `learning.py`, tells what each speaks for. It knows no sign."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

BIAS = "(bias)"
"""The sign that every case has."""


def log_odds(signs: Iterable[str], file: Path) -> float:
    """What the signs speak for together, each once; one that has no weight says nothing."""
    weight = _weights(file)
    return sum(weight.get(sign, 0.0) for sign in {*signs, BIAS})


@cache
def _weights(file: Path) -> dict[str, float]:
    rows = (line.split("\t") for line in file.read_text(encoding="utf-8").splitlines() if line[:1] != "#")
    return {sign: float(weight) for sign, weight in rows}
