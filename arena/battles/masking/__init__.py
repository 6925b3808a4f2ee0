"""Hiding who answers while an answer streams: names that a model gives itself or its makers."""

from arena.battles.masking.hiding import MASK, behind, hide
from arena.battles.masking.identity import asks_identity
from arena.battles.masking.masker import Masker, Masking, Match

__all__ = ["MASK", "Masker", "Masking", "Match", "asks_identity", "behind", "hide"]
