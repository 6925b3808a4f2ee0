"""Masks self-identification in an answer while it streams: "I am ▇▇▇, made by ▇▇▇".

Text comes in pieces of any size and goes out as soon as nothing in it can still become a name.
A name waits for the `LOOK_AHEAD` characters after it, because
"NAME made me" tells only there. Every decision depends on the text alone, never on how it was cut.
It knows no battles; who may see `matches` and when is for others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from arena.battles.masking.evidence import speaks_for
from arena.battles.masking.folding import fold, is_letters, words
from arena.battles.masking.grammar import word_list
from arena.battles.masking.hiding import MASK
from arena.battles.masking.identity import asks_identity
from arena.battles.masking.names import Found, Kind, NameFinder, Undecided, build, is_chinese, next_word, word_starts
from arena.battles.masking.selfspeech import (
    NAME_WORD,
    Around,
    all_filler,
    can_be_a_name,
    certain,
    confined,
    introduces,
    is_somebody_else,
    told,
    without_asides,
)
from arena.battles.masking.sizes import SIZE, own_size, size_at
from arena.types import Spans

LOOK_AHEAD = 80
TOPICAL = 2.5
"""How much more must speak for a self-identification (log odds) where the prompt named the name, or the answer broke
off in it: a letter or two begin many words."""
LOOK_BACK = 200
MAX_TAIL = 64
_VERSION_WORDS = frozenset(word_list("versions"))
_CAMEL = re.compile(r"[A-Z][a-z]{2,}")
_QUOTES = ("'", '"', "`")
_NAME_PARTS = _VERSION_WORDS | {"assistant", "model"}  # what may be glued to a name and leave it one
_NO_SURNAME = ("ИИ", "AI", "И ", "I ", "I'", "I’", "Я ")  # a second capitalised word that is none
_OPENERS = "\"'«“„(<[*_` "


@dataclass(frozen=True, slots=True)
class Match:
    """One masked name: `start` and `end` in the original text, what stood there, and whose name it is."""

    start: int
    end: int
    text: str
    group: str


class Masker:
    """Knows a catalogue's names; starts one `Masking` per answer."""

    def __init__(self, finder: NameFinder) -> None:
        self.finder = finder

    @classmethod
    def from_names(
        cls, names: Iterable[str], organisations: Iterable[str] = (), families: Iterable[str] = ()
    ) -> Masker:
        """A masker for a catalogue's contestants, their makers and their families."""
        return cls(build(names, organisations, families))

    def start(self, *, identity_asked: bool = False, topics: frozenset[str] = frozenset()) -> Masking:
        """Begin one answer. Where the prompt asked who answers, every name is masked, said of itself or not.

        `topics` are the groups that the prompt spoke of: an answer names them to answer.
        """
        return Masking(self.finder, identity_asked, topics)

    def answering(self, prompt: str) -> Masking:
        """Begin the answer to a prompt."""
        return self.start(identity_asked=asks_identity(prompt), topics=self.topics(prompt))

    def topics(self, prompt: str) -> frozenset[str]:
        """The groups whose names stand in a prompt."""
        folds = [fold(char) for char in prompt]
        met = (self.finder.at(prompt, folds, place, final=True) for place in word_starts(prompt, folds))
        return frozenset(found.name.group for found in met if isinstance(found, Found))

    def asks_identity(self, prompt: str) -> bool:
        """Whether a prompt asks who answers it."""
        return asks_identity(prompt)

    def mask(self, text: str, *, identity_asked: bool = False) -> tuple[str, tuple[Match, ...]]:
        """Mask a whole text at once, its prompt unknown: the same as streaming it."""
        return self.start(identity_asked=identity_asked).whole(text)


