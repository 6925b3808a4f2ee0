"""Reads the words and word patterns of `grammar.txt` and `senses.txt` into tests over folded words.

It knows the files' syntax and what a folded word is, not what any section means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from arena.battles.masking.folding import fold_word

GRAMMAR = Path(__file__).with_name("grammar.txt")
SENSES = Path(__file__).with_name("senses.txt")

WordTest = Callable[[str], bool]
Pattern = tuple[WordTest, ...]
REMEMBERED = 4096  # words: the common ones come again and again, and memory stays bounded


@dataclass(frozen=True, slots=True)
class Patterns:
    """Sequences of word tests: do words fit one of them, and where."""

    beginning: Callable[[str], tuple[Pattern, ...]]  # those whose first word this may be
    ending: Callable[[str], tuple[Pattern, ...]]  # those whose last word this may be

    def end_at(self, words: Sequence[str], end: int) -> int | None:
        """Where the longest pattern that ends before `end` begins."""
        items = self.ending(words[end - 1]) if end else ()
        lengths = [len(item) for item in items if _fits(words, end - len(item), item)]
        return end - max(lengths) if lengths else None

    def start(self, words: Sequence[str]) -> bool:
        """Whether the words begin with a pattern."""
        return self.within(words, 1)

    def within(self, words: Sequence[str], first: int) -> bool:
        """Whether a pattern begins at one of the first words."""
        starts = range(min(first, len(words)))
        return any(_fits(words, start, item) for start in starts for item in self.beginning(words[start]))


def _fits(words: Sequence[str], start: int, item: Sequence[WordTest]) -> bool:
    if start < 0 or start + len(item) > len(words):
        return False
    return all(test(words[start + offset]) for offset, test in enumerate(item))


def section(name: str) -> str:
    """The text of one section of the grammar."""
    return _sections(GRAMMAR)[name]


def senses(path: Path = SENSES) -> dict[str, WordTest]:
    """What words have to do with: a test for each section of a file like `senses.txt`."""
    return {name: _any_of(text.split()) for name, text in _sections(path).items()}


@cache
def _sections(path: Path) -> dict[str, str]:
    parts = path.read_text(encoding="utf-8").split("\n[")[1:]
    return {name: text.strip() for name, text in (part.split("]\n", 1) for part in parts)}


def word_list(name: str) -> tuple[str, ...]:
    """The words of a section as they are written."""
    return tuple(section(name).split())


def vocabulary(*names: str) -> WordTest:
    """Whether a folded word is one of the sections' words; remembered, for the same words come again and again."""
    return lru_cache(REMEMBERED)(_any_of([word for name in names for word in word_list(name)]))


def patterns(name: str) -> Patterns:
    """The patterns of a section."""
    lines = section(name).replace("\n", ";").split(";")
    items = [tuple(map(_test, line.split())) for line in lines if line.strip()]

    def by(place: int) -> Callable[[str], tuple[Pattern, ...]]:
        return lru_cache(REMEMBERED)(lambda word: tuple(item for item in items if item[place](word)))

    return Patterns(by(0), by(-1))


@cache
def _test(source: str) -> WordTest:
    if source == "?":
        return lambda word: True
    if source.startswith("@"):
        return vocabulary(source[1:])
    return _any_of(source.split("|"))


def _any_of(sources: Iterable[str]) -> WordTest:
    alternatives = list(sources)
    exact = frozenset(fold_word(part) for part in alternatives if not part.endswith("*"))
    stems = tuple(fold_word(part) for part in alternatives if part.endswith("*"))
    return lambda word: word in exact or word.startswith(stems)
