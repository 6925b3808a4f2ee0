"""Arena-Hard (English v0.1 and v2.0), Arena-Hard-Ru and Ru-Arena-General.

Source: lmarena/arena-hard-auto (Apache-2.0); Russian prompts and tables: VikhrModels/ru_llm_arena
(Apache-2.0). Five hundred hard single-turn requests; a judge compares each answer with one
baseline's in both orders. An item of `question.jsonl`, invented here:

    {"question_id": 7, "cluster": 2, "turns": [{"content": "Why does bread rise? Answer in two lines."}]}

its judgments are `model_judgment/<judge>/<model>.jsonl` (`arena.benchmarks.judgments`).
Labels are `A>>B, A>B, A=B, B>A, B>>A`; `>>` stands for three rows. Anything else is unscored: it
is counted and told, never guessed. Version 2.0 drops a pair when either game has no verdict and
reports the mean of the bootstrap rounds with their 5th and 95th percentiles. Published intervals
draw rows; those of our own runs draw questions, and the sheet says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from arena.benchmarks.answers import AnswerLengths, lengths_beside, same_model
from arena.benchmarks.files import Table
from arena.benchmarks.judgments import Judgment, read_judgment_files
from arena.benchmarks.questions import HubFile
from arena.benchmarks.scorers.against_baseline import Bootstrap, Floats, Rows, WinRates, win_rates
from arena.benchmarks.scorers.by_question import QuestionBootstrap, win_rates_by_question
from arena.benchmarks.scorers.length_penalty import deviation, penalty
from arena.benchmarks.task import Benchmark, JudgedBy, ScoreSheet
from arena.errors import FileFormatError

NAME = "arena-hard"

BENCHMARKS = (
    Benchmark(
        NAME,
        "Arena-Hard v0.1",
        "en",
        JudgedBy.PAIRS,
        "lmarena-ai/arena-hard-auto on the hub (Apache-2.0)",
        HubFile("lmarena-ai/arena-hard-auto", "data/arena-hard-v0.1/question.jsonl"),
    ),
    Benchmark(
        "arena-hard-ru",
        "Arena-Hard-Ru",
        "ru",
        JudgedBy.PAIRS,
        "a Russian translation of Arena-Hard's question.jsonl, such as t-tech/ru-arena-hard on the hub",
    ),
    Benchmark(
        "ru-arena-general",
        "Ru-Arena-General",
        "ru",
        JudgedBy.PAIRS,
        "question.jsonl of VikhrModels/ru_llm_arena (Apache-2.0)",
    ),
)
Protocol = Literal["v0.1", "v2.0"]

INTERVAL, QUESTIONS, ROWS = "interval", "questions", "rows"
"""In a row of our own runs: what its interval was drawn over. Others' rows have no such field: they drew rows."""

_WINNERS = {"model_a": 1.0, "model_b": 0.0, **dict.fromkeys(("tie", "tie (bothbad)", "bothbad", "both_bad"), 0.5)}


@dataclass(frozen=True, slots=True)
class BattleFile:
    """Battle rows as read, before the baseline is known: names, question of each row, A's score, a weight mark.

    `models` are all that the file speaks of, also those without a row that has a verdict.
    """

    model_a: Sequence[str]
    model_b: Sequence[str]
    question: Sequence[str]
    outcome: Floats
    length_mark: Floats | None = None
    unscored: int = 0
    notes: tuple[str, ...] = ()
    lengths: AnswerLengths | None = field(default=None, compare=False)
    models: tuple[str, ...] = ()


