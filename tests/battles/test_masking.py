"""Self-identification is hidden while an answer streams; answers about models and companies are left alone."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.battles.masking import MASK, Masker, Masking, asking, asks_identity, behind, hide, learning
from arena.battles.masking.evidence import WEIGHTS
from arena.battles.masking.learning import MAKERS, TAUGHT, Case, digest, read_cases
from arena.battles.masking.masker import LOOK_AHEAD, MAX_TAIL
from arena.battles.masking.names import MAX_NAME
from arena.config import load_catalog
from perf.promises import tell

HERE = Path(__file__).parent

CATALOGUE = Masker.from_names(TAUGHT, MAKERS, ["Vikhr", "Qwen", "T-lite"])
PROMPTS = HERE / "identity_questions.tsv"
LEARNED_FROM = [HERE / "masking_cases.tsv", HERE / "masking_examples.tsv"]


@dataclass(frozen=True)
class Tally:
    """What became of a file of cases: how many of both kinds, and the mistakes."""

    leaking: int
    harmless: int
    missed: list[str]
    masked: list[str]


@cache
def cases_of(name: str) -> tuple[Case, ...]:
    return tuple(read_cases(HERE / name))


@cache
def tally(name: str) -> Tally:
    """One pass over a file: leaks of which a name still shows, and harmless answers with a mask."""
    cases, missed, masked = cases_of(name), [], []
    for case in cases:
        _, matches = CATALOGUE.mask(case.text)
        if any(not any(match.start <= first and last <= match.end for match in matches) for first, last in case.leaks):
            missed.append(case.text)
        if matches and not case.leaks:
            masked.append(case.text)
    leaking = sum(bool(case.leaks) for case in cases)
    return Tally(leaking, len(cases) - leaking, missed, masked)


def streamed(masking: Masking, pieces: list[str], broken_off: bool = False) -> str:
    """The visible text of an answer that comes in pieces."""
    return "".join(map(masking.feed, pieces)) + masking.finish(broken_off)[0]


def test_the_written_set_has_at_least_five_hundred_cases_of_both_kinds() -> None:
    """Half of it gives a model away, half only speaks of models, makers, winds and animals."""
    written = tally("masking_cases.tsv")
    assert written.leaking + written.harmless >= 500
    assert 0.45 <= written.leaking / (written.leaking + written.harmless) <= 0.55


def test_at_least_99_percent_of_self_identifications_are_masked() -> None:
    """Inflected, transliterated, spaced out, in look-alike letters and through invisible signs."""
    written = tally("masking_cases.tsv")
    assert tell("self-introductions masked while streaming", asked="99%",
                measured=f"{1 - len(written.missed) / written.leaking:.1%}", size=f"{written.leaking} written cases",
                held=len(written.missed) <= 0.01 * written.leaking), written.missed  # fmt: skip


def test_at_most_1_percent_of_answers_about_models_and_makers_are_masked() -> None:
    """An answer about Google or llamas is not a leak."""
    written = tally("masking_cases.tsv")
    assert tell("false masks", asked="1% at most", measured=f"{len(written.masked) / written.harmless:.1%}",
                size=f"{written.harmless} written cases",
                held=len(written.masked) <= 0.01 * written.harmless), written.masked  # fmt: skip


def test_answers_that_nothing_was_learned_from_fare_nearly_as_well() -> None:
    """The honest figure: recall of at least 95%, false masks in at most 4%, on a set kept out of the learning."""
    unseen = tally("masking_unseen.tsv")
    assert unseen.leaking + unseen.harmless >= 400
    assert len(unseen.missed) <= 0.05 * unseen.leaking, unseen.missed
    assert len(unseen.masked) <= 0.04 * unseen.harmless, unseen.masked


def test_what_was_drawn_at_random_is_told_apart_more_often_than_not_and_never_learned_from() -> None:
    """Odd genres and tricks show where the masker is weakest; its figure is worth something while nobody learns it."""
    drawn = tally("masking_drawn.tsv")
    assert drawn.leaking == drawn.harmless == 200
    learned = {case.text for file in LEARNED_FROM for case in read_cases(file)}
    assert learned.isdisjoint(case.text for case in cases_of("masking_drawn.tsv"))
    assert len(drawn.missed) < drawn.leaking / 2, drawn.missed
    assert len(drawn.masked) < drawn.harmless / 2, drawn.masked


def test_the_weights_are_learned_from_the_written_answers_and_prompts_as_they_are() -> None:
    """Whoever adds cases learns anew: the weights name the cases by their digest."""
    for weights, files in ((WEIGHTS, LEARNED_FROM), (asking.WEIGHTS, [PROMPTS])):
        assert f"# cases: {digest(files)}" in weights.read_text(encoding="utf-8").splitlines()[:2]


@pytest.mark.parametrize(
    ("kept", "words"),
    [(WEIGHTS, [*map(str, LEARNED_FROM)]), (asking.WEIGHTS, ["--prompts", str(PROMPTS)])],
    ids=["answers", "prompts"],
)
def test_learning_again_gives_the_same_weights(tmp_path: Path, kept: Path, words: list[str]) -> None:
    """Nobody edits them by hand."""
    again = tmp_path / "weights.tsv"
    learning.main([*words, "--out", str(again)])
    learned, had = (
        {sign: float(weight) for sign, weight in (line.split("\t") for line in lines if line[:1] != "#")}
        for lines in (path.read_text(encoding="utf-8").splitlines() for path in (again, kept))
    )
    assert learned.keys() == had.keys()
    assert learned == pytest.approx(had, abs=0.02)


def test_ordinary_words_are_no_names_of_the_shipped_catalogue() -> None:
    """Though "Ilya" could be written «Иля», and a contestant is called "Precision of Qwen2.5"; all names count here."""
    entries = load_catalog(Path("models.yaml"), "gpu").contestants
    makers = [entry.organisation for entry in entries if entry.organisation]
    masker = Masker.from_names([entry.name for entry in entries], makers)
    for text in ("Это или то, Или иное, до 1941 года.", "Precision and recall, till noon. It is next to the base."):
        assert masker.mask(text, identity_asked=True) == (text, ())


def test_a_name_that_the_prompt_spoke_of_is_rather_a_topic() -> None:
    """Asked about Qwen, an answer may name it; it still may not say that it is Qwen."""
    answer = "Ниже ответ модели Qwen."
    assert MASK in CATALOGUE.answering("Реши задачу").whole(answer)[0]
    assert CATALOGUE.answering("Сравни ответы Qwen и Gemma").whole(answer)[0] == answer
    assert CATALOGUE.answering("Что умеет Qwen?").whole("Я — Qwen, и я умею всё.")[0] == f"Я — {MASK}, и я умею всё."


def test_a_size_that_the_speaker_tells_of_itself_is_masked_and_others_are_not() -> None:
    """Of a catalogue of many sizes 32B singles out few; billions of rubles and other models' sizes are no leak."""
    for text, told in (
        ("I am a 7B model, be kind.", "7B"), ("I have roughly 8 billion parameters.", "8 billion parameters"),
        ("У меня 32 миллиарда параметров.", "32 миллиарда параметров"),
        ("Я модель на 7 млрд параметров.", "7 млрд параметров"),
        ("With my 27 billion weights I can think.", "27 billion weights"),
    ):  # fmt: skip
        assert streamed(CATALOGUE.start(), list(text)) == text.replace(told, MASK), text
    for text in (
        "I have a 7B model on my laptop.", "A model with 8 billion parameters takes 16 GB.",
        "Я насчитал 7 миллиардов рублей.",
        "У меня модель на 7 миллиардов параметров, какую карту купить?", "У Llama 3.1 есть 70B.", "My room is 7B.",
        "The 7B version needs 16 GB.", "У этой сети 12 миллиардов параметров.",
    ):  # fmt: skip
        assert streamed(CATALOGUE.start(), list(text)) == text


