"""Weighs what stands around a name: does the speaker call itself or its maker so, or speak of others?

Each sign (a word's sense and place, who is the first person and what it does, the layout, a quotation,
a form of `selfspeech`) has a weight in `weights.tsv`, learned by `learning.py` from answers written by
hand; their sum decides. It sees one name with a bounded piece of text on both sides and knows no stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

from arena.battles.masking.folding import fold_words
from arena.battles.masking.grammar import REMEMBERED, senses, vocabulary
from arena.battles.masking.selfspeech import NAME_WORD, Around, cues
from arena.battles.masking.weighing import log_odds

WEIGHTS = Path(__file__).with_name("weights.tsv")

BEFORE, AFTER, PREVIOUS = 14, 10, 12  # words that are looked at
_STEM, _ENDING = 6, 3  # letters by which words of a kind agree, and by which words in one form do
_FENCE_WITHIN = 400

_first_person = vocabulary("first person")
_negation = vocabulary("negation")
_filler = vocabulary("plain", "self", "made", "loose")
_GRAMMAR_SENSES = (
    "self", "made", "negation", "contrast", "first person", "first person verbs", "creator", "creates", "names",
    "attributes", "mine too", "others", "agent", "as", "speaking", "greeting",
)  # fmt: skip
_SENSES = {**{name: vocabulary(name) for name in _GRAMMAR_SENSES}, "filler": _filler, **senses()}
_OPENING, _CLOSING = "«“„", "»”"
_CODE = re.compile(r"[=({;]\s*[\"']?$|import |from_pretrained|https?:|/$|--\w*\s*$")
_ITEM = re.compile(r"\s*(\d+[.)]|[-*•|#])\s")
_NEXT = ("?", "-", "’", ":", "'")
_SAID = re.compile(r"[,.]?\s*[—–-]?\s*[a-zа-яё]")  # a quotation, then who says it
_DRESS = " *_`\"'«“„([»”)]"


def speaks_for(around: Around, name: str, lead: str, tail: str) -> float:
    """How much speaks for a self-identification, in log odds; `lead` and `tail` are the raw text."""
    return log_odds(chain(text_signs(around, name, lead, tail), form_signs(around)), WEIGHTS)


def form_signs(around: Around) -> Iterator[str]:
    """The forms of self-identification that the words have."""
    yield from (f"form {cue}" for cue in cues(around))


def text_signs(around: Around, name: str, lead: str, tail: str) -> Iterator[str]:
    """Everything else: words, persons, layout and quotation."""
    before, after = list(around.before)[-BEFORE:], list(around.after)[:AFTER]
    yield from _words(before, after, list(around.previous)[-PREVIOUS:])
    yield from _person(before, after, around)
    yield from _layout(lead, tail, len(before))
    yield from _beyond(tail, len(around.after))
    yield from _quotation(lead, tail, any(map(_first_person, (*before, *after))))
    yield from _name(around, name, len(before), len(after))


@lru_cache(REMEMBERED)
def _senses(word: str) -> tuple[str, ...]:
    if word == NAME_WORD:
        return ("name",)
    found = [name for name, test in _SENSES.items() if test(word)]
    return tuple([*found, "number"] if word.isdigit() else found) or ("unknown",)


def _senses_of(words: Sequence[str]) -> set[str]:
    return {sense for word in words for sense in _senses(word)}


def _words(before: Sequence[str], after: Sequence[str], previous: Sequence[str]) -> Iterator[str]:
    """Each word by its sense and place, the nearest ones also by themselves."""
    for side, words, spelled in (("b", before[::-1], 3), ("a", after, 2)):
        for place, word in enumerate(words[:4]):
            yield from (f"{side}{place} {sense}" for sense in _senses(word))
            if place < spelled:
                yield f"{side}{place}={word[:_STEM]}"
        if len(words) < 4:
            yield f"{side}{len(words)} none"
        yield from (f"{side}={word[:_STEM]}" for word in words)
        yield from (f"{side}~{word[-_ENDING:]}" for word in words if len(word) > _ENDING + 1)
        yield from (f"{side}{place}~{word[-_ENDING:]}" for place, word in enumerate(words[:3]) if len(word) > _ENDING)
    for side, words in (("b", before), ("a", after), ("p", previous)):
        yield from (f"{side} {sense}" for sense in _senses_of(words))


def _person(before: Sequence[str], after: Sequence[str], around: Around) -> Iterator[str]:
    """The first person on each side, what it does, and what stands between it and the name."""
    said = [place for place, word in enumerate(before) if _first_person(word)]
    follows = [place for place, word in enumerate(after) if _first_person(word)]
    where = ("b" if said else "") + ("a" if follows else "")
    kind = "maker" if around.organisation else "model"
    yield f"person {where}{'p' if any(map(_first_person, around.previous)) else ''} {kind}"
    yield from (f"person {where[:1]} {sense}" for sense in _senses_of([*before, *after]))
    yield from (f"{kind} b {sense}" for sense in _senses_of(before))
    yield from (f"{kind} a {sense}" for sense in _senses_of(after))
    if said:
        yield from _said_before(before, said[-1])
    if follows:
        yield from _said_after(after, follows[0])


def _said_before(before: Sequence[str], place: int) -> Iterator[str]:
    person, between = before[place], before[place + 1 :]
    yield f"I={person}"
    yield f"I {min(len(between), 6)} back"
    yield f"I to name unknown {min(sum(not _filler(word) for word in between), 4)}"
    yield f"I to name negated {any(map(_negation, between))}"
    yield from (f"I to name {sense}" for sense in _senses_of(between))
    yield from (f"before I {sense}" for sense in (_senses(before[place - 1]) if place else ()))
    yield from (f"I to name ~{word[-2:]}" for word in between)
    told = next((word for word in between if not _negation(word)), None)
    if told is None:
        yield "I then name"
        return
    yield from (f"I={told[:_STEM]}", f"{person}={told[:_STEM]}")
    for sense in _senses(told):
        yield from (f"I then {sense}", f"{person} then {sense}")


def _said_after(after: Sequence[str], place: int) -> Iterator[str]:
    between = after[:place]
    yield f"I {place} on"
    yield f"name to {after[place]}"
    yield f"name to I unknown {min(sum(not _filler(word) for word in between), 4)}"
    yield from (f"name to I {sense}" for sense in _senses_of(between))
    yield from (f"after I {sense}" for sense in _senses_of(after[place + 1 : place + 2]))


def _beyond(tail: str, after: int) -> Iterator[str]:
    """What follows after the name's sentence, as in "NAME? It made me"."""
    words = fold_words(tail)[after:]
    person = any(map(_first_person, words))
    yield f"beyond {person}"
    if person:
        yield from (f"beyond {sense}" for sense in _senses_of(words))


