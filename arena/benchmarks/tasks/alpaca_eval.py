"""AlpacaEval 2 with length control (and AlpacaEval-Ru, which keeps the same columns).

Source: tatsu-lab/alpaca_eval (Apache-2.0); length control: Dubois et al. 2024, "Length-Controlled
AlpacaEval". 805 instructions; an annotator says how likely the model's answer beats the baseline's.
A row of the annotations, invented here:

    model=tiny-1  index=12  preference=1.31  len_1=840 (the baseline's characters)  len_2=515 (the model's)

`preference` runs from 1 (the baseline wins) to 2 (the model wins); 0 is a tie. Length control fits
logit P(win) = a·tanh(Δlen/std) + b·difficulty + c, where two gamed baselines (answers of the
baseline told to be short or long) hold a and b down, and predicts with a = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arena.benchmarks.files import Floats, Ints, Table
from arena.benchmarks.questions import HubFile
from arena.benchmarks.scorers.logistic import fit, sigmoid
from arena.benchmarks.task import Benchmark, JudgedBy, ScoreSheet
from arena.errors import FileFormatError

NAME = "alpaca-eval"
GAMED_WEIGHT = 0.1

BENCHMARKS = (
    Benchmark(
        NAME,
        "AlpacaEval 2",
        "en",
        JudgedBy.PAIRS,
        "tatsu-lab/alpaca_eval on the hub (CC BY-NC 4.0)",
        HubFile("tatsu-lab/alpaca_eval", "alpaca_eval.json"),
    ),
    Benchmark("alpaca-eval-ru", "AlpacaEval-Ru", "ru", JudgedBy.PAIRS, "a Russian translation of its instructions"),
)


@dataclass(frozen=True, slots=True)
class Annotations:
    """One model's rows: instruction numbers, win probability (NaN: no verdict), lengths in characters."""

    index: Ints
    win: Floats
    baseline_length: Floats
    length: Floats

    @property
    def valid(self) -> Annotations:
        """Only the rows that hold a verdict."""
        known = ~np.isnan(self.win)
        return Annotations(self.index[known], self.win[known], self.baseline_length[known], self.length[known])


@dataclass(frozen=True, slots=True)
class Gamed:
    """The gamed baselines' rows of the fit: tanh of the scaled length difference, difficulty, win probability."""

    design: Floats
    win: Floats


@dataclass(frozen=True, slots=True)
class Weights:
    """Coefficients of one model's fit: length, difficulty, the model's own strength."""

    length: float
    difficulty: float
    model: float


def read_annotations(path: Path) -> dict[str, Annotations]:
    """`model, index, preference, len_1, len_2`; an unreadable preference or one outside 1…2 is no verdict."""
    table = Table.read(path, required=("model", "index", "preference", "len_1", "len_2"))
    preference = table.numbers("preference")
    win = np.where(preference == 0, 0.5, preference - 1)
    win = np.where((win >= 0) & (win <= 1), win, np.nan)
    index = table.numbers("index")
    if np.isnan(index).any():
        raise FileFormatError("an `index` is empty or no number", path=path, line=int(np.isnan(index).argmax()) + 2)
    baseline_length, length = table.numbers("len_1"), table.numbers("len_2")
    names, code = table.codes("model")
    order = np.argsort(code, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(code, minlength=len(names)))[:-1])
    return {
        name: Annotations(index[rows].astype(np.int64), win[rows], baseline_length[rows], length[rows])
        for name, rows in zip(names, groups, strict=True)
    }


def read_difficulty(path: Path) -> dict[int, float]:
    """`index, instruction_difficulty`."""
    table = Table.read(path, required=("index", "instruction_difficulty"))
    pairs = zip(table.numbers("index").tolist(), table.numbers("instruction_difficulty").tolist(), strict=True)
    return {int(index): difficulty for index, difficulty in pairs if index == index and difficulty == difficulty}


def read_gamed(path: Path) -> Gamed:
    """The gamed baselines, as `std_delta_len, instruction_difficulty` and a preference of 0…1 or 1…2."""
    table = Table.read(path, required=("std_delta_len", "instruction_difficulty"))
    name = next((name for name in ("preference", "preference_surrogate") if name in table), "preference")
    win = table.numbers(name)
    win = np.where(win == 0, 0.5, win - 1) if np.nanmax(win, initial=0) > 1 else win
    difficulty, length = table.numbers("instruction_difficulty"), np.tanh(table.numbers("std_delta_len"))
    design = np.array([length, difficulty, np.zeros(table.rows)]).T
    known = ~np.isnan(design).any(axis=1) & ~np.isnan(win)
    return Gamed(np.array(design[known], order="F"), win[known])


def read_weights(path: Path) -> dict[str, Weights]:
    """Published coefficients of length, difficulty and model, by what their names hold; whose stands under
    `model`, under no name (an index that pandas wrote), or in the first column."""
    table = Table.read(path)
    whose = next((name for name in ("model", "") if name in table), table.names[0])
    found = [next((name for name in table.names if mark in name), "") for mark in ("tanh", "difficulty", "gamed")]
    if not all(found):
        raise FileFormatError(f"columns of tanh, difficulty and gamed; found {', '.join(table.names)}", path=path)
    rows = zip(table.text(whose), *(table.numbers(name).tolist() for name in found), strict=True)
    return {model: Weights(*values) for model, *values in rows}


