"""Prompts to begin with: from a dataset, the catalogue's topics, or what the toys were taught."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from random import Random

from arena.config import Catalog, Settings
from arena.engines.toy_text import suggested_prompts
from arena.errors import FileFormatError
from arena.service.views import Suggestion


class Suggestions:
    """All suggested prompts of this arena; of a dataset those that `answerable` lets through, if there are any."""

    def __init__(
        self, settings: Settings, catalog: Catalog, answerable: Callable[[str], bool] = lambda prompt: True
    ) -> None:
        dataset = settings.prompts or catalog.prompts.dataset
        if dataset is not None:
            every = _from_dataset(dataset)
            found = tuple(one for one in every if answerable(one.text)) or every
            self._by_language = {"ru": found, "en": found}
        elif catalog.prompts.topics:
            self._by_language = {language: _from_topics(catalog, language) for language in ("ru", "en")}
        else:
            self._by_language = {language: _from_toys(language) for language in ("ru", "en")}

        everyone = (one for found in self._by_language.values() for one in found)
        self._topics = {one.text: one.topic for one in everyone if _says_something(one.topic)}

    def topics(self, language: str) -> tuple[str, ...]:
        """Topics that have prompts in a language, in the order of the source."""
        return tuple(dict.fromkeys(one.topic for one in self._by_language[language] if _says_something(one.topic)))

    def topic_of(self, prompt: str) -> str:
        """The topic of a suggested prompt; empty for what a voter wrote."""
        return self._topics.get(prompt, "")

    def some(
        self, language: str, count: int, rng: Random, topic: str = "", shown: Collection[str] = ()
    ) -> tuple[Suggestion, ...]:
        """So many different prompts, of one topic or of different topics as far as there are; those shown come last."""

        def seen(one: Suggestion) -> bool:
            return one.text in shown

        known = [one for one in self._by_language[language] if topic in ("", one.topic)]
        rng.shuffle(known)
        known.sort(key=seen)
        first: dict[str, Suggestion] = {}
        for suggestion in known:
            first.setdefault(suggestion.topic, suggestion)
        rest = [suggestion for suggestion in known if first[suggestion.topic] is not suggestion]
        return tuple(sorted([*first.values(), *rest], key=seen)[:count])


def _says_something(topic: str) -> bool:
    """A cluster's number parts prompts, but it is no topic to choose or to slice a board by."""
    return bool(topic) and not topic.lstrip("-").isdecimal()


def _from_dataset(path: Path) -> tuple[Suggestion, ...]:
    """First messages of a question.jsonl in Arena-Hard's format, or FastChat's."""
    found = []
    with path.open(encoding="utf-8") as lines:
        for line_number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                first = row["turns"][0]  # FastChat's turns are plain strings
                text = first if isinstance(first, str) else first["content"]
                found.append(Suggestion(str(row.get("cluster", row.get("category", ""))), text))
            except (ValueError, KeyError, IndexError, TypeError, AttributeError):
                raise FileFormatError(
                    "this line is no question of Arena-Hard's format", path=path, line=line_number
                ) from None
    if not found:
        raise FileFormatError("there are no questions in this file", path=path)
    return tuple(found)


def _from_topics(catalog: Catalog, language: str) -> tuple[Suggestion, ...]:
    return tuple(
        Suggestion(topic.title.in_language(language), prompt.in_language(language))
        for topic in catalog.prompts.topics
        for prompt in topic.prompts
    )


def _from_toys(language: str) -> tuple[Suggestion, ...]:
    return tuple(Suggestion(topic, prompt) for topic, spoken, prompt in suggested_prompts() if spoken == language)