def read_battles(path: Path) -> BattleFile:
    """Rows `question_id, model_a, model_b, winner`, already weighted (a strong verdict stands three times)."""
    table = Table.read(path, required=("model_a", "model_b", "winner"))
    winners, winner = table.codes("winner")
    outcome = np.array([_WINNERS.get(name.strip(), np.nan) for name in winners] or [np.nan])[winner]
    names_a, names_b = table.text("model_a"), table.text("model_b")
    known = ~np.isnan(outcome) & np.array([bool(a and b) for a, b in zip(names_a, names_b, strict=True)], dtype=bool)
    kept = np.flatnonzero(known)
    question = table.text("question_id") if "question_id" in table else [""] * table.rows
    mark = table.numbers("answer_len_delta")[kept] if "answer_len_delta" in table else None
    lost = Counter(winners[code] or "empty" for code in winner[~known])
    return BattleFile(
        [names_a[row] for row in kept],
        [names_b[row] for row in kept],
        [question[row] for row in kept],
        outcome[kept],
        mark,
        int(table.rows - len(kept)),
        _unscored_note(lost, "rows"),
        models=tuple(name for name in dict.fromkeys((*names_a, *names_b)) if name),
    )


def read_judgments(
    directory: Path,
    baseline: str | None = None,
    *,
    protocol: Protocol = "v0.1",
    category: str | None = None,
    judge: str | None = None,
) -> BattleFile:
    """Games of `model_judgment` files turned into battle rows, the baseline as model A throughout.

    The folder may be the benchmark's own, with `model_judgment` and the answers in it.
    """
    inner = directory / "model_judgment"
    directory = inner if inner.is_dir() else directory
    judged, told = read_judgment_files(directory, judge=judge, category=category)
    baseline = _one_baseline(judged, baseline, directory)
    names: list[str] = []
    questions: list[str] = []
    outcomes: list[float] = []
    lost: Counter[str] = Counter()
    for one in judged:
        lost.update(one.lost)
        if one.lost and protocol == "v2.0":
            lost.update(["the pair's other game"] * len(one.games))
            continue
        won = [score for score, weight in one.games for _ in range(weight)]
        outcomes += won
        names += [one.model] * len(won)
        questions += [one.question] * len(won)
    return BattleFile(
        [baseline] * len(names),
        names,
        questions,
        np.array(outcomes, dtype=np.float64),
        None,
        sum(lost.values()),
        (*_unscored_note(lost, "games"), *told),
        lengths_beside(directory),
        tuple(dict.fromkeys((baseline, *(one.model for one in judged)))),
    )


def _one_baseline(judged: Sequence[Judgment], wanted: str | None, path: Path) -> str:
    """Whom the answers were compared with: as the lines say, else as asked. Raises where these disagree."""
    named = sorted({one.baseline for one in judged if one.baseline})
    if len(named) > 1 or (named and wanted is not None and named != [wanted]):
        raise FileFormatError(
            f"judged against {', '.join(named)}; name one as --baseline, and its --category where there are several",
            path=path,
        )
    if not named and wanted is None:
        raise FileFormatError("these judgments do not name their baseline; name it with --baseline", path=path)
    return wanted or named[0]


def score(
    battles: BattleFile,
    *,
    baseline: str | None = None,
    bootstrap: Bootstrap | QuestionBootstrap = Bootstrap(),
    protocol: Protocol = "v0.1",
    length_control: AnswerLengths | Sequence[float] | Literal["rows"] | None = None,
    lengths: AnswerLengths | None = None,
) -> ScoreSheet:
    """The leaderboard of a set of battle rows: win rates against the baseline, 0–100, best first."""
    baseline = baseline or _baseline_of(battles)
    rows, against_itself = _rows(battles, baseline)
    notes = list(battles.notes)
    if against_itself:
        notes.append(f"{against_itself} rows of the baseline against itself tell nothing and are left out")
    rows, told = _length_controlled(rows, battles, baseline, length_control)
    if battles.length_mark is not None and length_control is None:
        notes.append("the rows carry answer_len_delta, which is not used: give the file as --length-control too")
    rates = _rates(rows, battles, bootstrap)
    if isinstance(length_control, AnswerLengths):
        lengths = lengths or length_control
    table, more = _leaderboard(rates, protocol, lengths or battles.lengths)
    if isinstance(bootstrap, QuestionBootstrap):
        table = [{**row, INTERVAL: QUESTIONS if row["ci_low"] == row["ci_low"] else None} for row in table]
    return ScoreSheet(
        NAME, _protocol_text(protocol, bootstrap, baseline, told), table, battles.unscored, [*notes, *told, *more]
    )


