"""A page is there for as long as it has a line open; what Gradio kept of it goes some seconds after."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import gradio as gr
import pytest
from gradio.state_holder import SessionState, StateHolder

from arena.ui import presence as module
from arena.ui.presence import Presence, forgetter, keep_little


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pages that were forgotten, in an arena that waits for none."""
    monkeypatch.setattr(module, "LINGER", 0.01)
    return []


async def test_a_page_is_forgotten_after_its_last_line_and_not_before(gone: list[str]) -> None:
    """One that is back in time is what it was."""
    presence = Presence()
    presence.left = gone.append
    with ExitStack() as lines:
        with presence.line("stays"), presence.line("leaves"):
            pass
        lines.enter_context(presence.line("stays"))
        await asyncio.sleep(0.05)
        assert gone == ["leaves"]
    await asyncio.sleep(0.05)
    assert gone == ["leaves", "stays"]


def test_gradio_keeps_little_of_a_page_and_nothing_of_one_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own record of a page is every component's configuration once more."""
    with gr.Blocks() as demo:
        box = gr.Textbox()
    holder = StateHolder()
    holder.set_blocks(demo)
    assert holder["before"].config_values
    monkeypatch.setattr("gradio.state_holder.SessionState", SessionState)  # put back afterwards
    for name in ("GRADIO_ANALYTICS_MAX_EVENTS", "GRADIO_ANALYTICS_CACHE_FREQUENCY"):
        monkeypatch.setenv(name, "")  # put back afterwards as well
    keep_little()
    queue = gr.Blocks().queue()._queue
    assert queue.ANALYTICS_MAX_EVENTS == 1
    queue.events_recorded = 5
    assert queue.compute_analytics_summary([{"function": "ask"}]) == {"functions": {}}
    holder["page"][box._id] = gr.Textbox(value="x")
    assert holder["page"].blocks_config.blocks[box._id].value == "x"
    assert holder["page"].config_values == {}
    assert holder["another"].blocks_config.blocks[box._id] is box
    assert holder["another"].blocks_config.fns is demo.default_config.fns
    forgetter(demo)("another")
    forgetter(demo)("page")
    assert list(holder.session_data) == list(holder.time_last_used) == ["before"]
