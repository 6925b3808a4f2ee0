"""Every string of the page exists in both languages, is used, and asks for the same values in each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from arena.ui.app import translations
from arena.ui.texts import LANGUAGES, TEXTS, number, percent, say, topic_name

UI = Path(__file__).parents[2] / "arena" / "ui"
MODULES = [file for file in sorted(UI.glob("*.py")) if file.name != "texts.py"]
SCRIPT = "".join(file.read_text(encoding="utf-8") for file in sorted((UI / "static").glob("*.js")))


def placeholders(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def strings(tree: ast.AST) -> Iterator[str | re.Pattern[str]]:
    """Every string in the code; one with parts that vary becomes a pattern."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr) and (pattern := _pattern(node)) is not None:
            yield pattern


def _pattern(node: ast.JoinedStr) -> re.Pattern[str] | None:
    fixed = [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
    if len("".join(fixed)) < 4 or not all(re.fullmatch(r"\w*", part) for part in fixed):
        return None
    parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+" for part in node.values]
    return re.compile("".join(parts))


def asked_for(tree: ast.AST) -> Iterator[str | re.Pattern[str]]:
    """The keys that `say` and `i18n` are called with."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        place = {"say": 1, "i18n": 0}.get(node.func.id)
        if place is None or len(node.args) <= place:
            continue
        key = node.args[place]
        if isinstance(key, ast.Constant):
            yield str(key.value)
        elif isinstance(key, ast.JoinedStr) and (pattern := _pattern(key)) is not None:
            yield pattern


def test_every_string_is_there_in_both_languages_with_the_same_places_for_values() -> None:
    """None is empty; a value that one language shows, the other shows too."""
    assert [key for key, said in TEXTS.items() if not all(map(str.strip, said))] == []
    assert [key for key, (russian, english) in TEXTS.items() if placeholders(russian) != placeholders(english)] == []


def test_russian_is_russian_and_english_is_english() -> None:
    """No string was left in the other language; short signs and the switch itself aside."""
    cyrillic = re.compile("[а-яё]", re.IGNORECASE)
    aside = {"switch_language", "switch_language_label"}
    assert [key for key, (_, english) in TEXTS.items() if cyrillic.search(english) and key not in aside] == []
    words = {key: re.sub(r"\{\w+\}", "", russian) for key, (russian, _) in TEXTS.items() if key not in aside}
    assert [key for key, text in words.items() if re.search("[A-Za-z]{3}", text) and not cyrillic.search(text)] == []


def test_every_string_that_the_code_asks_for_exists() -> None:
    """A key that is missing would be a fault on somebody's page."""
    known = set(translations().translations["ru"])
    for module in MODULES:
        for key in asked_for(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(key, str):
                assert key in known, f"{module.name}: {key}"
            else:
                assert any(key.fullmatch(one) for one in known) or "_html" in key.pattern, (
                    f"{module.name}: {key.pattern}"
                )
    for key in re.findall(r"texts\.(\w+)", SCRIPT):
        assert key in TEXTS, key


def test_every_string_is_used() -> None:
    """What nothing shows is deleted."""
    used = [one for module in MODULES for one in strings(ast.parse(module.read_text(encoding="utf-8")))]
    own = ast.parse((UI / "texts.py").read_text(encoding="utf-8"))
    used += [one for one in strings(own) if isinstance(one, re.Pattern)]
    words = {one for one in used if isinstance(one, str)} | set(re.findall(r"texts\.(\w+)", SCRIPT))
    patterns = [one for one in used if isinstance(one, re.Pattern)]
    idle = [key for key in TEXTS if key not in words and not any(one.fullmatch(key) for one in patterns)]
    assert idle == []


def test_values_stand_where_the_string_wants_them() -> None:
    """And a string without values is given as it is."""
    assert say("en", "undo_left", seconds=7) == "Undo · 7 s"
    assert [say(language, "vote_tie") for language in LANGUAGES] == ["Одинаково", "Tie"]


def test_numbers_are_written_as_each_language_writes_them() -> None:
    """A narrow space and a comma in Russian, a comma and a point in English."""
    assert (number(12408.5, "ru", 1), number(12408.5, "en", 1)) == ("12\u202f408,5", "12,408.5")
    assert (percent(0.614, "ru"), percent(0.614, "en")) == ("61\u00a0%", "61%")


def test_no_number_is_less_than_nothing_by_rounding() -> None:
    """Also with a sign, and in percent."""
    assert [number(value, "ru", 1) for value in (-0.04, -0.0, -0.06)] == ["0,0", "0,0", "\u22120,1"]
    assert [number(value, "en", signed=True) for value in (-0.2, 0.2, -7, 7)] == ["+0", "+0", "\u22127", "+7"]
    assert percent(-0.001, "en") == "0%"


def test_a_topic_of_a_catalogue_is_shown_in_its_own_words() -> None:
    """Only the demo's topics are keys."""
    assert topic_name("capitals", "ru") == "Столицы"
    assert topic_name("Химия", "en") == "Химия"
