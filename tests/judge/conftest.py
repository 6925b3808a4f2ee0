"""Tests of the judge use the engines' loopback server and the store's ready battles."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "engines"), str(TESTS / "store")]
