"""The benchmarks' tab: our rows beside published ones, links to samples, and nothing before it is opened."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr
import pytest
from operated import Operated
from playwright.sync_api import Page, sync_playwright

from arena.benchmarks.desk import BenchDesk, Source, TaskTable
from arena.benchmarks.reference import quoted_table
from arena.benchmarks.scoreboard import Scoreboard
from arena.benchmarks.task import Row, ScoreSheet
from arena.ui import charts, look
from arena.ui.app import translations
from arena.ui.bench_render import Wanted, samples, table
from arena.ui.bench_tab import BenchTab
from arena.ui.texts import LANGUAGES
from tests.prepare import chromium

RATINGS = {"m1": 1100.0, "m2": 1000.0, "m3": 900.0}
PAIR = ("Судья: [[A>B]]", "Судья: [[B>A]]")


def keep(it: Operated, task: str, rows: Mapping[str, Row], **more: Any) -> None:
    """One sheet per model."""
    board = Scoreboard(it.arena.store)
    for model, row in rows.items():
        board.keep(ScoreSheet(task, "", [{"model": model, **row}], **more), model)


def desk(it: Operated) -> BenchDesk:
    return BenchDesk(it.arena.store, it.arena.settings.storage)


def view(it: Operated, task: str, **more: Any) -> TaskTable:
    """The task's table as the desk has it."""
    found = desk(it).table(task, RATINGS, **more)
    assert found is not None
    return found


def answered(it: Operated, task: str, model: str, texts: Sequence[str]) -> None:
    """A run's files: answers, and a judge's words in both orders."""
    folder = it.arena.settings.storage / "runs" / task / model
    (folder / "judgments").mkdir(parents=True)
    answers, judged = [], []
    for number, text in enumerate(texts):
        answers.append({"question_id": str(number), "prompt": [f"вопрос {number}"], "category": "math",
                        "choices": [{"turns": [{"content": text, "token_len": 3}]}]})  # fmt: skip
        games = [{"score": "A>B", "judgment": words} for words in PAIR]
        judged.append({"question_id": str(number), "judge": "j", "games": games, "baseline_answer": ["для сравнения"]})
    for path, records in ((folder / "answers.jsonl", answers), (folder / "judgments" / "j.jsonl", judged)):
        path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_our_rows_stand_among_the_published_and_are_told_apart(it: Operated) -> None:
    """A quoted row has a mark, its source and its date; its interval is made of the published deltas."""
    keep(it, "arena-hard-ru", {"m1": {"score": 88.125, "ci_low": 80.0, "ci_high": 93.0}})
    found = view(it, "arena-hard-ru")
    assert [entry.model for entry in found.entries if not entry.quoted] == ["m1"]
    athene, ours = found.entries[0], next(entry for entry in found.entries if entry.model == "m1")
    assert (athene.figures["score"], athene.figures["ci_low"], athene.figures["ci_high"]) == (91.36, 89.96, 92.46)
    assert ours.rating == 1100
    html = table(found, frozenset(found.sources), Wanted("arena-hard-ru"), "en")
    rows = re.findall(r"<tr.*?</tr>", html)
    quoted = [row for row in rows if "class=quoted" in row]
    assert len(quoted) == len(quoted_table("arena-hard-ru"))
    assert all('class="mark">quoted' in row and "2024-12-10" in row and "T-lite/T-pro" in row for row in quoted)
    assert "91.36" in quoted[0]
    assert "89.9 … 92.5" in quoted[0] or "90.0 … 92.5" in quoted[0]


@pytest.mark.parametrize(
    ("language", "words"), [("ru", ("по вопросам", "по строкам")), ("en", ("over questions", "over rows"))]
)
def test_an_interval_says_what_it_was_drawn_over(it: Operated, language: str, words: tuple[str, str]) -> None:
    """Sheets from before drew rows; a line beneath says what that means. A published row does not say."""
    bounds = {"score": 88.0, "ci_low": 80.0, "ci_high": 93.0}
    keep(it, "arena-hard-ru", {"m1": {**bounds, "interval": "questions"}, "m2": bounds, "m3": {"score": 50.0}})
    found = view(it, "arena-hard-ru")
    html = table(found, frozenset(found.sources), Wanted("arena-hard-ru"), language)
    rows = {name: next(row for row in re.findall(r"<tr.*?</tr>", html) if f'data-value="{name}"' in row)
            for name in ("m1", "m2", "m3", found.entries[0].model)}  # fmt: skip
    marks = [[word for word in words if f"<small>{word}</small>" in row] for row in rows.values()]
    assert marks == [[words[0]], [words[1]], [], []]
    assert all(word in html.split("</table>")[1] for word in words)
    assert "questions" not in found.entries[0].labels


