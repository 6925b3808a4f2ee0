"""The log is one JSON object per line, with figures as keys and tracebacks inside."""

from __future__ import annotations

import io
import json
import logging

import pytest

from arena.cli.logs import JsonLines


@pytest.fixture
def said() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.Logger("arena.test")
    logger.addHandler(handler)
    return logger, stream


def test_a_line_carries_its_figures(said: tuple[logging.Logger, io.StringIO]) -> None:
    """As keys beside time, level and message; Russian as it is."""
    logger, stream = said
    logger.info("ход %d", 1, extra={"fields": {"event": "turn", "a": {"completion_tokens": 7}}})
    line = json.loads(stream.getvalue())
    assert (line["message"], line["level"], line["event"], line["a"]["completion_tokens"]) == (
        "ход 1",
        "INFO",
        "turn",
        7,
    )
    assert line["time"].endswith("Z")
    assert "ход" in stream.getvalue()


def test_a_traceback_and_a_newline_stay_in_one_line(said: tuple[logging.Logger, io.StringIO]) -> None:
    """So that nobody can write a line of their own into the log."""
    logger, stream = said
    try:
        raise ValueError('first\n{"level": "INFO"}')
    except ValueError:
        logger.exception("failed with %s", "a\nb")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError" in json.loads(line)["exception"]
