"""Draws the next token of every row of a batch, each row by its own rules and its own randomness.

Pure: logits and one uniform number per row in, token ids out. It owns no generator, so the same
numbers always give the same tokens, whoever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Draw:
    """How one row is drawn: temperature 0 is greedy, `uniform` in [0, 1) decides among the rest."""

    temperature: float
    top_p: float
    uniform: float


def next_tokens(logits: torch.Tensor, draws: Sequence[Draw]) -> list[int]:
    """One token id per row of `logits` [rows, vocabulary].

    Raises ArithmeticError when a row holds NaN: the model is broken, not unlucky.
    """
    greedy = logits.argmax(dim=-1)
    if all(draw.temperature <= 0 for draw in draws):
        return _checked(logits, greedy)
    device = logits.device
    temperature = torch.tensor([draw.temperature for draw in draws], device=device)
    uniform = torch.tensor([draw.uniform for draw in draws], device=device, dtype=torch.float32)
    sharpened = logits.float() / temperature.clamp_min(1e-5)[:, None]
    probabilities = torch.softmax(sharpened, dim=-1)
    if all(draw.top_p >= 1 for draw in draws):
        drawn = _inverse_cdf(probabilities, uniform)
    else:
        top_p = torch.tensor([draw.top_p for draw in draws], device=device)
        drawn = _nucleus(probabilities, top_p, uniform)
    return _checked(logits, torch.where(temperature > 0, drawn, greedy))


def _nucleus(probabilities: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Sampling from the smallest set of tokens that holds `top_p` of the mass.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1.
    """
    ordered, indices = probabilities.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    ordered = ordered.masked_fill(before >= top_p[:, None], 0.0)
    ordered[:, 0] = ordered[:, 0].clamp_min(torch.finfo(ordered.dtype).tiny)  # top_p 0 keeps the best token
    return indices.gather(-1, _inverse_cdf(ordered, uniform)[:, None])[:, 0]


def _inverse_cdf(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The index whose share of the summed weights contains `uniform`."""
    cumulative = weights.cumsum(dim=-1)
    target = uniform[:, None] * cumulative[:, -1:]
    index = torch.searchsorted(cumulative, target, right=True)[:, 0]
    last = (weights > 0).cumsum(dim=-1).argmax(dim=-1)  # rounding must not pass the last token that has weight
    return torch.minimum(index, last)


def _checked(logits: torch.Tensor, tokens: torch.Tensor) -> list[int]:
    """The tokens, fetched from the device once."""
    found: list[int] = torch.where(torch.isnan(logits).any(dim=-1), -1, tokens).tolist()
    if -1 in found:
        raise ArithmeticError("the model's logits are not numbers")
    return found