def test_the_switch_hides_published_rows_or_shows_one_table_of_them(it: Operated) -> None:
    """Of a long list the newest table comes first by itself."""
    sources = view(it, "ru-arena-general").sources
    assert len(sources) > 3
    assert Wanted(quoted="no").quotes(sources, 200) == frozenset()
    assert Wanted(quoted="all").quotes(sources, 200) == frozenset(sources)
    assert Wanted(quoted="1").quotes(sources, 200) == {sources[1]}
    assert Wanted().quotes(sources, 200) == {sources[0]}
    assert Wanted().quotes(sources, 20) == frozenset(sources)
    assert Wanted(quoted="77").quotes(sources, 200) == {sources[0]}
    alone = view(it, "ru-arena-general", quote=lambda source: source == Source("T-lite-instruct-0.1 card"))
    assert {entry.source for entry in alone.entries} == {Source("T-lite-instruct-0.1 card")}


def test_harness_columns_stand_beside_the_rating_with_their_correlation(it: Operated) -> None:
    """The harness's spelling and the published one share a column; fractions become percent."""
    keep(
        it,
        "lm-eval",
        {"m1": {"rummlu": 60.0, "sums": 1.0}, "m2": {"rummlu": 50.0, "sums": 2.0}, "m3": {"rummlu": 40.0}},
    )
    found = view(it, "lm-eval")
    assert found.correlations["rummlu"].rho == pytest.approx(1)
    assert found.correlations["sums"].rho is None
    assert "ruMMLU" not in found.columns
    published = next(entry for entry in found.entries if entry.model == "T-Lite")
    assert published.figures["rummlu"] == 66.4
    assert all(value <= 100 for entry in found.entries for value in entry.figures.values())
    foot = table(found, frozenset(), Wanted("lm-eval"), "ru").split("<tfoot>")[1]
    assert "1,00<small>n = 3" in foot


def test_a_baseline_without_a_sheet_of_its_own_stands_once(it: Operated) -> None:
    """It is in every sheet that was compared with it."""
    board = Scoreboard(it.arena.store)
    for model in ("m1", "m2"):
        rows = [{"model": "base", "score": 50.0}, {"model": model, "score": 60.0}]
        board.keep(ScoreSheet("arena-hard", "", rows), model)
    assert [entry.model for entry in view(it, "arena-hard").entries] == ["m1", "m2", "base"]


def test_a_score_leads_to_its_samples(it: Operated) -> None:
    """Prompt, both answers, the judge's words in both orders; page after page, each item once."""
    keep(it, "arena-hard", {"m1": {"score": 60.0}, "m2": {"score": 50.0}})
    answered(it, "arena-hard", "m1", [f"ответ {n} <b>&" for n in range(45)])
    html = table(view(it, "arena-hard"), frozenset(), Wanted("arena-hard"), "ru")
    assert html.count("model=m1") == 1
    assert "model=m2" not in html
    pages = [desk(it).page("arena-hard", "m1", begin) for begin in (0, 20, 40)]
    assert [sample.question for page in pages for sample in page.samples] == [str(n) for n in range(45)]
    shown = samples(pages[1], Wanted("arena-hard", model="m1", begin=20), "ru")
    assert "вопрос 20" in shown
    assert "ответ 20 &lt;b&gt;&amp;" in shown
    assert "для сравнения" in shown
    assert all(escape(words) in shown for words in PAIR)
    assert "begin=40" in shown
    assert desk(it).page("arena-hard", "m1", 10**8).begin == 40
    assert view(it, "arena-hard").length == "answer_length"


def test_no_text_of_others_becomes_a_tag(it: Operated) -> None:
    """Names, labels, notes, categories: all are data."""
    evil = '<img src=x onerror="alert(1)">'
    keep(it, "arena-hard", {evil: {"score": 1.0, "judge": evil, evil: 2.0}}, notes=[evil])
    answered(it, "mt-bench", "m1", [evil])
    found = view(it, "arena-hard")
    page = desk(it).page("mt-bench", "m1")
    wanted = Wanted("arena-hard", model=evil)
    for language in LANGUAGES:
        assert "<img" not in table(found, frozenset(), wanted, language) + samples(page, wanted, language)


@pytest.mark.parametrize(
    "query", ["", "?", "?tab=board&task=x", "?tab=bench&begin=-1", "?tab=bench&begin=٣", "?%ff=%00"]
)
def test_an_address_that_means_nothing_shows_the_first_task(it: Operated, query: str) -> None:
    """Whatever was typed or pasted."""
    assert Wanted.read(query) == Wanted()
    assert 'aria-current="true"' in shown(it, query)[0]


def test_an_address_is_read_as_it_was_written() -> None:
    """Every view can be sent as a link."""
    wanted = Wanted("mt-bench-ru", "all", "org/модель & co", 40)
    assert Wanted.read(wanted.address()) == wanted


