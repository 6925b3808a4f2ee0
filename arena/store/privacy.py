"""Hides personal data in texts that leave the arena: telephone, e-mail, INN, SNILS, passport, bank card.

A number is judged by its shape, its checksum and the nearest word that says what it is ("ИНН", "карта",
"заказ"): before it, in the heading of its column, or right after it. Pure text in, pure text out; it
knows no database and keeps nothing.

Checksums: Luhn (ISO/IEC 7812-1), INN (order of the Russian tax service ED-7-14/559@, annex), SNILS
(resolution 192p of the Pension Fund, 2006).
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Personal(StrEnum):
    """What a hidden piece was; the value stands in its place in square brackets."""

    EMAIL = "EMAIL"
    CARD = "CARD"
    SNILS = "SNILS"
    PASSPORT = "PASSPORT"
    PHONE = "PHONE"
    INN = "INN"


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of personal data: `start` and `end` are character positions."""

    start: int
    end: int
    kind: Personal


def mask_personal(text: str) -> str:
    """The text with every piece of personal data replaced by its kind, such as `[PHONE]`."""
    shown, last = [], 0
    for found in find_personal(text):
        shown += [text[last : found.start], f"[{found.kind}]"]
        last = found.end
    return "".join([*shown, text[last:]])


def find_personal(text: str) -> list[Found]:
    """Every piece of personal data, in order, without overlaps. Surer findings win over weaker ones."""
    candidates = sorted(_candidates(text), key=lambda item: (item[0], -(item[1].end - item[1].start)))
    taken: list[Found] = []
    for _, found in candidates:
        place = bisect(taken, found.start, key=lambda other: other.start)
        before_is_free = place == 0 or taken[place - 1].end <= found.start
        if before_is_free and (place == len(taken) or found.end <= taken[place].start):
            taken.insert(place, found)
    return taken


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others (bank cards)."""
    doubled = (int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits)))
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def inn(digits: str) -> bool:
    """Whether 10 (organisation) or 12 (person) digits carry their check digits."""
    if len(digits) == 10:
        return _inn_digit(digits[:9], (2, 4, 10, 3, 5, 9, 4, 6, 8)) == int(digits[9])
    if len(digits) != 12:
        return False
    eleventh = _inn_digit(digits[:10], (7, 2, 4, 10, 3, 5, 9, 4, 6, 8))
    twelfth = _inn_digit(digits[:11], (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8))
    return (eleventh, twelfth) == (int(digits[10]), int(digits[11]))


def _inn_digit(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11 % 10


def snils(digits: str) -> bool:
    """Whether 9 digits and 2 check digits belong together."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits[:9], range(9, 0, -1), strict=True))
    return total % 101 % 100 == int(digits[9:])


_SURE, _TOLD, _LIKELY = 0, 1, 2
"""Ranks: an e-mail or a word beside the number; a checksum with its shape; a shape alone."""

_GAP = r"[\s\u00a0.\-‐‑–—]"
_LABELS = ("инн", "тел", "моб", "снилс", "телефон", "паспорт", "карта")
_GLUED = rf"(?=[\d(+])(?:(?<!\w)|(?<=[^\W\d_])(?:{'|'.join(rf'(?<=(?i:{label}))' for label in _LABELS)}))"
"""Where a number begins: not inside a word, but for one that says what it is, as in "инн7707083893"."""
_BEGIN = rf"{_GLUED}" + r"(?<![A-Za-z0-9][-/_])(?:(?<!\d[.,:])|(?<=\d{5},)|(?<=\n\d,)|(?<=\n\d\d,))(?<![%#])"
_END = r"(?!\w)(?![.:/]\d)(?!,\d{1,2}(?!\d))(?!-[A-Za-z0-9])(?!%)"