class Masking:
    """One answer being masked. Feed pieces in order, then finish."""

    def __init__(self, finder: NameFinder, identity_asked: bool, topics: frozenset[str] = frozenset()) -> None:
        self._finder = finder
        self._topics = topics
        self._identity_asked = identity_asked
        self._text = ""
        self._folds: list[str] = []
        self._next = 0  # everything before is decided
        self._matches: list[Match] = []
        self._names: list[tuple[int, int]] = []  # every name met, masked or not

    @property
    def held(self) -> int:
        """How many characters wait for a decision."""
        return len(self._text) - self._next

    def feed(self, text: str) -> str:
        """Take the next piece; return what may be shown now."""
        self._text += text
        self._folds += map(fold, text)
        return self._advance(final=False)

    def finish(self, broken_off: bool = False) -> tuple[str, tuple[Match, ...]]:
        """End the answer: what was still held, and everything that was masked.

        `broken_off` tells that it was to go on, so that its last word may be the beginning of a name.
        """
        return self._advance(final=True, broken_off=broken_off), tuple(self._matches)

    def whole(self, text: str, broken_off: bool = False) -> tuple[str, tuple[Match, ...]]:
        """Feed a whole text and finish."""
        begun = self.feed(text)
        rest, matches = self.finish(broken_off)
        return begun + rest, matches

    @property
    def hidden(self) -> Spans:
        """Where in the answer so far names are masked."""
        return tuple((match.start, match.end) for match in self._matches)

    def _advance(self, final: bool, broken_off: bool = False) -> str:
        shown: list[str] = []
        text, folds = self._text, self._folds
        at, shown_to = self._next, self._next
        while (at := next_word(text, folds, at)) < len(text):
            found = self._finder.at(text, folds, at, final)
            if found is None and text[at].isdigit():
                found = size_at(text, at, final)
            if isinstance(found, Found) and found.name is not SIZE:
                found = self._with_tail(found, final)
            if broken_off and not isinstance(found, Undecided):
                found = self._begun(at, found)
            if isinstance(found, Undecided) or (isinstance(found, Found) and not self._can_tell(found, final)):
                break
            if found is None:
                at += 1
                continue
            shown += text[shown_to:at], self._decide(found)
            if found.name is not SIZE:
                self._names.append((found.start, found.end))
            at = shown_to = found.end
        self._next = at
        return "".join([*shown, text[shown_to:at]])

    def _with_tail(self, found: Found, final: bool) -> Found | Undecided:
        """The name with the version that follows it: "-2.5-7B-Instruct", " 2.5 Plus"."""
        end = _tail_end(self._text, found.end, small=self._text[found.start].islower())
        if end == len(self._text) and end - found.start < MAX_TAIL and not final:
            return Undecided()
        name = found.name
        if name.everyday and _tells_version(self._text[found.end : end]):
            name = replace(name, everyday=False)
        return Found(found.start, end, name, code=_begins_identifier(self._text[found.end : end]))

    def _begun(self, at: int, found: Found | None) -> Found | None:
        """What stands at `at` in an answer that broke off: a name to its very end, or one's own that had but begun."""
        end, first = len(self._text), self._text[at]
        names = self._finder.begun_at(self._text, self._folds, at)
        if found is not None:
            return replace(found, end=end) if names else found
        if isinstance(size_at(self._text, at, final=False), Undecided):
            names = [SIZE]
        elif first == first.lower() and not self._small_letters_only(self._sentence_start(at), end):
            return None
        begun = (Found(at, end, name, begun=True) for name in names)
        return next((one for one in begun if self._gives_away(one)), None)

    def _can_tell(self, found: Found, final: bool) -> bool:
        return final or len(self._text) - found.end >= LOOK_AHEAD

    def _decide(self, found: Found) -> str:
        text = self._text[found.start : found.end]
        if not self._gives_away(found):
            return text
        self._matches.append(Match(found.start, found.end, text, found.name.group))
        return MASK

    def _gives_away(self, found: Found) -> bool:
        capital = self._text[found.start] != self._text[found.start].lower()
        everyday = found.name.everyday
        own = any(match.group == found.name.group for match in self._matches)
        if (own or self._identity_asked) and (capital or not everyday):
            return True
        if found.name is SIZE:
            return self._is_own_size(found)
        return self._continues_a_match(found) or self.weigh(found)

    def _is_own_size(self, found: Found) -> bool:
        before = self._words(self._sentence_start(found.start), found.start)
        return own_size(before, short=self._text[found.end - 1].isupper())

    def weigh(self, found: Found) -> bool:
        """Whether what stands around a name tells that the speaker, or its maker, is called so."""
        around, name, lead, tail = self.surroundings(found)
        if (
            found.code
            or _is_code(lead, tail)
            or is_somebody_else(around)
            or (around.everyday and not can_be_a_name(around))
        ):
            return False
        if not around.everyday and _letter_by_letter(name):
            return True
        topical = found.begun or found.name.group in self._topics
        if certain(around) or (not topical and (told(around) or confined(around))):
            return True
        return speaks_for(around, name, lead, tail) > (TOPICAL if topical else 0.0)

    def surroundings(self, found: Found) -> tuple[Around, str, str, str]:
        """The words around a name; the name, the text before and the text after it as they stand."""
        capital = self._text[found.start] != self._text[found.start].lower()
        return (
            self._around(found, capital),
            self._text[found.start : found.end],
            self._text[max(0, found.start - 2 * LOOK_BACK) : found.start],
            self._text[found.end : found.end + LOOK_AHEAD],
        )

    def _continues_a_match(self, found: Found) -> bool:
        """I am ▇▇▇, a model by NAME: described in the same breath as a masked name."""
        if not self._matches or found.name.everyday:
            return False
        since = self._matches[-1].end
        if self._sentence_start(found.start) > since:
            return False
        return all_filler(self._words(since, found.start))

    def _around(self, found: Found, capital: bool) -> Around:
        start = self._sentence_start(found.start)
        end = self._sentence_end(found.end) or min(len(self._text), found.end + LOOK_AHEAD)
        before_that = self._sentence_start(max(start - 1, 0)) if start else 0
        lead = self._text[start : found.start].rstrip(_OPENERS)
        previous = self._words(before_that, start)
        return Around(
            before=without_asides(self._words(start, found.start)),
            after=self._words(found.end, min(end, found.end + LOOK_AHEAD)),
            previous=previous,
            introduced=bool(self._matches) or introduces(previous) or self._introduced_before(before_that),
            set_off=lead[-1:] in tuple(",—–-:(|") if lead else False,
            everyday=found.name.everyday,
            capital=capital or self._small_letters_only(start, found.end),
            latin=self._text[found.start].isascii(),
            surname=self._surname_follows(found.end),
            organisation=found.name.kind is Kind.ORGANISATION,
            quoted_after=self._quoted_after(start, found.start),
            announced=lead[-1:] == ":",
            boxed=self._text[found.start - 1 : found.start] in _QUOTES
            and self._text[found.end : found.end + 1] in _QUOTES,
        )

    def _small_letters_only(self, start: int, end: int) -> bool:
        """Whether a Latin name stands in a sentence without capitals, where its own small letter tells nothing."""
        sentence = self._text[start:end]
        return self._text[end - 1].isascii() and sentence == sentence.lower()

    def _quoted_after(self, start: int, position: int) -> list[str] | None:
        """The words that lead to a quotation still open at `position`, None outside of one."""
        opening = max(self._text.rfind(mark, start, position) for mark in "«“„")
        if opening <= max(self._text.rfind(mark, start, position) for mark in "»”"):
            return None
        return self._words(start, opening)

    def _introduced_before(self, position: int) -> bool:
        start = self._sentence_start(max(position - 1, 0)) if position else 0
        return introduces(self._words(start, position))

    def _surname_follows(self, end: int) -> bool:
        rest = self._text[end : end + 3]
        if len(rest) < 2 or rest[0] != " " or not rest[1].isupper() or rest[1:3] in _NO_SURNAME:
            return False
        return not isinstance(self._finder.at(self._text, self._folds, end + 1, final=True), Found)

    def _words(self, start: int, end: int) -> list[str]:
        """The folded words between two positions; another name there counts as one word."""
        start = max(start, end - LOOK_BACK)
        found: list[str] = []
        for first, last in self._names:
            if first >= start and last <= end:
                found += [*words(self._folds[start:first]), NAME_WORD]
                start = last
        return [*found, *words(self._folds[start:end])]

    def _sentence_start(self, position: int) -> int:
        """Where the sentence that holds `position` begins; looks back no further than LOOK_BACK."""
        lowest = max(position - LOOK_BACK, 0)
        for at in range(position - 1, lowest - 1, -1):
            if _ends_sentence(self._text, at) and self._has_words(at + 1, position):
                return at + 1
        return lowest

    def _has_words(self, start: int, end: int) -> bool:
        return start == end or any(is_letters(part) for part in self._folds[start:end]) or end < len(self._text)

    def _sentence_end(self, position: int) -> int | None:
        """Where the sentence goes out within LOOK_AHEAD, None when that is not known yet."""
        for at in range(position, min(len(self._text) - 1, position + LOOK_AHEAD)):
            if _ends_sentence(self._text, at):
                return at
        return None


