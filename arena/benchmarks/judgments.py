"""Judgments as others keep them: Arena-Hard's `model_judgment` lines, of version 0.1 and 2.0.

Says what every game was worth to the baseline, and which labels say nothing. Knows neither scores
nor rounds. A line, invented here (game 1 has A = the baseline, game 2 is swapped; 2.0 writes `uid`
for `question_id`, names its `baseline`, and keeps the judge's words under `answer`):

    {"question_id": 7, "model": "tiny-1", "judge": "strict-1",
     "games": [{"score": "A>>B", "judgment": "… [[A>>B]]"}, {"score": "B>A", "judgment": "… [[B>A]]"}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.benchmarks.files import as_text, jsonl_files, read_jsonl, stem
from arena.benchmarks.scorers.judge_texts import labels
from arena.errors import FileFormatError

STRONG_WEIGHT = 3
"""Battles that a strong verdict stands for, as Arena-Hard counts (`arena.judge.verdicts` weighs its own alike)."""
_LABELS: Mapping[str, tuple[float, int]] = {
    "A>>B": (1.0, STRONG_WEIGHT),
    "A>B": (1.0, 1),
    "A=B": (0.5, 1),
    "B>A": (0.0, 1),
    "B>>A": (0.0, STRONG_WEIGHT),
}
_GAMES = 2
"""A pair is judged twice, the second time with the answers exchanged."""


@dataclass(frozen=True, slots=True)
class Judgment:
    """One answer judged: `games` are the baseline's score and the weight of each game that has a verdict,
    `lost` the labels of those that have none. `judge` is the file's folder where the line names none;
    `baseline` is empty where the line names none."""

    judge: str
    model: str
    question: str
    baseline: str
    games: tuple[tuple[float, int], ...]
    lost: tuple[str, ...]


def read_judgment_files(
    place: Path, *, judge: str | None = None, category: str | None = None
) -> tuple[list[Judgment], list[str]]:
    """Every judgment of one judge in a folder (or one file), and what a reader must know of them.

    Raises `FileFormatError` where there is none, where several judges speak and none was chosen, and
    where one answer was judged twice with different verdicts.
    """
    paths = [place] if place.is_file() else jsonl_files(place)
    if not paths:
        raise FileFormatError("no .jsonl file of judgments in this folder", path=place)
    found = [one for path in paths for one in _judgments_of(path, place, category)]
    judges = sorted({one.judge for _, _, one in found if one.judge})
    if judge is not None:
        found = [one for one in found if one[2].judge == judge]
    elif len(judges) > 1:
        raise FileFormatError(
            f"several judges ({', '.join(judges)}); name one with --judge, or the folder of one", path=place
        )
    if not found:
        chosen = f" of judge {judge!r}; there are {', '.join(judges) or 'none'}" if judge is not None else ""
        of_category = f" in category {category!r}" if category is not None else ""
        raise FileFormatError(f"no judgment{chosen}{of_category}", path=place)
    kept = list(_once(found))
    twice = len(found) - len(kept)
    return kept, [f"{twice} judgments stand twice, word for word: counted once"] if twice else []


def _judgments_of(path: Path, place: Path, category: str | None) -> Iterator[tuple[Path, int, Judgment]]:
    folder = path.parent.name if path.parent != place and place.is_dir() else ""
    for line, record in read_jsonl(path):
        if category is not None and as_text(record.get("category")) != category:
            continue
        games, lost = _games_of(record, path, line)
        yield (
            path,
            line,
            Judgment(
                as_text(record.get("judge")) or folder,
                as_text(record.get("model")) or stem(path),
                as_text(record.get("question_id", record.get("uid"))),
                as_text(record.get("baseline")),
                games,
                lost,
            ),
        )


def _once(found: Iterable[tuple[Path, int, Judgment]]) -> Iterator[Judgment]:
    """Each judgment of a question once; a line without a question cannot be told from another."""
    first: dict[tuple[str, str, str], tuple[Path, int, Judgment]] = {}
    for path, line, one in found:
        key = one.model, one.question, one.baseline
        before = first.setdefault(key, (path, line, one)) if one.question else (path, line, one)
        if before == (path, line, one):
            yield one
        elif before[2] != one:
            raise FileFormatError(
                f"{one.model} on question {one.question} is judged twice, differently (before: {before[0].name}:"
                f"{before[1]}); keep one of them",
                path=path,
                line=line,
            )


def _games_of(
    record: Mapping[str, Any], path: Path, line: int
) -> tuple[tuple[tuple[float, int], ...], tuple[str, ...]]:
    """What each game says as (the baseline's score, weight), and the labels that say nothing."""
    games = record["games"] or [] if "games" in record else None  # null: asked for, never given
    if not isinstance(games, list):
        raise FileFormatError("a judgment has a list `games`", path=path, line=line)
    verdicts, lost = [], []
    for number in range(max(_GAMES, len(games))):
        label = _label_of(games[number]) if number < len(games) else ""
        if (known := _LABELS.get(label)) is None:
            lost.append(label or "no verdict")
        else:
            outcome, weight = known
            verdicts.append((outcome if number % 2 == 0 else 1 - outcome, weight))
    return tuple(verdicts), tuple(lost)


def _label_of(game: object) -> str:
    """The label that was read out of a game; where none was ever tried, the one label in the judge's words."""
    if not isinstance(game, Mapping):
        return ""
    if "score" in game:
        return as_text(game["score"]).strip().strip("[]")
    words = game.get("judgment")
    return " ".join(labels(as_text(words.get("answer") if isinstance(words, Mapping) else words)))
