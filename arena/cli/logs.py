"""How the server writes its log: one JSON object per line for machines, plain lines for a person at a terminal.

What is in a line, its writer decides; figures come as `extra={"fields": {…}}`. What people ask is in no
line unless the operator asked for it.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, TextIO

QUIET = ("httpx", "httpx2", "alembic")
"""Libraries that tell at INFO what is of no interest here, such as each request to a model."""


class JsonLines(logging.Formatter):
    """`time`, `level`, `logger`, `message`, then the record's fields, then its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def write_logs(level: str, stream: TextIO | None = None) -> None:
    """Begin to write the log to a stream, standard error if not said otherwise."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(plain if stream.isatty() else JsonLines())
    logging.basicConfig(level=level, handlers=[handler])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
