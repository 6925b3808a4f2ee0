"""What the page is told is what Gradio would have told it, at a fraction of the cost."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import gradio as gr
import pytest
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState

from arena.ui import outputs as module
from arena.ui.outputs import LeanBlocks

PARTS = ("html", "text", "field", "button", "ticks", "radio", "column", "list", "plot")


@pytest.fixture(scope="module")
def page() -> LeanBlocks:
    """One of each kind of component that handlers write to."""
    with LeanBlocks() as demo:
        parts = [
            gr.HTML(), gr.Markdown(line_breaks=True), gr.Textbox(), gr.Button("…"), gr.CheckboxGroup([]), gr.Radio([]),
            gr.Column(), gr.Dropdown([]), gr.Plot(),
        ]  # fmt: skip
        gr.Button().click(lambda: None, [], parts)
    return demo


def event(page: LeanBlocks) -> BlockFunction:
    """The one event of the page."""
    return next(iter(page.fns.values()))


def returned(page: LeanBlocks, **values: Any) -> dict[Any, Any]:
    """A handler's answer, by component: its own copy, since Gradio takes updates apart."""
    return {
        part: deepcopy(values[name]) for name, part in zip(PARTS, event(page).outputs, strict=True) if name in values
    }


ANSWERS: dict[str, dict[str, Any]] = {
    "texts": {"html": "<b>x</b>", "text": "  *x*\n  y", "field": ""},
    "nothing but one": {"button": gr.update(interactive=False)},
    "updates": {
        "button": gr.update(value="new", visible=True), "field": gr.update(value="", placeholder="?", interactive=True),
        "column": gr.update(visible=False), "text": gr.update(value="  *x*"), "html": gr.update(value=None),
        "ticks": gr.update(choices=[("One", "1"), ("Two", "2")], value=[]), "list": gr.update(interactive=False),
        "radio": gr.update(choices=[("Any", ""), ("One", "1")], value="", visible=True), "plot": gr.skip(),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_told_as_gradio_would_tell_it(
    page: LeanBlocks, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts, updates and components that stay as they are; no component is made for any of it."""
    usual = await gr.Blocks.postprocess_data(page, event(page), returned(page, **ANSWERS[name]), SessionState(page))
    if isinstance(usual[0], dict):
        assert usual[0].pop("props") == {"__type__": "update"}  # its mark of an update, taken for a property of HTML
    monkeypatch.setattr(gr.Blocks, "postprocess_data", None)  # Gradio is not even asked
    told = await page.postprocess_data(event(page), returned(page, **ANSWERS[name]), SessionState(page))
    assert json.loads(json.dumps(told)) == usual


@pytest.mark.parametrize(
    "answer",
    [
        {"list": gr.update(choices=["one", "two"], value="two")},
        {"radio": gr.update(choices=["one", "two"])},
        {"field": gr.update(label="other")},
        {"button": gr.Button("made by the handler")},
    ],
    ids=["a list", "plain choices", "another property", "a component"],
)
async def test_what_a_component_has_to_make_of_it_is_left_to_gradio(page: LeanBlocks, answer: dict[str, Any]) -> None:
    """The answer is the same, whoever made it ready."""
    usual = await gr.Blocks.postprocess_data(page, event(page), returned(page, **answer), SessionState(page))
    assert module._told(list(event(page).outputs), returned(page, **answer)) is None
    assert await page.postprocess_data(event(page), returned(page, **answer), SessionState(page)) == usual
