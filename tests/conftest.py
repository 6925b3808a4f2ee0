"""What all tests share: a still environment, data of others where it is at hand, and the order of the costly ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

os.environ.setdefault("ARENA_TEST_CACHE", str(ROOT / "build" / "test-cache"))
os.environ["OMP_NUM_THREADS"] = "1"  # two threads on contended cores are several times slower than one
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["PYTHONHASHSEED"] = "0"  # for the processes that tests start

_LAST = ("soak", "postgres", "torch", "browser")
"""Marks of costly tests, in the order in which they run after everything else."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first, so that a plain mistake shows within the first minute."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return max((_LAST.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in _LAST), default=0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data of others (prompts, answers, votes), which is never copied into the project."""
    place = Path(os.environ.get("ARENA_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not place.is_dir():
        pytest.skip(f"{place} is not there: set ARENA_SHARED_DATA to the directory with ru_arena_general and the rest")
    return place


@pytest.fixture(scope="session")
def test_cache() -> Path:
    """A directory that outlives the run, for what is costly to make and depends on nothing but its recipe."""
    place = Path(os.environ["ARENA_TEST_CACHE"])
    place.mkdir(parents=True, exist_ok=True)
    return place
