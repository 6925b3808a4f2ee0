"""Arena-Hard's boards: the published digits, the rules of its versions, and files that went wrong."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_files import write_csv, write_jsonl

from arena.benchmarks.answers import AnswerLengths
from arena.benchmarks.files import read_records
from arena.benchmarks.scorers.against_baseline import Bootstrap, Rows, elo_percentile, fit_strengths, win_rates
from arena.benchmarks.tasks import arena_hard
from arena.errors import FileFormatError

Find = Callable[[str], Path]
HEADER = "question_id,model_a,model_b,winner"


def rows_of(sheet: Any) -> dict[str, Any]:
    """The sheet's rows by model."""
    return {row["model"]: row for row in sheet.models}


def game(*labels: str | None) -> list[dict[str, str | None]]:
    """The games of one judgment."""
    return [{"score": label} for label in labels]


def test_the_official_english_battles_give_the_published_scores(shared: Find) -> None:
    """37.90 and 23.34 to two decimals, bounds within the seed's noise."""
    sheet = arena_hard.score(arena_hard.read_battles(shared("arena_hard/en_official_gpt4-1106_battles.csv.gz")))
    expected = json.loads(shared("arena_hard/en_expected.json").read_text())
    for model, published in expected["published_20240731"].items():
        row = rows_of(sheet)[model]
        assert round(row["score"], 2) == published["score"]
        assert row["ci_low"] == pytest.approx(published["q025"], abs=expected["tolerance"]["ci_bound"])
        assert row["ci_high"] == pytest.approx(published["q975"], abs=expected["tolerance"]["ci_bound"])
    assert rows_of(sheet)["gpt-4-0314"]["score"] == 50
    assert sheet.unscored == 0


def test_percentiles_of_the_published_rounds_give_the_published_intervals(shared: Find) -> None:
    """Fifty models' rounds, drawn with other seeds than the table's, agree within the noise of 100 rounds."""
    rounds = read_records(shared("arena_hard/ru_arena_general_bootstrap_plain_50models.jsonl.gz"))
    with shared("arena_hard/ru_arena_general_published_tables.csv").open() as file:
        published = [row for row in csv.DictReader(file) if row["mode"] == "plain" and row["commit"] == "HEAD"]
    away = []
    for row in published:
        if row["model"] not in rounds[0] or row["model"] == "gpt-3.5-turbo-0125":
            continue
        elo = np.array([draw[row["model"]] - draw["gpt-3.5-turbo-0125"] for draw in rounds])
        rate = 1 / (1 + 10 ** (-elo / 400))
        low, high = (100 * elo_percentile(rate, quantile) for quantile in (0.025, 0.975))
        away.append((low - float(row["score"]) - float(row["ci_lo"]), high - float(row["score"]) - float(row["ci_hi"])))
    assert len(away) >= 45
    assert np.abs(away).max() < 0.9
    assert np.abs(np.mean(away, axis=0)).max() < 0.1


def test_average_tokens_agree_with_every_published_table_row(shared: Find) -> None:
    """Cut, not rounded, over all questions."""
    lengths = AnswerLengths.read(shared("arena_hard/ru_arena_general_answer_features.parquet"))
    with shared("arena_hard/ru_arena_general_published_tables.csv").open() as file:
        published = {row["model"]: int(row["avg_tokens"]) for row in csv.DictReader(file) if row["commit"] == "HEAD"}
    ours = {model: lengths.average(model) for model in published if lengths.of(model) is not None}
    assert len(ours) >= 46
    assert ours == {model: published[model] for model in ours}


def test_answer_files_and_the_features_table_tell_the_same_tokens(shared: Find) -> None:
    """`model_answer` lines, compressed, in a folder."""
    answers = AnswerLengths.read(shared("ru_arena_general/model_answer"))
    features = AnswerLengths.read(shared("arena_hard/ru_arena_general_answer_features.parquet"))
    assert {model: answers.average(model) for model in answers.models} == {
        model: features.average(model) for model in answers.models
    }


def test_a_baseline_judged_against_itself_changes_nothing(tmp_path: Path) -> None:
    """Such rows say nothing; they are left out and told."""
    battles = ["1,base,m,model_b", "1,base,m,tie", "2,base,m,model_a"]
    plain = arena_hard.score(arena_hard.read_battles(write_csv(tmp_path / "a.csv", HEADER, *battles)), baseline="base")
    itself = ["1,base,base,model_a", "2,base,base,tie"]
    sheet = arena_hard.score(
        arena_hard.read_battles(write_csv(tmp_path / "b.csv", HEADER, *battles, *itself)), baseline="base"
    )
    assert rows_of(sheet) == rows_of(plain)
    assert "2 rows of the baseline against itself" in sheet.notes[0]