_EMAIL = re.compile(
    r"(?<![\w.+])[\w.+][\w.+%'-]{0,63}(?:@| @ |\s?(?:\(at\)|\[at\]|\(собака\)|\[собака\]|\bсобака\b)\s?)"
    r"(?:[\w-]{1,63}\s?(?:\.|,(?=(?:ru|com|net|org|su|by|kz|рф)\b)|[(\[](?:dot|точка)[)\]]| точка )\s?){1,4}"
    r"(?!png|jpe?g|gif|svg|webp)[^\W\d_]{2,24}(?![\w-])(?!:[\w/])",
    re.IGNORECASE,
)
_CARD = re.compile(
    rf"{_BEGIN}(?:\d{{4}}([ \u00a0\-‑.]{{1,2}})\d{{4}}\1\d{{4}}\1\d{{1,7}}(?:\1\d{{1,3}})?(?!\1\d{{4}}(?!\s?(?:р|₽)))"
    rf"|\d{{4}}[ -]\d{{6}}[ -]\d{{5}}|\d{{13,19}}){_END}"
)
_CARD_AND_MORE = re.compile(rf"{_BEGIN}\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}(?=\1\d{{1,3}}(?!\d))")
_SNILS = re.compile(rf"{_BEGIN}\d{{3}}[\s\-‑–.]?\d{{3}}[\s\-‑–.]?\d{{3}}[\s\-‑–.]?\d{{2}}{_END}")
_PASSPORT = re.compile(
    rf"{_BEGIN}\d{{2}}[\s\u00a0-]?\d{{2}}"
    r"(?:[\s,;:]*(?:[—–-]\s)?(?:номер|ном\.|№|no?\.?|#)?(?:\sпаспорта)?[\s:]*(?:[—–-]\s)?|-)"
    rf"\d{{6}}{_END}",
    re.IGNORECASE,
)
_FOREIGN_PASSPORT = re.compile(rf"{_BEGIN}\d{{2}}[\s,]*(?:номер|№|no?\.?)?\s*\d{{7}}{_END}", re.IGNORECASE)
_INN = re.compile(
    rf"{_BEGIN}(?:\d{{12}}|\d{{10}}|\d{{4}} \d{{6}} \d{{2}}|\d{{4}} \d{{4}} \d{{4}}|\d{{4}} \d{{3}} \d{{3}}"
    r"|\d{3} \d{3} \d{3} \d{3}|\d{2}[ -]\d{2}[ -]\d{5}[ -]?\d(?:[ -]?\d{2})?)"
    r"(?:(?=/\d{9}\b)|(?!\w)(?![.:/]\d)(?!,\d{1,2}(?!\d))(?!-[A-Za-z0-9])(?!%))"  # "INN/KPP" are often written as one
)
_RUSSIAN_PHONE = re.compile(
    rf"{_GLUED}(?<![A-Za-z0-9][-_])(?:(?<!\d[.,:])|(?<=\d{{5}},))(?:\+\s?7/?|(?<=wa\.me/)7|(?<!\w/)[78])(?:{_GAP}{{0,3}}\(?\d\)?){{10}}{_END}"
)
_SHORT_PHONE = re.compile(
    rf"{_BEGIN}(?:\(?[3489]\d{{2}}\)?(?:{_GAP}{{0,2}}\d){{7}}"
    rf"|\([3489]\d{{3,4}}\)\s?\d{{1,2}}-\d{{2}}-\d{{2}}){_END}"
)
_CITY = re.compile(rf"\(?\d+\)?{_GAP}{{0,2}}(?:\d{{3}}{_GAP}?\d{{2}}|\d{{1,2}}-\d{{2}}){_GAP}?\d{{2}}")
_FOREIGN_PHONE = re.compile(rf"(?<!\w)(?:\+|00)[1-9](?:{_GAP}{{0,2}}\(?\d\)?){{9,13}}{_END}")
_LOCAL_PHONE = re.compile(
    rf"{_BEGIN}(?:\(?[2-9]\d{{2}}\)?[- ]\d{{3}}-\d{{4}}"
    rf"|\d{{3}}[- ]?\d{{2}}[- ]?\d{{2}}|\d{{3}}-\d{{3}}|\d{{2}}-\d{{2}}-\d{{2}}|\d-\d{{2}}-\d{{2}}){_END}"
)