def length_controlled_fit(rows: Annotations, difficulty: Floats, gamed: Gamed | None) -> Weights:
    """Refit one model: its valid rows weigh 1, the gamed baselines' 0.1 with no model term."""
    design, win, weight = design_of(rows, difficulty), rows.win, np.ones(len(rows.win))
    if gamed is not None:
        design, win = np.hstack([design.T, gamed.design.T]).T, np.concatenate([win, gamed.win])
        weight = np.concatenate([weight, np.full(len(gamed.win), GAMED_WEIGHT)])
    return Weights(*fit(design, win, weight).tolist())


def design_of(rows: Annotations, difficulty: Floats) -> Floats:
    """Columns of the fit, one after the other in memory: tanh(Δlen/std), difficulty, one."""
    delta = rows.baseline_length - rows.length
    std = float(np.std(delta, ddof=1)) if len(delta) > 1 else 0.0
    scaled = np.tanh(delta / std) if std > 0 else np.zeros(len(delta))
    return np.array([scaled, difficulty, np.ones(len(delta))]).T


def predicted_win_rate(weights: Weights, difficulty: Floats) -> float:
    """What the fit says of answers as long as the baseline's, 0–100."""
    return 100 * float(sigmoid(weights.difficulty * difficulty + weights.model).mean()) if len(difficulty) else np.nan


def score(
    annotations: Mapping[str, Annotations],
    difficulty: Mapping[int, float],
    *,
    gamed: Gamed | None = None,
    weights: Mapping[str, Weights] | None = None,
) -> ScoreSheet:
    """Win rate, its standard error and the length-controlled win rate per model, best controlled first."""
    table, notes, unscored = [], [], 0
    for model, rows in annotations.items():
        lost = len(rows.win) - len(rows.valid.win)
        unscored += lost
        if lost:
            notes.append(f"{model}: {lost} rows without a verdict left out")
        row, told = _row(model, rows, difficulty, gamed, weights)
        table.append(row)
        notes += told
    if gamed is None and weights is None:
        notes.append("no gamed baselines: the refit is off by 1.3 points on average (give --gamed)")
    table.sort(key=lambda row: -_sortable(row["length_controlled_winrate"]))
    fitted = "published weights" if weights is not None else f"refit{' with gamed baselines' if gamed else ''}"
    return ScoreSheet(NAME, f"alpaca-eval 2, length control from {fitted}", table, unscored, notes)


def _row(
    model: str,
    rows: Annotations,
    difficulty: Mapping[int, float],
    gamed: Gamed | None,
    weights: Mapping[str, Weights] | None,
) -> tuple[dict[str, object], list[str]]:
    valid, notes = rows.valid, []
    if repeated := len(rows.index) - len(np.unique(rows.index)):
        notes.append(f"{model}: {repeated} rows repeat an instruction; all are counted")
    hardness = _hardness(difficulty, valid.index)
    known = ~np.isnan(hardness) & ~np.isnan(valid.length) & ~np.isnan(valid.baseline_length)
    fitted, hardness = _where(valid, known), hardness[known]
    if len(fitted.win) < len(valid.win):
        notes.append(
            f"{model}: {len(valid.win) - len(fitted.win)} rows without difficulty or length left out of the fit"
        )
    own = weights.get(model) if weights is not None else None
    if weights is None and len(fitted.win):
        own = length_controlled_fit(fitted, hardness, gamed)
    elif own is None:
        notes.append(f"{model}: no weights, so no length-controlled win rate")
    count = len(valid.win)
    alike = count > 1 and bool((valid.win == valid.win[0]).all())
    if alike:
        notes.append(f"{model}: all {count} preferences are alike, so the standard error is not known")
    return {
        "model": model,
        "n": count,
        "win_rate": 100 * float(valid.win.mean()) if count else None,
        "standard_error": _standard_error(valid.win) if count > 1 and not alike else None,
        "length_controlled_winrate": predicted_win_rate(own, hardness) if own is not None else None,
        "avg_length": _average_length(rows, len(difficulty)),
    }, notes


def _standard_error(win: Floats) -> float:
    """Of the mean, in points; one row is one question, both orders being one preference."""
    return 100 * float(np.std(win, ddof=1) / np.sqrt(len(win)))


def _hardness(difficulty: Mapping[int, float], index: Ints) -> Floats:
    """The difficulty of each row's instruction, NaN where it is not known."""
    if not difficulty:
        return np.full(len(index), np.nan)
    names = np.array(sorted(difficulty), dtype=np.int64)
    values = np.array([difficulty[int(name)] for name in names], dtype=np.float64)
    place = np.minimum(np.searchsorted(names, index), len(names) - 1)
    return np.where(names[place] == index, values[place], np.nan)


def _where(rows: Annotations, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Annotations:
    return Annotations(rows.index[kept], rows.win[kept], rows.baseline_length[kept], rows.length[kept])


def _average_length(rows: Annotations, instructions: int) -> int | None:
    """Mean characters cut to a whole number; an instruction without a row counts as an empty answer.

    So do the published averages: 804 rows with a mean of 882.1 are printed as 881.
    """
    known = rows.length[~np.isnan(rows.length)]
    return int(known.sum() / max(instructions, len(known))) if len(known) else None


def _sortable(value: object) -> float:
    return value if isinstance(value, float) and value == value else -1.0
