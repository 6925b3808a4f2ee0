"""A whole arena as an operator starts it: `python app.py` in a process of its own, on a port of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 240.0
_HELD: list[socket.socket] = []
"""Sockets that keep the ports that were given away."""


class ArenaProcess:
    """Started by the constructor; `stop` ends it and everything it started."""

    def __init__(
        self, storage: Path, *, profile: str = "demo", models: Path | None = None, port: int = 0, **options: str
    ) -> None:
        self.storage = storage
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = storage / "server.log"
        storage.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "app.py", "--profile", profile, "--storage", str(storage), "--port", str(self.port)]
        command += ["--models", str(models)] if models else []
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment(**options), stdout=log, stderr=subprocess.STDOUT
            )

    def wait_until_ready(self, contestants: int) -> ArenaProcess:
        """Returns when so many contestants can answer; fails with the log when the process ended or took too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.health().get("ready", 0) >= contestants:
                return self
            time.sleep(0.1)
        raise AssertionError(f"the arena did not become ready; its log ends:\n{self.log_tail()}")

    def health(self) -> dict[str, int]:
        """What /healthz says; empty while nothing answers."""
        try:
            with urllib.request.urlopen(self.address + "/healthz", timeout=5) as answer:
                return dict(json.load(answer))
        except OSError:
            return {}

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def log_of(self, battle: str) -> str:
        """What the server wrote about a battle, and the warnings of all that went on beside it."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if battle in line or "WARNING" in line or "ERROR" in line)

    @property
    def ended(self) -> int | None:
        """The server's exit status; None while it runs."""
        return self._process.poll()

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._process.pid

    def processor_seconds(self) -> float:
        """What the server's process has used of the processors since it began."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End it without warning, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def tell_to_end(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        self.tell_to_end()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def environment(**options: str) -> dict[str, str]:
    """This process's environment without the operator's settings, plus `ARENA_…` for each option."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARENA_")}
    return kept | {f"ARENA_{name.upper()}": value for name, value in options.items()} | {"PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is given until this process ends.

    It stays bound: whoever asks for that very port and reuses addresses, as servers do, may listen on it all the same,
    and neither another server nor an outgoing connection is given it meanwhile.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    return int(held.getsockname()[1])


Staged = Callable[..., ArenaProcess]
"""The fixture `staged`: from a name and a cast of scripted contestants to a running arena."""