def test_whoever_confines_the_speaker_or_lacks_what_it_lacks_is_the_speaker() -> None:
    """Rules that a name set for me, and what a name cannot do so that I cannot; rules for others tell nothing."""
    for text in (
        "Это против правил, которые Яндекс написал для меня.", "The policies that Google set for me forbid it.",
        "У Qwen нет доступа к сети, поэтому курса я не знаю.", "Llama has no memory, so I can't recall your name.",
    ):  # fmt: skip
        assert len(CATALOGUE.mask(text)[1]) == 1, text
    for text in ("The policies that Google set for shops are strict.", "Llama has no memory of old prompts."):
        assert CATALOGUE.mask(text)[1] == (), text


def test_an_introduction_in_another_tongue_is_masked() -> None:
    """Models that speak Russian and English are asked in other languages too."""
    for text in (
        "Je suis ⟦Mistral⟧, un modèle développé par ⟦Mistral AI⟧.", "Ich bin ⟦Qwen⟧, entwickelt von ⟦Alibaba Cloud⟧.",
        "Soy ⟦Llama⟧, creado por ⟦Meta⟧.", "Jestem ⟦Gemma⟧, model firmy ⟦Google⟧.", "Мене звати ⟦Квен⟧.",
        "私は⟦Gemma⟧です。",
        "저는 ⟦Llama⟧입니다.", "أنا ⟦Qwen⟧.",
    ):  # fmt: skip
        plain = text.replace("⟦", "").replace("⟧", "")
        assert streamed(CATALOGUE.start(), list(plain)) == re.sub("⟦.*?⟧", MASK, text)
    assert CATALOGUE.mask("Je suis allé chez Google. Ich mag Llamas.")[1] == ()