_WORDS: dict[str, Personal | None] = {
    r"инн\s?/\s?(?:кпп|огрн\w*)|инн|inn|налогоплательщик\w*|"
    r"налогов\w+ (?:номер|идентификатор)\w*|и\. ?н\. ?н\.?|"
    r"реквизит\w*|идентификационн\w+ номер\w*": Personal.INN,
    r"снилс\w*|snils|страхов\w+ (?:номер|свидетельств)\w*|"
    r"пенсионн\w+ (?:номер|свидетельств|страхован)\w*": Personal.SNILS,
    r"паспорт\w*|пасп|загран\w*|passport|сери[яиюей]+": Personal.PASSPORT,
    r"карт(?:а|ы|е|у|ой|ою|очк\w+|)|card|visa|виза|mastercard|мастеркард|maestro|pan|"
    r"мир|mir|💳|amex|unionpay": Personal.CARD,
    r"тел|телефон\w*|моб|мобильн\w+|сотов\w+|звон\w*|позвон\w*|перезвон\w*|созвон\w*|набер\w+|набира\w+|факс\w*|смс|sms|"
    r"whats\s?app|вотсап\w*|ватсап\w*|вацап\w*|viber|вайбер\w*|telegram|телеграм\w*|phone|call|трубк\w+|дозвон\w*|"
    r"☎|📞|📱|абонент(?:а|у|ом|ы|ов|)|справочн\w+|диспетчер\w*|такси|домашн\w+|городско\w+|рабоч\w+|гор\.|"
    r"мой номер|номер (?:мамы|жены|мужа|отца|папы|сестры|брата|сына|дочери|бабушки|дедушки|"
    r"отдела|офиса|клиники|врача|водителя|курьера|мастера)|связ\w+|контакт\w*|сбп|тлф|т\.": Personal.PHONE,
    r"огрн\w*|кпп|бик|сч[её]т\w*|р/с|к/с|imei|isbn|issn|трек\w*|заказ\w*|артикул\w*|договор\w*|штрих\w*|ean|vin|окпо|"
    r"октмо|оквэд|кбк|уин|полис\w*|лицев\w+|чек\w*|накладн\w+|инвентарн\w+|id|код\w*|order|invoice|инвойс\w*|tracking|сумм\w*|верси\w+|"
    r"кадастров\w+|ip|порт|заявк\w+|обращени\w+|билет\w*|бронь|брони|рейс\w*|серийн\w+|hash|хеш|дата|timestamp|индекс|ocr|"
    r"население|населения|тираж\w*|выручк\w*|бюджет\w*|пин\w*|участник\w*|формул\w*|уравнени\w*|приказ\w*|гост|ту|снип|ст\.|"
    r"документ\w*|дел[оау]|акт\w*|ндс|протокол\w*|удостоверени\w+|абонентск\w+|баркод|посылк\w+|отправлени\w+|"
    r"модел\w+|стс|птс|ву|в/у|диплом\w*|аттестат\w*|доверенност\w*|лицензи\w+|"
    r"с\.|стр\.?": None,
}  # fmt: skip
_KEYWORDS = re.compile(
    "|".join(rf"(?P<k{i}>(?<![^\W_])(?:{words})(?![^\W\d_]))" for i, words in enumerate(_WORDS)), re.IGNORECASE
)
_KINDS = list(_WORDS.values())
_LOOK_BACK = 48
_LONGEST_HEADING = 400
_ASIDE = re.compile(r"\s?(?:\(|,(?=[^\n.;,\d)]{1,24}\))|[—–-]\s|(?<=\s)(?=[^\W\d]))[^\n.;,\d]{1,24}")
_DENIED = re.compile(r"[\s(,—–-]*(?:не|not)\s", re.IGNORECASE)
_UNITS = re.compile(
    r"\s*(?:₽|\$|€|руб|р\.|долл|евро|тыс|млн|млрд|трлн|человек|шт|кг|км|м²|га|байт|бит|секунд|мс|ms|лет|год|токен"
    r"|умнож|раздел|[×÷]|[*%]\s*\d)",
    re.I,
)
_ISSUED = re.compile(r",?\s+(?:кем\s)?выдан", re.I)

