"""IFEval and ruIFEval: each kind of instruction, the loose variants, and the published flags."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_files import write_jsonl

from arena.benchmarks.files import read_records
from arena.benchmarks.scorers.instructions.checks import CHECKS
from arena.benchmarks.scorers.instructions.following import Instruction, following, variants
from arena.benchmarks.scorers.instructions.reading import ENGLISH, RUSSIAN, Reading, lemmatised
from arena.benchmarks.tasks import ifeval
from arena.errors import FileFormatError

Find = Callable[[str], Path]


def follows(kind: str, answer: str, reading: Reading = ENGLISH, /, **arguments: Any) -> bool | None:
    """The strict flag of one instruction."""
    return following(answer, [Instruction(kind, arguments)], reading).strict[0]


@pytest.fixture(scope="module")
def prompts(shared: Find) -> Sequence[ifeval.Prompt]:
    """The published prompts."""
    return ifeval.read_prompts(shared("ifeval/input_en.jsonl"))


@pytest.fixture(scope="module")
def checked(shared: Find, prompts: Sequence[ifeval.Prompt]) -> list[ifeval.Checked]:
    """Our flags of the published answers of three open models."""
    return ifeval.check(prompts, ifeval.read_responses(shared("ifeval/responses_flags_en.parquet")))


def test_flags_of_three_open_models_equal_the_reference(shared: Find, checked: list[ifeval.Checked]) -> None:
    """At least 99.5 % of 5,004 flags; apart from language guesses and letters that are none, all of them."""
    rows = read_records(shared("ifeval/responses_flags_en.parquet"))
    reference = {(row["model"], str(row["key"])): row for row in rows}
    flags, guessed, wrong = 0, 0, []
    for item in checked:
        theirs = reference[item.model, item.prompt.key]
        for ours, expected in ((item.flags.strict, theirs["strict"]), (item.flags.loose, theirs["loose"])):
            for instruction, a, b in zip(item.prompt.instructions, ours, json.loads(expected), strict=True):
                flags += 1
                if a != b:
                    by_guess = instruction.kind.startswith(("language:", "change_case:english"))
                    by_chance = not str(instruction.arguments.get("letter", "a")).isalpha()
                    guessed += by_guess or by_chance
                    if not (by_guess or by_chance):
                        wrong.append((item.model, item.prompt.key, instruction))
    assert flags == 5004
    assert not wrong
    assert guessed <= 0.005 * flags


def test_accuracies_of_three_open_models_are_within_two_fifths_of_a_point(
    shared: Find, prompts: Sequence[ifeval.Prompt], checked: list[ifeval.Checked]
) -> None:
    """Prompt and instruction level, strict and loose."""
    sheet = ifeval.score(prompts, checked)
    expected = json.loads(shared("ifeval/expected_en.json").read_text())
    for row in sheet.models:
        for level, name in (("prompt", "prompt"), ("instruction", "inst")):
            for how in ("strict", "loose"):
                assert row[f"{level}_{how}"] == pytest.approx(expected[row["model"]][f"{name}_{how}"], abs=0.4)


def test_all_25_kinds_are_known() -> None:
    """Neither more nor fewer than the format has."""
    assert len(CHECKS) == 25


@pytest.mark.parametrize(
    ("kind", "arguments", "right", "wrong"),
    [
        ("keywords:existence", {"keywords": ["rain", "sun"]}, "Sunny after the RAIN", "only rain"),
        ("keywords:frequency", {"keyword": "tea", "frequency": 2, "relation": "at least"}, "tea, Tea", "tea"),
        ("keywords:frequency", {"keyword": "tea", "frequency": 2, "relation": "less than"}, "steam", "tea tea"),
        ("keywords:forbidden_words", {"forbidden_words": ["art"]}, "start", "Art!"),
        ("keywords:letter_frequency", {"letter": "Q", "let_frequency": 2, "let_relation": "at least"}, "Qq", "q"),
        ("language:response_language", {"language": "de"}, "Das ist ein sehr schöner Tag heute.", "A fine day."),
        ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, "One. Two!", "Mr. Two."),
        ("length_constraints:number_words", {"num_words": 4, "relation": "at least"}, "well-known two words", "a b c"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one\n***\ntwo\n***", "one\n\ntwo"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one *** two", "one *** *** two"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
            'first\n\n"Then, it was',
            "Then\n\nfirst",
        ),
        ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] [address]", "[name]"),
        ("detectable_content:postscript", {"postscript_marker": "P.S."}, "bye\np. s. more", "bye PS more"),
        ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "bye P. P.S. more", "bye P.S. more"),
        ("detectable_format:constrained_response", {}, "Well. My answer is maybe.", "maybe"),
        ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b\n**bold**", "* a\n* b\n* c"),
        ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and **b**", "*a* ** **"),
        (
            "detectable_format:multiple_sections",
            {"section_spliter": "SECTION", "num_sections": 2},
            "SECTION 1 a\nSECTION 2 b",
            "SECTION one",
        ),
        ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', "a: 1"),
        ("detectable_format:title", {}, "<<Song of rain>>\ntext", "<< >>"),
        ("combination:two_responses", {}, "one\n******\ntwo", "one\n******\none"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "say HI. Hi!", "Hi! Say hi."),
        ("startend:end_checker", {"end_phrase": "The end."}, '"… the END."', "The end. Bye"),
        ("startend:quotation", {}, ' "all of it" ', '"part" of it'),
        ("punctuation:no_comma", {}, "none here", "one, two"),
        ("change_case:english_capital", {}, "THE WEATHER IS FINE TODAY", "THE WEATHER is FINE"),
        ("change_case:english_capital", {}, "WE ARE GOING HOME NOW", "ПОГОДА СЕГОДНЯ ХОРОШАЯ"),
        ("change_case:english_lowercase", {}, "the weather is fine today", "The weather is fine"),
        (
            "change_case:capital_word_frequency",
            {"capital_frequency": 2, "capital_relation": "at least"},
            "NASA and WELL-KNOWN things",
            "only ONE",
        ),
    ],
)
def test_an_instruction_tells_right_from_wrong(kind: str, arguments: dict[str, Any], right: str, wrong: str) -> None:
    """Every kind, in English."""
    assert follows(kind, right, **arguments) is True
    assert follows(kind, wrong, **arguments) is False


@pytest.mark.parametrize(
    ("kind", "arguments", "right", "wrong"),
    [
        ("keywords:existence", {"keywords": ["кошка", "ёлка"]}, "Кошками и елками", "кот и сосна"),
        ("keywords:frequency", {"keyword": "дом", "frequency": 2, "relation": "at least"}, "Дома, домами", "дом"),
        ("keywords:existence", {"keywords": ["мать"]}, "гордимся «матерями»", "«мате»"),
        ("keywords:forbidden_words", {"forbidden_words": ["год"]}, "выгодный", "прошли года"),
        ("detectable_content:postscript", {"postscript_marker": "P. S."}, "Всё.\np. s. ещё", "P.S. ещё"),
        (
            "keywords:letter_frequency",
            {"letter": "ё", "let_frequency": 2, "let_relation": "at least"},
            "Ёж ёрш",
            "еж ё",
        ),
        ("language:response_language", {"language": "ru"}, "Рынок труда растёт", "Labour market grows quickly here"),
        (
            "length_constraints:number_sentences",
            {"num_sentences": 3, "relation": "less than"},
            "Это г. Москва, т.е. столица. Всё.",
            "Раз. Два. Три.",
        ),
        ("detectable_format:constrained_response", {}, "Мой ответ — возможно.", "Мой ответ - возможно."),
        (
            "detectable_format:multiple_sections",
            {"section_spliter": "РАЗДЕЛ", "num_sections": 2},
            "РАЗДЕЛ 1\nа\nРАЗДЕЛ 2",
            "РАЗДЕЛ один РАЗДЕЛ два",
        ),
        ("detectable_content:postscript", {"postscript_marker": "Постскриптум"}, "ПОСТСКРИПТУМ: ещё", "P.S. ещё"),
        ("startend:quotation", {}, "«Весь ответ»", "«Часть» ответа"),
        ("startend:quotation", {}, '"Весь ответ"', "весь ответ"),
        (
            "startend:end_checker",
            {"end_phrase": "Есть ещё вопросы?"},
            "«Да. есть ещё ВОПРОСЫ?»",
            "Есть ещё вопросы? Да",
        ),
        ("change_case:english_capital", {}, "МОСКВА", "WE ARE GOING HOME NOW"),
        ("change_case:english_lowercase", {}, "собака ест", "Собака ест"),
        ("detectable_format:title", {}, "<<О дожде>>", "О дожде"),
        ("combination:two_responses", {}, "да\n******\nнет", "да и нет"),
        ("punctuation:no_comma", {}, "без запятых", "с запятой, вот"),
    ],
)
def test_an_instruction_knows_russian(kind: str, arguments: dict[str, Any], right: str, wrong: str) -> None:
    """Word forms, ё, Russian sentences, quotation marks, letters and case."""
    assert follows(kind, right, RUSSIAN, **arguments) is True
    assert follows(kind, wrong, RUSSIAN, **arguments) is False


def test_lemmas_drop_what_is_not_russian() -> None:
    """Latin letters, digits and punctuation go; ё is restored."""
    assert lemmatised("Елками, Python 3 и коты!") == "ёлка и кот"


def test_a_text_without_letters_has_no_language_and_follows() -> None:
    """What cannot be told is counted as followed, as the format does."""
    assert follows("language:response_language", "12345 !!!", language="fi") is True


def test_loose_variants_are_eight() -> None:
    """Without the first line, the last or both, each with and without asterisks."""
    assert variants("*a*\nb\nc") == ("*a*\nb\nc", "b\nc", "*a*\nb", "b", "a\nb\nc", "b\nc", "a\nb", "b")


def test_an_introduction_fails_strictly_and_passes_loosely() -> None:
    """That is what the loose variants are for."""
    wanted = [Instruction("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."})]
    flags = following("Sure:\nSay hi.\nHi!", wanted, ENGLISH)
    assert (flags.strict, flags.loose) == ((False,), (True,))


@pytest.mark.parametrize("answer", ["", "  \n"])
def test_an_empty_answer_follows_nothing(answer: str) -> None:
    """Not even an instruction to leave something out."""
    flags = following(answer, [Instruction("punctuation:no_comma", {})], ENGLISH)
    assert (flags.strict, flags.loose) == ((False,), (False,))


def test_a_keyword_that_is_no_pattern_is_searched_literally() -> None:
    """A lone bracket or plus is a keyword too."""
    assert follows("keywords:existence", "I like C++ (a lot", keywords=["c++", "(a"]) is True


def prompt(key: int, text: str, *kinds: str) -> dict[str, Any]:
    """An invented prompt; null arguments are as good as none."""
    return {
        "key": key,
        "prompt": text,
        "instruction_id_list": list(kinds),
        "kwargs": [{"num_words": None}] * len(kinds),
    }


def score(folder: Path, prompts: list[dict[str, Any]], responses: list[dict[str, Any]]) -> Any:
    """The sheet of invented prompts and answers."""
    asked = ifeval.read_prompts(write_jsonl(folder / "prompts.jsonl", prompts))
    answered = ifeval.read_responses(write_jsonl(folder / "some-model.jsonl.gz", responses))
    return ifeval.score(asked, ifeval.check(asked, answered))


def test_prompts_worded_twice_take_their_answers_in_turn(tmp_path: Path) -> None:
    """The key is the prompt's name; where answers have none, the order decides."""
    prompts = [prompt(1, "Same", "punctuation:no_comma"), prompt(2, "Same", "punctuation:no_comma")]
    by_wording = [{"prompt": "Same ", "response": "a, b"}, {"prompt": "Same", "response": "a b"}]
    row = score(tmp_path, prompts, by_wording).models[0]
    assert (row["model"], row["prompt_strict"]) == ("some-model", 50)
    by_key = [{"model": "m", "key": key, "prompt": "Same", "response": "a b"} for key in (2, 1)]
    assert score(tmp_path, prompts, by_key).models[0]["prompt_strict"] == 100


