"""Results of EleutherAI's lm-evaluation-harness: ruMMLU, ruMMLU-Pro, MERA, ruGSM8K, ruMATH and the like.

Nothing of them is rewritten here: the harness runs them, and the results file of its version 0.4
(`lm_eval --output_path`) is read. Its shape, with an invented task:

    {"results": {"toy_sums": {"alias": "toy_sums", "acc,none": 0.5, "acc_stderr,none": 0.1}},
     "n-samples": {"toy_sums": {"original": 20, "effective": 20}}, "n-shot": {"toy_sums": 5}}

A metric is `name,filter`. Fractions become 0–100; a task's column shows its main metric.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arena.benchmarks.files import as_number, as_text, read_bytes
from arena.benchmarks.task import ScoreSheet
from arena.errors import FileFormatError

NAME = "lm-eval"
_MAIN_FIRST = ("acc_norm", "acc", "exact_match", "em", "pass@1", "pass_at_1", "f1", "mcc", "score")
_FRACTIONS = frozenset([*_MAIN_FIRST, "acc_mutual_info", "quasi_exact_match", "likelihood_diff", "pct_stereotype"])
_FILTERS_FIRST = ("none", "strict-match", "flexible-extract", "get-answer", "custom-extract")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of one task; `value` and `stderr` are 0–100 for fractions, as they stand for others."""

    task: str
    metric: str
    filter: str
    value: float
    stderr: float | None
    samples: int | None
    shots: int | None


def import_results(path: Path, model: str) -> ScoreSheet:
    """One model's row with a column per task, and every metric in a section of its own."""
    metrics = list(read_results(path))
    if not metrics:
        raise FileFormatError("no task with a metric under `results`", path=path)
    by_task: dict[str, list[Metric]] = {}
    for metric in metrics:
        by_task.setdefault(metric.task, []).append(metric)
    row = {"model": model, **{task: min(of_task, key=_preference).value for task, of_task in by_task.items()}}
    rows = [
        {"model": model} | {name: getattr(metric, name) for name in Metric.__dataclass_fields__} for metric in metrics
    ]
    return ScoreSheet(NAME, "lm-evaluation-harness 0.4 results", [row], 0, [], {"metrics": rows})


def joined(former: Mapping[str, Any], later: ScoreSheet) -> ScoreSheet:
    """A model's results from several files as one sheet: of a task that both have, the later file's count."""
    rows = (*former.get("models", ()), *later.models)
    row = {name: value for one in rows for name, value in one.items()}
    metrics = later.sections.get("metrics", ())
    anew = {metric["task"] for metric in metrics}
    kept = [metric for metric in former.get("metrics", ()) if metric["task"] not in anew]
    return replace(later, models=[row], sections={"metrics": [*kept, *metrics]})


def read_results(path: Path) -> Iterator[Metric]:
    """Every metric of every task and group in a results file."""
    try:
        data = json.loads(read_bytes(path).decode("utf-8-sig"))
    except ValueError as error:
        raise FileFormatError(f"not valid JSON: {error}", path=path) from error
    results = data.get("results") if isinstance(data, dict) else None
    if not isinstance(results, dict):
        raise FileFormatError("no object `results`: not a results file of lm-evaluation-harness 0.4", path=path)
    groups = data.get("groups")
    for task, values in {**results, **(groups if isinstance(groups, dict) else {})}.items():
        if isinstance(values, Mapping):
            yield from _metrics_of(task, values, data)


def _metrics_of(task: str, values: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Metric]:
    for key, value in values.items():
        name, _, chosen = key.partition(",")
        number = as_number(value) if not isinstance(value, bool | str) else float("nan")
        if not chosen or name.endswith("_stderr") or number != number:
            continue
        stderr = as_number(values.get(f"{name}_stderr,{chosen}"))
        scale = 100.0 if _is_fraction(name, number) else 1.0
        counts = _of(data, "n-samples", task)
        yield Metric(
            task,
            name,
            chosen,
            scale * number,
            None if stderr != stderr else scale * stderr,
            _whole(counts.get("effective") if isinstance(counts, Mapping) else counts),
            _whole(_of(data, "n-shot", task)),
        )


def _of(data: Mapping[str, Any], section: str, task: str) -> Any:
    values = data.get(section)
    return values.get(task) if isinstance(values, Mapping) else None


def _whole(value: object) -> int | None:
    text = as_text(value)
    return int(text) if text.lstrip("-").isdigit() else None


def _is_fraction(name: str, value: float) -> bool:
    named = name in _FRACTIONS or name.startswith(("acc", "exact_match", "f1", "pass")) or name.endswith("_acc")
    return named and -1 <= value <= 1  # a correlation such as mcc may be negative


def _preference(metric: Metric) -> tuple[int, int]:
    def place(order: tuple[str, ...], name: str) -> int:
        return order.index(name) if name in order else len(order)

    return place(_MAIN_FIRST, metric.metric), place(_FILTERS_FIRST, metric.filter)