_Test = Callable[[str, str, "Personal | None", bool], "int | None"]


def _candidates(text: str) -> Iterator[tuple[int, Found]]:
    """Everything that could be personal data, with its rank."""
    for found in _EMAIL.finditer(text):
        yield _SURE, Found(found.start(), found.end(), Personal.EMAIL)
    for pattern, kind, test in _TESTS:
        for found in pattern.finditer(text):
            told, named = _called(text, found.start(), found.end())
            amount = kind is not Personal.CARD and _UNITS.match(text, found.end())
            if amount or (text[found.start() - 1 : found.start()] == "=" and not named):
                continue  # an amount, an operand, or a parameter of who knows what
            rank = test(found[0], _digits(found[0]), told, named)
            if rank is not None:
                yield rank, Found(found.start(), found.end(), kind)


def _called(text: str, start: int, end: int) -> tuple[Personal | None, bool]:
    """What the words around a number call it, and whether any word does."""
    column = _heading(text, start)
    if column is not None:
        return column, True
    if _ISSUED.match(text, end):
        return Personal.PASSPORT, True  # whatever the words before call a document
    for kinds in (_kinds(text[max(0, start - _LOOK_BACK) : start])[-1:], _kinds(_aside(text, end))[:1]):
        if kinds:
            return kinds[0], True
    return None, False


def _kinds(text: str) -> list[Personal | None]:
    return [_KINDS[int(found.lastgroup[1:])] for found in _KEYWORDS.finditer(text) if found.lastgroup]


def _aside(text: str, end: int) -> str:
    """What is said of a number right after it: "… (карта Альфы)", "… — мой телефон"."""
    found = _ASIDE.match(text, end)
    return found[0] if found and not _DENIED.match(found[0]) else ""


def _heading(text: str, start: int) -> Personal | None:
    """What the first line of a table calls the number's column."""
    head = text[: text.find("\n", 0, _LONGEST_HEADING) + 1]
    begin = text.rfind("\n", 0, start) + 1
    end = text.find("\n", start, start + _LONGEST_HEADING)
    line = text[begin : end if end >= 0 else start + _LONGEST_HEADING]
    mark = next((mark for mark in "|;\t," if mark in head and mark in line), None)
    if mark is None or start < len(head):
        return None
    cells, column = head.split(mark), text.count(mark, begin, start)
    kinds = _kinds(cells[column]) if column < len(cells) else []
    return kinds[-1] if kinds else None


def _digits(raw: str) -> str:
    return "".join(str(int(char)) for char in raw if char.isdecimal())