def _rates(rows: Rows, battles: BattleFile, bootstrap: Bootstrap | QuestionBootstrap) -> WinRates:
    if isinstance(bootstrap, Bootstrap):
        return win_rates(rows, bootstrap)
    index: dict[str, int] = {}
    asked = zip(battles.question, battles.model_a, battles.model_b, strict=True)
    question = [index.setdefault(name, len(index)) for name, a, b in asked if a != b]
    return win_rates_by_question(rows, np.array(question, dtype=np.int64), bootstrap)


def _unscored_note(lost: Counter[str], what: str) -> tuple[str, ...]:
    if not lost:
        return ()
    labels = ", ".join(f"{label!r} {count}" for label, count in lost.most_common(8))
    return (f"{sum(lost.values())} {what} unscored: {labels}",)


def _baseline_of(battles: BattleFile) -> str:
    """The one model that stands as A in every row, or else the one that is in every row."""
    firsts, everywhere = set(battles.model_a), None
    if len(firsts) == 1:
        return firsts.pop()
    for pair in set(zip(battles.model_a, battles.model_b, strict=True)):
        everywhere = set(pair) if everywhere is None else everywhere & set(pair)
    if everywhere is not None and len(everywhere) == 1:
        return everywhere.pop()
    raise FileFormatError("which model is the baseline cannot be told from the rows; name it with --baseline")


def _rows(battles: BattleFile, baseline: str) -> tuple[Rows, int]:
    """Rows as codes. A model against itself is left out (upstream's design matrix breaks on it)."""
    names = list(dict.fromkeys([baseline, *battles.models, *battles.model_a, *battles.model_b]))
    if not battles.models:
        raise FileFormatError("there is no row to score")
    if len(battles.outcome) and not (baseline in battles.model_a or baseline in battles.model_b):
        raise FileFormatError(f"the baseline {baseline!r} is in no row; models: {', '.join(names[1:8])}")
    index = {name: number for number, name in enumerate(names)}
    first = np.array([index[name] for name in battles.model_a], dtype=np.int64)
    second = np.array([index[name] for name in battles.model_b], dtype=np.int64)
    two = first != second
    return Rows(tuple(names), 0, first[two], second[two], battles.outcome[two]), int((~two).sum())


def _length_controlled(
    rows: Rows, battles: BattleFile, baseline: str, control: AnswerLengths | Sequence[float] | Literal["rows"] | None
) -> tuple[Rows, list[str]]:
    """The rows with Vikhr's weights where length control is asked for."""
    two = np.array([a != b for a, b in zip(battles.model_a, battles.model_b, strict=True)], dtype=bool)
    question = [name for name, keep in zip(battles.question, two, strict=True) if keep]
    mark = battles.length_mark
    if control is None:
        return rows, []
    if control == "rows" and mark is None:
        raise FileFormatError("the battle rows have no column answer_len_delta; give the answer-features file")
    if isinstance(control, AnswerLengths):
        wins, told = _penalties_by_length(rows, question, control)
    elif control != "rows":
        wins, told = _penalties_by_mark(rows, question, np.asarray(control, dtype=np.float64)[two])
    else:
        assert mark is not None
        wins, told = _penalties_by_mark(rows, question, mark[two])
    model_won = np.where(rows.first == rows.baseline, rows.outcome == 0, rows.outcome == 1)
    has_baseline = (rows.first == rows.baseline) | (rows.second == rows.baseline)
    return replace(rows, weight=np.where(model_won & has_baseline, wins, 1.0)), ["length control: Vikhr's", *told]


def _penalties_by_mark(rows: Rows, question: Sequence[str], mark: Floats) -> tuple[Floats, list[str]]:
    """`answer_len_delta` as published is σ of the scaled difference, in [0, 1]; else it is the difference itself."""
    mark = np.where(np.isnan(mark), 0.5, mark) if not _is_difference(mark) else np.where(np.isnan(mark), 0.0, mark)
    if not _is_difference(mark):
        return 2 * mark, []
    model = np.where(rows.first == rows.baseline, rows.second, rows.first)
    std = np.zeros(len(rows.models))
    for code in np.unique(model):
        of_model = np.flatnonzero(model == code)
        std[code] = deviation(np.array(list({question[int(row)]: mark[row] for row in of_model}.values())))
    return penalty(mark, std[model]), ["answer_len_delta read as length differences"]


