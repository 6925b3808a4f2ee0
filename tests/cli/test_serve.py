"""What a person sees in the terminal while the arena starts, and what serving asks of Python itself."""

from __future__ import annotations

import ctypes
import gc
import io
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.cli.serve import HEAPS, _steps, look_for_garbage_among_what_is_new, require_free
from arena.errors import ConfigError

THREADS = """
import ctypes, sys, threading
from arena.cli.serve import keep_few_heaps

keep_few_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(12)

def work():
    together.wait()
    libc.malloc(4000)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
report = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, report)
libc.fclose(report)
"""
"""A dozen threads that want memory at the same time; what the C library then says of its heaps."""


class Terminal(io.StringIO):
    """A text that says whether somebody is watching."""

    def __init__(self, watched: bool) -> None:
        super().__init__()
        self.watched = watched

    def isatty(self) -> bool:
        return self.watched


@pytest.mark.parametrize("watched", [True, False])
def test_a_start_shows_how_far_it_is_where_somebody_watches(monkeypatch: pytest.MonkeyPatch, watched: bool) -> None:
    """Every step by its name with a bar; nothing in a log file."""
    terminal = Terminal(watched)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with _steps("first", "second") as begin:
        begin()
        begin()
    assert ("Arena: second" in terminal.getvalue()) == watched


def test_a_taken_port_is_told_before_anything_is_loaded() -> None:
    """In one line with the way out, whichever of this machine's addresses was asked for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port: .*port {port} of 127.0.0.1"):
            require_free("127.0.0.1", port)
        with pytest.raises(ConfigError, match=f"port {port} of 0.0.0.0"):
            require_free("0.0.0.0", port)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_end_and_a_second_one_whichever_does_not_wait_for_it(first: signal.Signals) -> None:
    """Whoever cannot wait for models to be put away says so again."""
    program = "from arena.cli.serve import *; print('on', flush=True); until_told_to_end(); print('told', flush=True)"
    waiting = subprocess.Popen([sys.executable, "-c", f"{program}; time.sleep(600)"], stdout=subprocess.PIPE, text=True)
    assert waiting.stdout is not None
    with waiting:
        assert waiting.stdout.readline() == "on\n"
        while signal.SIGTERM not in caught(waiting.pid):
            time.sleep(0.01)
        waiting.send_signal(first)
        assert waiting.stdout.readline() == "told\n"
        waiting.terminate()
    assert waiting.returncode == -signal.SIGTERM


def caught(pid: int) -> set[int]:
    """The signals that a process has a handler for."""
    (mask,) = re.findall(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return {number for number in range(1, 65) if int(mask, 16) >> (number - 1) & 1}


@pytest.fixture
def as_before() -> Iterator[None]:
    """The collector afterwards as the other tests know it."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_a_running_arena_does_not_look_through_its_own_code_for_garbage(as_before: None) -> None:
    """What the start made is set aside; garbage that is made later is still found."""
    kept: list[object] = [["made by the start"]]
    look_for_garbage_among_what_is_new()
    assert not any(one is kept for one in gc.get_objects())

    class Link:
        """Refers to itself, so that only the collector finds it."""

    garbage = Link()
    garbage.__dict__["me"] = garbage
    del garbage
    assert gc.collect() > 0


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="another C library than glibc")
def test_all_threads_share_a_few_heaps(tmp_path: Path) -> None:
    """By itself the C library would give each of a dozen threads one of its own."""
    subprocess.run([sys.executable, "-c", THREADS, str(tmp_path / "heaps.xml")], check=True)
    assert (tmp_path / "heaps.xml").read_text().count("<heap nr=") == HEAPS
