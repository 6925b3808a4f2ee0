"""Decoding steps as CUDA graphs: a step then costs what its kernels cost, not what starting each of them costs.

A graph has fixed shapes, so rows and blocks are padded up to one of a few sizes: what pads writes to the block
that nobody reads. A shape is computed plainly when it is first met and recorded when it comes again; where
recording fails, all steps stay plain. It knows a forward pass and arrays, no requests.

Source: "CUDA Graphs" in the CUDA programming guide; what may be recorded, in the notes of `torch.cuda.graph`.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

logger = logging.getLogger(__name__)

MOST_GRAPHS = 48
"""Shapes that are kept; the one longest unused makes room."""

FEWEST_BLOCKS = 16
"""Blocks of the cache that a recorded step reads at least, for each row."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one forward pass computes, on the model's device.

    `tokens` and `positions` [rows, tokens], `write` [rows·tokens] places in the cache, `read`
    [rows·blocks] its blocks, `length` the tokens that a row may look at.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    write: torch.Tensor
    read: torch.Tensor
    length: int


Compute = Callable[[Inputs], torch.Tensor]
"""A forward pass: logits [rows, vocabulary] behind each row's last token."""

Replay = Callable[[], torch.Tensor]
"""Computes a recorded pass again from the same tensors, into the same tensor."""

Record = Callable[[Callable[[], torch.Tensor]], Replay]
"""Records a pass without computing it. Raises when the pass does what cannot be recorded."""


class Steps:
    """Passes of one token for each of at most `rows` rows, which read at most `blocks` blocks each."""

    def __init__(
        self, compute: Compute, device: torch.device, record: Record, *, rows: int, blocks: int, block_size: int
    ) -> None:
        self._compute, self._record, self._block_size = compute, record, block_size
        self._row_sizes, self._block_sizes = sizes(1, rows), sizes(FEWEST_BLOCKS, blocks)
        room = rows * (3 + self._block_sizes[-1])
        self._staged = torch.zeros(room, dtype=torch.int64, pin_memory=device.type == "cuda")
        self._inputs = torch.zeros(room, dtype=torch.int64, device=device)
        self._replays: OrderedDict[tuple[int, int], Replay | None] = OrderedDict()
        self._recording = True

    def __call__(self, tokens: np.ndarray, positions: np.ndarray, write: np.ndarray, read: np.ndarray) -> torch.Tensor:
        """Logits [rows, vocabulary] for `tokens`, `positions` and `write` [rows, 1] and `read` [rows, blocks].

        They hold until the next call.
        """
        count = len(tokens)
        rows, blocks = _next(self._row_sizes, count), _next(self._block_sizes, read.shape[1])
        inputs = self._laid_out(rows, blocks, (tokens, positions, write, read))
        return self._computed((rows, blocks), inputs)[:count]

    def _laid_out(self, rows: int, blocks: int, arrays: tuple[np.ndarray, ...]) -> Inputs:
        """The arrays in the tensors that every graph of these sizes reads, padded with zeros."""
        ends = np.cumsum([rows, rows, rows, rows * blocks])
        staged = self._staged.numpy()[: ends[-1]]
        staged[:] = 0
        for array, part in zip(arrays, np.split(staged, ends[:-1]), strict=True):
            part.reshape(rows, -1)[: len(array), : array.shape[1]] = array
        self._inputs[: ends[-1]].copy_(self._staged[: ends[-1]], non_blocking=True)
        tokens, positions, write, read = self._inputs[: ends[-1]].tensor_split(ends[:-1].tolist())
        return Inputs(tokens[:, None], positions[:, None], write, read, blocks * self._block_size)

    def _computed(self, size: tuple[int, int], inputs: Inputs) -> torch.Tensor:
        if not self._recording:
            return self._compute(inputs)
        if size not in self._replays:
            self._replays[size] = None
            if len(self._replays) > MOST_GRAPHS:
                self._replays.popitem(last=False)
            return self._compute(inputs)
        self._replays.move_to_end(size)
        replay = self._replays[size]
        if replay is None:
            try:
                replay = self._replays[size] = self._record(lambda: self._compute(inputs))
            except Exception as error:
                self._give_up(error)
                return self._compute(inputs)
        return replay()

    def _give_up(self, error: Exception) -> None:
        logger.warning("steps are not recorded as graphs: %s: %s", type(error).__name__, " ".join(str(error).split()))
        self._recording = False
        self._replays.clear()


def sizes(smallest: int, largest: int) -> list[int]:
    """What is padded up to: `smallest`, half as much more, twice as much, and so on up to `largest`."""
    found, size = [largest], smallest
    while size < largest:
        found += [size, min(size * 3 // 2, largest)]
        size *= 2
    return sorted(set(found))


def recorder(device: torch.device) -> Record:
    """Records passes on a GPU; all graphs share their work space, for one runs at a time."""
    pool = torch.cuda.graph_pool_handle()

    def record(run: Callable[[], torch.Tensor]) -> Replay:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            output = run()

        def replay() -> torch.Tensor:
            graph.replay()
            return output

        return replay

    return record


def _next(ascending: list[int], least: int) -> int:
    return next(size for size in ascending if size >= least)
