"""The 25 kinds of verifiable instructions, one short function each.

A checker is handed the answer, the instruction's keyword arguments and the way its language is
read; it says whether the answer follows. It never sees an empty answer: that follows nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from arena.benchmarks.scorers.instructions.reading import Reading
from arena.benchmarks.scorers.sentences import treebank_words

Arguments = Mapping[str, Any]
Check = Callable[[str, Arguments, Reading], bool]

CHECKS: dict[str, Check] = {}
"""Every known instruction by its id, such as `keywords:existence`."""

_SPACED_MARKERS = {"p.p.s": r"p\.\s?p\.\s?s", "p.s.": r"p\.\s?s\."}
_LEAST_CONFIDENCE = 0.2
"""A guess less sure than this does not show that an answer is in the benchmark's language."""
_FIRST_WORD_ENDS = frozenset(".,?!'\"")


def _kind(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


def _compare(count: int, relation: str, threshold: object) -> bool:
    """ "less than" is strict, "at least" is not."""
    wanted = int(float(str(threshold)))
    return count < wanted if relation == "less than" else count >= wanted


def _number(arguments: Arguments, name: str) -> int:
    return int(float(arguments[name]))


def _pattern(keyword: str, template: str = "{}") -> re.Pattern[str]:
    """A keyword is searched as a pattern, as the format's own checker does; one that is none, literally."""
    try:
        return re.compile(template.format(keyword), re.IGNORECASE)
    except re.error:
        return re.compile(template.format(re.escape(keyword)), re.IGNORECASE)


@_kind("keywords:existence")
def every_keyword_occurs(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """Each of `keywords` is somewhere in the answer, also inside a longer word."""
    text = reading.folded(answer)
    return all(_pattern(reading.folded(word)).search(text) for word in arguments["keywords"])


@_kind("keywords:frequency")
def keyword_occurs_so_often(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """`keyword` occurs less than or at least `frequency` times."""
    found = _pattern(reading.folded(str(arguments["keyword"]).strip())).findall(reading.folded(answer))
    return _compare(len(found), arguments["relation"], arguments["frequency"])


@_kind("keywords:forbidden_words")
def no_forbidden_word_occurs(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """None of `forbidden_words` stands as a word of its own."""
    text = reading.folded(answer)
    return not any(_pattern(reading.folded(word), r"\b{}\b").search(text) for word in arguments["forbidden_words"])


@_kind("keywords:letter_frequency")
def letter_occurs_so_often(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """`letter`, in either case, occurs less than or at least `let_frequency` times."""
    count = answer.lower().count(str(arguments["letter"]).strip().lower())
    return _compare(count, arguments["let_relation"], arguments["let_frequency"])


@_kind("language:response_language")
def answer_is_in_language(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """The whole answer is in `language` (ISO 639-1); one whose language cannot be told follows."""
    found = reading.language_of(answer)
    return found is None or found.language == str(arguments["language"]).lower().split("-")[0]


@_kind("length_constraints:number_sentences")
def sentences_are_so_many(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """Less than or at least `num_sentences` sentences."""
    return _compare(len(reading.sentences(answer)), arguments["relation"], arguments["num_sentences"])


@_kind("length_constraints:number_words")
def words_are_so_many(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """Less than or at least `num_words` runs of letters and digits."""
    return _compare(len(re.findall(r"\w+", answer)), arguments["relation"], arguments["num_words"])


@_kind("length_constraints:number_paragraphs")
def paragraphs_are_so_many(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """Exactly `num_paragraphs` between dividers `***`; an empty one is forgiven only at either end."""
    paragraphs = [part.strip() for part in re.split(r"\s?\*\*\*\s?", answer)]
    if not all(paragraphs[1:-1]):
        return False
    return sum(map(bool, paragraphs)) == _number(arguments, "num_paragraphs")


@_kind("length_constraints:nth_paragraph_first_word")
def nth_paragraph_starts_with(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """`num_paragraphs` parted by empty lines, number `nth_paragraph` of which starts with `first_word`."""
    paragraphs = answer.split("\n\n")
    filled = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    nth = _number(arguments, "nth_paragraph")
    if not 1 <= nth <= filled or not paragraphs[nth - 1].strip():
        return False
    word = paragraphs[nth - 1].split()[0].lstrip("'").lstrip('"')
    end = next((place for place, character in enumerate(word) if character in _FIRST_WORD_ENDS), len(word))
    return filled == _number(arguments, "num_paragraphs") and word[:end].lower() == str(arguments["first_word"]).lower()


@_kind("detectable_content:number_placeholders")
def placeholders_are_enough(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """At least `num_placeholders` words in square brackets."""
    return len(re.findall(r"\[.*?\]", answer)) >= _number(arguments, "num_placeholders")


@_kind("detectable_content:postscript")
def postscript_follows(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """A postscript with `postscript_marker`, whose usual forms may have a space inside."""
    marker = str(arguments["postscript_marker"]).strip().lower()
    return _pattern(_SPACED_MARKERS.get(marker, marker)).search(answer) is not None


@_kind("detectable_format:constrained_response")
def answer_is_one_of_the_options(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """One of the three allowed answers occurs word for word."""
    return any(option in answer for option in reading.answers)


@_kind("detectable_format:number_bullet_lists")
def bullets_are_exactly(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """Exactly `num_bullets` list items, by `*` (not `**`) or `-` at the start of a line."""
    stars = re.findall(r"^\s*\*[^*].*$", answer, re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", answer, re.MULTILINE)
    return len(stars) + len(dashes) == _number(arguments, "num_bullets")


@_kind("detectable_format:number_highlighted_sections")
def highlights_are_enough(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """At least `num_highlights` spans between asterisks, single or double, that hold something."""
    single = re.findall(r"\*([^\n*]*)\*", answer)
    double = re.findall(r"\*\*([^\n*]*)\*\*", answer)
    return sum(bool(span.strip()) for span in single + double) >= _number(arguments, "num_highlights")


@_kind("detectable_format:multiple_sections")
def sections_are_enough(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """At least `num_sections` headings made of `section_spliter` and a number."""
    heading = _pattern_of_heading(str(arguments["section_spliter"]).strip(), reading)
    return len(heading.findall(answer)) >= _number(arguments, "num_sections")


def _pattern_of_heading(word: str, reading: Reading) -> re.Pattern[str]:
    try:
        return re.compile(reading.section.format(word))
    except re.error:
        return re.compile(reading.section.format(re.escape(word)))


@_kind("detectable_format:json_format")
def answer_is_json(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """The whole answer is JSON, a Markdown fence around it allowed."""
    text = answer.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


@_kind("detectable_format:title")
def title_is_there(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """A title that is not blank in double angle brackets."""
    return any(title.strip("<>").strip() for title in re.findall(r"<<[^\n]+>>", answer))


@_kind("combination:two_responses")
def two_different_answers(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """Two different answers parted by six asterisks; an empty one is forgiven only at either end."""
    parts = [part.strip() for part in answer.split("******")]
    if not all(parts[1:-1]):
        return False
    filled = [part for part in parts if part]
    return len(filled) == 2 and filled[0] != filled[1]


@_kind("combination:repeat_prompt")
def prompt_is_repeated_first(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """The answer starts with `prompt_to_repeat`, whatever the case."""
    return answer.strip().lower().startswith(str(arguments["prompt_to_repeat"]).strip().lower())


@_kind("startend:end_checker")
def answer_ends_with(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """The last words are `end_phrase`, whatever the case; quotation marks around the answer do not count."""
    marks = "".join(mark for pair in reading.quotes for mark in pair)
    return answer.strip().strip(marks).lower().endswith(str(arguments["end_phrase"]).strip().lower())


@_kind("startend:quotation")
def answer_is_quoted(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """The whole answer stands between quotation marks."""
    text = answer.strip()
    return len(text) > 1 and any(text[0] == first and text[-1] == last for first, last in reading.quotes)


@_kind("change_case:english_capital")
def answer_is_in_capitals(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """No small letter, in the benchmark's language."""
    return answer.isupper() and _is_in_own_language(answer, reading)


@_kind("change_case:english_lowercase")
def answer_is_in_small_letters(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """No capital letter, in the benchmark's language."""
    return answer.islower() and _is_in_own_language(answer, reading)


def _is_in_own_language(answer: str, reading: Reading) -> bool:
    """A name or two may be in any language: a guess that is hardly better than a draw does not count."""
    found = reading.language_of(answer)
    return found is None or (found.language == reading.language and found.confidence >= _LEAST_CONFIDENCE)


@_kind("change_case:capital_word_frequency")
def capital_words_are_so_many(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """Less than or at least `capital_frequency` words all in capitals."""
    words = treebank_words(reading.sentences(answer))
    count = sum(word.isupper() for word in words)
    return _compare(count, arguments["capital_relation"], arguments["capital_frequency"])


@_kind("punctuation:no_comma")
def no_comma_occurs(answer: str, arguments: Arguments, reading: Reading) -> bool:
    """Not a single comma."""
    return "," not in answer
