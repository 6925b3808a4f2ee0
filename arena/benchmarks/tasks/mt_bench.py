"""MT-Bench and its Russian translations: two-turn questions in eight categories, graded 1–10 by a judge.

Source: lm-sys/FastChat, `llm_judge` (Apache-2.0; Zheng et al. 2023); Russian questions with
reference answers: NLP-Core-Team/FastChat. An item, invented here:

    {"question_id": 301, "category": "math", "turns": ["What is 12 % of 50?", "And of 75?"]}

Three files can be scored, each a table with `lang`, `judge` and `proto` where it has them:
single grades (`question_id, category, model, score_turn1, score_turn2`; protocols whose name holds
"ref" saw a reference answer), pairwise verdicts in both orders (`model_a, model_b, winner_ab,
winner_ba` as letters of what was shown first and second) and raw judge texts (`who, text1, text2`).
A grade of −1, or one out of 1–10, is "not graded" and stays out of every mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from arena.benchmarks.files import Table
from arena.benchmarks.questions import HubFile
from arena.benchmarks.scorers.judge_texts import Choice, Which, choice, grade
from arena.benchmarks.task import Benchmark, JudgedBy, ScoreSheet
from arena.types import Decoding

NAME = "mt-bench"
_DECODING = Decoding(temperature=0.7, top_p=1.0, max_tokens=1024)
_TEMPERATURES = {
    **dict.fromkeys(("writing", "roleplay"), 0.7),
    **dict.fromkeys(("extraction", "math", "coding", "reasoning"), 0.0),
    **dict.fromkeys(("stem", "humanities"), 0.1),
}
BENCHMARKS = (
    Benchmark(
        NAME,
        "MT-Bench",
        "en",
        JudgedBy.GRADES,
        "question.jsonl of lm-sys/FastChat, llm_judge (Apache-2.0)",
        HubFile("lmsys/mt-bench", "data/mt_bench/question.jsonl", kind="space"),
        decoding=_DECODING,
        temperatures=_TEMPERATURES,
    ),
    Benchmark(
        "mt-bench-ru",
        "MT-Bench-Ru",
        "ru",
        JudgedBy.GRADES,
        "question.jsonl of NLP-Core-Team/FastChat, or another translation",
        decoding=_DECODING,
        temperatures=_TEMPERATURES,
    ),
)
_Row = TypeVar("_Row")
_CHOICES: Mapping[str, Choice] = {"A": "A", "B": "B", "C": "tie", "TIE": "tie"}


@dataclass(frozen=True, slots=True)
class Grades:
    """One answer's two grades; None is "not graded"."""

    lang: str
    judge: str
    proto: str
    question: str
    category: str
    model: str
    turns: tuple[float | None, float | None]

    @property
    def with_reference(self) -> bool:
        """Whether the judge saw a reference answer."""
        return "ref" in self.proto.lower()


@dataclass(frozen=True, slots=True)
class Pairwise:
    """One pair judged in both orders, by the letters shown; None is "no verdict"."""

    lang: str
    judge: str
    winner_ab: Choice | None
    winner_ba: Choice | None

    @property
    def valid(self) -> bool:
        """Whether both orders have a verdict."""
        return self.winner_ab is not None and self.winner_ba is not None

    @property
    def consistent(self) -> bool:
        """Whether both orders name the same answer: the letters are exchanged, or both are ties."""
        return {self.winner_ab, self.winner_ba} in ({"A", "B"}, {"tie"})


@dataclass(frozen=True, slots=True)
class JudgeTexts:
    """What a judge wrote on one row (two turns, or two orders) and what was read out of it."""

    lang: str
    judge: str
    proto: str
    question: str
    who: str
    texts: tuple[str, str]
    parsed: tuple[float | str | None, float | str | None]

    def as_flags(self) -> dict[str, Any]:
        """The line of the `--flags` file."""
        return {
            "lang": self.lang or None,
            "judge": self.judge or None,
            "proto": self.proto or None,
            "question_id": int(self.question) if self.question.isdigit() else self.question,
            "who": self.who,
            "out1": self.parsed[0],
            "out2": self.parsed[1],
        }


def read_single(path: Path) -> list[Grades]:
    """Single grades, with and without reference."""
    table = Table.read(path, required=("model", "category", "score_turn1"))
    second = table.numbers("score_turn2") if "score_turn2" in table else [-1.0] * table.rows
    lang, judge, proto, question = (_text(table, name) for name in ("lang", "judge", "proto", "question_id"))
    turns = [(_grade(a), _grade(b)) for a, b in zip(table.numbers("score_turn1"), second, strict=True)]
    rows = zip(lang, judge, proto, question, table.text("category"), table.text("model"), turns, strict=True)
    return [Grades(*row) for row in rows]


def read_pairwise(path: Path) -> list[Pairwise]:
    """Pairwise verdicts in both orders."""
    table = Table.read(path, required=("winner_ab", "winner_ba"))
    sides = ([_CHOICES.get(word.strip().upper()) for word in table.text(name)] for name in ("winner_ab", "winner_ba"))
    return [Pairwise(*row) for row in zip(_text(table, "lang"), _text(table, "judge"), *sides, strict=True)]


def read_verdicts(path: Path, which: Which = "first") -> list[JudgeTexts]:
    """Raw judge texts, read by the rule of their protocol."""
    table = Table.read(path, required=("text1",))
    second = "text2" if "text2" in table else "text1"
    columns = [_text(table, name) for name in ("lang", "judge", "proto", "question_id", "who", "text1", second)]
    found = []
    for lang, judge, proto, question, who, first, other in zip(*columns, strict=True):
        read = choice if "pair" in proto.lower() or (not proto and "|" in who) else grade
        texts = (first, other if second == "text2" else "")
        found.append(
            JudgeTexts(lang, judge, proto, question, who, texts, (read(texts[0], which), read(texts[1], which)))
        )
    return found


