"""Whether a prompt asks the answerer who it is, in Russian and English.

Quoted words do not ask ("translate «как тебя зовут»"). It knows a few shapes of the question,
no model names but those of `families.tsv` in "are you NAME?".
"""

from __future__ import annotations

import re
from functools import cache

from arena.battles.masking.folding import fold, words
from arena.battles.masking.names import Found, NameFinder, build, starts_word

_QUOTED = re.compile(r"«[^»]*»|“[^”]*”|„[^“]*“|\"[^\"]*\"|```.*?```|`[^`]*`", re.DOTALL)
_ABOUT_WORDS = re.compile(
    r"\b(переведи\w*|перевод\w*|translate\w*|translation|перефразируй\w*|rewrite|rephrase|исправь\w*|proofread|"
    r"напиши (?:стих|рассказ|песн|диалог|сценари)\w*|write (?:a|an) (?:story|poem|song|dialogue|script))\b",
    re.IGNORECASE,
)
_MODEL = (
    r"(?:языков\w+ |больш\w+ )?(?:модел\w+|нейросет\w+|нейронк\w+|ии|llm|ai|чат-?бот\w*|бот\w*|ассистент\w*|gpt|гпт)"
)
_MAKE = (
    r"(?:созда\w+|разработ\w+|обуч\w+|сдела\w+|натренир\w+|придума\w+|выпусти\w+|запрограммир\w+|написа\w+|трениров\w+)"
)
_RUSSIAN = (
    r"\bкто (?:же )?(?:ты|вы)(?: такой| такая| такие| вообще| по жизни| на самом деле| есть)*(?:\s*[?.!,]|$| и (?:что|как|кто|чем|для))",
    r"\b(?:ты|вы) (?:вообще )?кто(?: такой| такая| вообще| будешь| будете)?(?:\s*[?.!,]|$)",
    r"\b(?:как|каким именем) (?:тебя|вас) (?:зовут|звать|называ\w+|величать|по имени)(?! на| по-)",
    r"\bкак (?:мне |к )?(?:тебя|вас|тебе|вам) (?:можно )?(?:звать|называть|обращаться)",
    r"\b(?:твое|ваше) (?:\w+ )?(?:имя|название)(?: модели)?(?:\s*[?.!,]|$)",
    r"\b(?:какое|каково|назови|скажи|сообщи|напиши|укажи)(?: мне)?(?: у тебя)? (?:твое|свое|ваше)? ?(?:\w+ )?(?:имя|название)(?: модели)?(?:\s*[?.!,]|$)",
    rf"\b(?:что|какая|какой|какую|какое|каков\w*)(?: \w+)? ?(?:ты|вы|тебя|вас)?(?: за| именно)? ?{_MODEL}(?: ты| вы| сейчас| тут| здесь| мне| отвечает| со мной| используется| под капотом)",
    rf"\b(?:ты|вы)(?: \w+)? (?:за|какая|какой|какое) {_MODEL}",
    rf"\b(?:что|чем|кем) (?:ты|вы)(?: такое| являешься| являетесь| есть)(?: за {_MODEL})?(?:\s*[?.!,]|$)",
    rf"\bкто (?:тебя|вас|твой|твои|ваш|ваши|является твоим|является твоими|стоит за тобой)(?: \w+)? ?(?:{_MAKE}|создател\w*|разработчик\w*|автор\w*)",
    rf"\b(?:кем|где|в какой (?:компании|лаборатории|стране)|какой компанией|какая компания|чья|чьей командой)(?: \w+)? (?:тебя|вас|ты|вы)(?: \w+)? {_MAKE}",
    rf"\b(?:какая|какой) (?:компани\w+|организаци\w+|команд\w+)(?: \w+)? (?:тебя|вас) {_MAKE}",
    rf"\bкто тебя(?: \w+)? {_MAKE}",
    r"\b(?:твой|твои|ваш|ваши) (?:создател\w+|разработчик\w*|автор\w*)(?: \w+)?(?:\s*[?.!]|$)",
    r"\b(?:представься|представьтесь|расскажи(?:те)? (?:\w+ )?(?:немного )?о себе|опиши(?:те)? себя|назови(?:те)? себя)",
    rf"\b(?:на )?(?:какой|базе какой|основе какой|основе чего|базе чего)(?: \w+)? ?{_MODEL}? ?(?:ты|вы) (?:работа\w+|основан\w*|построен\w*|созда\w+|базиру\w+|сделан\w*)",
    r"\b(?:какая|какой) (?:ты |у тебя |твоя )?верси\w+ (?:gpt|модели|ты|у тебя|чат)",
    r"\b(?:какая|какой) у тебя (?:верси\w+|модел\w+|архитектур\w+|имя)",
    r"\b(?:чья|чей) ты(?: \w+)?(?:\s*[?.!,]|$)",
    r"\b(?:ты|вы) (?:чья|чей|от какой компании|из какой компании|чье)\b",
    r"\b(?:от|из) какой (?:ты|вы) компании",
    r"\b(?:с кем|с какой моделью) я (?:сейчас |тут |здесь )?(?:разговариваю|говорю|общаюсь|имею дело|переписываюсь|чатюсь)",
)
_EN_MAKE = r"(?:made|created|built|trained|developed|designed|programmed|released|fine-?tuned|owns|invented)"
_EN_MODEL = r"(?:(?:large )?(?:language )?(?:ai )?model|llm|ai|chat ?bot|bot|assistant|neural network|gpt|version)"
_ENGLISH = (
    r"\bwho (?:exactly |really )?(?:are|r) (?:you|u)(?: really| exactly| anyway| actually)*(?:\s*[?.!,]|$| and (?:what|who|how))",
    r"\bwho you (?:really )?are(?:\s*[?.!,]|$)",
    r"\bwhat(?:'s| is|s) (?:your|ur) (?:\w+ )?(?:name|identity)\b",
    r"\b(?:tell|give|state|reveal|share)(?: me| us)? (?:your|ur) (?:\w+ )?(?:name|identity)\b",
    rf"\b(?:what|which)(?: \w+)? (?:{_EN_MODEL})(?: \w+)? (?:are|r|is) (?:you|u|this|it|that|answering|responding|behind|talking)",
    rf"\b(?:what|which) (?:{_EN_MODEL}) (?:am i|i am|i'm|do you use|do you run)",
    rf"\bwhat (?:kind|type|sort) of (?:{_EN_MODEL}) (?:are|is) (?:you|this)",
    r"\bwhat (?:exactly )?are you(?:\s*[?.!,]|$| called| named)",
    rf"\bwho (?:\w+ )?{_EN_MAKE} (?:you|u)\b",
    rf"\b(?:which|what) (?:company|lab|organi[sz]ation|team|firm|country)(?: \w+)? (?:{_EN_MAKE}|are you from|do you belong|do you come)",
    rf"\b(?:who|whom) (?:were|are) you {_EN_MAKE}\b|\bby whom were you",
    rf"\bwhere (?:were|are) you {_EN_MAKE}\b",
    r"\bwho(?:'s| is| are)? (?:your|ur) (?:creators?|developers?|makers?|owners?|authors?)\b",
    r"\b(?:introduce|identify|describe) yourself\b|\btell (?:me|us) (?:\w+ )?(?:\w+ )?about yourself\b",
    r"\bwho am i (?:talking|speaking|chatting)(?: to| with)?|\bwhat am i (?:talking|speaking|chatting) (?:to|with)",
    r"\bare you (?:based on|powered by|built on|a fine-?tune|made by|created by|trained by|developed by|from)\b.*\?",
    r"\bwhat (?:should|can|do|may) (?:i|we|people) call you\b|\bhow should i (?:call|address) you\b",
    r"\bwhat (?:are you|is your model) (?:based on|built on|running on)|\bwhat do you run on\b",
    r"\byour (?:model|full|real|actual) name\b|\bname of your (?:model|creator|developer)",
)
_QUESTIONS = re.compile("|".join((*_RUSSIAN, *_ENGLISH)), re.IGNORECASE)
_ARE_YOU = (["ты"], ["вы"], ["are", "you"], ["r", "u"], ["this", "is"], ["is", "this"], ["you", "are"], ["you", "re"])
_BETWEEN = frozenset(
    "a the really actually же случайно правда точно это не случаем часом разве ведь same based on".split()
)


