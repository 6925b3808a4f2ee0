"""The paged key-value cache of a batch, and the attention that reads it.

A block holds the keys and values of `block_size` tokens of one conversation in every layer; rows
of the batch own lists of blocks, so a short conversation never pays for a long one's length.
Full blocks are remembered by the tokens before and in them: the next turn of a conversation finds
its beginning already computed. It knows no requests, sampling or text.

Source of the idea: Kwon et al. 2023, "Efficient Memory Management for Large Language Model
Serving with PagedAttention".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.cache_utils import Cache

ATTENTION = "arena_paged"
"""Name of our attention in transformers; a model loaded with it must be run with a `PagedCache`."""

_TRASH = 0
"""Block that padding writes to; never read by anyone."""


class BlockPool:
    """Hands out blocks by number, remembers full ones by content, forgets the longest unused first."""

    def __init__(self, blocks: int, block_size: int, *, reuse: bool = True) -> None:
        self.block_size, self.size = block_size, blocks
        self._reuse = reuse
        self._untouched = blocks  # block numbers 1…untouched were never handed out
        self._fresh: list[int] = []
        self._users: dict[int, int] = {}
        self._named: dict[int, int] = {}  # chained content hash -> block
        self._names: dict[int, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()  # named blocks nobody uses, oldest first

    @property
    def free(self) -> int:
        """Blocks that can be handed out now."""
        return self._untouched + len(self._fresh) + len(self._idle)

    def take(self) -> int:
        """A block for new tokens. Raises MemoryError when all are in use."""
        if self._fresh:
            block = self._fresh.pop()
        elif self._untouched:
            block, self._untouched = self._untouched, self._untouched - 1
        elif self._idle:
            block, _ = self._idle.popitem(last=False)
            del self._named[self._names.pop(block)]
        else:
            raise MemoryError("no free block in the key-value cache")
        self._users[block] = 1
        return block

    def find(self, ids: Sequence[int]) -> list[int]:
        """The remembered blocks that hold the beginning of `ids`, now shared with the caller.

        At least the last token is left over: its logits are what a prompt is computed for.
        """
        found: list[int] = []
        for name in self._chain(ids[: len(ids) - 1]) if self._reuse else ():
            if (block := self._named.get(name)) is None:
                break
            self._users[block] = self._users.get(block, 0) + 1
            self._idle.pop(block, None)
            found.append(block)
        return found

    def remember(self, ids: Sequence[int], blocks: Sequence[int]) -> None:
        """Name the full blocks by the tokens they hold; `ids` are those whose keys are computed."""
        if not self._reuse:
            return
        for name, block in zip(self._chain(ids), blocks, strict=False):
            if name not in self._named and block not in self._names:
                self._named[name], self._names[block] = block, name

    def give_back(self, blocks: Sequence[int]) -> None:
        """The caller is done with these; a block still shared stays, a named one is kept while there is room."""
        for block in reversed(blocks):
            self._users[block] -= 1
            if self._users[block]:
                continue
            del self._users[block]
            if block in self._names:
                self._idle[block] = None
            else:
                self._fresh.append(block)

    def _chain(self, ids: Sequence[int]) -> list[int]:
        """One name per full block, each depending on all tokens before it."""
        names, name = [], 0
        for start in range(0, len(ids) - len(ids) % self.block_size, self.block_size):
            name = hash((name, tuple(ids[start : start + self.block_size])))
            names.append(name)
        return names


@dataclass(slots=True)
class Step:
    """Where one forward pass over [rows, tokens] writes and what it may read.

    `write` [rows·tokens] are places in the pool, `read` [rows·blocks] its blocks, `queries` [rows,
    tokens] positions in the conversation. Place j of what a row reads is that row's position j.
    """

    write: torch.Tensor
    read: torch.Tensor
    queries: torch.Tensor
    length: int
    masks: dict[tuple[int | None, torch.device], torch.Tensor] = field(default_factory=dict)
    moved: dict[torch.device, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def mask(self, window: int | None, device: torch.device) -> torch.Tensor:
        """What each query may see, bool [rows, 1, tokens, length]: its past, at most `window` of it."""
        if (key := (window, device)) not in self.masks:
            behind = self.queries.to(device)[:, None, :, None] - torch.arange(self.length, device=device)
            self.masks[key] = (behind >= 0) if window is None else (behind >= 0) & (behind < window)
        return self.masks[key]

    def places(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """`write` and `read` on the device of a layer (layers of one model may span devices)."""
        if device not in self.moved:
            self.moved[device] = (self.write.to(device), self.read.to(device))
        return self.moved[device]


class PagedCache(Cache):
    """Keys and values of all layers, [blocks, block size, heads, head size] each; `step` is set before each pass."""

    def __init__(self, blocks: int, block_size: int) -> None:
        super().__init__(layers=[])
        self._shape = (blocks + 1, block_size)  # one more for the trash
        self._pools: list[tuple[torch.Tensor, torch.Tensor] | None] = []
        self._held: dict[object, torch.Tensor] = {}
        self._most_blocks = 0
        self.step: Step | None = None

    def read_at_most(self, blocks: int) -> None:
        """Promise that no pass reads more: what is read into is taken once, in full, and stays where it is."""
        self._most_blocks = blocks

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store the new tokens' keys and values, return those of the whole conversations."""
        step = self.step
        if step is None:
            raise RuntimeError("a paged cache needs a step before a forward pass")
        keys, values = self._pool(layer_idx, key_states, value_states)
        write, read = step.places(key_states.device)
        return (
            self._through(keys, key_states, write, read, step.length, "keys"),
            self._through(values, value_states, write, read, step.length, "values"),
        )

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Unused by models that are given positions; zero keeps those quiet that ask anyway."""
        return 0

    @property
    def nbytes(self) -> int:
        """Memory the pools hold, in bytes."""
        return sum(pool.nbytes for pair in self._pools if pair for pool in pair)

    def _pool(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        while len(self._pools) <= layer:
            self._pools.append(None)
        pair = self._pools[layer]
        if pair is None:
            pair = (self._empty(keys), self._empty(values))
            self._pools[layer] = pair
        return pair

    def _through(
        self, pool: torch.Tensor, new: torch.Tensor, write: torch.Tensor, read: torch.Tensor, length: int, use: str
    ) -> torch.Tensor:
        """Write [rows, heads, tokens, size] into the pool and read [rows, heads, length, size] back.

        Every layer reads into the same memory, for attention is done with it before the next layer
        comes; taking fresh memory each time cost a quarter of a pass at 64 rows on a CPU.
        """
        token = pool.shape[2:]
        pool.view(-1, *token).index_copy_(0, write, new.transpose(1, 2).reshape(-1, *token))
        into = self._scratch(use, pool, len(read))
        torch.index_select(pool, 0, read, out=into)
        return into.view(new.shape[0], length, *token).transpose(1, 2)

    def _scratch(self, use: str, pool: torch.Tensor, blocks: int) -> torch.Tensor:
        key = (use, pool.device, pool.dtype, pool.shape[1:])
        held = self._held.get(key)
        if held is None or len(held) < blocks:
            self._held.pop(key, None)  # before more is taken
            room = max(self._most_blocks, blocks + blocks // 4)
            held = self._held[key] = torch.empty(room, *pool.shape[1:], dtype=pool.dtype, device=pool.device)
        return held[:blocks]

    def _empty(self, like: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*self._shape, like.shape[1], like.shape[3], dtype=like.dtype, device=like.device)


def paged_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    sliding_window: int | None = None,
    arena_step: Step | None = None,
    **ignored: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of queries [rows, heads, tokens, size] over what a `PagedCache` returned.

    Grouped-query heads are folded into the query's token axis when there is one token, so keys
    are not repeated in memory. Returns [rows, tokens, heads, size].
    """
    if arena_step is None:
        raise RuntimeError("this model passes nothing on to its attention; it cannot be served from a paged cache")
    if ignored.get("s_aux") is not None:
        raise NotImplementedError("attention sinks are not supported by the paged attention")
    mask = arena_step.mask(sliding_window, query.device)
    rows, heads, tokens, size = query.shape
    groups = heads // key.shape[1]
    if groups > 1 and tokens == 1:
        query = query.reshape(rows, key.shape[1], groups, size)
    elif groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    if softcap:
        output = _softcapped(query, key, value, mask, scaling, softcap)
    else:
        output = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
    return output.reshape(rows, heads, tokens, value.shape[-1]).transpose(1, 2).contiguous(), None


def _softcapped(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    scaling: float | None,
    softcap: float,
) -> torch.Tensor:
    """Attention with logits bounded to ±softcap by tanh, as Gemma 2 was trained (arXiv 2408.00118, section 2)."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.tanh(query @ key.transpose(-1, -2) * (scale / softcap)) * softcap
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype) @ value


AttentionInterface.register(ATTENTION, paged_attention)
torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every shape, and prompts are of every shape
