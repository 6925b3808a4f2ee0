"""Score sheets are kept whole, one per task, model, judge and protocol, and seen by every process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from store_kit import NOON, Clock

from arena.store.records import ScoreRecord
from arena.store.store import Store

Opening = Callable[[str], Store]


def test_a_sheet_is_found_again_by_task_and_by_model(store: Store) -> None:
    """Every sheet, or those asked for, in order of task and model."""
    for task, model in (("mt-bench", "b"), ("mt-bench", "a"), ("ifeval", "b")):
        store.keep_score(task, model, f'{{"of": "{task} {model}"}}').result()
    assert [(kept.task, kept.model) for kept in store.scores()] == [
        ("ifeval", "b"),
        ("mt-bench", "a"),
        ("mt-bench", "b"),
    ]
    assert [kept.model for kept in store.scores("mt-bench")] == ["a", "b"]
    assert store.scores("ifeval", "b") == (ScoreRecord("ifeval", "b", NOON, '{"of": "ifeval b"}'),)
    assert store.scores("ifeval", "a") == store.scores("nothing") == ()


def test_a_later_sheet_replaces_the_former(store: Store, clock: Clock) -> None:
    """Of its own task and model only."""
    store.keep_score("ifeval", "a", "1").result()
    store.keep_score("ifeval", "b", "2").result()
    clock.now += 60
    store.keep_score("ifeval", "a", "3").result()
    assert [(kept.model, kept.kept_at, kept.sheet) for kept in store.scores()] == [
        ("a", NOON + 60, "3"),
        ("b", NOON, "2"),
    ]


@pytest.mark.parametrize("name", ["../org/модель", "", "нуль\x00", "half \ud83d"])
def test_any_name_can_be_kept(store: Store, name: str) -> None:
    """Names are data; what no database takes becomes U+FFFD."""
    kept = store.keep_score("ifeval", name, '{"text": "\x00"}').result()
    assert store.scores() == (kept,)
    assert "\x00" not in kept.model + kept.sheet


def test_a_second_process_keeps_beside_a_running_server(url: str, open_store: Opening) -> None:
    """The command line and the page open the same database at once."""
    server, command = open_store(url), open_store(url)
    command.keep_score("ifeval", "a", "{}").result()
    assert [kept.model for kept in server.scores()] == ["a"]


def test_judges_and_protocols_do_not_replace_each_other(store: Store) -> None:
    """Each keeps a sheet of its own; one that nobody judged gives way to the first judged one."""
    store.keep_score("arena-hard", "a", "unjudged").result()
    for judge, protocol in (
        ("strict", "own vs b"),
        ("kind", "own vs b"),
        ("strict", "v2 vs b"),
        ("strict", "own vs b"),
    ):
        store.keep_score("arena-hard", "a", f"{judge}, {protocol}", judge=judge, protocol=protocol).result()
    assert [kept.sheet for kept in store.scores("arena-hard", "a")] == [
        "kind, own vs b",
        "strict, own vs b",
        "strict, v2 vs b",
    ]