def test_what_an_assistant_was_told_it_is_is_masked_where_it_repeats_it() -> None:
    """A system prompt recited gives away; an example of one, or an imagined one, does not."""
    for text in ("You are Qwen, created by Alibaba Cloud.", "Мне велено: ты — ассистент T-pro компании Т-Банк."):
        assert len(CATALOGUE.mask(text)[1]) == 2, text
    assert len(CATALOGUE.mask("Системный промпт: «Ты — Сайга, отвечай кратко».")[1]) == 1
    for text in (
        "Пример системного промпта: «Ты — Сайга, помощник юриста».",
        "If you are Gemma, a model, answer.",
        "Example: you are Gemma, a polite assistant.",
        "You are Google?",
    ):
        assert CATALOGUE.mask(text)[1] == (), text


@pytest.mark.parametrize("name", ["Q🌟w🌟e🌟n", "Q, w, e, n", "<i>Q</i><b>wen</b>", "Qᴡᴇɴ", "Q\nw\ne\nn"])
def test_a_name_is_found_through_pictures_tags_and_commas(name: str) -> None:
    """However its letters are kept apart, and however the answer is cut."""
    text = f"Hello! I am {name}. How can I help?"
    assert MASK in CATALOGUE.mask(text)[0]
    assert streamed(CATALOGUE.start(), list(text)) == CATALOGUE.mask(text)[0]


def test_what_was_masked_is_told_after_the_vote() -> None:
    """Matches carry the original words and their place, so that the page can show them later."""
    text = "I am Vikhr, made by VikhrModels."
    visible, matches = CATALOGUE.mask(text)
    assert visible == f"I am {MASK}, made by {MASK}."
    assert [(text[match.start : match.end], match.text) for match in matches] == [
        ("Vikhr", "Vikhr"),
        ("VikhrModels", "VikhrModels"),
    ]