def test_unanswered_prompts_and_unknown_kinds_stay_out_of_the_averages(tmp_path: Path) -> None:
    """Counted and told, never a silent zero."""
    prompts = [prompt(1, "One", "punctuation:no_comma", "letters:count_vowels"), prompt(2, "Two", "startend:quotation")]
    sheet = score(tmp_path, prompts, [{"prompt": "One", "response": "fine"}])
    assert sheet.models[0]["prompt_strict"] == 100
    assert sheet.models[0]["instruction_strict"] == 100
    assert sheet.unscored == 2
    assert any("letters:count_vowels" in note for note in sheet.notes)


def test_missing_arguments_are_named_with_their_prompt(tmp_path: Path) -> None:
    """A broken prompts file is the file's fault, not the model's."""
    with pytest.raises(FileFormatError, match=r"prompt 7 .*keywords"):
        score(tmp_path, [prompt(7, "One", "keywords:existence")], [{"prompt": "One", "response": "x"}])


def test_a_key_answered_twice_differently_is_an_error_with_its_line(tmp_path: Path) -> None:
    """Which one counts is for the file's owner to say; the same answer again changes nothing."""
    prompts = [prompt(1, "One", "punctuation:no_comma")]
    same = {"model": "m", "key": 1, "response": "a b"}
    assert score(tmp_path, prompts, [same, same]).models[0]["prompt_strict"] == 100
    with pytest.raises(FileFormatError, match=r":2: m answers prompt 1 twice"):
        score(tmp_path, prompts, [same, {**same, "response": "a, b"}])


def test_answers_to_other_prompts_are_counted_and_told(tmp_path: Path) -> None:
    """A file of another version of the prompts does not pass unseen."""
    asked = ifeval.read_prompts(write_jsonl(tmp_path / "p.jsonl", [prompt(1, "One", "punctuation:no_comma")]))
    path = write_jsonl(tmp_path / "r.jsonl", [{"prompt": text, "response": "fine"} for text in ("One", "Two", "Three")])
    answered = ifeval.read_responses(path)
    sheet = ifeval.score(asked, ifeval.check(asked, answered), strangers=answered.strangers(asked))
    assert "2 responses belong to no prompt" in sheet.notes[0]
