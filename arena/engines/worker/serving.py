"""Puts a worker together: load, choose how to batch, listen, report heartbeats.

The only module that knows all the others. It returns when the server is told to end and raises
what made the model unusable.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from socket import socket as Socket
from typing import Any

import torch
import uvicorn

from arena.engines.worker import lifeline
from arena.engines.worker.answering import Answerer, Ask, Deliver
from arena.engines.worker.batching import Batcher
from arena.engines.worker.checks import findings
from arena.engines.worker.graphs import recorder
from arena.engines.worker.loading import Loaded, load
from arena.engines.worker.paging import BlockPool
from arena.engines.worker.server import Identity, Post, Server
from arena.engines.worker.single import OneByOne
from arena.engines.worker.spec import CPU_CACHE_TOKENS, PREFILL_TOKENS, WorkerSpec
from arena.errors import ModelUnavailable

BEAT_SECONDS = 1.0
_RECORDED = ("nf4", "bf16", "fp16")
"""Whose steps may become graphs: int8 asks the device within a product; gptq and awq were never seen recorded."""


async def serve(spec: WorkerSpec, *, socket: str | None, port: int | None) -> None:
    """Load the model and serve it until the process is ended.

    Raises ModelUnavailable when it cannot be loaded, and the model's own error when it is lost.
    """
    _quiet_libraries()
    spec = bounded(spec)
    loaded = await asyncio.to_thread(load, spec, lambda share: lifeline.report(loading=round(share, 3)))
    post = Post(asyncio.get_running_loop())
    answerer = answerer_for(loaded, spec, post.deliver)
    answerer.start()
    await _first_words(loaded, answerer, post)
    identity = Identity(loaded.revision, spec.quantization, loaded.prompter.template_hash)
    token = os.environ.get("ARENA_WORKER_TOKEN") if port else None
    server = Server(answerer, post, loaded.prompter, identity, stop=loaded.stop, think=spec.think, token=token)
    checked = findings(loaded.tokenizer, loaded.prompter, spec, loaded.terminators)
    ready = {"revision": loaded.revision, "context": loaded.prompter.context, "findings": checked}
    await _listen(server, answerer, ready, socket=socket, port=port)


async def _first_words(loaded: Loaded, answerer: Answerer, post: Post) -> None:
    """Say two tokens to nobody: the cache takes its memory and kernels are chosen before a voter waits.

    Raises what went wrong, so that a model that loads but cannot run counts as not loaded.
    """
    ticket = answerer.submit(Ask(loaded.prompter.smallest(), seed=0, temperature=0.0, max_tokens=2))
    box = post.open(ticket)
    delta = await box.get()
    while not delta.last:
        delta = await box.get()
    post.close(ticket)
    if delta.error is not None:
        raise answerer.fatal or ModelUnavailable(f"the model is loaded but cannot run: {delta.error}")


def answerer_for(loaded: Loaded, spec: WorkerSpec, deliver: Deliver) -> Answerer:
    """A batch where the architecture allows it, one answer after another elsewhere."""
    if not loaded.paged:
        return OneByOne(loaded, deliver)
    pool = BlockPool(cache_blocks(loaded, spec), spec.block_size, reuse=spec.prefix_reuse)
    device = loaded.model.device
    recorded = spec.quantization in _RECORDED and _on_one_gpu(loaded.model)
    return Batcher(
        loaded,
        deliver,
        max_batch=spec.max_batch,
        pool=pool,
        prefill_tokens=PREFILL_TOKENS.get(device.type, PREFILL_TOKENS["cpu"]),
        record=recorder(device) if recorded else None,
    )


def _on_one_gpu(model: Any) -> bool:
    """Whether a step is the work of one GPU alone, so that it can be recorded."""
    devices = {parameter.device for parameter in model.parameters()}
    return len(devices) == 1 and devices.pop().type == "cuda"


def cache_blocks(loaded: Loaded, spec: WorkerSpec) -> int:
    """Blocks of the key-value cache: what the planner said, else every slot at full context."""
    if spec.num_blocks:
        return spec.num_blocks
    context = loaded.prompter.context
    tokens = spec.max_batch * (context + spec.block_size)
    if loaded.model.device.type == "cpu":
        tokens = max(min(tokens, CPU_CACHE_TOKENS), context + spec.block_size)
    return -(-tokens // spec.block_size)


def bounded(spec: WorkerSpec) -> WorkerSpec:
    """The spec with a context that one request alone can fill: never longer than the cache."""
    if spec.num_blocks is None:
        return spec
    room = spec.num_blocks * spec.block_size
    return replace(spec, context=min(spec.context or room, room))


async def _listen(
    server: Server, answerer: Answerer, ready: dict[str, object], *, socket: str | None, port: int | None
) -> None:
    config = uvicorn.Config(
        server.app(),
        uds=socket,
        host="127.0.0.1",
        port=port or 0,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=600,
    )
    listener = _Listener(config)
    task = asyncio.create_task(listener.serve())
    await asyncio.wait([task, asyncio.create_task(listener.listening.wait())], return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        lifeline.report(ready=True, **ready)
    await _beat(task, answerer)


class _Listener(uvicorn.Server):
    """A server that says when it listens and leaves signals alone: the lifeline ends this process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[Socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.listening.set()


async def _beat(task: asyncio.Task[None], answerer: Answerer) -> None:
    """Report every second that the loop and the model move, until the listener or the model ends."""
    while not task.done():
        await asyncio.wait([task], timeout=BEAT_SECONDS)
        if answerer.fatal is not None:
            raise answerer.fatal
        lifeline.report(beat=answerer.steps, active=answerer.active)
    task.result()


def _quiet_libraries() -> None:
    """One thread per core is torch's own default; warnings repeated at every product are not wanted."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if threads := os.environ.get("ARENA_WORKER_THREADS"):
        torch.set_num_threads(int(threads))