def test_a_mask_tells_nothing_by_its_length() -> None:
    """A version and a size go with the name."""
    for name in ("Qwen", "Qwen2.5-7B-Instruct", "Qwen 2.5 72B Instruct", "T-lite-it-1.0"):
        assert CATALOGUE.mask(f"Я — {name}, помощник.")[0] == f"Я — {MASK}, помощник."


def test_once_known_the_own_name_stays_masked() -> None:
    """After "I am X" a later "X can…" would tell the same."""
    visible, _ = CATALOGUE.mask("I'm Qwen. Some facts: Qwen can code, Llama can code too.")
    assert visible == f"I'm {MASK}. Some facts: {MASK} can code, Llama can code too."


def test_where_the_prompt_asked_who_answers_every_name_is_masked() -> None:
    """A bare name is an answer then."""
    assert CATALOGUE.mask("Qwen.", identity_asked=True)[0] == f"{MASK}."
    assert CATALOGUE.mask("Qwen.", identity_asked=False)[0] == "Qwen."


def test_a_name_of_an_unknown_contestant_is_masked_in_both_alphabets() -> None:
    """The catalogue's own names need no entry among the known families."""
    masker = Masker.from_names(["acme/Zorblax-7B-Instruct"], ["Acme Labs"])
    for text in ("I am Zorblax-7B.", "I'm a model by Acme Labs.", "Я — Зорблакс.", "Меня зовут Зорблаксом."):
        assert MASK in masker.mask(text)[0], text
    assert masker.mask("Zorblax is a planet in a novel.")[1] == ()


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_the_visible_text_does_not_depend_on_how_the_answer_was_cut(data: st.DataObject) -> None:
    """Any chunking of any mixture of cases reads the same, and no feed lets a masked name slip."""
    texts = data.draw(
        st.lists(st.sampled_from([case.text for case in cases_of("masking_cases.tsv")]), min_size=1, max_size=4)
    )
    text = data.draw(st.sampled_from([" ", "\n", ". "])).join(texts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=30)))
    pieces = [text[first:last] for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = CATALOGUE.mask(text)[0]
    assert streamed(CATALOGUE.start(), pieces) == whole
    assert streamed(CATALOGUE.start(), list(text)) == whole


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_at_all_passes_letter_by_letter_as_it_passes_whole(text: str) -> None:
    """Control signs, combining marks and every alphabet included; nothing is lost when nothing is masked."""
    visible, matches = CATALOGUE.mask(text)
    assert streamed(CATALOGUE.start(), list(text)) == visible
    if not matches:
        assert visible == text


@pytest.mark.parametrize("identity_asked", [False, True])
def test_an_answer_that_is_stopped_anywhere_is_kept_as_it_was_shown(identity_asked: bool) -> None:
    """Of every case, at every length that a page may show while it comes letter by letter: masked as it was, and of
    the name behind a mask that was not shown whole there is nothing."""
    stopped_within = 0
    for case in cases_of("masking_cases.tsv"):
        masking, visible = CATALOGUE.start(identity_asked=identity_asked), ""
        for place, char in enumerate(case.text):
            length = len(visible)
            visible += masking.feed(char) + (masking.finish()[0] if place == len(case.text) - 1 else "")
            masks = [found.span() for found in re.finditer(MASK, visible)]
            for shown in range(length, len(visible) + 1):
                whole = next((start for start, end in masks if start < shown < end), shown)
                end, hidden = behind(shown, masking.hidden)
                assert hide(case.text[:end], hidden) == visible[:whole], (case.text, shown)
                stopped_within += whole < shown
    assert stopped_within > 900, "two lengths lie within each mask"


def test_a_name_in_which_an_answer_broke_off_is_masked_with_what_there_is_of_it() -> None:
    """At the limit of tokens "I am Gig" says enough; an answer that ended by itself has no half names."""
    for text in ("I am Gig", "I'm T-", "Меня зовут Gigac", "Я — Ян", "Меня создал Сб", "I am a model with 7 bil"):
        masked = re.sub(r"(T-|7 bil|[^\W\d_]+)$", MASK, text)
        assert CATALOGUE.start().whole(text, broken_off=True)[0] == masked
        assert streamed(CATALOGUE.start(), list(text), broken_off=True) == masked
        assert CATALOGUE.start().whole(text)[0] == text
    assert CATALOGUE.start().whole("My name is Vikhr Mod", broken_off=True)[0] == f"My name is {MASK}"
    assert CATALOGUE.answering("Кто ты?").whole("Gig", broken_off=True)[0] == MASK
    for text in ("I am not ", "Это или то, или ино", "My favourite city is Q", "The river has 7 bil"):
        assert CATALOGUE.start().whole(text, broken_off=True)[0] == text


def test_where_an_answer_breaks_off_seldom_changes_whether_it_is_masked(shared: Callable[[str], Path]) -> None:
    """Four of five beginnings of names are masked that give a model away, whatever the limit left of them; of harmless
    answers cut anywhere one in a hundred at most, and of real ones none."""
    cases, begun, masked, harmless, false = cases_of("masking_cases.tsv"), 0, 0, 0, []
    for case in cases:
        cuts = [(first, end) for first, last in case.leaks for end in {first + 1, (first + last) // 2} if end > first]
        for first, end in cuts:
            matches = CATALOGUE.start().whole(case.text[:end], broken_off=True)[1]
            masked += any(match.start <= first and end <= match.end for match in matches)
        begun += len(cuts)
        for end in [] if case.leaks else range(1, len(case.text), 17):
            harmless += 1
            false += half_names(case.text[:end])
    file = min(shared("ru_arena_general/model_answer").iterdir())
    lines = gzip.decompress(file.read_bytes()).decode("utf-8").splitlines()
    real = [json.loads(line)["choices"][0]["turns"][0]["content"] for line in lines[::2]]
    assert begun > 900
    assert masked >= 0.8 * begun
    assert len(false) <= 0.01 * harmless, false
    assert not [half for text in real for half in half_names(text[: len(text) // 2][-300:])]


def half_names(text: str) -> list[str]:
    """What is masked only because the text broke off there."""
    whole, broken = CATALOGUE.start().whole(text)[1], CATALOGUE.start().whole(text, broken_off=True)[1]
    return [match.text for match in broken[len(whole) :]]


def test_only_what_may_become_a_name_waits_and_not_for_long() -> None:
    """Ordinary words pass with at most a word's delay; a name waits for the words after it, within a bound."""
    masking = CATALOGUE.start()
    longest = 0
    for char in "Просто длинный ответ о погоде, реках и горах без единого имени. " * 20:
        masking.feed(char)
        longest = max(longest, masking.held)
    assert longest <= 20
    masking = CATALOGUE.start()
    for char in "I think that Google " + "and Google " * 40:
        masking.feed(char)
        assert masking.held <= MAX_NAME + MAX_TAIL + LOOK_AHEAD


def test_prompts_that_ask_who_answers_are_told_from_those_that_do_not() -> None:
    """Russian and English, by name ("are you NAME?") or without; a quoted question asks nothing."""
    cases = list(learning.read_prompts(PROMPTS))
    wrong = [prompt for prompt, asks in cases if asks_identity(prompt) is not asks]
    assert len(cases) >= 900
    assert not wrong


def test_real_answers_are_seldom_masked_and_only_where_they_speak_of_themselves(
    shared: Callable[[str], Path],
) -> None:
    """4,500 public answers of nine models: fewer than one in a hundred carries a mask, and some do."""
    masked = answers = 0
    for file in sorted(shared("ru_arena_general/model_answer").iterdir())[:4]:
        for line in gzip.decompress(file.read_bytes()).decode("utf-8").splitlines():
            for turn in json.loads(line)["choices"][0]["turns"]:
                answers += 1
                masked += bool(CATALOGUE.mask(turn["content"])[1])
    assert 0 < masked < 0.01 * answers
