"""Prompts to begin with: what of a dataset is a topic."""

from __future__ import annotations

import json
import random
from pathlib import Path

from arena.config import Catalog, Settings
from arena.service.suggestions import Suggestions


def test_a_clusters_number_is_no_topic_and_its_name_is(tmp_path: Path) -> None:
    """Hundreds of numbers would fill the board's filter; the English dataset names its clusters."""
    clusters = [265, 7, "Cards and dice", ""]
    lines = [{"cluster": cluster, "turns": [{"content": f"prompt {cluster}"}]} for cluster in clusters]
    file = tmp_path / "question.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    suggestions = Suggestions(Settings(prompts=file, storage=tmp_path), Catalog(()))
    assert suggestions.topics("ru") == ("Cards and dice",)
    assert [suggestions.topic_of(f"prompt {cluster}") for cluster in clusters] == ["", "", "Cards and dice", ""]
    assert len(suggestions.some("ru", 4, random.Random(1))) == 4
