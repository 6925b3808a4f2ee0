"""Whether a prompt asks the answerer who it is, in Russian and English.

Quoted words do not ask ("translate «как тебя зовут»"). It knows a few shapes of the question; what has none of
them is weighed by its words (`asking.py`). No model names but those of `families.tsv` in "are you NAME?".
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from arena.battles.masking.asking import prompt_signs, speaks_of_answerer
from arena.battles.masking.folding import fold, fold_words, words
from arena.battles.masking.names import Found, NameFinder, build, word_starts

QUESTIONS = Path(__file__).with_name("questions.txt")
_QUOTED = re.compile(r"«[^«»]*»|“[^“”]*”|„[^„“]*“|\"[^\"]*\"|```.*?```|`[^`]*`", re.DOTALL)
_YES = re.compile(r", (?:right|correct|aren't you|верно|правда|да|так ведь|не так ли)\s*$", re.IGNORECASE)
NAMED_WITHIN = 1000  # characters in which a model's name counts when a prompt is weighed
DOUBT = 0.5  # how much more must speak for a question than against it (log odds) where it has no known shape
MAX_CONFESSED = 8  # words between the name and the end of a question that wants a yes
_ARE_YOU = [
    fold_words(cue)
    for cue in ("ты", "вы", "твой создатель", "твой разработчик", "ты похож на", "ты похожа на", "ты из", "are you",
        "aren t you", "r u", "you are", "you re", "you must be", "you come from", "you belong to", "you work for",
        "you sound like", "you sound a lot like", "bist du", "sind sie", "es tu", "eres", "jesteś")
]  # fmt: skip
_IS_THIS = [
    fold_words(cue)
    for cue in ("this is", "is this", "am i talking to", "я говорю с", "я общаюсь с", "я разговариваю с")
]
_THIS = fold_words("это")[0]
_BETWEEN = frozenset(
    fold_words(
        "a the really actually же случайно правда точно это не случаем часом разве ведь same based on not sure "
        "продукт работаешь на базе основе от из основан основана построен построена обучен обучена сделан сделана "
        "basically just secretly simply only"
    )
)


def _shapes() -> dict[str, re.Pattern[str]]:
    """The sections of `questions.txt`, each as one expression."""
    header, *sections = QUESTIONS.read_text(encoding="utf-8").split("\n[")
    lists = dict(line.split(" = ", 1) for line in header.splitlines() if line.startswith("<"))
    shapes: dict[str, re.Pattern[str]] = {}
    for name, body in (section.split("]\n", 1) for section in sections):
        joined = "|".join(body.split("\n")).strip("|")
        for word, alternatives in lists.items():
            joined = joined.replace(word, alternatives)
        shapes[name] = re.compile(joined, re.IGNORECASE)
    return shapes


_SHAPES = _shapes()


def _has(shape: str, prompt: str) -> bool:
    return _SHAPES[shape].search(prompt) is not None


def asks_identity(prompt: str) -> bool:
    """Whether the prompt asks who answers: its name, its maker, what it is built on, whether it is some NAME."""
    prompt, plain = _plain(prompt)
    if _wants_own_words(prompt):
        return True
    elsewhere = _has("about words", plain) or (_has("made up", plain) and not _has("of yourself", plain))
    if not elsewhere and (_has("asks", plain) or _asks_by_name(plain)):
        return True
    return speaks_of_answerer(*_weighed(plain)) > DOUBT


def signs(prompt: str) -> set[str]:
    """What a prompt is weighed by; for learning."""
    _, plain = _plain(prompt)
    return prompt_signs(*_weighed(plain))


def _plain(prompt: str) -> tuple[str, str]:
    """The prompt in plain letters, with and without what it quotes."""
    prompt = prompt.replace("ё", "е").replace("Ё", "Е").replace("’", "'")
    return prompt, _QUOTED.sub(" ", prompt)


def _weighed(plain: str) -> tuple[str, bool]:
    """What of a prompt is weighed ("how are you?" is no question who), and whether a model is named in it."""
    return _SHAPES["small talk"].sub(" ", plain), _names_a_model(plain)


def _names_a_model(prompt: str) -> bool:
    prompt = prompt[:NAMED_WITHIN]
    folds = [fold(char) for char in prompt]
    met = (_finder().at(prompt, folds, place, final=True) for place in word_starts(prompt, folds))
    return any(isinstance(found, Found) for found in met)


def _wants_own_words(prompt: str) -> bool:
    """An introduction to complete («продолжи: меня зовут») or what was said before to repeat, quoted or not."""
    return (_has("to complete", prompt) and _has("left open", prompt)) or _has("repeat", prompt)


def _asks_by_name(prompt: str) -> bool:
    """Are you NAME? Ты случайно не NAME? Это NAME?"""
    confession = _has("confession", prompt)
    if "?" not in prompt and not confession:
        return False
    folds = [fold(char) for char in prompt]
    for position in word_starts(prompt, folds):
        found = _finder().at(prompt, folds, position, final=True)
        if isinstance(found, Found) and _asked(list(words(folds[:position])), prompt[found.end :], confession):
            return True
    return False


def _asked(before: list[str], after: str, confession: bool) -> bool:
    """The question is put to the answerer and ends soon: "ты GPT-4?", not "вы Google Таблицы открываете как?".

    Where it is told to confess, or asks for a yes at the end ("…, right?"), more words may follow the name.
    """
    question, mark, _ = after.partition("?")
    more = len(re.sub(r"^[-\w.]+", "", question).split()) if mark or confession else 99
    if more <= MAX_CONFESSED and (confession or _YES.search(question)):
        more = 0
    if before and before[-1] == _THIS:
        return more == 0
    while before and before[-1] in _BETWEEN:
        before = before[:-1]
    addressed = any(before[-len(cue) :] == cue for cue in _ARE_YOU)
    pointed = any(before[-len(cue) :] == cue for cue in _IS_THIS)
    return (addressed and more <= 3) or (pointed and more == 0)


@cache
def _finder() -> NameFinder:
    everyday_kin = ("Llama", "Claude", "Gemini", "Alice", "Falcon", "Saiga", "Vikhr", "Phi", "Mistral")
    return build((), (), everyday_kin)
