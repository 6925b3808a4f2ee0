"""How fast benchmarks are scored, against peers in one run on the same rows.

    python perf/bench_scoring.py [--shared ../shared/data] [--times 20] [--rounds 100] [--repeats 3]

The open data are blown up `--times` times. Arena-Hard: our board with bootstrap intervals against
evalica's Bradley–Terry bootstrapped over the same row draws; both begin with the rows in memory.
AlpacaEval: our length-controlled refit of every model against scikit-learn's LogisticRegression of
the same formula, soft labels as two weighted rows, as the benchmark's own code fits it. Needs
evalica, scikit-learn and pandas, none of which the arena itself needs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from evalica import Winner, bradley_terry
from sklearn.linear_model import LogisticRegression

from arena.benchmarks.scorers.against_baseline import Bootstrap
from arena.benchmarks.tasks import alpaca_eval, arena_hard

BASELINE = "gpt-4-0314"
WINNERS = {1.0: Winner.X, 0.0: Winner.Y, 0.5: Winner.Draw}


def main() -> None:
    """Print both comparisons."""
    options = arguments()
    compare_arena_hard(options)
    compare_alpaca_eval(options)


def arguments() -> argparse.Namespace:
    """Where the data are and how much of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--shared", type=Path, default=root / ".." / "shared" / "data")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def best_of(repeats: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """The shortest of several runs in seconds, and what it returned."""
    shortest, result = float("inf"), None
    for _ in range(repeats):
        begun = time.perf_counter()
        result = work()
        shortest = min(shortest, time.perf_counter() - begun)
    return shortest, result


def report(what: str, ours: float, theirs: float, peer: str, goal: float) -> None:
    """One line per comparison."""
    print(f"{what}: ours {ours:.3f} s, {peer} {theirs:.3f} s, {theirs / ours:.1f}× (goal {goal:.0f}×)")


def compare_arena_hard(options: argparse.Namespace) -> None:
    """The English battles, our way and evalica's."""
    battles = arena_hard.read_battles(options.shared / "arena_hard" / "en_official_gpt4-1106_battles.csv.gz")
    many = replace(
        battles,
        model_a=list(battles.model_a) * options.times,
        model_b=list(battles.model_b) * options.times,
        question=list(battles.question) * options.times,
        outcome=np.tile(battles.outcome, options.times),
    )
    rounds = Bootstrap(options.rounds)
    ours, sheet = best_of(options.repeats, lambda: arena_hard.score(many, baseline=BASELINE, bootstrap=rounds))
    theirs, (scores, bounds) = best_of(1, lambda: evalica_board(many, rounds))
    for row in sheet.models:
        if row["model"] != BASELINE:
            assert abs(row["score"] - scores[row["model"]]) < 0.01, (row, scores)
            assert abs(row["ci_low"] - bounds[row["model"]][0]) < 0.01, (row, bounds)
    report(f"arena-hard, {len(many.outcome)} rows, {options.rounds} rounds", ours, theirs, "evalica", 20)


def evalica_board(battles: arena_hard.BattleFile, rounds: Bootstrap) -> tuple[dict[str, float], dict[str, Any]]:
    """Win rates and their bounds by evalica on the same draws."""
    frame = pd.DataFrame({"a": battles.model_a, "b": battles.model_b, "w": battles.outcome})
    frame["w"] = frame["w"].map(WINNERS)

    def rates(rows: pd.DataFrame) -> pd.Series:
        strength = bradley_terry(rows["a"], rows["b"], rows["w"], tolerance=1e-8).scores
        return 100 * strength / (strength + strength[BASELINE])

    point = rates(frame)
    drawn = pd.DataFrame([rates(frame.take(draw)) for draw in rounds.draws(len(frame))])
    low, high = drawn.quantile(0.025), drawn.quantile(0.975)
    return point.to_dict(), {model: (low[model], high[model]) for model in point.index}


def compare_alpaca_eval(options: argparse.Namespace) -> None:
    """Every model's refit, our way and scikit-learn's."""
    folder = options.shared / "alpaca_eval"
    difficulty = alpaca_eval.read_difficulty(folder / "instruction_difficulty_recovered.csv")
    gamed = alpaca_eval.read_gamed(folder / "gamed_baselines_surrogate.csv.gz")
    gamed = replace(gamed, design=np.tile(gamed.design.T, options.times).T, win=np.tile(gamed.win, options.times))
    models = {}
    for model, rows in alpaca_eval.read_annotations(folder / "annotations_v2.parquet").items():
        valid = rows.valid
        many = alpaca_eval.Annotations(*(np.tile(getattr(valid, name), options.times) for name in
                                         ("index", "win", "baseline_length", "length")))  # fmt: skip
        models[model] = (many, np.array([difficulty[int(index)] for index in many.index]))

    def ours_of_all() -> dict[str, float]:
        return {
            model: alpaca_eval.predicted_win_rate(alpaca_eval.length_controlled_fit(rows, hard, gamed), hard)
            for model, (rows, hard) in models.items()
        }

    def theirs_of_all() -> dict[str, float]:
        return {model: sklearn_win_rate(rows, hard, gamed) for model, (rows, hard) in models.items()}

    ours, found = best_of(options.repeats, ours_of_all)
    theirs, expected = best_of(1, theirs_of_all)
    away = max(abs(found[model] - expected[model]) for model in models)
    assert away < 0.01, away
    size = sum(len(rows.win) for rows, _ in models.values())
    report(f"alpaca-eval refit, {len(models)} models, {size} rows", ours, theirs, "scikit-learn", 5)


def sklearn_win_rate(rows: alpaca_eval.Annotations, hard: npt.NDArray[np.float64], gamed: alpaca_eval.Gamed) -> float:
    """The same unpenalised fit: each soft label stands as a won and a lost row with its share as weight."""
    own = alpaca_eval.design_of(rows, hard)
    design, win = np.vstack([own, gamed.design]), np.concatenate([rows.win, gamed.win])
    weight = np.concatenate([np.ones(len(rows.win)), np.full(len(gamed.win), alpaca_eval.GAMED_WEIGHT)])
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8, max_iter=1000).fit(
        np.vstack([design, design]),
        np.concatenate([np.ones(len(win)), np.zeros(len(win))]),
        sample_weight=np.concatenate([weight * win, weight * (1 - win)]),
    )
    _, slope, strength = fitted.coef_[0]
    return 100 * float((1 / (1 + np.exp(-(slope * hard + strength)))).mean())


if __name__ == "__main__":
    main()