def test_models_that_always_or_never_win_have_scores_not_infinities(tmp_path: Path) -> None:
    """0 and 100, with intervals, and JSON without NaN."""
    path = write_csv(tmp_path / "b.csv", HEADER, *["1,base,loser,model_a", "2,base,winner,model_b"] * 5)
    sheet = arena_hard.score(arena_hard.read_battles(path))
    scores = {model: (row["score"], row["ci_low"], row["ci_high"]) for model, row in rows_of(sheet).items()}
    assert scores["loser"] == (0, 0, 0)
    assert scores["winner"] == (100, 100, 100)
    json.dumps(sheet.as_json(), allow_nan=False)


def test_unknown_winners_are_counted_and_told(tmp_path: Path) -> None:
    """Never guessed, never dropped silently."""
    path = write_csv(tmp_path / "b.csv", HEADER, "1,base,m,model_b", "2,base,m,A<B", "3,base,m,", "4,base,m,model_a")
    sheet = arena_hard.score(arena_hard.read_battles(path))
    assert rows_of(sheet)["m"]["score"] == 50
    assert sheet.unscored == 2
    assert "'A<B' 1" in sheet.notes[0]


def test_rows_without_a_common_model_ask_for_the_baseline(tmp_path: Path) -> None:
    """Two models in every row, in both orders: which is the baseline cannot be told."""
    path = write_csv(tmp_path / "b.csv", HEADER, "1,x,y,model_b", "2,y,x,model_b")
    with pytest.raises(FileFormatError, match="--baseline"):
        arena_hard.score(arena_hard.read_battles(path))
    with pytest.raises(FileFormatError, match="in no row"):
        arena_hard.score(arena_hard.read_battles(path), baseline="z")


def test_judgments_count_both_games_and_strong_verdicts_three_times(tmp_path: Path) -> None:
    """Game 1 has A = baseline; game 2 is swapped."""
    lines = [
        {"question_id": "q1", "model": "m", "judge": "j", "games": game("A>>B", "A>B")},
        {"question_id": "q2", "model": "m", "judge": "j", "games": game("A=B", "B>A")},
        {"question_id": "q3", "model": "m", "judge": "j", "games": game("A<B", None)},
        {"question_id": "q4", "model": "m", "judge": "j", "games": None},
    ]
    write_jsonl(tmp_path / "model_judgment" / "j" / "m.jsonl.gz", lines)
    battles = arena_hard.read_judgments(tmp_path / "model_judgment" / "j", "base")
    sheet = arena_hard.score(battles, baseline="base")
    # Losses 1,1,1; a win; half; a loss of the swapped game: 1.5 of 6 rows.
    assert rows_of(sheet)["m"]["score"] == pytest.approx(100 * 1.5 / 6)
    assert rows_of(sheet)["m"]["battles"] == 6
    assert sheet.unscored == 4
    assert "'A<B' 1" in sheet.notes[0]
    assert "'no verdict' 3" in sheet.notes[0]


def test_version_2_drops_a_pair_when_either_game_has_no_verdict(tmp_path: Path) -> None:
    """The pair's other game goes too, and both are counted."""
    lines = [
        {"question_id": "q1", "model": "m", "games": game("B>A", "A>B")},
        {"question_id": "q2", "model": "m", "games": game("A>>B", None)},
    ]
    path = write_jsonl(tmp_path / "m.jsonl", lines)
    sheet = arena_hard.score(arena_hard.read_judgments(path, "base", protocol="v2.0"), baseline="base", protocol="v2.0")
    assert rows_of(sheet)["m"]["score"] == 100
    assert sheet.unscored == 2


def test_rows_that_carry_a_length_mark_are_weighed_only_when_asked(tmp_path: Path) -> None:
    """A plain score stays plain; a note tells what the file has."""
    path = write_csv(tmp_path / "b.csv", HEADER + ",answer_len_delta", "1,base,m,model_b,0.1", "2,base,m,model_a,0.9")
    sheet = arena_hard.score(arena_hard.read_battles(path), baseline="base")
    assert rows_of(sheet)["m"]["score"] == 50
    assert "answer_len_delta" in sheet.notes[0]


def test_a_model_without_a_single_verdict_has_a_row_of_nulls(tmp_path: Path) -> None:
    """It was judged, so it is not missing; nothing is known of it."""
    path = write_csv(tmp_path / "b.csv", HEADER, "1,base,m,model_b", "2,base,mute,A<B")
    row = arena_hard.score(arena_hard.read_battles(path), baseline="base").as_json()["models"][-1]
    assert (row["model"], row["score"], row["ci_low"], row["battles"]) == ("mute", None, None, 0)


