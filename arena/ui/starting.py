"""Waits for the server for as long as its start takes.

Gradio gives it five seconds and then speaks of a port that is taken; an arena that fetches its votes back to a wiped
disk, or stands on a busy machine, needs longer. It knows servers, not arenas.
"""

from __future__ import annotations

import time

from gradio import http_server
from gradio.exceptions import ServerFailedToStartError

_LOOK_SECONDS = 0.02


class PatientServer(http_server.Server):
    """Gradio's server, given up only when it has ended by itself."""

    def run_in_thread(self) -> None:
        """Return when it serves; raises `ServerFailedToStartError` when its start failed."""
        try:
            super().run_in_thread()  # type: ignore[no-untyped-call]
        except ServerFailedToStartError:
            while self.thread.is_alive() and not self.started:
                time.sleep(_LOOK_SECONDS)
            if not self.started:
                raise


def wait_for_the_start() -> None:
    """Have Gradio start its servers so, from now on."""
    http_server.Server = PatientServer  # type: ignore[misc]
