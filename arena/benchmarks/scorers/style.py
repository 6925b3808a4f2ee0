"""Length, headers, lists and bold of an answer, as features of a pair by the name of whose they are.

FastChat (LMSYS style control, 2024) and Arena-Hard v2 (2025) count the same way (`arena.markup`) and differ
in what they make of a pair of counts; both are here. Knows texts and token counts, not models; fitting with
the features is the ratings' business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from arena.markup import count_markup


@dataclass(frozen=True, slots=True)
class Style:
    """How long an answer is and how much Markdown it holds."""

    tokens: int
    headers: int
    lists: int
    bold: int


Features = dict[str, float]
"""What one pair's styles make, before scaling over all pairs."""


def count_style(answer: str, tokens: int) -> Style:
    """Count an answer's Markdown outside its code blocks; `tokens` is the engine's count of the whole."""
    found = count_markup(answer)
    return Style(tokens, found.headers, found.lists, found.bold)


def fastchat_features(a: Style, b: Style) -> Features:
    """(a − b)/(a + b + 1) of every count; FastChat then takes z-scores over the pairs."""
    pairs = {"tokens": (a.tokens, b.tokens), "headers": (a.headers, b.headers), "lists": (a.lists, b.lists)}
    pairs["bold"] = (a.bold, b.bold)
    return {name: (ours - theirs) / (ours + theirs + 1) for name, (ours, theirs) in pairs.items()}


def arena_hard_v2_features(a: Style, b: Style) -> Features:
    """Length (a − b)/(a + b); Markdown as density per token, (a − b)/(a + b + 1); z-scores follow."""
    total = a.tokens + b.tokens
    features = {"tokens": (a.tokens - b.tokens) / total if total else 0.0}
    for name in ("headers", "lists", "bold"):
        ours, theirs = (getattr(style, name) / (style.tokens + 1) for style in (a, b))
        features[name] = (ours - theirs) / (ours + theirs + 1)
    return features


PAIR_FEATURES: Mapping[str, Callable[[Style, Style], Features]] = {
    "fastchat": fastchat_features,
    "arena-hard-v2": arena_hard_v2_features,
}
"""The features of a pair, by the name of whose they are."""
