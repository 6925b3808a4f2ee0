"""The form of every event that the page sends to Gradio's queue: which there are, and what each carries.

Gradio answers 500 to an unknown event, a wrong number of values or a value that its component does not
expect; whatever has not the form of the page's own event stops here. What is left is written anew, so
that nothing else of a request reaches Gradio.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import gradio as gr

ASKING = ("ask", "again")
"""Handlers that make models answer."""

_SESSION = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MOST_CHOICES = 200
"""Of a list of values: ticks of one group."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the page, as it will be handed on; `message` is what it asks of models."""

    body: bytes
    asks: bool
    message: str = ""


class Malformed(Exception):
    """Not an event that the page sends; says why."""


class Forms:
    """Knows the events of one page."""

    def __init__(self, demo: gr.Blocks) -> None:
        self._events = {
            number: (str(getattr(event.fn, "__name__", "")), tuple(type(part).__name__ for part in event.inputs))
            for number, event in demo.fns.items()
            if event.fn is not None and event.queue
        }

    def read(self, raw: bytes) -> Event:
        """The event of a request's body. Raises `Malformed`."""
        body = _object(raw)
        number, session, trigger = body.get("fn_index"), body.get("session_hash"), body.get("trigger_id")
        if type(number) is not int or number not in self._events:
            raise Malformed("there is no such event")
        if not isinstance(session, str) or not _SESSION.fullmatch(session):
            raise Malformed("session_hash is missing or strange")
        if trigger is not None and (type(trigger) is not int or not 0 <= trigger < 2**31):
            raise Malformed("trigger_id must be a small number")
        name, kinds = self._events[number]
        data = body.get("data")
        if not isinstance(data, list) or len(data) != len(kinds):
            raise Malformed(f"this event carries {len(kinds)} values")
        values = [_value(value, kind) for value, kind in zip(data, kinds, strict=True)]
        clean = {"data": values, "fn_index": number, "session_hash": session, "trigger_id": trigger}
        message = str(values[0]) if name == ASKING[0] and values else ""
        return Event(json.dumps(clean).encode(), name in ASKING, message)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Malformed("the body must be JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise Malformed("the body must be a JSON object")
    return body


def _value(value: Any, kind: str) -> Any:
    if kind == "CheckboxGroup" or (kind == "Dropdown" and isinstance(value, list)):
        return _choices(value)
    if kind == "Checkbox":
        return bool(value)
    if kind in ("Number", "Slider"):
        if type(value) not in (int, float, type(None)) or (value is not None and not abs(value) < 1e15):
            raise Malformed("a number is expected")
        return value
    if value is None:
        return "" if kind == "Textbox" else None
    return _text(value)


def _choices(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > _MOST_CHOICES:
        raise Malformed("a list of choices is expected")
    return [_text(choice) for choice in value]


def _text(value: Any) -> str:
    """Text that every later part can hold; whether a message is too long is for the battle to say."""
    if not isinstance(value, str):
        raise Malformed("text is expected")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Malformed("the text holds halves of characters") from None
    return value