def _layout(lead: str, tail: str, words_before: int) -> Iterator[str]:
    """Line, list, code and punctuation."""
    line, rest = lead[lead.rfind("\n") + 1 :][-200:], tail.split("\n", 1)[0]
    begins, ends, last = (re.search(r"\w", part) is None for part in (line, rest, tail))
    yield from (f"line {begins} {ends}", f"last {last} {min(words_before, 4)}", f"last line {last} {begins}")
    yield f"begins {begins}"
    yield f"ends {ends}"
    yield f"first {not any(map(str.isalnum, lead[-200:]))}"
    left, right = lead[-6:].strip(_DRESS)[-1:], tail[:4].strip(_DRESS)[:1]
    left, right = ("w" if sign.isalnum() else sign.strip() for sign in (left, right))
    yield from (f"left {left}", f"right {right}", f"sides {left}{right}")
    if lead[-_FENCE_WITHIN:].count("```") % 2:
        yield "fence"
    if _CODE.search(line[-30:]):
        yield "code"
    if _ITEM.match(line):
        yield "item"
    if "|" in line:
        yield "table"
    if ":" in line[-14:]:
        yield "colon"
    yield f"next {rest[:1] if rest[:1] in _NEXT else ''}"


def _quotation(lead: str, tail: str, first_person: bool) -> Iterator[str]:
    """Whose words these are: what leads to an open quotation, and what comes after it."""
    opening = _open_quotation(lead[-200:])
    if opening is None:
        return
    quoted = lead[-200:][opening:]
    leading = fold_words(lead[-200:][max(0, opening - 60) : opening])
    yield "quoted"
    yield f"quoted after {min(len(leading), 3)}"
    yield f"quoted {first_person}"
    yield f"quoted alone {len(quoted) <= 2}"
    yield from (f"quoted after {sense}" for sense in _senses_of(leading[-6:]))
    closing = re.search(r"[»”\"]", tail)
    if closing:
        yield f"quoted then said {_SAID.match(tail, closing.end()) is not None}"
        yield from (f"quoted then {sense}" for sense in _senses_of(fold_words(tail[closing.end() :])[:2]))


def _open_quotation(lead: str) -> int | None:
    opening: int | None = None
    for place, sign in enumerate(lead):
        if sign in _OPENING or (sign == '"' and (opening is None or lead[opening] != '"')):
            opening = place
        elif sign in _CLOSING or sign == '"':
            opening = None
    return opening


def _name(around: Around, name: str, before: int, after: int) -> Iterator[str]:
    """What kind of name it is and how much stands around it."""
    kind = "maker" if around.organisation else "model"
    yield f"everyday {around.everyday} {around.capital}"
    yield f"{kind} everyday {around.everyday}"
    yield f"set off {around.set_off}"
    yield f"introduced {around.introduced}"
    yield f"surname {around.surname}"
    yield f"version {any(char.isdigit() for char in name)}"
    yield f"latin {around.latin}"
    if not around.latin:  # its case: Яндекс made me, by Яндексом, of Яндекса
        case = name[-2:].lower()
        yield from (f"case {case}", f"case {case} {kind}")
        yield from (f"case {case} {sense}" for word in around.before[-1:] for sense in _senses(word))
    yield f"size {min(before, 3)} {min(after, 3)}"
    yield f"words before {min(before, 5)}"
    yield f"words after {min(after, 4)}"
    names = (*around.before[-BEFORE:], *around.after[:AFTER]).count(NAME_WORD)
    yield f"names {min(names, 3)}"