class Answering(BenchTab):
    """The tab without its components, which take longer to make than to answer with."""

    def __init__(self, it: Operated) -> None:
        self._arena, self._desk = it.arena, desk(it)


def shown(it: Operated, query: str, kind: str | None = None, column: str | None = None) -> list[Any]:
    """What the tab answers to an address."""
    request: Any = type("Asked", (), {"headers": {"accept-language": "en"}})()
    return asyncio.run(Answering(it).show(request, query, kind, column))


def test_nothing_is_on_the_page_before_the_tab_is_opened(it: Operated) -> None:
    """The page as it is first sent names no model, neither ours nor a published one."""
    keep(it, "arena-hard", {"canary-model": {"score": 1.0}})
    with gr.Blocks() as demo:
        BenchTab(it.arena, translations()).connect(demo.load)
    sent = json.dumps(demo.get_config_file(), default=str)
    assert "canary-model" not in sent
    assert "gpt-4" not in sent
    assert "canary-model" in shown(it, "?tab=bench&task=arena-hard")[0]


def test_only_the_plots_that_a_table_has_something_for_are_offered(it: Operated) -> None:
    """A radar for graded categories; no rating, no plot against it."""
    keep(it, "mt-bench", {"m1": {"score": 7.0, "categories": {"math": 6.0, "stem": 8.0}}})
    _, kinds, _, plot = shown(it, "?tab=bench&task=mt-bench")
    assert [key for _, key in kinds["choices"]] == ["categories"]
    assert plot["visible"]
    found = view(it, "mt-bench")
    (trace,) = charts.radar(found, "en").data
    assert (trace.r, trace.theta) == ((6.0, 8.0, 6.0), ("Math", "STEM", "Math"))
    assert charts.score_and_rating(found, "score", "ru").data[0].x == (1100.0,)


def test_any_column_of_the_harness_is_drawn_against_the_rating(it: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness has no main score, so its first column is drawn until another is chosen."""
    keep(it, "lm-eval", {"m1": {"rummlu": 60.0, "sums": 1.0}, "m2": {"rummlu": 50.0, "sums": 1.5}, "m3": {"sums": 3.0}})
    monkeypatch.setattr(BenchDesk, "table", functools.partialmethod(_rated, BenchDesk.table))
    _, kinds, columns, plot = shown(it, "?tab=bench&task=lm-eval")
    assert (kinds["value"], [key for _, key in columns["choices"]]) == ("rating", ["rummlu", "sums"])
    assert columns["value"] == "rummlu"
    assert plot["value"].layout.title.text.startswith("ρ: too few")
    *_, chosen, plot = shown(it, "?tab=bench&task=lm-eval", "rating", "sums")
    assert chosen["value"] == "sums"
    assert plot["value"].layout.title.text == "ρ = \N{MINUS SIGN}1.00, n = 3"
    assert (plot["value"].data[0].x, plot["value"].data[0].y) == ((1100, 1000, 900), (1, 1.5, 3))
    assert shown(it, "?tab=bench&task=lm-eval", "rating", "of another task")[2]["value"] == "rummlu"


def _rated(desk: BenchDesk, table: Callable[..., TaskTable | None], task: str, _: object) -> TaskTable | None:
    """The desk's own table, on a board where the three models stand."""
    return table(desk, task, RATINGS)


@pytest.fixture
def window() -> Iterator[Page]:
    """A window of a real browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.mark.browser
def test_a_heading_sorts_by_mouse_and_by_keyboard(it: Operated, window: Page) -> None:
    """Largest first, then smallest; what is not known stays last; the order is told to screen readers."""
    keep(it, "arena-hard", {"m1": {"score": 9.0, "n": 3}, "m2": {"score": 30.0}, "m3": {"score": -100.0, "n": 20}})
    html = table(view(it, "arena-hard"), frozenset(), Wanted("arena-hard"), "en")
    script = next(part for part in look.head().split("<script>") if part.startswith("// Tables whose headings sort"))
    window.set_content(f"<!doctype html><script>{script}{html}")

    def names() -> list[str]:
        return [text.split()[0][:2] for text in window.locator("tbody th").all_inner_texts()]

    score, number = window.get_by_role("button", name="Score"), window.get_by_role("button", name="Questions")
    assert names() == ["m2", "m1", "m3"]
    assert window.locator("th[aria-sort=descending]").inner_text().startswith("Score")
    score.click()
    assert names() == ["m3", "m1", "m2"]
    assert window.locator("th[aria-sort=ascending]").inner_text().startswith("Score")
    number.focus()
    window.keyboard.press("Enter")
    assert names() == ["m3", "m1", "m2"]
    window.keyboard.press("Space")
    assert names() == ["m1", "m3", "m2"]
    assert window.locator("th[aria-sort=ascending]").inner_text().startswith("Questions")
    window.get_by_role("button", name="Model").click()
    assert names() == ["m1", "m2", "m3"]