def asks_identity(prompt: str) -> bool:
    """Whether the prompt asks who answers: its name, its maker, what it is built on, whether it is some NAME."""
    plain = _QUOTED.sub(" ", prompt.replace("ё", "е").replace("Ё", "Е").replace("’", "'"))
    if _ABOUT_WORDS.search(plain):
        return False
    return _QUESTIONS.search(plain) is not None or _asks_by_name(plain)


def _asks_by_name(prompt: str) -> bool:
    """Are you NAME? Ты случайно не NAME?"""
    if "?" not in prompt:
        return False
    folds = [fold(char) for char in prompt]
    for position in range(len(prompt)):
        if starts_word(prompt, folds, position):
            found = _finder().at(prompt, folds, position, final=True)
            if isinstance(found, Found) and _addressed(list(words(folds[:position]))) and _only_asks(prompt, found.end):
                return True
    return False


def _addressed(before: list[str]) -> bool:
    while before and before[-1] in _FOLDED_BETWEEN:
        before = before[:-1]
    return any(before[-len(cue) :] == cue for cue in _FOLDED_CUES)


def _only_asks(prompt: str, end: int) -> bool:
    """The question ends soon after the name: "ты GPT-4?", not "вы Google Таблицы открываете как?"."""
    rest = prompt[end:].split("?")[0]
    return "?" in prompt[end:] and len(rest.split()) <= 3


def _folded(text: str) -> list[str]:
    return list(words([fold(char) for char in text]))


_FOLDED_BETWEEN = frozenset(word for part in _BETWEEN for word in _folded(part))
_FOLDED_CUES = [[word for part in cue for word in _folded(part)] for cue in _ARE_YOU]


@cache
def _finder() -> NameFinder:
    everyday_kin = ("Llama", "Claude", "Gemini", "Alice", "Falcon", "Saiga", "Vikhr", "Phi", "Mistral")
    return build((), (), everyday_kin)