def _card(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    """A brand's prefix and length, with Luhn or in groups of four; where the text says "card", the shape is enough."""
    if told is Personal.CARD and (_brand(digits) or len(digits) == 16):
        return _SURE
    if not _brand(digits) or (named and told is None and raw.isdecimal()):
        return None
    if luhn(digits):
        return _TOLD
    grouped = not raw.isdecimal() or digits.startswith(_MIR)
    return _LIKELY if len(digits) == 16 and grouped and not named else None


_MIR = ("2200", "2201", "2202", "2203", "2204")


def _brand(digits: str) -> bool:
    """Prefixes and lengths of the issuers' networks: Mir, Visa, Mastercard, Maestro, UnionPay, JCB, Amex."""
    length, four = len(digits), int(digits[:4])
    return (
        (2200 <= four <= 2204 and 16 <= length <= 19)
        or (digits[0] == "4" and length in (13, 16, 19))
        or ((5100 <= four <= 5599 or 2221 <= four <= 2720) and length == 16)
        or ((digits[:2] in ("50", "62") or 5600 <= four <= 5999 or 6300 <= four <= 6999) and 16 <= length <= 19)
        or (3528 <= four <= 3589 and length == 16)
        or (digits[:2] in ("34", "37") and length == 15)
    )


def _snils_number(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    if told is Personal.SNILS:
        return _SURE
    if re.fullmatch(r"\d{3}-\d{3}-\d{3}[ -]\d{2}", raw):
        return _TOLD if snils(digits) else None if named else _LIKELY  # people mistype, and nothing else looks so
    if not snils(digits) or (named and raw.isdecimal()) or "." in raw:
        return None
    return _TOLD if not raw.isdecimal() else _LIKELY if digits[0] not in "78" else None


def _passport(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    """Series and number: with the word always, without it when written apart with a year that was printed."""
    if told is Personal.PASSPORT:
        return _SURE
    apart = re.match(r"\d{2}\s?\d{2}\s\D*\s?\d{6}$", raw) is not None
    printed = int(digits[2:4]) <= 30 or int(digits[2:4]) >= 97
    return _LIKELY if apart and printed and not named else None


def _foreign_passport(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    return _TOLD if told is Personal.PASSPORT else None


def _inn_number(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    if told is Personal.INN:
        return _SURE
    return _LIKELY if len(digits) == 12 and raw.isdecimal() and inn(digits) and not named else None


def _russian_phone(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    """+7 or 8 and ten digits; a bare run of eleven must begin like a Russian number."""
    if told is Personal.PHONE:
        return _SURE
    if digits[1] not in "3489" or _thousands(raw) or re.fullmatch(r"\d\.\d+", raw):
        return None
    if raw.isdecimal():
        return None if named else _LIKELY
    return _TOLD


def _short_phone(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    if told is Personal.PHONE:
        return _SURE
    if named or _thousands(raw) or not _CITY.fullmatch(raw):
        return None
    dressed = "(" in raw or raw.count("-") >= 2 or (raw[0] == "9" and len(re.findall(_GAP, raw)) == 3)
    return _LIKELY if dressed else None


def _foreign_phone(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    if told is Personal.PHONE:
        return _SURE
    return _TOLD if (raw.startswith("+") and not _thousands(raw[1:])) or _abroad(raw) else None


def _abroad(raw: str) -> bool:
    """A country's code and three groups of three, which else would read as a sum."""
    return re.fullmatch(r"\+[1-9]\d{1,2}(?:[ \u00a0]\d{3}){3}", raw) is not None


def _local_phone(raw: str, digits: str, told: Personal | None, named: bool) -> int | None:
    return _SURE if told is Personal.PHONE else None


def _thousands(raw: str) -> bool:
    """A large round number written in groups of three."""
    return re.fullmatch(r"\+?\d{1,3}(?:[\s\u00a0.]\d{3})+", raw) is not None


_TESTS: tuple[tuple[re.Pattern[str], Personal, _Test], ...] = (
    (_CARD, Personal.CARD, _card),
    (_CARD_AND_MORE, Personal.CARD, _card),
    (_SNILS, Personal.SNILS, _snils_number),
    (_PASSPORT, Personal.PASSPORT, _passport),
    (_FOREIGN_PASSPORT, Personal.PASSPORT, _foreign_passport),
    (_RUSSIAN_PHONE, Personal.PHONE, _russian_phone),
    (_FOREIGN_PHONE, Personal.PHONE, _foreign_phone),
    (_SHORT_PHONE, Personal.PHONE, _short_phone),
    (_LOCAL_PHONE, Personal.PHONE, _local_phone),
    (_INN, Personal.INN, _inn_number),
)
