"""Weighs whether a prompt asks who answers it: how it speaks of "you", and what the words beside that have to do with.

Each sign (a word's sense, two senses together, a sense so many words from "you") has a weight in `asking.tsv`,
learned by `learning.py` from prompts written by hand; their sum decides. It knows the senses of `asking.txt` and
no shape of a question; quoted words are for the caller to take out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from arena.battles.masking.folding import fold_word
from arena.battles.masking.grammar import REMEMBERED, senses
from arena.battles.masking.weighing import log_odds

WEIGHTS = Path(__file__).with_name("asking.tsv")
SENSES = Path(__file__).with_name("asking.txt")
LONGEST = 60  # words of these sentences that are looked at, so that the cost stays bounded
NOTHING = -100.0
NEAR = 4  # words on each side of "you"
_YOU = ("you", "whom", "to whom", "by whom", "whose", "self")
_POINTS = (*_YOU, "own")  # «свой», which alone may be anybody's
_STEM = 5
_SENTENCE = re.compile(r"[^.?!\n]+[.?!]*")
_TOKEN = re.compile(r"[^\W_]+(?:'[a-z]+)?|[?.!;:,]")
_TESTS = senses(SENSES)


def speaks_of_answerer(prompt: str, named: bool) -> float:
    """How much speaks for a question who answers, in log odds; `named`: a model or a maker is named in it."""
    signs = prompt_signs(prompt, named)
    return log_odds(signs, WEIGHTS) if signs else NOTHING


def prompt_signs(prompt: str, named: bool) -> set[str]:
    """Everything that a prompt is judged by: its sentences that speak of the answerer, and nothing where none does."""
    words: list[str] = []
    for sentence in _SENTENCE.findall(prompt.lower()):
        spoken = [fold_word(word) or word for word in _TOKEN.findall(sentence)]
        if any(_senses(word)[0] in _YOU for word in spoken):
            words += spoken
        if len(words) > LONGEST:
            break
    meant = [_senses(word) for word in words[:LONGEST]]
    return {*_whole(words[:LONGEST], meant, named), *_beside_you(words[:LONGEST], meant, named)} if words else set()


@lru_cache(REMEMBERED)
def _senses(word: str) -> tuple[str, ...]:
    if not word.isalnum():
        return ("asked",) if word == "?" else ("mark",)
    found = tuple(name for name, test in _TESTS.items() if test(word))
    you = tuple(name for name in found if name in _POINTS)
    return you or found or ("unknown",)


def _whole(words: Sequence[str], meant: Sequence[tuple[str, ...]], named: bool) -> Iterator[str]:
    """What the prompt speaks of at all, and what of it together."""
    yield f"named {named}"
    yield f"asks {'?' in words}"
    yield f"length {min(len(words) // 4, 5)}"
    yield f"first={words[0][:_STEM]}"
    yield from (f"first {sense}" for sense in meant[0])
    here = {sense for found in meant for sense in found}
    yield from (f"has {sense}" for sense in here)
    for one in here if named else here.intersection(_POINTS):
        yield from (f"has {min(one, other)}, {max(one, other)}" for other in here if other != one)


def _beside_you(words: Sequence[str], meant: Sequence[tuple[str, ...]], named: bool) -> Iterator[str]:
    """What stands how far from each mention of the answerer."""
    for place, found in enumerate(meant):
        if found[0] not in _POINTS:
            continue
        you = found[0]
        if named:
            yield f"{you} named"
        if place + 1 == len(words) or words[place + 1] in "?.!":
            yield f"{you} ends"
        for far in (*range(-NEAR, 0), *range(1, NEAR + 1)):
            if 0 <= place + far < len(words):
                for sense in meant[place + far]:
                    yield from (f"{you} {far} {sense}", f"{you} {'then' if far > 0 else 'after'} {sense}")
                if abs(far) == 1:
                    yield f"{you} {far}={words[place + far][:_STEM]}"
