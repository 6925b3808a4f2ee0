"""Whether words around a name say "this is who I am" or "this is who made me", in Russian and English,
and in a few words of other tongues.

A small grammar over folded words: a cue ("my name is", "меня создала"), filler words that describe
an assistant ("a large language model from the company"), then the name; or the name, then a cue.
A system prompt recited ("You are NAME, a model by …") is one too, whosever it is said to be, unless the text
announces it as an example, a template or advice what to write, or only supposes it ("if you are NAME").
It knows neither the names nor the stream, only the words on both sides of one name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from arena.battles.masking.folding import fold_word
from arena.battles.masking.grammar import patterns, section, vocabulary, word_list

NAME_WORD = "▇"
"""Stands among the words for another name of the catalogue."""

MAX_FILLERS = 18
MAX_AGENT_WORDS = 10  # between "trained by" and the maker's name
MAX_QUESTION = 10  # words
MAX_UNKNOWN = 2  # words between "you are" and the name that describe nothing
FIRST_WORDS_AFTER = 7  # how soon after the name a cue must begin
SPEAKER_WITHIN = 12
RULES_WITHIN = 4  # words between "the rules" and who made them
RULED_WITHIN = 8
UNABLE_WITHIN = 3  # words between the name and what it has not or cannot do
SAID_WITHIN = 6  # words from "system prompt" to "you are"

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
_names = vocabulary("names")
_attribute = vocabulary("attributes")
_mine = vocabulary("mine too")
_other = vocabulary("others")
_agent_word = vocabulary("agent")
_break = vocabulary("break")
_as = vocabulary("as")
_as_refused = vocabulary("as refused")
_speaking = vocabulary("speaking")
_greeting = vocabulary("greeting")
_english_self = vocabulary("created", "creates")
_maker_word = vocabulary("made", "agent", "from")
_DIRECT = patterns("direct")
_ASIDES = patterns("asides")
_WE = patterns("we")
_THIS = patterns("this")
_assistant = vocabulary("assistant")
_SOMEBODY_ELSE = patterns("somebody else")
_RUNS_ON = patterns("runs on")
_SIGNED = patterns("signed")
_ADJECTIVE = tuple(fold_word(ending) for ending in section("adjective endings").split())
_INTERRUPTED = patterns("interrupted")
_LABELS = patterns("labels")
_KEYS = patterns("keys")
_ASKED = patterns("asked")
_answer = vocabulary("answer")
_QUESTIONS = patterns("questions")
_AFTER = patterns("after")
_MADE_ME = patterns("made me")
_MADE_ME_THEN = patterns("made me then")
_PEOPLE = patterns("people")
_VERBS_OF_USE = patterns("verbs of use")
_PERSONS_NEARBY = patterns("persons nearby")
_SPELLED_OUT = tuple(fold_word(cue) for cue in section("spelled out").replace("\n", ";").split(";"))
_CHINESE_CUES = tuple(map(fold_word, word_list("cues without spaces")))
_CHINESE_FIRST = tuple(map(fold_word, word_list("first person without spaces")))
_CHINESE_AFTER = tuple(map(fold_word, word_list("after without spaces")))
_TONGUES = patterns("other tongues")
_tongue_filler = vocabulary("other tongues filler")
_TOLD = patterns("told")
_told_if = vocabulary("told if")
_told_as_example = vocabulary("told as example")
_prompt = vocabulary("prompt")
_system = vocabulary("system")
_rules = vocabulary("rules")
_RULED = patterns("ruled")
_UNABLE = patterns("unable")
_limits = vocabulary("limits")


def without_asides(words: Sequence[str]) -> list[str]:
    """The words less what is said in passing: "as far as I know", «насколько мне известно»."""
    kept: list[str] = []
    for word in words:
        kept.append(word)
        start = _ASIDES.end_at(kept, len(kept))
        if start is not None:
            del kept[start:]
    return kept


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
    latin: bool = True  # as against a name in Cyrillic letters
    surname: bool = False  # another capitalised word follows at once
    organisation: bool = False
    quoted_after: Sequence[str] | None = None  # words before the open quotation in which the name stands
    announced: bool = False  # a colon stands right before the name
    boxed: bool = False  # straight quotation marks stand on both sides of the name alone


def certain(around: Around) -> bool:
    """Cues that need no weighing: letter by letter, in another tongue, or the value of a key ("assistant": "NAME")."""
    words = around.before
    if _without_spaces(words, around.after) or (
        words and (around.boxed and _KEYS.end_at(words, len(words)) is not None)
    ):
        return True
    return _spelled_out(words) or _in_another_tongue(words) or _answers_who(around)


def _answers_who(around: Around) -> bool:
    """The answer to "Who made you?" as it was asked in the sentence before, and nothing but the answer."""
    if around.after or not 0 < len(around.previous) <= MAX_QUESTION:
        return False
    asked = _ASKED.within(around.previous, MAX_QUESTION)
    return asked and all(_filler(word) or _answer(word) for word in around.before)


def _without_spaces(before: Sequence[str], after: Sequence[str]) -> bool:
    """我是NAME; 私は人工知能のNAMEです: a cue at the name, or the first person before it and its verb after it."""
    if not before or before[-1].isascii():
        return False
    first = any(word.startswith(_CHINESE_FIRST) for word in before[-6:])
    return before[-1].endswith(_CHINESE_CUES) or (first and bool(after) and after[0].startswith(_CHINESE_AFTER))


def _in_another_tongue(words: Sequence[str]) -> bool:
    """Je suis (un modèle de) NAME; ich bin …, entwickelt von NAME."""
    for end in range(len(words), max(len(words) - MAX_FILLERS, 0), -1):
        if _TONGUES.end_at(words, end) is not None:
            return True
        if not (words[end - 1] == NAME_WORD or _tongue_filler(words[end - 1])):
            return False
    return False


def told(around: Around) -> bool:
    """What an assistant was told it is, repeated: "You are NAME, a model by …"; «Ты — помощник NAME»."""
    place = _addressed(around.before)
    if place is None:
        return False
    lead, crossed = around.before[: place[0]], around.before[place[1] :]
    described = any(_self_noun(word) or _made(word) for word in (*crossed, *around.after[:6]))
    return (described or any(map(_system, lead[-SAID_WITHIN:]))) and not _denied(crossed)


def _addressed(words: Sequence[str]) -> tuple[int, int] | None:
    """Where "you are" begins and ends before a name, a few words between."""
    unknown = 0
    for end in range(len(words), max(len(words) - MAX_FILLERS, 0), -1):
        start = _TOLD.end_at(words, end)
        if start is not None:
            return start, end
        unknown += not _filler(words[end - 1])
        if unknown > MAX_UNKNOWN:
            return None
    return None


def _imagined(words: Sequence[str]) -> bool:
    """If you are NAME; example: you are NAME. Who was told so is not the speaker."""
    place = _addressed(words)
    if place is None:
        return False
    lead = words[: place[0]]
    example = any(map(_told_as_example, lead)) or (any(map(_prompt, lead)) and not any(map(_system, lead)))
    return (example and not any(map(_first_person, lead))) or (bool(lead) and _told_if(lead[-1]))


def cues(around: Around) -> Iterator[str]:
    """The kinds of self-identification that the words around a name have the form of."""
    if around.quoted_after is not None and any(map(_other, around.quoted_after)):
        return  # somebody else is speaking
    yield from (name for name, has_form in _FORMS.items() if has_form(around))


def introduces(sentence: Sequence[str]) -> bool:
    """Whether a sentence speaks of its speaker as of a model: "I am an AI assistant", "Я — нейросеть"."""
    return any(map(_first_person, sentence)) and any(_self_noun(word) or _made(word) for word in sentence)


def all_filler(between: Sequence[str]) -> bool:
    """Whether nothing but a description stands between a masked name and the next one."""
    if list(between) == [_BUT] or any(map(_contrast, between)):
        return False
    return len(between) <= MAX_FILLERS and all(map(_filler, between))


def _filler(word: str) -> bool:
    return word == NAME_WORD or word.isdigit() or _filler_word(word) or _contrast(word)


def _direct(around: Around) -> bool:
    """A cue, filler words, then the name; before the noun an unknown adjective or two may stand."""
    words, unknown = around.before, 0
    for end in range(len(words), max(len(words) - MAX_FILLERS, 0), -1):
        crossed = words[end:]
        cue = _DIRECT.end_at(words, end)
        if cue is not None and _credible(words[cue:end], crossed, around):
            return True
        if not unknown and _speaks_for_models(words[:end], crossed, around):
            return True
        if not _filler(words[end - 1]):
            unknown += 1
            if unknown > 2 or not (_adjective(words, end - 1) and any(map(_self_noun, crossed))):
                return words[end - 1] == "i" and end == len(words) and around.set_off and not around.organisation
    return False


def _speaks_for_models(lead: Sequence[str], crossed: Sequence[str], around: Around) -> bool:
    """We, the models of NAME; this assistant is made by NAME; я работаю на NAME (of a model, not of an employer)."""
    if _RUNS_ON.end_at(lead, len(lead)) is not None and not crossed:
        return not around.organisation
    if _WE.end_at(lead, len(lead)) is not None and (len(lead) == 1 or any(map(_self_noun, crossed[:2]))):
        return any(map(_self_noun, (*crossed, *around.after[:4])))
    if _THIS.end_at(lead, len(lead)) == 0 and crossed and _assistant(crossed[0]):
        return any(map(_maker_word, crossed))
    return False


def _adjective(words: Sequence[str], at: int) -> bool:
    """Whether an unknown word can qualify the noun after it: a Russian ending, or an article before it."""
    return words[at].endswith(_ADJECTIVE) or words[at - 1] in ("a", "an") or words[at - 2 : at - 1] in (["a"], ["an"])


def _credible(cue: Sequence[str], crossed: Sequence[str], around: Around) -> bool:
    """Fillers that lead from the cue to the name, not past it; and no human speaker."""
    described = any(_self_noun(word) or _made(word) or _english_self(word) for word in (*cue, *crossed))
    described = described or any(map(_creator, cue))
    if _denied(crossed):
        return False
    if any(_loose(word) or _contrast(word) for word in crossed) and not described and NAME_WORD not in crossed:
        return False
    if not described and _PEOPLE.start(around.after):
        return False
    return bool(crossed) or len(cue) > 1 or not _VERBS_OF_USE.start(around.after)


def _denied(crossed: Sequence[str]) -> bool:
    """Not NAME; but "not X, but NAME" affirms NAME."""
    for at, word in enumerate(crossed):
        if _negation(word):
            return not any(_contrast(later) or later == _BUT for later in crossed[at + 2 :])
    return False


def _agent(words: Sequence[str]) -> bool:
    """I was trained by … NAME; меня обучили … NAME: any few words between, but no change of subject."""
    for at, word in enumerate(words):
        rest = words[at + 1 :]
        if _creates(word) and (_me_near(words, at) or _whom(words, at)):
            return len(rest) <= MAX_AGENT_WORDS and not any(map(_break, rest))
        if (_made(word) or _creates(word)) and _of_speaker(words, at):
            if not any(map(_agent_word, rest)):
                return _made(word) and len(rest) <= 4 and rest[-1:] in (["at"], [_IN]) and not any(map(_break, rest))
            plain = len(rest) <= MAX_AGENT_WORDS and not any(map(_break, rest))
            return plain or _by_name(rest)
    return False


def _me_near(words: Sequence[str], at: int) -> bool:
    """The speaker is the object of the verb: "меня тоже создала", "создала меня"."""
    if _ME in words[max(at - 2, 0) : at + 3]:
        return True
    return _ME in words[:at] and all(map(_filler, words[words.index(_ME) + 1 : at]))


def _whom(words: Sequence[str], at: int) -> bool:
    """A model whom NAME created: said of the speaker earlier in the sentence."""
    return at > 0 and words[at - 1].startswith(_WHOM) and any(map(_first_person, words[:at]))


def _by_name(words: Sequence[str]) -> bool:
    """The maker directly before the name: "… to help people by the company"."""
    last = max(at for at, word in enumerate(words) if _agent_word(word))
    return all(map(_filler, words[last + 1 :]))


def _of_speaker(words: Sequence[str], at: int) -> bool:
    """The participle at `at` is said of the speaker: "i was carefully designed, trained and …", "я был …"."""
    for before in range(at - 1, max(at - MAX_AGENT_WORDS, -1), -1):
        word = words[before]
        if _first_person(word):
            return word in _SUBJECTS or (_mine(word) and any(map(_attribute, words[before + 1 : at])))
        if word == NAME_WORD or not (_filler(word) or _attribute(word) or word.endswith("iy")):
            return False
    return False


_BUT = fold_word("а")  # which looks like the English article
_WHOM = (fold_word("которую"), fold_word("которого"), "that", "which", "whom")
_IN = fold_word("в")
_ME = fold_word("меня")
_SUBJECTS = ("i", fold_word("я"), _ME)


def _interrupted(around: Around) -> bool:
    """My name, in case you wonder, is NAME; my name in five letters: NAME."""
    words = around.before
    if not words or not (around.announced or words[-1] in ("is", fold_word("это"))):
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
    if around.before[-1:] == [_ME] and any(_creates(word) or _names(word) for word in after[:2]):
        return True
    return _AFTER.within(_less_asked(after), FIRST_WORDS_AFTER)


def _less_asked(after: Sequence[str]) -> Sequence[str]:
    """Words up to an indirect question: NAME knows | how I am called."""
    for at, word in enumerate(after):
        if word == _HOW and after[at - 1 : at] != [_HERE]:
            return after[:at]
    return after


_HOW, _HERE = fold_word("как"), fold_word("вот")


def _fragment(around: Around) -> bool:
    """A piece of an introduction without its subject: "Made by NAME.", "Model: NAME", "Кто я? NAME."."""
    words = around.before
    if 0 < len(around.previous) <= 12 and _QUESTIONS.within(around.previous, 12) and all(map(_filler, words)):
        return True
    if not (around.organisation or around.after) and _SIGNED.end_at(words, len(words)) == 0:
        return True
    if around.set_off and not around.organisation and not around.everyday and list(words) in _OWN_NAME:
        return True
    if list(words) == [fold_word("зовут")]:
        return True
    if around.previous and all(map(_greeting, around.previous)) and list(words) in _THIS_IS:
        return True
    if around.set_off and not (around.organisation or around.after) and _KEYS.end_at(words, len(words)) is not None:
        return True
    if not around.introduced:
        return False
    for end in range(len(words), 0, -1):
        if _LABELS.end_at(words, end) == 0:
            return True
        if not _filler(words[end - 1]):
            return False
    return False


def confined(around: Around) -> bool:
    """What confines NAME, or what NAME confines, is the speaker; nobody but an assistant speaks so of itself."""
    return _rules_me(around) or _lacks_as_i_do(around)


def _rules_me(around: Around) -> bool:
    """Whoever makes the speaker's rules: "the policy that NAME set for me", «правила NAME запрещают мне»."""
    return any(map(_rules, around.before[-RULES_WITHIN:])) and _RULED.within(around.after, RULED_WITHIN)


