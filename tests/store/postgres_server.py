"""A real PostgreSQL for tests: found or installed, run by an unprivileged user on a Unix socket, thrown away after."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

USERS = ("postgres", "nobody")
"""Who may run the server when the tests themselves run as root."""


class Unavailable(Exception):
    """Why there is no server on this machine."""


class PostgresServer:
    """One cluster in a folder of its own; `new_database` gives the URL of an empty one."""

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="arena-pg-"))
        self._user = _unprivileged_user()
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._count = 0
        self._reused: str | None = None
        self._process = self._start()

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        import psycopg

        self._count += 1
        name = f"arena_{self._count}"
        with psycopg.connect(f"host={self._folder} user=arena dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return f"postgresql+psycopg://arena@/{name}?host={self._folder}"

    def emptied_database(self) -> str:
        """The URL of one database that is used over and over, as empty as a new one (and much cheaper)."""
        import psycopg

        if self._reused is None:
            self._reused = self.new_database()
            return self._reused
        name = self._reused.split("/")[3].split("?")[0]
        with psycopg.connect(f"host={self._folder} user=arena dbname={name}", autocommit=True) as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            names = [name for (name,) in rows if name not in ("alembic_version", "counters")]
            if names:
                connection.execute(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")  # type: ignore[arg-type]
                connection.execute("UPDATE counters SET value = 0")
        return self._reused

    def stop(self) -> None:
        """End the server and delete its folder."""
        self._process.send_signal(signal.SIGQUIT)  # its data is thrown away
        self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """End the server at once, as a crash would, and start it on the same data."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)
        self._process = self._serve()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [self._binaries / "initdb", "-D", self._data, "-A", "trust", "-U", "arena", "-E", "UTF8", "--no-sync"]
        subprocess.run(command, user=self._user, check=True, capture_output=True, env=_ENVIRONMENT, cwd="/")
        return self._serve()

    def _serve(self) -> subprocess.Popen[bytes]:
        command = [
            self._binaries / "postgres",
            "-D",
            self._data,
            "-k",
            self._folder,
            "-c",
            "listen_addresses=",
            *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off", "-c", "jit=off"),
        ]
        with (Path(tempfile.gettempdir()) / f"{self._folder.name}.log").open("wb") as log:
            process = subprocess.Popen(command, user=self._user, stdout=log, stderr=log, env=_ENVIRONMENT, cwd="/")
        self._wait(process)
        return process

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        import psycopg

        for _ in range(2400):
            if process.poll() is not None:
                raise Unavailable(f"PostgreSQL ended with status {process.returncode}")
            try:
                psycopg.connect(f"host={self._folder} user=arena dbname=postgres").close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise Unavailable("PostgreSQL did not start within two minutes")

    @property
    def _data(self) -> Path:
        return self._folder / "data"


_ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}


def _unprivileged_user() -> str | None:
    """Who runs the server: ourselves unless we are root."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for user in USERS:
        if user in known:
            return user
    raise Unavailable("the tests run as root and there is no unprivileged user to run PostgreSQL as")


def _binaries() -> Path:
    """The folder of initdb and postgres; installs Debian's package when it may."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise Unavailable("psycopg is not installed") from None
    found = _find()
    if found is None and os.getuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "postgresql"]
        subprocess.run(command, env=quiet, capture_output=True, check=False, timeout=300)
        found = _find()
    if found is None:
        raise Unavailable("no PostgreSQL here: install Debian's package postgresql")
    return found


def _find() -> Path | None:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    candidates += [Path(on_path).resolve().parent] if on_path else []
    return next((path for path in candidates if (path / "postgres").exists()), None)
