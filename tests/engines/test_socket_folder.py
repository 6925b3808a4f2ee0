"""What a killed arena leaves in the temporary directory is swept by the next one, and nothing else."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import arena
from arena.engines.socket_folder import SocketFolder, sweep

MAKES_ONE = """
import sys, tempfile
from arena.engines.socket_folder import SocketFolder
tempfile.tempdir = sys.argv[1]
print(SocketFolder().path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory of this test's own."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def neighbour(temporary: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another arena's process, and the folder it holds."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKES_ONE, str(temporary)],
        cwd=Path(arena.__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_killed_arenas_folder_is_swept_and_a_running_ones_is_not(
    neighbour: tuple[subprocess.Popen[str], Path],
) -> None:
    """With the socket that its worker left in it; our own folders stay too."""
    other, theirs = neighbour
    ours = SocketFolder()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(theirs / "s"))
    try:
        sweep()
        assert theirs.is_dir()
    finally:
        other.kill()
        other.communicate()
    sweep()
    assert not theirs.exists()
    assert ours.path.is_dir()
    ours.close()


def test_a_folder_that_holds_anything_else_or_has_another_name_is_nobodys_to_sweep(temporary: Path) -> None:
    """Whoever made it: it is not a worker's."""
    (temporary / "arena-worker-notes").mkdir()
    (temporary / "arena-worker-notes" / "s").write_text("not a socket")
    (temporary / "arena-pg-empty").mkdir()
    (temporary / "arena-worker-link").symlink_to(temporary / "arena-pg-empty")
    before = set(temporary.rglob("*"))
    sweep()
    assert set(temporary.rglob("*")) == before


def test_a_closed_folder_is_gone(temporary: Path) -> None:
    """With its socket, whether or not the worker took it away."""
    folder = SocketFolder()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder.socket))
    folder.close()
    assert list(temporary.iterdir()) == []
