"""The measures of `perf/ratings.py`, ours and the peers', each run in a process of its own.

    python perf/rating_measures.py refit 50 1000000    # one measure as JSON: its name, models, battles

Synthetic battles with known strengths, a quarter of them ties, the same in every process. Each
measure takes the battles as its engine keeps them: the peers a data frame or lists, we columns of
keys or the pair counts that the live board holds. Of two runs the shorter counts (JAX compiles in
the first).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from arena.ratings.bradley_terry import fit
from arena.ratings.comparisons import Comparisons, PairCounts
from arena.ratings.elo import Scale
from arena.ratings.keys import PairKeys
from arena.ratings.leaderboard import placed_on_scale
from arena.ratings.live import LiveBoard, LiveRatings, LiveVote, counts_of_columns
from arena.ratings.style import STYLE_FEATURES, fit_style

Result = dict[str, float]
WORTH = (1.0, 0.3, -0.2, 0.1)
"""What each style feature adds to a logit."""


def battles(size: int, number: int, *, styled: bool = False) -> Comparisons:
    """The same battles in every process."""
    rng = np.random.default_rng(size + number)
    theta = rng.normal(0, 1, size)
    a = rng.integers(0, size, number).astype(np.int32)
    b = ((a + rng.integers(1, size, number)) % size).astype(np.int32)
    logit, features = theta[a] - theta[b], {}
    for name, worth in zip(STYLE_FEATURES, WORTH, strict=True) if styled else ():
        mean = 200 if name == "tokens" else 2
        amounts = tuple(np.floor(rng.gamma(2, mean, number)) for _ in "ab")
        logit += worth * excess(*amounts)
        features[name] = amounts
    won = (rng.random(number) < 1 / (1 + np.exp(-logit))).astype(float)
    outcome = np.where(rng.random(number) < 0.25, 0.5, won)
    return Comparisons(tuple(f"model-{i}" for i in range(size)), a, b, outcome, features=features)  # type: ignore[arg-type]


def excess(a: Any, b: Any) -> Any:
    return np.divide(a - b, a + b, out=np.zeros(len(a)), where=a + b > 0)


def shortest(work: Callable[[], object], runs: int = 2) -> float:
    """Seconds of the shortest of some runs."""
    taken = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


# ---------------------------------------------------------------- ours


def live(size: int, number: int) -> Result:
    """One vote → everyone's rating and interval, and what memory the board takes."""
    counts = PairKeys.of(battles(size, number)).counts()
    tracemalloc.start()
    ratings = LiveRatings(counts.copy())
    ratings.strengths()
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rng, taken = np.random.default_rng(1), []
    for _ in range(1000):
        a = int(rng.integers(size))
        b = int((a + rng.integers(1, size)) % size)
        outcome = float(rng.choice([0.0, 0.5, 1.0]))
        begin = time.perf_counter()
        ratings.add(a, b, outcome)
        placed_on_scale(ratings.strengths(), Scale())
        taken.append(time.perf_counter() - begin)
    anew = fit(ratings.counts).strengths()
    found = ratings.strengths()
    per_nat = Scale().per_nat
    return {
        "median": statistics.median(taken),
        "mean": statistics.mean(taken),
        "megabytes": memory / 2**20,
        "rating_error": float(np.abs(found.theta - anew.theta).max()) * per_nat,
        "interval_error": float(np.abs(found.deviation - anew.deviation).max()) * per_nat * 1.96,
    }


def refit(size: int, number: int) -> Result:
    """Everything anew with intervals: from the column of keys, and from the counts alone."""
    keys = PairKeys.of(battles(size, number))
    counts = keys.counts()
    return {
        "from_keys": shortest(lambda: fit(keys.counts()).strengths(), 5),
        "from_counts": shortest(lambda: fit(counts).strengths(), 5),
    }


def style(size: int, number: int) -> Result:
    """Style control over four features with intervals."""
    rows = battles(size, number, styled=True)
    return {"seconds": shortest(lambda: fit_style(rows))}