def test_a_heading_alone_is_an_error_and_a_baseline_alone_is_not(tmp_path: Path) -> None:
    """Nothing to score is a wrong file; a baseline that met only itself stands at 50 with no interval."""
    with pytest.raises(FileFormatError, match="no row to score"):
        arena_hard.score(arena_hard.read_battles(write_csv(tmp_path / "b.csv", HEADER)), baseline="base")
    alone = arena_hard.score(arena_hard.read_battles(write_csv(tmp_path / "b.csv", HEADER, "1,base,base,tie")))
    (row,) = alone.as_json()["models"]
    assert (row["score"], row["ci_low"], row["battles"]) == (50, None, 0)


def judgment(number: int, *labels: str | None, **more: object) -> dict[str, object]:
    """A line of a judgment file."""
    return {"question_id": str(number), "model": "m", "games": game(*labels), **more}


def test_several_judges_are_never_mixed(tmp_path: Path) -> None:
    """In folders of their own or in one, named in the line or by the folder: one is to be chosen."""
    for place, more in (("x/first.jsonl", {"judge": "strict"}), ("x/second.jsonl", {"judge": "kind"})):
        write_jsonl(tmp_path / place, [judgment(1, "B>A", "A>B", **more)])
    write_jsonl(tmp_path / "y/strict/m.jsonl", [judgment(1, "B>A", "A>B")])
    write_jsonl(tmp_path / "y/kind/m.jsonl", [judgment(1, "A>B", "B>A")])
    for folder in ("x", "y"):
        with pytest.raises(FileFormatError, match=r"several judges \(kind, strict\)"):
            arena_hard.read_judgments(tmp_path / folder, "base")
    chosen = arena_hard.read_judgments(tmp_path / "y", "base", judge="strict")
    assert rows_of(arena_hard.score(chosen, baseline="base"))["m"]["score"] == 100


def test_an_answer_judged_twice_counts_once_or_is_an_error(tmp_path: Path) -> None:
    """The same line again is one judgment; another verdict on the same question has to be settled."""
    lines = [judgment(1, "B>A", "A>B"), judgment(2, "A>B", "A>B"), judgment(1, "B>A", "A>B")]
    battles = arena_hard.read_judgments(write_jsonl(tmp_path / "m.jsonl", lines), "base")
    assert len(battles.outcome) == 4
    assert "1 judgments stand twice" in battles.notes[0]
    path = write_jsonl(tmp_path / "n.jsonl", [judgment(1, "B>A", "A>B"), judgment(1, "A>B", "A>B")])
    with pytest.raises(FileFormatError, match=r"n\.jsonl:2: .*twice, differently \(before: n\.jsonl:1\)"):
        arena_hard.read_judgments(path, "base")


def test_version_2_lines_name_their_baseline(tmp_path: Path) -> None:
    """It need not be given then, must not contradict, and several are told apart by category."""
    hard = {"baseline": "o3", "category": "hard_prompt"}
    path = write_jsonl(tmp_path / "m.jsonl", [judgment(1, "B>A", "A>B", **hard)])
    assert arena_hard.read_judgments(path).models == ("o3", "m")
    with pytest.raises(FileFormatError, match="judged against o3"):
        arena_hard.read_judgments(path, "another")
    both = [judgment(1, "B>A", "A>B", **hard), judgment(2, "A>B", "A>B", baseline="gem", category="creative_writing")]
    path = write_jsonl(tmp_path / "both.jsonl", both)
    with pytest.raises(FileFormatError, match="judged against gem, o3"):
        arena_hard.read_judgments(path)
    assert arena_hard.read_judgments(path, category="hard_prompt").models == ("o3", "m")


def test_games_without_a_read_score_are_read_from_the_judges_words(tmp_path: Path) -> None:
    """One distinct label counts, also of 2.0's words under `answer`; two or an unknown one do not."""
    words = ["so [[B>A]], yes [[B>A]]", {"answer": "[[A>>B]]"}, "[[A>B]] or [[B>A]]", "[[A<B]]"]
    games = [{"judgment": text} for text in words]
    path = write_jsonl(tmp_path / "m.jsonl", [{"uid": "u", "model": "m", "games": games}])
    battles = arena_hard.read_judgments(path, "base")
    assert list(battles.outcome) == [0, 0, 0, 0]
    assert battles.unscored == 2


