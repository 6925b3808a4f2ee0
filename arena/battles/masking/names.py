"""The names that may give a model away, in all their spellings, and where they stand in a text.

A catalogue's names, organisations and families are joined by the known spellings of their kin
(`families.tsv`), by Russian case endings and by a rough transliteration. The finder tells names
from other words and knows nothing of what is being said about them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from arena.battles.masking.folding import LEET, fold, fold_word, is_letters
from arena.battles.masking.grammar import word_list

FAMILIES = Path(__file__).with_name("families.tsv")
SHORTEST_GUESS = 5
"""Letters of a transliteration that is only guessed: "Ilya" would else be sought as "или", which means "or"."""
CLAIMED = frozenset({"claude"})
"""Everyday names by which models of every maker call themselves, having read such answers: sought in any catalogue."""
MAX_NAME = 96  # characters a name may stretch over, separators included

_SEPARATORS = frozenset(" \u00a0\u2009\u202f\t_*~.·•-‐‑–'’ʼ`´/\\+=^<>[](){}\"«»“”")  # what may stand inside a name
_HYPHENS = ("-", "‐", "‑")
_TAGS = re.compile(r"(?:</?[a-zA-Z]{1,6}>)+")
_OPEN_TAG = re.compile(r"(?:</?[a-zA-Z]{1,6}>)*(?:</?[a-zA-Z]{0,6})?")  # so far
_BETWEEN_LETTERS = frozenset(",;\n")  # and between letters that all stand apart: "Q, w, e, n"
_TO_CYRILLIC = (
    ("shch", "щ"), ("sch", "щ"), ("kh", "х"), ("sh", "ш"), ("ch", "ч"), ("zh", "ж"), ("ts", "ц"), ("ya", "я"),
    ("yu", "ю"), ("ck", "к"), ("ph", "ф"), ("th", "т"), ("ee", "и"), ("oo", "у"), ("x", "кс"), ("w", "в"),
    ("q", "к"), *zip("abcdefghijklmnoprstuvyz", "абкдефгхижклмнопрстувйз", strict=True),
)  # fmt: skip
_TO_LATIN = dict(
    zip("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", (*"abvgdee", "zh", *"ziyklmnoprstuf", "kh", "ts", "ch", "sh", "sch",
        "", "y", "", "e", "yu", "ya"), strict=True)
)  # fmt: skip
_generic = frozenset(word_list("generic")).__contains__


class Kind(StrEnum):
    """What a name names: a model (or family), the organisation behind it, or a model's size."""

    MODEL = "model"
    ORGANISATION = "org"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Name:
    """One spelling: what it names, whose kin it is, and whether it is an everyday word besides."""

    kind: Kind
    group: str
    everyday: bool = False


@dataclass(slots=True)
class _Node:
    edges: dict[str, _Node] = field(default_factory=dict)
    gaps: set[str] = field(default_factory=set)  # letters before which two words of a name part
    name: Name | None = None
    whole: bool = False  # a spelling without its ending is complete here

    def names(self) -> Iterator[Name]:
        """Every name that ends here or further on."""
        if self.name is not None:
            yield self.name
        for following in self.edges.values():
            yield from following.names()


@dataclass(frozen=True, slots=True)
class Found:
    """A name in a text: `start` and `end` are character positions.

    `code` where it begins an identifier, `begun` where only the beginning of the name is there.
    """

    start: int
    end: int
    name: Name
    code: bool = False
    begun: bool = False


class Undecided:
    """The text so far could still become a name (or a longer one)."""


UNDECIDED = Undecided()


