"""Hiding who answers while an answer streams: names that a model gives itself or its makers."""

from arena.battles.masking.identity import asks_identity
from arena.battles.masking.masker import MASK, Masker, Masking, Match

__all__ = ["MASK", "Masker", "Masking", "Match", "asks_identity"]