def _letter_by_letter(name: str) -> bool:
    """Four letters or more, each apart from the next: nobody writes a name so but to hide it."""
    letters = re.findall(r"[^\W\d_]+", name)
    return len(letters) >= 4 and all(len(letter) == 1 for letter in letters)


def _begins_identifier(tail: str) -> bool:
    """A class or function of a library: "Qwen3DecoderLayer", not "Qwen2.5Instruct"."""
    glued = re.match(r"[\w.]*", tail)
    words = _CAMEL.findall(glued[0]) if glued else []
    return any(word.lower() not in _NAME_PARTS for word in words)


def _is_code(lead: str, tail: str) -> bool:
    """A name that is called like a function or goes on an identifier: "GPT2Model(…", "my_qwen"."""
    return tail[:1] == "(" or (lead[-1:] == "_" and lead[-2:-1].isalnum())


def _ends_sentence(text: str, at: int) -> bool:
    """A mark that ends a sentence; a full stop only before white space, a new line not after a comma."""
    char = text[at]
    if char in "!?…。！？":
        return True
    if char == "\n":
        return text[at - 1 : at] not in (",", ":", "—", "-") if at else True
    return char == "." and at + 1 < len(text) and text[at + 1].isspace()


def _tail_end(text: str, end: int, small: bool) -> int:
    """Where a version after a name ends; `len(text)` when more text could belong to it.

    `small`: the name is in small letters, so its version may be; else "next" in "DeepMind next month" is none.
    """
    limit = min(len(text), end + MAX_TAIL)
    end = _run(text, end, limit, "-_./:+'’")
    while True:
        start = end
        while start < limit and text[start] in " \u00a0-":
            start += 1
        stop = _run(text, start, limit, ".,-")
        word = text[start:stop]
        if stop == len(text):
            return stop if _may_grow(word, small) else end
        if not word or start == end or not _version(word, small):
            return end
        end = stop


def _run(text: str, position: int, limit: int, joints: str) -> int:
    """The end of letters and digits from here on, joined by single signs of `joints`."""
    while position < limit:
        joint = text[position] in joints and text[position + 1 : position + 2].isalnum()
        if not joint and (not text[position].isalnum() or is_chinese(text[position])):
            break
        position += 1
    return position


def _version(word: str, small: bool) -> bool:
    lower = word.lower()
    if word[0].isdigit():
        return len(word) <= 8
    return (lower in _VERSION_WORDS and (small or word[0].isupper())) or (lower[0] == "v" and word[1:2].isdigit())


def _tells_version(tail: str) -> bool:
    """Whether what follows a name makes it a model's: "llama3", "mistral-small", not "llama's"."""
    return any(part.isdigit() or part in _VERSION_WORDS for part in re.split(r"\W+|(?<=\d)(?=\D)", tail.lower()))


def _may_grow(word: str, small: bool) -> bool:
    if not word or _version(word, small):
        return True
    return (small or word[0].isupper()) and any(known.startswith(word.lower()) for known in _VERSION_WORDS)
