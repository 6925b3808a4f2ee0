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


def test_other_prompts_are_others_as_far_as_there_are(tmp_path: Path) -> None:
    """Whatever the dice say, what stands on the page comes again only when nothing else is left."""
    lines = [{"question_id": n, "category": f"topic {n % 5}", "turns": [f"prompt {n}"]} for n in range(15)]
    suggestions = suggested(tmp_path, lines)
    for seed in range(200):
        rng = random.Random(seed)
        shown = {one.text for one in suggestions.some("ru", 4, rng)}
        others = {one.text for one in suggestions.some("ru", 4, rng, shown=shown)}
        assert len(others) == 4
        assert not others & shown
        of_one = {one.text for one in suggestions.some("ru", 4, rng, "topic 3", shown={"prompt 3"})}
        assert of_one == {"prompt 3", "prompt 8", "prompt 13"}
        assert [one.text for one in suggestions.some("ru", 3, rng, "topic 3", shown={"prompt 3"})][2] == "prompt 3"
