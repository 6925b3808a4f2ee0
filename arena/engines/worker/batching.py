"""Continuous batching: all running answers take their next token in one forward pass.

Requests join and leave between passes. Long prompts are computed in pieces with passes of the
others between them; when the key-value cache is full, the youngest request gives its blocks back
and is computed again later. It knows tickets and a loaded model, no protocol.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from arena.engines.worker.answering import Ask, Deliver, Delta, Ticket, takes_the_process_along
from arena.engines.worker.graphs import Inputs, Record, Steps
from arena.engines.worker.loading import Loaded
from arena.engines.worker.paging import BlockPool, PagedCache, Step
from arena.engines.worker.sampling import Draw, next_tokens

COALESCE_SECONDS = 0.05
"""Text is handed on at most this often per request: pages are shown 12 frames a second at most, and every update costs
a JSON event in two processes (40 µs in the one that serves the pages)."""


class _Row(Ticket):
    """A ticket with its place in the batch: `ids` are prompt and answer, `computed` of them are cached."""

    def __init__(self, ask: Ask, loaded: Loaded) -> None:
        super().__init__(ask, loaded.decode, loaded.terminators)
        self.ids = list(ask.ids)
        self.computed = 0
        self.reused = 0  # tokens of the prompt that an earlier request had computed
        self.slot = -1
        self.blocks: list[int] = []

    @property
    def pending(self) -> int:
        return len(self.ids) - self.computed


class Batcher:
    """Answers up to `max_batch` tickets at once in its own thread.

    With `record`, steps of answers under way are recorded as graphs and replayed.
    """

    def __init__(
        self,
        loaded: Loaded,
        deliver: Deliver,
        *,
        max_batch: int,
        pool: BlockPool,
        prefill_tokens: int = 512,
        record: Record | None = None,
    ) -> None:
        self.steps = 0
        self.fatal: BaseException | None = None
        self._loaded, self._deliver, self._pool = loaded, deliver, pool
        self._max_batch, self._prefill_tokens = max_batch, prefill_tokens
        self._device = loaded.model.device
        self._cache = PagedCache(pool.size, pool.block_size)
        self._cache_name = _cache_name(loaded.model)
        self._table = np.zeros((max_batch, -(-loaded.prompter.context // pool.block_size) + 1), dtype=np.int64)
        self._recorded = self._steps_with(record) if record else None
        self._slots = list(range(max_batch))
        self._arrived: list[_Row] = []  # the one place where other threads put something; behind `_wake`
        self._waiting: deque[_Row] = deque()
        self._running: list[_Row] = []
        self._wake = threading.Condition()
        self._stopping = False
        self._spoken_at = 0.0
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)

    @property
    def active(self) -> int:
        """Requests that wait or run."""
        return len(self._arrived) + len(self._waiting) + len(self._running)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, ask: Ask) -> Ticket:
        """Queue a request; its deltas are delivered until one is the last."""
        row = _Row(ask, self._loaded)
        with self._wake:
            self._arrived.append(row)
            self._wake.notify()
        return row

    def cancel(self, ticket: Ticket) -> None:
        """Forget a request: nothing more is delivered, its place is free at the next step."""
        ticket.cancelled = True
        with self._wake:
            self._wake.notify()

    def stop(self) -> None:
        """End the thread after the step it is in."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while self._wait_for_work():
            self.round()

    def round(self) -> None:
        """One pass for prompts that are not yet computed, one for every answer that is under way.

        For owners that have no thread to spare; `start` and `round` exclude each other.
        """
        try:
            with torch.inference_mode():
                self._round()
        except Exception as error:
            self._fail(error)

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not (self._stopping or self.active):
                self._wake.wait()
            return not self._stopping

    def _round(self) -> None:
        self._take_in()
        self._drop_cancelled()
        self._admit()
        if prompts := self._next_prompts():
            self._advance(prompts, [min(row.pending, self._prefill_tokens) for row in prompts])
        if answers := self._with_room([row for row in self._running if row.pending == 1]):
            self._advance(answers, [1] * len(answers))
        self._speak()

    def _take_in(self) -> None:
        """From here on the requests are this thread's own: nobody else changes what it looks through."""
        with self._wake:
            self._waiting.extend(self._arrived)
            self._arrived.clear()

    def _drop_cancelled(self) -> None:
        for row in [row for row in self._running if row.cancelled]:
            self._release(row)
        if any(row.cancelled for row in self._waiting):
            self._waiting = deque(row for row in self._waiting if not row.cancelled)

    def _admit(self) -> None:
        """Let waiting requests in while there is a slot and room for their prompt."""
        while self._waiting and self._slots:
            row = self._waiting[0]
            row.blocks = self._pool.find(row.ids)
            missing = self._blocks_for(len(row.ids)) - len(row.blocks)
            if missing > self._pool.free and self._running:
                self._pool.give_back(row.blocks)
                row.blocks = []
                return
            self._waiting.popleft()
            row.slot = self._slots.pop()
            self._table[row.slot] = 0
            self._table[row.slot, : len(row.blocks)] = row.blocks
            row.reused = row.computed = len(row.blocks) * self._pool.block_size
            self._grow(row, missing)
            self._running.append(row)

    def _next_prompts(self) -> list[_Row]:
        """Requests whose prompts fit one padded pass of `prefill_tokens`, oldest first."""
        chosen: list[_Row] = []
        widest = 0
        for row in self._running:
            if row.pending > 1:
                widest = max(widest, min(row.pending, self._prefill_tokens))
                if chosen and widest * (len(chosen) + 1) > self._prefill_tokens:
                    break
                chosen.append(row)
        return chosen

    def _with_room(self, rows: Sequence[_Row]) -> list[_Row]:
        """The rows, each with a block for its next token; the youngest give way when there is none."""
        ready: list[_Row] = []
        for row in rows:
            if row not in self._running:
                continue  # gave way to an older one
            while row.computed >= len(row.blocks) * self._pool.block_size:
                if self._pool.free:
                    self._grow(row, 1)
                elif (youngest := self._running[-1]) is row:
                    self._give_way(row)
                    break
                else:
                    self._give_way(youngest)
            else:
                ready.append(row)
        return [row for row in ready if row in self._running]

    def _advance(self, rows: Sequence[_Row], counts: Sequence[int]) -> None:
        """Compute `counts` tokens of each row; draw the next token of those that are complete."""
        logits = self._forward(rows, counts)
        self.steps += 1
        for row, count in zip(rows, counts, strict=True):
            row.computed += count
        complete = [i for i, row in enumerate(rows) if row.pending == 0]
        if not complete:
            return
        drawing = [rows[i] for i in complete]
        draws = [Draw(row.ask.temperature, row.ask.top_p, row.uniform(len(row.ids))) for row in drawing]
        for row, token in zip(drawing, next_tokens(logits[complete], draws), strict=True):
            row.ids.append(token)
            row.take(token)
            if len(row.ids) >= self._loaded.prompter.context and not row.finish:
                row.finish = "length"

    def _forward(self, rows: Sequence[_Row], counts: Sequence[int]) -> torch.Tensor:
        """Logits [rows, vocabulary] behind each row's last computed token. Rows are padded on the left."""
        slots = np.array([row.slot for row in rows])
        tokens, positions, places = self._laid_out(rows, counts, slots)
        blocks = self._blocks_for(max(row.computed + count for row, count in zip(rows, counts, strict=True)))
        read = self._table[slots, :blocks]
        if self._recorded and tokens.shape[1] == 1:
            return self._recorded(tokens, positions, places, read)
        inputs = Inputs(
            tokens=self._tensor(tokens),
            positions=self._tensor(positions),
            write=self._tensor(places.reshape(-1)),
            read=self._tensor(read.reshape(-1)),
            length=blocks * self._pool.block_size,
        )
        return self._compute(inputs)

    def _compute(self, inputs: Inputs) -> torch.Tensor:
        """One pass of the model: logits [rows, vocabulary] behind the last token of each row."""
        step = Step(write=inputs.write, read=inputs.read, queries=inputs.positions, length=inputs.length)
        self._cache.step = step
        output = self._loaded.model(
            input_ids=inputs.tokens,
            position_ids=inputs.positions,
            **{self._cache_name: self._cache},
            use_cache=True,
            logits_to_keep=1,
            arena_step=step,
        )
        return output.logits[:, -1]  # type: ignore[no-any-return]

    def _steps_with(self, record: Record) -> Steps:
        """Graphs remember where they read: what the cache reads into must never grow."""
        rows, blocks = self._table.shape
        self._cache.read_at_most(rows * blocks)
        return Steps(self._compute, self._device, record, rows=rows, blocks=blocks, block_size=self._pool.block_size)

    def _laid_out(
        self, rows: Sequence[_Row], counts: Sequence[int], slots: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens, their positions and their places in the cache, [rows, longest count] each."""
        width, block = max(counts), self._pool.block_size
        if width == 1:  # what happens for every token of every answer: without a loop of small arrays
            tokens = np.array([[row.ids[row.computed]] for row in rows], dtype=np.int64)
            positions = np.array([[row.computed] for row in rows], dtype=np.int64)
            return tokens, positions, self._table[slots[:, None], positions // block] * block + positions % block
        tokens, positions, places = (np.zeros((len(rows), width), dtype=np.int64) for _ in range(3))
        for i, (row, count) in enumerate(zip(rows, counts, strict=True)):
            tokens[i, width - count :] = row.ids[row.computed : row.computed + count]
            positions[i, width - count :] = own = np.arange(row.computed, row.computed + count)
            places[i, width - count :] = self._table[row.slot, own // block] * block + own % block
        return tokens, positions, places

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device, non_blocking=True)

    def _blocks_for(self, tokens: int) -> int:
        return -(-tokens // self._pool.block_size)

    def _grow(self, row: _Row, blocks: int) -> None:
        for _ in range(blocks):
            self._table[row.slot, len(row.blocks)] = block = self._pool.take()
            row.blocks.append(block)

    def _give_way(self, row: _Row) -> None:
        """Back to the front of the queue; what was drawn is kept and computed again."""
        self._release(row)
        row.computed = 0
        self._waiting.appendleft(row)

    def _release(self, row: _Row) -> None:
        self._running.remove(row)
        self._pool.remember(row.ids[: row.computed], row.blocks)
        self._pool.give_back(row.blocks)
        row.blocks = []
        self._slots.append(row.slot)

    def _speak(self) -> None:
        """Hand on first words and last words now, everything else when the time has come."""
        now = time.monotonic()
        due = now - self._spoken_at >= COALESCE_SECONDS
        said: list[tuple[Ticket, Delta]] = []
        for row in list(self._running):
            if row.finish or ((due or not row.spoke) and row.generated):
                if row.finish:
                    self._release(row)
                if (delta := row.say()) and not row.cancelled:
                    said.append((row, delta))
        if due:
            self._spoken_at = now
        if said:
            self._deliver(said)

    def _fail(self, error: Exception) -> None:
        """Every request under way fails; a device without memory or sanity takes the process with it."""
        rows = [*self._running, *self._waiting]
        for row in list(self._running):
            row.computed = 0  # nothing of a broken pass is remembered
            self._release(row)
        self._waiting.clear()
        reason = f"{type(error).__name__}: {error}"
        if takes_the_process_along(error):
            self.fatal = error
        self._deliver([(row, Delta(error=reason)) for row in rows if not row.cancelled])


def _cache_name(model: Any) -> str:
    """What the model calls its cache: transformers renames it, and the old name warns at every token."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