def apart(size: int, number: int) -> Result:
    """What else may be kept or fitted: a slice, unread and read, and intervals clustered by 5,000 voters."""
    rows = battles(size, number)
    counts = PairKeys.of(rows).counts()
    board = LiveBoard.from_counts({("human", ""): counts})
    tracemalloc.start()
    board.load("human", "language=ru", counts.copy())
    unread = tracemalloc.get_traced_memory()[0]
    board.ratings("human", "language=ru").strengths()
    read = tracemalloc.get_traced_memory()[0]
    voters = np.random.default_rng(3).integers(0, 5000, number, dtype=np.int32)
    known = replace(rows, voter=voters)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    began = time.perf_counter()
    fit(counts, voters=known)
    seconds = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    megabytes = [amount / 2**20 for amount in (unread, read, peak)]
    return dict(zip(("unread", "read", "clustered"), megabytes, strict=True)) | {"seconds": seconds}


# ---------------------------------------------------------------- peers


def arena_rank(size: int, number: int) -> Result:
    """arena-rank's Bradley–Terry with intervals, from a data frame."""
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    frame = framed(battles(size, number))

    def work() -> None:
        dataset = PairDataset.from_pandas(frame)
        np.asarray(BradleyTerry(size).compute_ratings_and_cis(dataset)["rating_upper"])

    return {"seconds": shortest(work)}


def arena_rank_style(size: int, number: int) -> Result:
    """arena-rank's contextual Bradley–Terry with intervals; its covariates are given to it ready made."""
    from arena_rank.models.contextual_bradley_terry import ContextualBradleyTerry
    from arena_rank.utils.data_utils import ContextualPairDataset

    rows = battles(size, number, styled=True)
    frame = framed(rows)
    for name, (a, b) in rows.features.items():
        frame[name] = excess(a, b)

    def work() -> None:
        dataset = ContextualPairDataset.from_pandas(frame, feature_cols=list(STYLE_FEATURES), reweighted=False)
        model = ContextualBradleyTerry(size, len(STYLE_FEATURES), reg=0.0)
        np.asarray(model.compute_ratings_and_cis(dataset)["rating_upper"])

    return {"seconds": shortest(work)}


def evalica_bt(size: int, number: int) -> Result:
    """evalica's Bradley–Terry, which has no intervals, from lists."""
    import evalica

    rows = battles(size, number)
    names = np.array(rows.names)
    winners = [evalica.Winner.Y, evalica.Winner.Draw, evalica.Winner.X]
    xs, ys = names[rows.a].tolist(), names[rows.b].tolist()
    outcomes = [winners[twice] for twice in (2 * rows.outcome).astype(int).tolist()]
    return {"seconds": shortest(lambda: evalica.bradley_terry(xs, ys, outcomes, limit=1000))}


def framed(rows: Comparisons) -> Any:
    import pandas as pd

    names = np.array(rows.names)
    winner = np.array(["model_b", "tie", "model_a"])[(2 * rows.outcome).astype(int)]
    return pd.DataFrame({"model_a": names[rows.a], "model_b": names[rows.b], "winner": winner})


# ---------------------------------------------------------------- with the store


def stored(size: int, number: int) -> Result:
    """Board ready from SQLite, and a vote's commit → new board as JSON, on a store whose counts hold `number` votes.

    The votes' own rows are not there: neither path reads them.
    """
    from sqlalchemy import create_engine, delete, insert

    from arena.ratings.elo import EloParameters, step
    from arena.store import tables
    from arena.store.counting import WHOLE
    from arena.store.records import Contestant
    from arena.store.store import Store

    parameters = EloParameters()

    def elo_step(a: float, b: float, outcome: float) -> tuple[float, float]:
        change = step(a, b, outcome, parameters)
        return a + change, b - change

    rows = battles(size, number)
    counts = PairKeys.of(rows).counts()
    with tempfile.TemporaryDirectory() as folder:
        with Store.open(None, storage_dir=Path(folder), elo_step=elo_step) as store:
            records = store.register_contestants([Contestant(name) for name in rows.names]).result()
        engine = create_engine(f"sqlite:///{folder}/arena.db")
        ids = [record.id for record in records]
        with engine.begin() as db:
            db.execute(delete(tables.board_snapshots))
            db.execute(insert(tables.pair_counts), _pair_rows(counts, ids, WHOLE))
        engine.dispose()
        with Store.open(None, storage_dir=Path(folder), elo_step=elo_step) as store:
            killed = shortest(lambda: _board(store).ratings().strengths(), 5)  # closing it keeps a snapshot
        with Store.open(None, storage_dir=Path(folder), elo_step=elo_step) as store:
            ready = shortest(lambda: _board(store).ratings().strengths(), 5)
            read = shortest(lambda: (store.contestants(), store.pair_counts()), 5)
            return {"ready": ready, "after_kill": killed, "read": read, **_commits(store, ids, rows.names)}


