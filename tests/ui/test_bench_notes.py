"""What scorers say is said in Russian on a Russian page: real sheets with everything that can go wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from arena.benchmarks.reference import quoted_figures
from arena.benchmarks.scorers.against_baseline import Bootstrap
from arena.benchmarks.scorers.by_question import QuestionBootstrap
from arena.benchmarks.scorers.instructions.following import Instruction
from arena.benchmarks.sheets import FinishedRun, sheet_of
from arena.benchmarks.task import ScoreSheet
from arena.benchmarks.tasks import alpaca_eval, arena_hard, benchmark, grounded_rag, ifeval, mt_bench
from arena.ui.bench_notes import _RUSSIAN, spoken


def sheets() -> Iterator[ScoreSheet]:
    """One of every scorer."""
    battles = arena_hard.BattleFile(
        ["base"] * 3, ["m", "base", "m"], ["1", "1", "2"], np.array([0.0, 0.5, 1.0]), unscored=1,
        notes=("2 games unscored: 'no verdict' 1, 'A<B' 1", "1 judgments stand twice, word for word: counted once"),
        models=("base", "m"),
    )  # fmt: skip
    for scheme in ("sequential", "per-round"):
        yield arena_hard.score(battles, baseline="base", bootstrap=Bootstrap(3, scheme=scheme))  # type: ignore[arg-type]
    yield arena_hard.score(battles, baseline="base", bootstrap=QuestionBootstrap(3))
    first = mt_bench.Grades("", "", "", "1", "c", "m", (None, 5.0))
    second = mt_bench.Grades("", "", "", "2", "c", "m", (4.0, 5.0))
    texts = mt_bench.JudgeTexts("", "", "", "1", "m", ("words", ""), (None, None))
    yield mt_bench.score([first, second], [mt_bench.Pairwise("", "", None, "A")], [texts])
    lengths = np.array([1.0, np.nan, 3.0])
    rows = alpaca_eval.Annotations(np.array([0, 0, 9]), np.array([1.0, 0.0, np.nan]), lengths, lengths)
    yield alpaca_eval.score({"m": rows}, {0: 0.5})
    yield alpaca_eval.score({"m": rows}, {0: 0.5}, weights={})
    alike = alpaca_eval.Annotations(np.array([0, 1]), np.array([1.0, 1.0]), lengths[::2], lengths[::2])
    yield alpaca_eval.score({"m": alike}, {0: 0.5, 1: 0.5})
    prompts = [ifeval.Prompt(key, key, (Instruction("letters:vowels", {}),)) for key in "ab"]
    checked = ifeval.check(prompts, ifeval.Responses({"m": {"a": "x"}}, {}))
    yield ifeval.score(prompts, checked, "ru", strangers=2)
    yield grounded_rag.score_runs([grounded_rag.RagRow(("m", "", "", ""), None, None)])
    yield grounded_rag.score_answers([grounded_rag.GroundedAnswer("m", "in", "x", "x", (1,), (1,))])
    task = benchmark("arena-hard")
    run = FinishedRun("m", [], [])
    yield sheet_of(task, run, None)  # type: ignore[arg-type]


def test_every_sentence_of_a_scorer_is_said_in_russian() -> None:
    """And in English it stays as it is."""
    for sheet in sheets():
        name = [] if sheet.protocol == "ragaliq" else [sheet.protocol]
        for note in (*name, *sheet.notes):
            assert spoken(note, "en") == note
            assert re.search("[а-я]{3}", spoken(note, "ru")), note


def test_figures_and_names_stand_in_the_russian_sentence_too() -> None:
    """Every place of the English one is filled; an unknown sentence stays."""
    note = "arena-hard v0.1, baseline gpt, 100 bootstrap rounds (seed 42, sequential), 95%"
    assert spoken(note, "ru") == "arena-hard v0.1: сравнение с gpt, бутстрэп 100 раз (зерно 42, подряд), интервал 95 %"
    note = "arena-hard v0.1, baseline gpt, 1000 bootstrap rounds of questions (seed 42), 95%"
    assert spoken(note, "ru") == (
        "arena-hard v0.1: сравнение с gpt, бутстрэп по вопросам 1000 раз (зерно 42), интервал 95 %"
    )
    assert spoken("2 games unscored: 'no verdict' 2", "ru") == "партий без вердикта: 2 ('нет вердикта' 2)"
    assert spoken("{odd} one", "ru") == "{odd} one"
    for english, russian in _RUSSIAN:
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", russian)), english


def test_remarks_of_published_tables_are_said_in_russian_too() -> None:
    """They stand under the names of quoted rows."""
    notes = {figure.note for figure in quoted_figures() if figure.note}
    assert notes
    for note in notes:
        assert re.search("[а-я]{3}", spoken(note, "ru")), note