def test_average_tokens_come_from_the_answers_beside_the_judgments(tmp_path: Path) -> None:
    """The folder layout of the benchmark itself is enough."""
    for model, length in (("base", 10), ("org/m", 21)):
        turn = {"content": "x", "token_len": length}
        answer = {"question_id": 1, "model_id": model, "choices": [{"index": 0, "turns": [turn]}]}
        other = {**answer, "question_id": 2, "choices": [{"index": 0, "turns": [{**turn, "token_len": length + 1}]}]}
        write_jsonl(tmp_path / "model_answer" / f"{model.split('/')[-1]}.jsonl", [answer, other])
    line = {"question_id": 1, "model": "m", "judge": "j", "games": game("B>A", "A>B")}
    write_jsonl(tmp_path / "model_judgment" / "j" / "m.jsonl", [line])
    sheet = arena_hard.score(arena_hard.read_judgments(tmp_path / "model_judgment" / "j", "base"), baseline="base")
    assert {model: row["avg_tokens"] for model, row in rows_of(sheet).items()} == {"base": 10, "m": 21}
    whole = arena_hard.score(arena_hard.read_judgments(tmp_path, "base"), baseline="base")
    assert rows_of(whole) == rows_of(sheet), "the benchmark's folder is as good as the judge's"


def sigmoid(value: float) -> float:
    """The logistic function, spelled out."""
    return 1 / (1 + float(np.exp(-value)))


def test_length_control_weighs_a_models_wins_by_the_difference_in_length(tmp_path: Path) -> None:
    """2·σ((len_baseline − len_model)/std) where the model won, 1 elsewhere."""
    lengths = {"base": (10, 20, 30), "m": (40, 20, 60)}
    features = write_jsonl(
        tmp_path / "features.jsonl",
        [
            {"model": model, "question_id": question, "token_len": length}
            for model, values in lengths.items()
            for question, length in enumerate(values)
        ],
    )
    battles = write_csv(tmp_path / "b.csv", HEADER, "0,base,m,model_b", "1,base,m,model_a", "2,base,m,tie")
    sheet = arena_hard.score(arena_hard.read_battles(battles), length_control=AnswerLengths.read(features))
    weight = 2 * sigmoid(-30 / float(np.std([-30, 0, -30], ddof=1)))
    assert rows_of(sheet)["m"]["score"] == pytest.approx(100 * (weight + 0.5) / (weight + 2))


@pytest.mark.parametrize("column", [(-30, 0, -30), None])
def test_rows_carry_the_penalty_as_published_or_as_plain_differences(
    tmp_path: Path, column: tuple[float, ...] | None
) -> None:
    """`answer_len_delta` is σ of the scaled difference in Vikhr's own files; differences are read too."""
    scaled = sigmoid(-30 / float(np.std([-30, 0, -30], ddof=1)))
    marks = column or (scaled, 0.5, 0.5)
    lines = [
        f"{q},base,m,{winner},{mark}"
        for q, winner, mark in zip("012", ("model_b", "model_a", "tie"), marks, strict=True)
    ]
    path = write_csv(tmp_path / "b.csv", HEADER + ",answer_len_delta", *lines)
    sheet = arena_hard.score(arena_hard.read_battles(path), baseline="base", length_control="rows")
    assert rows_of(sheet)["m"]["score"] == pytest.approx(100 * (2 * scaled + 0.5) / (2 * scaled + 2))


def test_rounds_seeded_one_by_one_do_not_depend_on_their_number(tmp_path: Path) -> None:
    """Vikhr's scheme: round i is seeded with i; the sequential one draws on."""
    draws = {
        scheme: [list(draw) for draw in Bootstrap(3, 42, scheme).draws(5)]  # type: ignore[arg-type]
        for scheme in ("per-round", "sequential")
    }
    assert draws["per-round"][2] == list(np.random.RandomState(2).randint(0, 5, 5))
    generator = np.random.RandomState(42)
    assert draws["sequential"] == [list(generator.randint(0, 5, 5)) for _ in range(3)]


def test_pairs_without_the_baseline_are_fitted_and_agree_with_the_closed_form() -> None:
    """On a star the fit gives the mean outcome; a chain reaches the baseline through another model."""
    star = np.zeros((3, 3))
    star[1, 0], star[0, 1], star[2, 0], star[0, 2] = 3, 1, 2, 6
    rate = 1 / (1 + np.exp(-fit_strengths(star, 0)))
    assert rate == pytest.approx([0.5, 0.75, 0.25], abs=1e-9)
    chain = Rows(
        ("base", "m", "far", "alone", "apart"),
        0,
        np.array([1, 1, 1, 1, 2, 2, 2, 2, 3, 4]),
        np.array([0, 0, 0, 0, 1, 1, 1, 1, 4, 3]),
        np.array([1, 1, 1, 0, 1, 1, 1, 0, 1, 1]),
    )
    rates = win_rates(chain, Bootstrap(rounds=5)).rate
    assert rates[1] == pytest.approx(0.75)
    assert rates[2] == pytest.approx(0.9)  # odds multiply: 3 · 3 = 9
    assert np.isnan(rates[3:]).all()
