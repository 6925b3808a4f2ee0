"""`serve`: settings from the command line and the environment, then the page, until somebody stops it."""

from __future__ import annotations

import ctypes
import errno
import gc
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from arena.cli.logs import write_logs
from arena.cli.terminal import told
from arena.config import Settings, unknown_variables
from arena.errors import ConfigError

if TYPE_CHECKING:
    from arena.service import Arena

log = logging.getLogger("arena")

YOUNG = 10_000
"""New objects after which the collector looks at them. At Python's own 700 it looks at everything 14 times as often."""

HEAPS = 2
"""Heaps that the C library keeps for all threads, instead of eight a core: each holds on to what its threads left
free between what they still use, 48 MB after some thousand visitors where two hold 8."""

_LOOK_SECONDS = 0.1
_M_ARENA_MAX = -8  # malloc.h
_PORT = (errno.EADDRINUSE, errno.EACCES)


def serve(
    profile: Annotated[str | None, typer.Option(help="gpu, cpu, demo or auto.")] = None,
    models: Annotated[Path | None, typer.Option(help="The file of contestants and judges.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    database: Annotated[str | None, typer.Option(help="Where votes are kept: a SQLite or PostgreSQL address.")] = None,
    storage: Annotated[Path | None, typer.Option(help="Directory of everything written at run time.")] = None,
) -> None:
    """Serve the arena. Every option is also an ARENA_… variable."""
    with told():
        settings = Settings.from_environment(
            profile=profile, models=models, host=host, port=port, database=database, storage=storage
        )
        run(settings)


def run(settings: Settings) -> None:
    """Open the arena and serve it until it is stopped."""
    keep_few_heaps()
    gc.set_threshold(YOUNG, 10, 10)  # what loading makes stays: looking through it took a tenth of the start
    write_logs(settings.log_level)
    for name, meant in unknown_variables().items():
        log.warning("%s is no setting of this program%s", name, f"; did you mean {meant}?" if meant else "")
    require_free(settings.host, settings.port)
    with _steps("loading the program", "opening the votes", "building the page") as begin:
        begin()
        from arena.service import open_arena
        from arena.ui.app import launch  # imports Gradio: seconds that a wrong option should not cost

        def opened() -> Arena:
            begin()
            arena = open_arena(settings)
            begin()
            return arena

        demo = launch(opened, prevent_thread_lock=True)
    address = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0") else settings.host_in_address
    typer.echo(f"Arena: http://{address}:{settings.port}{settings.root_path}/")
    look_for_garbage_among_what_is_new()
    until_told_to_end()
    typer.echo("Arena: closing")
    demo.close(verbose=False)


def until_told_to_end() -> None:
    """Return at Ctrl-C or at SIGTERM, by which containers and services are stopped; a second one ends at once."""
    told = threading.Event()

    def answer(act: Callable[[int, object], None] | signal.Handlers) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, act)

    def tell(number: int, frame: object) -> None:
        told.set()
        answer(signal.SIG_DFL)

    answer(tell)
    while not told.is_set():  # a handler runs between two looks, never while a lock is held
        time.sleep(_LOOK_SECONDS)


def require_free(host: str, port: int) -> None:
    """Say at once that nobody can listen there: Gradio says so after the whole start, without the reason.

    Gradio looks at the port of this machine's own address too, whatever the host. Raises `ConfigError`.
    """
    for address in dict.fromkeys((host.strip("[]"), "127.0.0.1")):
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(place)
        except OSError as error:
            key, mend = ("--port", "name a free one") if error.errno in _PORT else ("--host", "127.0.0.1 or 0.0.0.0")
            message = f"cannot listen on port {port} of {address}: {error.strerror}"
            raise ConfigError(message, key=key, suggestion=mend) from error


@contextmanager
def _steps(*names: str) -> Iterator[Callable[[], None]]:
    """A bar on standard error while the arena starts, where a person is watching; each call begins the next step."""
    columns = TextColumn("Arena: {task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(names[0], total=len(names))
        coming = enumerate(names)

        def begin() -> None:
            done, name = next(coming)
            bar.update(task, completed=done, description=name)

        yield begin


def keep_few_heaps() -> None:
    """Where it can be said (glibc), and before there are threads: each of the first few gets a heap of its own."""
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_M_ARENA_MAX, HEAPS)


def look_for_garbage_among_what_is_new() -> None:
    """Spare the collector all that the start has made: it stays until the end.

    Looking through 330,000 objects stops every thread for 0.2 s, and a crowd's votes have it done every five seconds.
    What is garbage already stays as well: 57 of these objects.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)


def main() -> None:
    """Entry of app.py."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(serve)
    alone()