def rebuild(size: int, number: int) -> Result:
    """Counts and Elo anew from a votes table in SQLite."""
    from store import fill, make_slices, opened, timed

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with opened(folder) as store:
            make_slices(store, size)
        fill(folder / "arena.db", number, size)
        with opened(folder) as store:
            processor = time.process_time()
            seconds = timed(lambda: store.rebuild())
            return {"seconds": seconds, "processor": time.process_time() - processor}


def _pair_rows(counts: PairCounts, ids: list[int], whole: int) -> list[dict[str, object]]:
    rows = []
    for i, first in enumerate(ids):
        for j in range(i + 1, len(ids)):
            ties = counts.ties[i, j]
            rows.append(
                {
                    "track": "human",
                    "slice_id": whole,
                    "a": first,
                    "b": ids[j],
                    "wins_a": counts.score[i, j] - ties / 2,
                    "wins_b": counts.score[j, i] - ties / 2,
                    "ties": ties,
                    "both_bad": 0.0,
                }
            )
    return rows


def _board(store: Any) -> LiveBoard:
    records, table = store.contestants(), store.pair_counts()
    place = np.zeros(max(record.id for record in records) + 1, dtype=int)
    place[[record.id for record in records]] = np.arange(len(records))
    names = [record.name for record in records]
    columns = (np.asarray(column) for column in (table.wins_a, table.wins_b, table.ties, table.both_bad))
    counts = counts_of_columns(names, place[np.asarray(table.a)], place[np.asarray(table.b)], *columns)
    return LiveBoard.from_counts({("human", ""): counts}, names=names)


def _commits(store: Any, ids: list[int], names: tuple[str, ...]) -> Result:
    from arena.store.records import Answer, NewBattle
    from arena.types import AnswerState, Mode, Verdict

    board, rng, taken, after = _board(store), np.random.default_rng(2), [], []
    board.board()
    for number in range(200):
        a, b = (int(i) for i in rng.choice(len(ids), 2, replace=False))
        battle = store.create_battle(NewBattle(f"voter{number}", Mode.ANONYMOUS, ids[a], ids[b])).result()
        store.append_turn(battle.id, "?").result()
        answer = Answer("!", AnswerState.COMPLETE)
        store.finish_turn(battle.id, 0, answer, answer).result()
        begin = time.perf_counter()
        receipt = store.cast_vote(battle.id, f"voter{number}", Verdict.MODEL_A).result()
        committed = time.perf_counter()
        board.add(LiveVote(names[a], names[b], 1.0, elo_change=receipt.elo_after_a - receipt.elo_before_a))
        json.dumps(board.board().to_json())
        taken.append(time.perf_counter() - begin)
        after.append(time.perf_counter() - committed)
    return {"after_commit": statistics.median(after), "commit_to_json": statistics.median(taken)}


MEASURES: dict[str, Callable[[int, int], Result]] = {
    work.__name__: work
    for work in (live, refit, style, apart, arena_rank, arena_rank_style, evalica_bt, stored, rebuild)
}


if __name__ == "__main__":
    measure, models, stored_battles = sys.argv[1:]
    print(json.dumps(MEASURES[measure](int(models), int(stored_battles))))
