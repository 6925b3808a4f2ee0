"""A page that stayed open while Gradio forgot it goes on as it was."""

from __future__ import annotations

import asyncio

import gradio as gr
import pytest
from gradio import state_holder

from arena.ui.board_views import Choice
from arena.ui.presence import keep_little, trust_choices


def test_what_was_chosen_is_heard_though_the_choices_were_forgotten() -> None:
    """Choices are filled in while the page is open, and go with its last line; what it shows can still be chosen."""
    with gr.Blocks() as demo:
        choosers = [gr.Dropdown([]), gr.Radio([])]
    with pytest.raises(gr.Error):
        choosers[0].preprocess("human")
    trust_choices(demo)
    assert [one.preprocess("human") for one in choosers] == ["human", "human"]


def test_what_is_chosen_after_a_handler_touched_the_field_is_heard_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio then makes the field anew for that page, and of the choices that were forgotten it knows nothing."""
    with gr.Blocks() as demo:
        chooser = gr.Dropdown([])
        chooser.input(lambda chosen: gr.update(interactive=False), chooser, chooser)
    monkeypatch.setattr("gradio.state_holder.SessionState", state_holder.SessionState)  # put back afterwards
    for name in ("GRADIO_ANALYTICS_MAX_EVENTS", "GRADIO_ANALYTICS_CACHE_FREQUENCY"):
        monkeypatch.setenv(name, "")  # put back afterwards as well
    keep_little()
    trust_choices(demo)
    page = state_holder.SessionState(demo)
    (handler,) = demo.fns.values()
    for chosen in ("human", "judge"):
        assert asyncio.run(demo.preprocess_data(handler, [chosen], page)) == [chosen]
        asyncio.run(demo.postprocess_data(handler, gr.update(interactive=False), page))
    assert page[chooser._id] is not chooser


def test_a_board_that_nobody_offers_is_the_first_one() -> None:
    """Values reach the handler as they were sent."""
    assert Choice.of({"track": "nobody", "plot": "wins"}) == Choice(plot="wins")
