"""Prompts to begin with: what of a dataset is a topic."""

from __future__ import annotations

import json
import random
from pathlib import Path

from arena.config import Catalog, Settings
from arena.engines.recorded import Recorded, RecordedEngine
from arena.service.fleet import Fleet
from arena.service.suggestions import Suggestions


def suggested(tmp_path: Path, lines: list[dict[str, object]], answers: dict[str, str] | None = None) -> Suggestions:
    """What a dataset of these lines suggests where this much is recorded."""
    file = tmp_path / "question.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    questions = {str(line["question_id"]): (line["turns"][0],) for line in lines if answers}  # type: ignore[index]
    engines = (
        {} if answers is None else {"m": RecordedEngine({k: (Recorded(v),) for k, v in answers.items()}, questions)}
    )
    fleet = Fleet(Catalog(()), engines)
    return Suggestions(Settings(prompts=file, storage=tmp_path), Catalog(()), fleet.answerable)


def test_only_what_was_recorded_is_suggested_to_those_who_play_back(tmp_path: Path) -> None:
    """A file with gaps or empty answers must not lead a voter into a failure; FastChat's questions are read too."""
    lines = [{"question_id": n, "category": "math", "turns": [f"prompt {n}"]} for n in range(4)]
    found = suggested(tmp_path, lines, {"1": "yes", "2": "", "3": "no"})
    assert {one.text for one in found.some("ru", 4, random.Random(1))} == {"prompt 1", "prompt 3"}
    assert found.topics("en") == ("math",)
    assert len(suggested(tmp_path, lines).some("ru", 9, random.Random(1))) == 4


def test_a_clusters_number_is_no_topic_and_its_name_is(tmp_path: Path) -> None:
    """Hundreds of numbers would fill the board's filter; the English dataset names its clusters."""
    clusters = [265, 7, "Cards and dice", ""]
    suggestions = suggested(
        tmp_path, [{"cluster": cluster, "turns": [{"content": f"prompt {cluster}"}]} for cluster in clusters]
    )
    assert suggestions.topics("ru") == ("Cards and dice",)
    assert [suggestions.topic_of(f"prompt {cluster}") for cluster in clusters] == ["", "", "Cards and dice", ""]
    assert len(suggestions.some("ru", 4, random.Random(1))) == 4