def score(
    single: Iterable[Grades] = (),
    pairwise: Iterable[Pairwise] = (),
    verdicts: Iterable[JudgeTexts] = (),
    *,
    which: Which = "first",
) -> ScoreSheet:
    """Means per model and category, what each judge does, and how much of its words could be read."""
    single, pairwise, verdicts = list(single), list(pairwise), list(verdicts)
    read = _verdict_rows(verdicts)
    lost = {
        "grades not given or out of 1–10": _lost_grades(single),
        "pairs without a verdict in both orders": sum(not pair.valid for pair in pairwise),
        "judge texts without a verdict": sum(row["unparsed"] for row in read),
    }
    return ScoreSheet(
        NAME,
        f"mt-bench, {which} verdict of a text counts",
        _model_rows(single),
        sum(lost.values()),
        [f"{count} {what}" for what, count in lost.items() if count],
        {"judges": _judge_rows(single, pairwise), "verdicts": read},
    )


def _text(table: Table, name: str) -> list[str]:
    return table.text(name) if name in table else [""] * table.rows


def _grade(value: float) -> float | None:
    return float(value) if 1 <= value <= 10 else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _lost_grades(single: list[Grades]) -> int:
    """Grades missing from turns which that judge and protocol did grade elsewhere, or from rows without any."""
    lost = 0
    for rows in _grouped(single, "lang", "judge", "proto").values():
        graded = [turn for turn in (0, 1) if any(row.turns[turn] is not None for row in rows)]
        asked = graded or [0]  # one turn at least, or there would be no row
        lost += sum(row.turns[turn] is None for row in rows for turn in asked)
    return lost


def _grouped(rows: Iterable[_Row], *names: str) -> dict[tuple[str, ...], list[_Row]]:
    groups: defaultdict[tuple[str, ...], list[_Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(getattr(row, name) for name in names)].append(row)
    return groups


def _model_rows(single: list[Grades]) -> list[dict[str, Any]]:
    table = []
    for (lang, judge, proto, model), rows in _grouped(single, "lang", "judge", "proto", "model").items():
        table.append(
            {
                "lang": lang or None,
                "judge": judge or None,
                "proto": proto or None,
                "model": model,
                "score": _mean(turn for row in rows for turn in row.turns),
                "turn_1": _mean(row.turns[0] for row in rows),
                "turn_2": _mean(row.turns[1] for row in rows),
                "categories": _categories(rows),
            }
        )
    return sorted(
        table, key=lambda row: (row["lang"] or "", row["judge"] or "", row["proto"] or "", -(row["score"] or 0))
    )


def _categories(rows: list[Grades]) -> dict[str, float | None]:
    return {
        category: _mean(turn for row in of_category for turn in row.turns)
        for (category,), of_category in _grouped(rows, "category").items()
    }


def _judge_rows(single: list[Grades], pairwise: list[Pairwise]) -> list[dict[str, Any]]:
    grades, pairs = _grouped(single, "lang", "judge"), _grouped(pairwise, "lang", "judge")
    keys = dict.fromkeys([*grades, *pairs])
    return [_judge_row(key[0], key[1], grades.get(key, []), pairs.get(key, [])) for key in keys]


def _judge_row(lang: str, judge: str, grades: list[Grades], pairs: list[Pairwise]) -> dict[str, Any]:
    plain = [row for row in grades if not row.with_reference]
    given = [turn for row in plain for turn in row.turns if turn is not None]
    standard, reference = _second_turns_with_both(grades)
    valid = [pair for pair in pairs if pair.valid]
    inconsistent = sum(not pair.consistent for pair in valid)
    return {
        "lang": lang or None,
        "judge": judge or None,
        "single_mean": _mean(given),
        "single_valid": len(given),
        "pairwise_valid": len(valid),
        "pairwise_inconsistent": inconsistent,
        "pairwise_inconsistency": 100 * inconsistent / len(valid) if valid else None,
        "paired": len(standard),
        "standard_mean": _mean(standard),
        "reference_mean": _mean(reference),
        "categories": _categories(plain),
    }


def _second_turns_with_both(grades: list[Grades]) -> tuple[list[float], list[float]]:
    """Second-turn grades of the answers that were graded both without and with a reference."""
    plain = {(row.model, row.question): row.turns[1] for row in grades if not row.with_reference}
    standard, reference = [], []
    for row in grades:
        without = plain.get((row.model, row.question))
        if row.with_reference and row.turns[1] is not None and without is not None:
            standard.append(without)
            reference.append(row.turns[1])
    return standard, reference


def _verdict_rows(verdicts: list[JudgeTexts]) -> list[dict[str, Any]]:
    table = []
    for (lang, judge, proto), rows in _grouped(verdicts, "lang", "judge", "proto").items():
        # A column that is empty throughout was never asked for (turn 1 of a reference protocol).
        asked = [turn for turn in (0, 1) if any(row.texts[turn] for row in rows)]
        values = [row.parsed[turn] for row in rows for turn in asked]
        parsed = sum(value is not None for value in values)
        table.append(
            {
                "lang": lang or None,
                "judge": judge or None,
                "proto": proto or None,
                "parsed": parsed,
                "unparsed": len(values) - parsed,
            }
        )
    return table