class NameFinder:
    """All spellings in one tree of folded letters; built once for a catalogue."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, spelling: str, name: Name) -> None:
        """Add one spelling with its Russian endings; the first meaning of a spelling stays."""
        self._end(self._grow(self._root, spelling), name).whole = True
        for stem, endings in _endings(spelling):
            branch = self._grow(self._root, stem)
            for ending in endings:
                self._end(self._grow(branch, ending), name)

    def _grow(self, node: _Node, form: str) -> _Node:
        """The node that a form leads to from here, made where there is none."""
        pending_gap = False
        for char in form:
            folded = fold(char)
            if folded and not is_letters(folded):
                pending_gap = node is not self._root
                continue
            for letter in folded:
                if pending_gap:
                    node.gaps.add(letter)
                pending_gap = False
                following = node.edges.get(letter)
                if following is None:
                    following = node.edges[letter] = _Node()
                node = following
        return node

    def _end(self, node: _Node, name: Name) -> _Node:
        if node is not self._root and node.name is None:
            node.name = name
        return node

    def at(self, text: str, folds: list[str], start: int, final: bool) -> Found | Undecided | None:
        """The longest name that begins at `start`, None, or UNDECIDED while more text may tell."""
        walk = _Walk(self._root)
        best: Found | None = None
        limit = min(len(text), start + MAX_NAME)
        skipped = start
        for position in range(start, limit):
            char = text[position]
            if char == "<":
                if not final and _OPEN_TAG.fullmatch(text, position):
                    return UNDECIDED
                skipped = _past_tags(text, position)
            if position < skipped:
                continue
            if not walk.step(folds[position], char):
                return best
            if walk.on_letter and walk.node.name is not None and not walk.doubtful and walk.spelled:
                ends = _word_ends(text, folds, position + 1, final)
                if isinstance(ends, Undecided):
                    return UNDECIDED
                if ends:
                    best = Found(start, position + 1, walk.node.name)
        return best if final or limit == start + MAX_NAME else UNDECIDED

    def begun_at(self, text: str, folds: list[str], start: int) -> list[Name]:
        """The names that the end of a text, from `start` on, may be the beginning of."""
        if len(text) - start >= MAX_NAME or not (is_letters(folds[-1]) or text[-1] in _HYPHENS):
            return []
        walk = _Walk(self._root)
        at = start
        while at < len(text):
            at = _past_tags(text, at)
            if at < len(text) and not walk.step(folds[at], text[at]):
                return []
            at += 1
        return list(dict.fromkeys(walk.node.names()))


class _Walk:
    """One reading of a text along the tree: which separators are allowed depends on how it began."""

    __slots__ = ("_last", "_letters", "_separators", "_spaced", "_torn", "node", "on_letter", "spelled")

    def __init__(self, root: _Node) -> None:
        self.node = root
        self.on_letter = False
        self.spelled = False  # by a true letter at least: 1941 is no "LG AI"
        self._last = ""
        self._letters = 0
        self._separators = ""
        self._spaced: bool | None = None  # letters all apart; unknown until the first pair of letters
        self._torn = False  # one space inside a word: "Qw en"

    def step(self, folded: str, char: str) -> bool:
        """Take one character; False when no name goes on so."""
        self.on_letter = False
        if not folded:
            return True
        if folded.isalnum():
            self.spelled = self.spelled or not char.isdigit()
            return self._take(folded)
        if char in LEET and self._edge(char) is not None:
            return self._take(char)
        self._separators += char
        if self._letters == 0 or len(self._separators) > 3:
            return False
        return char in _SEPARATORS or _is_picture(char) or (char in _BETWEEN_LETTERS and self._spaced is not False)

    def _take(self, folded: str) -> bool:
        for letter in folded:
            edge = self._edge(letter)
            if edge is None and letter == self._last and not self._separators:
                continue  # a stretched letter: Qweeen
            if edge is None or not (self._letters == 0 or self._may_part(letter)):
                return False
            self.node, self._last, self._separators = edge, letter, ""
            self._letters += 1
        self.on_letter = True
        return True

    def _edge(self, letter: str) -> _Node | None:
        edges = self.node.edges
        if letter in edges:
            return edges[letter]
        return next((edges[meant] for meant in LEET.get(letter, "") if meant in edges), None)

    def _may_part(self, letter: str) -> bool:
        """Between words anything; inside a word soft signs, spaces between all letters, or one space in all."""
        if letter in self.node.gaps:
            return True
        space = self._separators != "" and any(char.isspace() for char in self._separators)
        if self._spaced is None:
            self._spaced = space
        elif self._spaced:
            return bool(self._separators) or self.node.whole
        elif space:
            if self._torn or self.node.whole or self._letters < 2:
                return False
            self._torn = True
        return True

    @property
    def doubtful(self) -> bool:
        """A short name torn in two is more likely two words."""
        return self._torn and self._letters < 5


def _past_tags(text: str, position: int) -> int:
    """Where tags that begin here end: "<b>Q</b>wen" reads as one word; the position itself where none does."""
    tags = _TAGS.match(text, position)
    return tags.end() if tags else position


def _word_ends(text: str, folds: list[str], position: int, final: bool) -> bool | Undecided:
    """Whether a word may end before `position`: before a separator, a digit, a capital after a small letter."""
    before = text[position - 1]
    while position < len(text) and not folds[position]:
        position += 1
    if position == len(text):
        return True if final else UNDECIDED
    char = text[position]
    if not is_letters(folds[position]) or char.isdigit() or is_chinese(before) or is_chinese(char):
        return True
    return (before.islower() and char.isupper()) or _is_cyrillic(before) != _is_cyrillic(char)


@lru_cache(maxsize=1024)
def _is_picture(char: str) -> bool:
    """Whether a sign is a picture or the like, which may stand between letters: "Q🌟w🌟e🌟n"."""
    return unicodedata.category(char) in ("So", "Sk")


def is_chinese(char: str) -> bool:
    """Whether words may begin and end anywhere around this sign, a Korean one included."""
    return "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3"


def _is_cyrillic(char: str) -> bool:
    return "\u0400" <= char <= "\u052f"


def next_word(text: str, folds: list[str], position: int) -> int:
    """Where a word begins, from `position` on; the text's end when none does. Chinese signs are words each."""
    before = position - 1
    while before >= 0 and not folds[before]:
        before -= 1
    inside = before >= 0 and is_letters(folds[before]) and not is_chinese(text[before])
    for at in range(position, len(text)):
        if folds[at].isalnum():
            if not inside or is_chinese(text[at]):
                return at
        elif folds[at]:
            inside = False
    return len(text)


