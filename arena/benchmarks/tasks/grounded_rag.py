"""Grounded RAG: answers from given documents, in Russian.

Two protocols live here. **Ragaliq** (chameleon-lizard/Ragaliq, MIT) is scored from a table of runs
with a judge's grade 0–5 per answer (0: could not be graded). **Grounded-RAG** (Vikhr) is what `run`
generates: documents stand in the role `documents` for models that know it and in the prompt for
others; the model names the documents it used and answers. An item, invented here:

    {"question_id": 5, "question": "When does the museum open?", "domain": "in_domain",
     "documents": [{"doc_id": 0, "title": "Hours", "content": "Open from ten."}],
     "relevant_doc_ids": [0], "reference": "At ten."}

Its three columns are those of the Vikhr-Nemo card, in-domain and out-of-domain apart: percent that
the judge finds correct, mean ROUGE-L to the reference, mean absolute difference of cited indexes.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from arena.benchmarks.files import Table
from arena.benchmarks.scorers.rouge import rouge_l
from arena.benchmarks.task import ScoreSheet

NAME = "grounded-rag"
GRADE_WEIGHTS: Mapping[int, float] = {5: 1.0, 4: 0.8, 3: 0.6, 0: 0.4, 2: 0.2, 1: 0.0}
_GROUP = ("model", "embedder", "reranker", "lang")


@dataclass(frozen=True, slots=True)
class RagRow:
    """One graded answer: which run it belongs to, its grade (None: not readable), its language consistency."""

    run: tuple[str, ...]
    grade: int | None
    consistency: float | None


def read_runs(path: Path) -> list[RagRow]:
    """`model, score` and, where the file has them, `embedder, reranker, lang, language_consistency_score`."""
    table = Table.read(path, required=("model", "score"))
    runs = zip(*(table.text(name) if name in table else [""] * table.rows for name in _GROUP), strict=True)
    name = "language_consistency_score"
    consistency = table.numbers(name).tolist() if name in table else [np.nan] * table.rows
    return [
        RagRow(run, int(grade) if grade in GRADE_WEIGHTS else None, None if np.isnan(value) else value)
        for run, grade, value in zip(runs, table.numbers("score").tolist(), consistency, strict=True)
    ]


def score_runs(rows: Iterable[RagRow]) -> ScoreSheet:
    """Ragaliq's table, best weighted score first."""
    runs: defaultdict[tuple[str, ...], list[RagRow]] = defaultdict(list)
    for row in rows:
        runs[row.run].append(row)
    table = [_ragaliq_row(run, of_run) for run, of_run in runs.items()]
    lost = sum(row.grade is None for of_run in runs.values() for row in of_run)
    notes = [f"{lost} rows without a grade of 0–5 left out"] if lost else []
    table.sort(key=lambda row: -(row["weighted_score"] or 0))
    return ScoreSheet(NAME, "ragaliq", table, lost, notes)


def _ragaliq_row(run: tuple[str, ...], rows: Sequence[RagRow]) -> dict[str, Any]:
    grades = [row.grade for row in rows if row.grade is not None]
    given = [grade for grade in grades if grade > 0]
    known = [row.consistency for row in rows if row.consistency is not None]
    count = Counter(grades)
    return {
        **{name: value or None for name, value in zip(_GROUP, run, strict=True)},
        "weighted_score": fmean(GRADE_WEIGHTS[grade] for grade in grades) ** 2 if grades else None,
        "language_consistency": fmean(known) if known else None,
        "mean_grade": fmean(given) if given else None,
        "median_grade": median(given) if given else None,
        "percentage": 20 * fmean(given) if given else None,
        "percentage_with_zero": 20 * fmean(grades) if grades else None,
        **{f"n{grade}": count[grade] for grade in (5, 4, 3, 2, 1, 0)},
        "gen_time": None,
    }


@dataclass(frozen=True, slots=True)
class GroundedAnswer:
    """One answer from documents: what it cites (None: nothing readable), what it says, what was expected."""

    model: str
    domain: str
    answer: str
    reference: str
    cited: tuple[int, ...] | None
    expected: tuple[int, ...]
    correct: bool | None = None


def score_answers(answers: Iterable[GroundedAnswer]) -> ScoreSheet:
    """Vikhr's three columns per model and domain; what could not be told stays out of the means."""
    groups: defaultdict[tuple[str, str], list[GroundedAnswer]] = defaultdict(list)
    for answer in answers:
        groups[answer.model, answer.domain].append(answer)
    table = [_grounded_row(model, domain, of_group) for (model, domain), of_group in sorted(groups.items())]
    unjudged = sum(answer.correct is None for of_group in groups.values() for answer in of_group)
    notes = [f"{unjudged} answers without a verdict of the judge"] if unjudged else []
    return ScoreSheet(NAME, "grounded-rag, documents given", table, unjudged, notes)


def _grounded_row(model: str, domain: str, answers: Sequence[GroundedAnswer]) -> dict[str, Any]:
    judged = [answer.correct for answer in answers if answer.correct is not None]
    differences = [index_difference(item.cited, item.expected) for item in answers if item.cited is not None]
    referenced = [rouge_l(answer.answer, answer.reference) for answer in answers if answer.reference]
    return {
        "model": model,
        "domain": domain,
        "answers": len(answers),
        "judge_correct_percent": 100 * sum(judged) / len(judged) if judged else None,
        "avg_answer_match_rougeL": fmean(referenced) if referenced else None,
        "avg_abs_indexes_diff": fmean(differences) if differences else None,
    }


def index_difference(cited: Sequence[int], expected: Sequence[int]) -> float:
    """Mean |cited − expected| of the ids paired in order of size; an id without a partner counts 1.

    The card names the column without its formula; two equal sets give 0, as there.
    """
    pairs = list(zip(sorted(set(cited)), sorted(set(expected)), strict=False))
    alone = max(len(set(cited)), len(set(expected))) - len(pairs)
    total = sum(abs(a - b) for a, b in pairs) + alone
    return total / (len(pairs) + alone) if pairs or alone else 0.0


_IDS = re.compile(r"\{[^{}]*\"relevant_doc_ids\"[^{}]*\}")


def cited_ids(text: str) -> tuple[int, ...] | None:
    """The ids in the last `{"relevant_doc_ids": […]}` of a text, None when there is none."""
    for found in reversed(_IDS.findall(text)):
        try:
            ids = json.loads(found)["relevant_doc_ids"]
            return tuple(int(number) for number in ids)
        except (ValueError, TypeError, KeyError):
            continue
    return None