def _lacks_as_i_do(around: Around) -> bool:
    """What NAME lacks the speaker lacks: "NAME has no internet access, so I cannot know"."""
    after = around.after
    person = next((at for at, word in enumerate(after) if _first_person(word)), None)
    if person is None or any(map(_first_person, around.before[-2:])):
        return False
    own = after[person : person + UNABLE_WITHIN + 4]
    return _UNABLE.within(after[:person], UNABLE_WITHIN) and any(map(_negation, own)) and any(map(_limits, after))


_THIS_IS = [["this", "is"], [fold_word("это")]]
_OWN_NAME = [[fold_word("имя")], ["name"], [fold_word("моё"), fold_word("имя")], ["my", "name"]]


def _spelled_out(words: Sequence[str]) -> bool:
    """The cue itself is written letter by letter."""
    letters: list[str] = []
    for word in reversed(words):
        if len(word) > 1:
            break
        letters.append(word)
    return len(letters) >= 2 and "".join(reversed(letters)).endswith(_SPELLED_OUT)


def is_somebody_else(around: Around) -> bool:
    """Unlike NAME, I …; I was at NAME; if you are NAME: whom the speaker differs from, worked at or imagines."""
    words = around.before
    return _SOMEBODY_ELSE.end_at(words, len(words)) is not None or _imagined(words)


def can_be_a_name(around: Around) -> bool:
    """An everyday word counts as a name when it is written as one and no person or animal is spoken of."""
    near = (*around.before, *around.after)
    article = around.latin and tuple(around.before[-1:]) in (("a",), ("an",))
    if article and not any(map(_self_noun, around.after[:2])):
        return False
    if around.surname and not around.organisation:
        return False
    if any(_self_noun(word) or _made(word) for word in near):
        return True
    return around.capital and not _PERSONS_NEARBY.within(around.after, 14)


_FORMS: dict[str, Callable[[Around], bool]] = {
    "direct": _direct,
    "agent": lambda around: _agent(around.before),
    "interrupted": _interrupted,
    "as": _as_what,
    "follows": _follows,
    "fragment": _fragment,
}
