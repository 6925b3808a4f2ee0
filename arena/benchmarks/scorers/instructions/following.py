"""Whether an answer follows its instructions: strictly as it stands, or loosely in any of eight variants.

A flag is True, False, or None where the instruction is of a kind that nobody here can check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.benchmarks.scorers.instructions.checks import CHECKS
from arena.benchmarks.scorers.instructions.reading import Reading

Flag = bool | None


@dataclass(frozen=True, slots=True)
class Instruction:
    """One verifiable instruction: its kind and its keyword arguments (those that are set)."""

    kind: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Following:
    """The flags of one answer, in the order of its instructions."""

    strict: tuple[Flag, ...]
    loose: tuple[Flag, ...]


def variants(answer: str) -> tuple[str, ...]:
    """The answer, and without its first line, last line or both; each as it is and without asterisks."""
    lines = answer.split("\n")
    cut = [answer, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return (*cut, *(text.replace("*", "") for text in cut))


def following(answer: str, instructions: Sequence[Instruction], reading: Reading) -> Following:
    """Check every instruction on the answer and on its loose variants."""
    strict = tuple(_follows(answer, instruction, reading) for instruction in instructions)
    others = dict.fromkeys(variants(answer)[1:])
    loose = tuple(
        flag if flag is not False else any(_follows(text, instruction, reading) for text in others)
        for flag, instruction in zip(strict, instructions, strict=True)
    )
    return Following(strict, loose)


def _follows(answer: str, instruction: Instruction, reading: Reading) -> Flag:
    check = CHECKS.get(instruction.kind)
    if check is None:
        return None
    return bool(answer.strip()) and check(answer, instruction.arguments, reading)
