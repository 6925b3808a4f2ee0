"""What all tests share: a still environment, data of others where it is at hand, and the order of the costly ones."""

from __future__ import annotations

import gc
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpcore2
import hypothesis
import pytest
import typer.testing
from sqlalchemy import create_engine
from typer.main import get_command
from xdist.scheduler import LoadFileScheduling

import arena.ui  # noqa: F401  # before Gradio, whoever imports it: test_stubs
from arena.battles.masking import masker
from arena.cli.serve import YOUNG
from arena.store import connections, migrate
from perf.promises import line_in

gc.disable()  # until all is imported

ROOT = Path(__file__).parents[1]

os.environ.setdefault("ARENA_TEST_CACHE", str(ROOT / "build" / "test-cache"))
os.environ["OMP_NUM_THREADS"] = "1"  # two threads on contended cores are several times slower than one
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["PYTHONHASHSEED"] = "0"  # for the processes that tests start

SOAKING = any(name.startswith("ARENA_SOAK_") for name in os.environ)

hypothesis.settings.register_profile(
    "arena",
    deadline=None,  # how long an example takes is the machine's affair
    derandomize=not SOAKING,  # the same examples in every run: new ones are looked for by perf/soak
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("arena")

_LAST = ("postgres", "torch", "browser", "soak")
"""Marks of costly tests, in the order in which they run after everything else."""

_SLOW = ("torch", "browser", "soak")
"""Marks of tests that `--quick` leaves out."""

_MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory."""

_SLOW_FILE = re.compile(rf"^pytestmark = .*pytest\.mark\.({'|'.join(_SLOW)})\b", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--quick` leaves out what a minute is too short for."""
    parser.addoption("--quick", action="store_true", help=f"only tests with none of the marks {', '.join(_SLOW)}")


def pytest_configure(config: pytest.Config) -> None:
    """Files may lie in memory: a kill takes nothing from there, and what the disk is told is seen by its calls."""
    if config.getoption("quick"):
        config.option.markexpr = f"not ({' or '.join(_SLOW)})"
        config.option.loadscopereorder = False
        if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 << 30:
            tempfile.tempdir = os.environ["TMPDIR"] = str(_MEMORY)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file of which every test is left out is not read either: importing torch alone takes seconds."""
    if not config.getoption("quick") or collection_path.suffix != ".py":
        return None
    return bool(_SLOW_FILE.search(collection_path.read_text(encoding="utf-8"))) or None


def pytest_collection_finish() -> None:
    """A million objects of imported modules live until the end: the garbage collector need not walk them each time."""
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 100)  # a running arena looks at the oldest ten times as often: it runs for long
    gc.enable()


def pytest_sessionfinish() -> None:
    """What is garbage at the end was found by the first look: the five that pytest takes need not walk the rest."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Quick tests first, so that a plain mistake shows within the first minute; where there is only a minute, last, so
    that no process has long to do when the others are done."""
    items.sort(key=_place, reverse=config.getoption("quick"))


def _place(item: pytest.Item) -> int:
    return max((_LAST.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in _LAST), default=0)


class _OneBrowser(LoadFileScheduling):
    """A file's tests run in one process, and all of the browser's (half of the work) in one: its arenas start once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "browser" if _is_of_the_browser(file) else file


@cache
def _is_of_the_browser(file: str) -> bool:  # drills start an arena of their own
    return "\npytestmark = pytest.mark.browser\n" in (ROOT / file).read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """How several processes share the tests."""
    return _OneBrowser(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was promised and what was measured, a line each, though the tests' own output is not shown."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    told = [told for report in reports for line in report.capstdout.splitlines() if (told := line_in(line))]
    if told:
        terminalreporter.section("promises")
        for line in told:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """A file or folder of others' data (prompts, answers, votes), which is never copied into the project.

    A test that asks for what is not here is skipped.
    """
    root = Path(os.environ.get("ARENA_SHARED_DATA") or ROOT.parent / "shared" / "data")

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"{root / name} is not there: set ARENA_SHARED_DATA to the folder that has it")
        return root / name

    return find


@pytest.fixture(scope="session", autouse=True)
def fresh_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new SQLite file is a copy of one that was migrated once: a thousand tests open a store of their own."""
    folder = tmp_path_factory.mktemp("fresh")
    migrated: dict[object, Path] = {}
    upgrade = migrate._upgrade_file

    def copied(path: Path, goal: Any) -> None:
        if path.exists():
            upgrade(path, goal)
            return
        schema = (goal.head, goal.scripts)  # the secret seals nothing where nobody has written yet
        if schema not in migrated:
            whole = folder / f"{len(migrated)}.db"
            upgrade(whole, goal)
            migrated[schema] = whole
        shutil.copyfile(migrated[schema], path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_upgrade_file", copied)
        yield


class _Compiled(dict[Any, Any]):
    """Statements in SQL, for all stores: each would compile its own, though one SQLite's dialect is like another's."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((key[0].name, *key[1:]), default)

    def __setitem__(self, key: Any, statement: Any) -> None:
        super().__setitem__((key[0].name, *key[1:]), statement)


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """What is made alike each time and never changed: trees of commands and of names, SQL, and whom clients trust."""
    build = cache(masker.build)
    options = {"compiled_cache": _Compiled()}

    def built(*names: Iterable[str]) -> Any:
        return build(*map(tuple, names))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masker, "build", built)
        patch.setattr(httpcore2, "default_ssl_context", cache(httpcore2.default_ssl_context))
        patch.setattr(typer.testing, "_get_command", cache(get_command))
        patch.setattr(connections, "create_engine", partial(create_engine, execution_options=options))
        yield


@pytest.fixture(scope="session")
def test_cache() -> Path:
    """A directory that outlives the run, for what is costly to make and depends on nothing but its recipe."""
    place = Path(os.environ["ARENA_TEST_CACHE"])
    place.mkdir(parents=True, exist_ok=True)
    return place
