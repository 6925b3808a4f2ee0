"""From a catalogue's entry to what a worker is told: pure translation, nothing is loaded or asked."""

from __future__ import annotations

from pathlib import Path

from arena.config import Contestant, Settings
from arena.engines.worker.spec import WorkerSpec
from arena.service.fleet import system_prompt

DEMO = "demo"
"""Folder of the storage directory in which the toys are kept."""


def worker_spec(entry: Contestant, settings: Settings) -> WorkerSpec:
    """What a worker must know to load and speak for a local contestant.

    Whether a template opens the reasoning by itself the worker sees in the prompt.
    """
    model = entry.model or ""
    return WorkerSpec(
        model=str(settings.storage / DEMO / Path(model).name) if entry.toy else model,
        revision=entry.revision,
        quantization=entry.precision or "nf4",
        context=entry.context,
        max_batch=entry.concurrency,
        system_prompt=system_prompt(entry, settings),
        system_role=entry.chat.system_role,
        documents_role=entry.chat.documents_role,
        think=entry.chat.think is not None,
        think_tags=entry.chat.think or ("<think>", "</think>"),
        stop=entry.chat.stop,
        template=entry.chat.template.read_text(encoding="utf-8") if entry.chat.template else None,
        trust_remote_code=entry.trust_remote_code,
        draft=entry.draft,
    )