def _is_difference(mark: Floats) -> bool:
    known = mark[~np.isnan(mark)]
    return bool(len(known)) and bool(((known < 0) | (known > 1)).any())


def _penalties_by_length(rows: Rows, question: Sequence[str], lengths: AnswerLengths) -> tuple[Floats, list[str]]:
    """Weights from token counts; a model whose answers are not in the file is left unweighted and named."""
    base = lengths.of(rows.models[rows.baseline])
    if base is None:
        raise FileFormatError(
            f"no answers of the baseline {rows.models[rows.baseline]!r}; it has {', '.join(lengths.models[:6])} …",
            path=lengths.path,
        )
    weights, absent = np.ones(len(rows)), []
    model = np.where(rows.first == rows.baseline, rows.second, rows.first)
    place = np.array([lengths.place(name) for name in question], dtype=np.int64)
    for code in np.unique(model):
        own = lengths.of(rows.models[code])
        if own is None:
            absent.append(rows.models[code])
            continue
        delta = base - own
        here = np.flatnonzero((model == code) & (place >= 0))
        weights[here] = penalty(delta[place[here]], deviation(delta))
    told = [f"no lengths for {', '.join(absent)}: left unweighted"] if absent else []
    unknown = int((place < 0).sum())
    return weights, told + ([f"{unknown} rows of questions without lengths left unweighted"] if unknown else [])


def _leaderboard(
    rates: WinRates, protocol: Protocol, lengths: AnswerLengths | None
) -> tuple[list[dict[str, Any]], list[str]]:
    rate = rates.rate
    if protocol == "v2.0" and len(rates.rounds):
        with np.errstate(invalid="ignore"):
            rate = np.nanmean(rates.rounds, axis=0)
    table: list[dict[str, Any]] = [
        {
            "model": name,
            "score": 100 * float(rate[code]),
            "ci_low": 100 * float(rates.low[code]),
            "ci_high": 100 * float(rates.high[code]),
            "avg_tokens": lengths.average(name) if lengths else None,
            "battles": int(rates.rows[code]),
        }
        for code, name in enumerate(rates.models)
    ]
    table.sort(key=lambda row: (np.isnan(row["score"]), -row["score"] if row["score"] == row["score"] else 0))
    alike = [name for name in rates.models if lengths and lengths.of(name) is None]
    return table, [f"no answers of {', '.join(alike)}: average tokens unknown"] if alike else []


def _protocol_text(
    protocol: Protocol, bootstrap: Bootstrap | QuestionBootstrap, baseline: str, told: Sequence[str]
) -> str:
    control = ", length control" if told else ""
    if isinstance(bootstrap, QuestionBootstrap):
        how = f"of {QUESTIONS} (seed {bootstrap.seed})"
    elif bootstrap.scheme == "sequential":
        how = f"of {ROWS} (seed {bootstrap.seed}, sequential)"
    else:
        how = f"of {ROWS} (round i seeded with i)"
    rounds = f"{bootstrap.rounds} bootstrap rounds {how}, {round(100 * bootstrap.confidence)}%"
    return f"arena-hard {protocol}, baseline {baseline}, {rounds}{control}"


def row_marks(path: Path, battles: BattleFile) -> list[float] | None:
    """`answer_len_delta` of another battle file laid beside these rows; None when the file has no such column."""
    table = Table.read(path)
    if "answer_len_delta" not in table:
        return None
    other = read_battles(path)
    assert other.length_mark is not None
    mark = {
        (question, same_model(a), same_model(b)): value
        for question, a, b, outcome, value in zip(
            other.question, other.model_a, other.model_b, other.outcome, other.length_mark, strict=True
        )
        if outcome != 0.5
    }
    if len(other.outcome) == len(battles.outcome):
        return list(other.length_mark)
    keys = zip(battles.question, battles.model_a, battles.model_b, strict=True)
    return [float(mark.get((question, same_model(a), same_model(b)), 0.5)) for question, a, b in keys]