def word_starts(text: str, folds: list[str]) -> Iterator[int]:
    """Every place where a word begins."""
    at = -1
    while (at := next_word(text, folds, at + 1)) < len(text):
        yield at


def _endings(spelling: str) -> Iterator[tuple[str, Iterable[str]]]:
    """The spelling's cases and, for what can become an adjective, the adjective's cases: a stem with its endings."""
    stem, last = spelling[:-1], spelling[-1].lower()
    if not last.isalpha() or is_chinese(last):
        return
    if not _is_cyrillic(last):
        yield spelling, ("s", *word_list("ending consonant"))
    elif last in "аяьй":
        yield stem, word_list("ending soft")
    elif last in "ыи" and len(spelling) > 4:
        yield stem, word_list("ending plural")
        yield spelling, ("й", "ям", "ями", "ях")
    elif last not in "оеёуыиэю":
        yield spelling, (*word_list("ending consonant"), *word_list("ending adjective"))


def known_families() -> Iterator[tuple[str, Name]]:
    """Spelling and meaning of every name in families.tsv."""
    for line in FAMILIES.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            group, kind, spellings = line.split("\t")
            for spelling in spellings.split(", "):
                yield spelling.lstrip("~"), Name(Kind(kind), group, spelling.startswith("~"))


def build(names: Iterable[str], organisations: Iterable[str], families: Iterable[str]) -> NameFinder:
    """A finder for a catalogue: its own names first, then the known spellings.

    Everyday words ("Алиса", "Falcon") are looked for only when the catalogue holds their kin.
    """
    finder = NameFinder()
    known = list(known_families())
    group_of = {fold_word(spelling): name.group for spelling, name in known}
    present: set[str] = set()
    own = [(word, kind) for name in (*names, *families) for word, kind in _catalogue_words(name)]
    own += [(word, Kind.ORGANISATION) for name in organisations for word, _ in _catalogue_words(name)]
    everyday = {fold_word(spelling) for spelling, name in known if name.everyday}
    for word, kind in sorted(own, key=lambda found: found[1] is Kind.ORGANISATION):  # Qwen/Qwen2.5: rather a model
        group = _kin(word, group_of)
        present.add(group)
        if fold_word(word) not in everyday:
            guesses = (guess for guess in _transliterations(word) if len(guess) >= SHORTEST_GUESS)
            for spelling in {word, *guesses}:
                finder.add(spelling, Name(kind, group))
    for spelling, name in known:
        if not name.everyday or name.group in present | CLAIMED:
            finder.add(spelling, name)
            if _is_cyrillic(spelling[0]):
                for guess in _transliterations(spelling):  # Дипсик, written Dipsik
                    if len(guess) >= SHORTEST_GUESS:
                        finder.add(guess, name)
    return finder


def _kin(word: str, group_of: dict[str, str]) -> str:
    """The known group of a word or of its first part; otherwise the word is a group of its own."""
    parts = [fold_word(re.sub(r"\d+$", "", part)) for part in re.split(r"[\s\-_.]+", word)]
    candidates = (fold_word(word), *(fold_word("".join(parts[:count])) for count in (2, 1)))
    return next((group_of[candidate] for candidate in candidates if candidate in group_of), fold_word(word))


def _catalogue_words(name: str) -> Iterator[tuple[str, Kind]]:
    """What of a catalogue's name a model may call itself: the whole, its stem, its first word, its owner."""
    *owners, model = name.split("/")
    for part, kind in [*((owner, Kind.ORGANISATION) for owner in owners), (model, Kind.MODEL)]:
        spelling = part.split(":")[0].strip()
        pieces = [piece for piece in re.split(r"[\s\-_.]+", spelling) if piece]
        if len(fold_word(spelling)) >= 2 and not all(_generic(piece.lower()) for piece in pieces):
            yield spelling, kind
        stem = _stem(pieces)
        if stem:
            yield " ".join(stem), kind
        if stem and len(stem[0]) >= 3 and not _generic(stem[0].lower()):
            yield stem[0], kind


def _stem(pieces: list[str]) -> list[str]:
    """The leading words of a name up to its size, version or purpose: Vikhr Nemo of Vikhr-Nemo-12B-Instruct."""
    stem: list[str] = []
    for piece in pieces:
        letters = re.match(r"[^\W\d]+", piece)
        if letters is None or (_generic(piece.lower()) and (not stem or len(stem[0]) > 1)):
            break
        stem.append(letters.group())
        if letters.group() != piece:
            break
    return stem if len("".join(stem)) >= 3 else []


def _transliterations(word: str) -> Iterator[str]:
    lower = word.lower()
    if any(char.isdigit() for char in lower):
        return
    if any(_is_cyrillic(char) for char in lower):
        yield "".join(_TO_LATIN.get(char, char) for char in lower)
        return
    for latin, cyrillic in _TO_CYRILLIC:
        lower = lower.replace(latin, cyrillic)
    yield lower
