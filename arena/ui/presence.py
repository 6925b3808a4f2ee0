"""Which pages are there, and which have left for good.

Gradio keeps what it knows of a page (every component's configuration once more, 280 KB here) for ten thousand pages,
left or not. Here a page exists for as long as it has a line open, and is forgotten some seconds after its last one.

It knows Gradio's session codes and neither voters nor battles.
"""

from __future__ import annotations

import asyncio
import os
from collections import ChainMap, Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio import state_holder

LINGER = 20.0
"""Seconds in which a page whose lines broke may come back and be what it was."""

MOST_PAGES = 2_000
"""Pages remembered that never opened a line at all; then the one longest silent is forgotten."""


class Presence:
    """Counts the open lines of every page; `left` is told of each that stays away."""

    def __init__(self) -> None:
        self.left: Callable[[str], None] = lambda session: None
        self._lines: Counter[str] = Counter()

    @contextmanager
    def line(self, session: str) -> Iterator[None]:
        """A page holds a line for as long as this lasts."""
        self._lines[session] += 1
        try:
            yield
        finally:
            self._lines[session] -= 1
            if not self._lines[session]:
                del self._lines[session]
            if session not in self._lines:
                asyncio.get_running_loop().call_later(LINGER, self._forget, session)

    def _forget(self, session: str) -> None:
        if session not in self._lines:
            self.left(session)


class _Shared:
    """Stands for what was built where Gradio would copy it for a page: a page's copy holds only what changed there.

    Nothing here renders anew, so that no page has events of its own.
    """

    def __init__(self, built: Any) -> None:
        self._built = built

    def __copy__(self) -> Any:
        copied = type(self._built)(self._built.root_block)
        copied.blocks, copied.fns = ChainMap({}, self._built.blocks), self._built.fns
        copied.fn_id, copied.renderables = self._built.fn_id, self._built.renderables
        return copied


class _LeanState(state_holder.SessionState):
    """What Gradio keeps of a page, without a second copy of every component's configuration: nothing here reads it."""

    def __init__(self, blocks: Any) -> None:
        super().__init__(SimpleNamespace(default_config=_Shared(blocks.default_config), blocks={}))  # type: ignore[arg-type]

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if block is not None and block.stateful:
            self.state_data[key] = value
        else:
            self.blocks_config.blocks[key] = _trusting(value)


def keep_little() -> None:
    """Have Gradio keep of each page only what its events need, and of past events next to nothing.

    Its table of the last 10,000 events is for a dashboard that is off here, and is summed up anew after every event.
    """
    os.environ |= {"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9)}
    state_holder.SessionState = _LeanState  # type: ignore[misc]


def trust_choices(demo: gr.Blocks) -> None:
    """Hand on what was chosen as it came: Gradio would check it against choices that were forgotten with the page's
    last line, while the page still shows them. Forms and handlers check for themselves."""
    for part in demo.blocks.values():
        _trusting(part)


def _trusting(part: Any) -> Any:
    """Of what is chosen from, also what Gradio puts in its place whenever a handler changes anything of it."""
    if isinstance(part, gr.Dropdown | gr.Radio | gr.CheckboxGroup):
        part.preprocess = _as_it_came  # type: ignore[method-assign]
    return part


def _as_it_came(payload: Any) -> Any:
    return payload


def forgetter(demo: gr.Blocks) -> Callable[[str], None]:
    """Forgets what Gradio keeps of a page that left."""

    def forget(session: str) -> None:
        holder, queue = demo.state_holder, demo._queue
        holder.session_data.pop(session, None)
        holder.time_last_used.pop(session, None)
        if not queue.pending_event_ids_session.get(session):
            queue.pending_event_ids_session.pop(session, None)
            queue.pending_messages_per_session.pop(session, None)

    return forget
