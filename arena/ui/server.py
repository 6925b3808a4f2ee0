"""Waits for the server for as long as its start and its end take.

Gradio gives it five seconds to start and then speaks of a port that is taken; an arena that fetches its votes back to a
wiped disk, or stands on a busy machine, needs longer. At the end Gradio leaves after five seconds while an open page
still holds its line, so that nothing would be closed. It knows servers, not arenas.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from socket import socket

from gradio import http_server
from gradio.exceptions import ServerFailedToStartError

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.02

GRACE_SECONDS = 2
"""How long a request may still take once the end has come."""

CLOSING_SECONDS = 60.0
"""How long the end is waited for: models are put away, the last votes are pushed."""


class PatientServer(http_server.Server):
    """Gradio's server, given up only when it has ended by itself."""

    farewell: Callable[[], Awaitable[None]]

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End the lines that would never end by themselves, then everything else."""
        try:
            await self.farewell()
        except Exception:
            log.exception("not every page could be let go in order")
        await super().shutdown(sockets)

    def run_in_thread(self) -> None:
        """Return when it serves; raises `ServerFailedToStartError` when its start failed."""
        try:
            super().run_in_thread()  # type: ignore[no-untyped-call]
        except ServerFailedToStartError:
            while self.thread.is_alive() and not self.started:
                time.sleep(_LOOK_SECONDS)
            if not self.started:
                raise

    def close(self) -> None:
        """Say farewell, answer what is asked, cut what does not end, and return when all is closed."""
        self.config.timeout_graceful_shutdown = GRACE_SECONDS
        self.should_exit = True
        self.thread.join(CLOSING_SECONDS)


def be_patient(farewell: Callable[[], Awaitable[None]]) -> None:
    """Have Gradio start and end its servers so, from now on; `farewell` ends the pages' lines, in the server's loop."""

    class Server(PatientServer):
        pass

    Server.farewell = staticmethod(farewell)
    http_server.Server = Server  # type: ignore[misc]
