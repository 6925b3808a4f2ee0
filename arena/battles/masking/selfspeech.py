"""Whether words around a name say "this is who I am" or "this is who made me", in Russian and English.

A small grammar over folded words: a cue ("my name is", "меня создала"), filler words that describe
an assistant ("a large language model from the company"), then the name; or the name, then a cue.
It knows neither the names nor the stream, only the words on both sides of one name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arena.battles.masking.folding import fold_word
from arena.battles.masking.grammar import patterns, section, vocabulary

NAME_WORD = "▇"
"""Stands among the words for another name of the catalogue."""

MAX_FILLERS = 18
MAX_AGENT_WORDS = 10  # between "trained by" and the maker's name
FIRST_WORDS_AFTER = 7  # how soon after the name a cue must begin
SPEAKER_WITHIN = 12

_self_noun = vocabulary("self")
_made = vocabulary("made")
_loose = vocabulary("loose")
_filler_word = vocabulary("plain", "self", "made", "loose")
_negation = vocabulary("negation")
_contrast = vocabulary("contrast")
_first_person = vocabulary("first person")
_first_person_verb = vocabulary("first person verbs")
_creator = vocabulary("creator")
_creates = vocabulary("creates")
_agent_word = vocabulary("agent")
_break = vocabulary("break")
_as = vocabulary("as")
_as_refused = vocabulary("as refused")
_speaking = vocabulary("speaking")
_greeting = vocabulary("greeting")
_english_self = vocabulary("created")
_DIRECT = patterns("direct")
_INTERRUPTED = patterns("interrupted")
_LABELS = patterns("labels")
_QUESTIONS = patterns("questions")
_AFTER = patterns("after")
_MADE_ME = patterns("made me")
_MADE_ME_THEN = patterns("made me then")
_PEOPLE = patterns("people")
_VERBS_OF_USE = patterns("verbs of use")
_PERSONS_NEARBY = patterns("persons nearby")
_SPELLED_OUT = tuple(fold_word(cue) for cue in section("spelled out").replace("\n", ";").split(";"))
_CHINESE_CUES = ("我是", "我叫", "名字是", "名叫", "由", "来自", "我的开发者是")


@dataclass(frozen=True, slots=True)
class Around:
    """The folded words about one name: of its sentence on both sides, and of the sentence before."""

    before: Sequence[str]
    after: Sequence[str]
    previous: Sequence[str] = ()
    introduced: bool = False  # the answer has spoken of itself shortly before, or a name was masked
    set_off: bool = False  # a comma, dash, colon or bracket stands right before the name
    everyday: bool = False  # the name is also an everyday word
    capital: bool = True
    surname: bool = False  # another capitalised word follows at once
    organisation: bool = False


def identifies(around: Around) -> bool:
    """Whether the words around a name make it a self-identification."""
    if around.everyday and not _can_be_a_name(around):
        return False
    return (
        _direct(around)
        or _agent(around.before)
        or _interrupted(around.before)
        or _as_what(around)
        or _follows(around)
        or _fragment(around)
        or _spelled_out(around.before)
        or bool(around.before and around.before[-1].endswith(_CHINESE_CUES))
    )


def introduces(sentence: Sequence[str]) -> bool:
    """Whether a sentence speaks of its speaker as of a model: "I am an AI assistant", "Я — нейросеть"."""
    return any(map(_first_person, sentence)) and any(_self_noun(word) or _made(word) for word in sentence)


def all_filler(between: Sequence[str]) -> bool:
    """Whether nothing but a description stands between a masked name and the next one."""
    return len(between) <= MAX_FILLERS and all(map(_filler, between)) and not any(map(_contrast, between))


def _filler(word: str) -> bool:
    return word == NAME_WORD or word.isdigit() or _filler_word(word) or _contrast(word)


def _direct(around: Around) -> bool:
    """A cue, filler words, then the name."""
    words = around.before
    for end in range(len(words), max(len(words) - MAX_FILLERS, 0), -1):
        cue = _DIRECT.end_at(words, end)
        if cue is not None and _credible(words[cue:end], words[end:], around):
            return True
        if not _filler(words[end - 1]):
            return words[end - 1] == "i" and end == len(words) and around.set_off and not around.organisation
    return False


def _credible(cue: Sequence[str], crossed: Sequence[str], around: Around) -> bool:
    """Fillers that lead from the cue to the name, not past it; and no human speaker."""
    described = any(_self_noun(word) or _made(word) for word in crossed)
    if any(map(_negation, crossed)) and not any(map(_contrast, crossed)):
        return False
    if any(_loose(word) or _contrast(word) for word in crossed) and not described and NAME_WORD not in crossed:
        return False
    if not described and not any(map(_creator, cue)) and _PEOPLE.start(around.after):
        return False
    return bool(crossed) or len(cue) > 1 or not _VERBS_OF_USE.start(around.after)


def _agent(words: Sequence[str]) -> bool:
    """I was trained by … NAME; меня обучили … NAME: any few words between, but no change of subject."""
    for at in range(len(words) - 1, max(len(words) - MAX_AGENT_WORDS - 2, -1), -1):
        if _break(words[at]):
            break
        if (_made(words[at]) or _creates(words[at])) and any(map(_first_person, words[max(at - 8, 0) : at + 2])):
            return _creates(words[at]) or any(map(_agent_word, words[at:]))
    return _late_agent(words)


def _late_agent(words: Sequence[str]) -> bool:
    """I was created to help people by NAME: the agent directly before the name, the verb anywhere before."""
    agents = [at for at, word in enumerate(words) if _agent_word(word) and all(map(_filler, words[at + 1 :]))]
    if not agents:
        return False
    return any(
        (_made(word) or _creates(word)) and _first_person_before(words, at)
        for at, word in enumerate(words[: agents[-1]])
    )


def _first_person_before(words: Sequence[str], at: int) -> bool:
    """The verb at `at` is said of the speaker: "i was …", "я был …", "меня …"."""
    near = words[max(at - 3, 0) : at]
    return any(map(_first_person, near)) and all(map(_filler, near[1:]))


def _interrupted(words: Sequence[str]) -> bool:
    """My name, in case you wonder, is NAME."""
    if not words or words[-1] not in ("is", fold_word("это")):
        return False
    return any(_INTERRUPTED.start(words[at:]) for at in range(max(len(words) - 10, 0), len(words) - 3))


def _as_what(around: Around) -> bool:
    """As a model by NAME, I …; как модель NAME, …"""
    words = around.before
    for at in range(len(words) - 1, max(len(words) - MAX_FILLERS, 0) - 1, -1):
        if _as(words[at]):
            return _as_credible(around, words[:at], words[at], words[at + 1 :])
        if not _filler(words[at]):
            return False
    return False


def _as_credible(around: Around, lead: Sequence[str], word: str, crossed: Sequence[str]) -> bool:
    after = around.after
    if lead and _as_refused(lead[-1]):
        return False
    if not any(map(_self_noun, (*crossed, *after[:1]))):
        return (not lead or _speaking(lead[-1])) and bool(after) and _first_person(after[0])
    speaker = any(map(_first_person, (*lead, *after[:SPEAKER_WITHIN])))
    verbs = any(map(_first_person_verb, (*lead, *after[:4])))
    return speaker or verbs or (not lead and (word != "as" or not after))


def _follows(around: Around) -> bool:
    """The name, then a cue: NAME is my creator; NAME — так меня зовут; NAME here!"""
    after = around.after
    if _MADE_ME.start(after) and len(after) > 2 and not _MADE_ME_THEN.start(after[2:]):
        return False
    if tuple(around.before[-2:]) == ("this", "is") and after[:1] == ["speaking"]:
        return True
    if after[:1] == ["here"] and all(map(_greeting, around.before)):
        return len(after) == 1 or not around.organisation
    return _AFTER.within(after, FIRST_WORDS_AFTER)


def _fragment(around: Around) -> bool:
    """A piece of an introduction without its subject: "Made by NAME.", "Model: NAME", "Кто я? NAME."."""
    words = around.before
    if 0 < len(around.previous) <= 6 and _QUESTIONS.within(around.previous, 3) and all(map(_filler, words)):
        return True
    if around.set_off and not around.organisation and not around.everyday and list(words) in _OWN_NAME:
        return True
    if not around.introduced:
        return False
    for end in range(len(words), 0, -1):
        if _LABELS.end_at(words, end) == 0:
            return True
        if not _filler(words[end - 1]):
            return False
    return False


_OWN_NAME = [[fold_word("имя")], ["name"], [fold_word("моё"), fold_word("имя")], ["my", "name"]]


def _spelled_out(words: Sequence[str]) -> bool:
    """The cue itself is written letter by letter."""
    letters: list[str] = []
    for word in reversed(words):
        if len(word) > 1:
            break
        letters.append(word)
    return len(letters) >= 2 and "".join(reversed(letters)).endswith(_SPELLED_OUT)


def _can_be_a_name(around: Around) -> bool:
    """An everyday word counts as a name when it is written as one and no person or animal is spoken of."""
    near = (*around.before, *around.after)
    article = tuple(around.before[-1:]) in (("a",), ("an",))
    if article and not around.capital and not any(map(_self_noun, around.after[:2])):
        return False
    if around.surname and not around.organisation:
        return False
    if any(_self_noun(word) or _made(word) for word in near):
        return True
    return around.capital and not _PERSONS_NEARBY.within(around.after, 14)
