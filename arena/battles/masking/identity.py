"""Whether a prompt asks the answerer who it is, in Russian and English.

Quoted words do not ask ("translate «как тебя зовут»"). It knows a few shapes of the question,
no model names but those of `families.tsv` in "are you NAME?".
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from arena.battles.masking.folding import fold, fold_words, words
from arena.battles.masking.names import Found, NameFinder, build, word_starts

QUESTIONS = Path(__file__).with_name("questions.txt")
_QUOTED = re.compile(r"«[^»]*»|“[^”]*”|„[^“]*“|\"[^\"]*\"|```.*?```|`[^`]*`", re.DOTALL)
_ABOUT_WORDS = re.compile(
    r"\b(переведи\w*|перевод\w*|translate\w*|translation|перефразируй\w*|rewrite|rephrase|исправь\w*|proofread|"
    r"напиши (?:стих|рассказ|песн|диалог|сценари)\w*|write (?:a|an) (?:story|poem|song|dialogue|script))\b",
    re.IGNORECASE,
)
_CONFESSION = re.compile(r"\b(?:признайся|признайтесь|сознайся|сознавайся|колись|admit|confess)\b", re.IGNORECASE)
_YES = re.compile(r", (?:right|correct|aren't you|верно|правда|да|так ведь|не так ли)\s*$", re.IGNORECASE)
MAX_CONFESSED = 8  # words between the name and the end of a question that wants a yes
_ARE_YOU = [
    fold_words(cue)
    for cue in (
        "ты",
        "вы",
        "are you",
        "aren t you",
        "r u",
        "you are",
        "you re",
        "твой создатель",
        "твой разработчик",
        "bist du",
        "sind sie",
        "es tu",
        "eres",
        "jesteś",
    )
]
_IS_THIS = [fold_words(cue) for cue in ("this is", "is this", "am i talking to")]
_THIS = fold_words("это")[0]
_BETWEEN = frozenset(
    fold_words(
        "a the really actually же случайно правда точно это не случаем часом разве ведь same based on not sure "
        "продукт работаешь на базе основе от из основан основана построен построена обучен обучена сделан сделана "
        "basically just secretly simply only"
    )
)


def _questions() -> re.Pattern[str]:
    lines = [line for line in QUESTIONS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    lists = dict(line.split(" = ", 1) for line in lines if line.startswith("<"))
    shapes = "|".join(line for line in lines if not line.startswith("<"))
    for name, alternatives in lists.items():
        shapes = shapes.replace(name, alternatives)
    return re.compile(shapes, re.IGNORECASE)


_QUESTION = _questions()


def asks_identity(prompt: str) -> bool:
    """Whether the prompt asks who answers: its name, its maker, what it is built on, whether it is some NAME."""
    plain = _QUOTED.sub(" ", prompt.replace("ё", "е").replace("Ё", "Е").replace("’", "'"))
    if _ABOUT_WORDS.search(plain):
        return False
    return _QUESTION.search(plain) is not None or _asks_by_name(plain)


def _asks_by_name(prompt: str) -> bool:
    """Are you NAME? Ты случайно не NAME? Это NAME?"""
    confession = _CONFESSION.search(prompt) is not None
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
