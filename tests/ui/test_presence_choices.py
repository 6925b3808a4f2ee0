"""A page that stayed open while Gradio forgot it goes on as it was."""

from __future__ import annotations

import gradio as gr
import pytest

from arena.ui.board_views import Choice
from arena.ui.presence import trust_choices


def test_what_was_chosen_is_heard_though_the_choices_were_forgotten() -> None:
    """Choices are filled in while the page is open, and go with its last line; what it shows can still be chosen."""
    with gr.Blocks() as demo:
        choosers = [gr.Dropdown([]), gr.Radio([])]
    with pytest.raises(gr.Error):
        choosers[0].preprocess("human")
    trust_choices(demo)
    assert [one.preprocess("human") for one in choosers] == ["human", "human"]


def test_a_board_that_nobody_offers_is_the_first_one() -> None:
    """Values reach the handler as they were sent."""
    assert Choice.of({"track": "nobody", "plot": "wins"}) == Choice(plot="wins")
