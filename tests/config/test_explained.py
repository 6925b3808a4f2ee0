"""Every key of models.yaml has its phrase, and no phrase is left over."""

from __future__ import annotations

import pytest

from arena.config.explained import KEYS, keys_table, known_keys


def test_every_key_of_the_schema_is_explained_and_no_other() -> None:
    """A new key fails here until it has its words."""
    assert set(KEYS) == set(known_keys())


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_table_has_a_row_for_each_key_in_that_language(language: str) -> None:
    """For README.md and README.ru.md."""
    rows = keys_table(language).splitlines()[2:]  # type: ignore[arg-type]
    assert [row.split("`")[1] for row in rows] == list(known_keys())
    for row in rows:
        assert any("а" <= letter <= "я" for letter in row) is (language == "ru"), row
