"""What a handler returns, made ready for the page without building a component for it.

For each update Gradio makes the whole component anew (a millisecond of a processor), also for those that a handler
leaves alone, and keeps it with the page; nothing here reads such copies. Updates that say no more than what is
shown go out as they are, all others Gradio's own way. It knows components and no battles.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block, convert_component_dict_to_list
from gradio.state_holder import SessionState

_SAID = frozenset({"__type__", "value", "visible", "interactive", "placeholder", "choices"})
"""Properties that a component takes as they are given."""

_TEXTS = (gr.HTML, gr.Markdown, gr.Textbox)
"""Components whose whole value is a text: no file is looked for in it."""


class LeanBlocks(gr.Blocks):
    """A page whose events cost what they change."""

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: Any, state: SessionState | None
    ) -> list[Any]:
        """What the page is told of each output."""
        told = None if block_fn.batch else _told(list(block_fn.outputs), predictions)
        return await super().postprocess_data(block_fn, predictions, state) if told is None else told


def _told(outputs: list[Any], returned: Any) -> list[Any] | None:
    """A value or an update for each output; None where Gradio has to see to it."""
    if isinstance(returned, dict) and returned:
        returned = convert_component_dict_to_list(outputs, returned)
    if len(outputs) == 1:
        returned = [returned]
    if not isinstance(returned, list | tuple) or len(returned) != len(outputs):
        return None
    if not all(_plain(part, value) for part, value in zip(outputs, returned, strict=True)):
        return None
    return [_ready(part, value) for part, value in zip(outputs, returned, strict=True)]


def _is_update(value: Any) -> bool:
    return isinstance(value, dict) and "update" in value.get("__type__", "")


def _plain(part: Block, value: Any) -> bool:
    """Whether the component takes it as it is: nothing that was given before has a part in it."""
    if not _is_update(value):
        return isinstance(part, _TEXTS) and isinstance(value, str)
    said = {key for key, one in value.items() if one is not None}
    files = "value" in said and not isinstance(part, (*_TEXTS, gr.Button, gr.Radio, gr.CheckboxGroup))
    pairs = all(isinstance(one, tuple) and len(one) == 2 for one in value.get("choices") or ())
    return not part.stateful and said <= _SAID and pairs and not files


def _ready(part: Any, value: Any) -> Any:
    if not _is_update(value):
        return part.postprocess(value)
    update = {key: one for key, one in value.items() if one is not None}
    return update | {"value": part.postprocess(value["value"])} if "value" in value else update
