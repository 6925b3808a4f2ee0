"""Probes and Prometheus are told how the arena is, and only the operator is told who."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from operated import SIGNED, Operated, some_answers
from prometheus_client.parser import text_string_to_metric_families

from arena.errors import StoreUnavailable
from arena.types import Answer, AnswerState

NAMES = ("cloud", "lazy", "home")


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Prometheus' own reader of the format."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_without_the_token_nobody_is_named(it: Operated) -> None:
    """Which model loads or answers just now would tell a voter who is who."""
    some_answers(it.arena)
    for path in ("/healthz", "/metrics"):
        answer = it.client.get(path)
        assert answer.status_code == 200
        assert not [name for name in NAMES if name in answer.text.replace("arena_database_up", "")]


def test_health_tells_process_database_and_models(it: Operated) -> None:
    """Counts by state; by name with the token."""
    open_answer = it.client.get("/healthz").json()
    assert open_answer["ok"] is True
    assert open_answer["database"]["ok"] is True
    assert open_answer["models"] == {"warm": 3}
    assert (open_answer["ready"], open_answer["contestants"]) == (3, 3)
    assert set(it.client.get("/healthz", headers=SIGNED).json()["by_name"]) == set(NAMES)


def test_a_database_that_does_not_answer_is_no_health(it: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe sees 503 and can act."""

    def broken() -> int:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(it.arena.store, "board_version", broken)
    answer = it.client.get("/healthz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)


def test_prometheus_reads_sums_of_everything(it: Operated) -> None:
    """Tokens, failures by kind, answers by state and waits for the first token, over all contestants."""
    some_answers(it.arena)
    found = samples(it.client.get("/metrics").text)
    everybody = ("contestant", "")
    assert found["arena_tokens_total", frozenset({everybody, ("kind", "completion")})] == 120
    assert found["arena_failures_total", frozenset({everybody, ("kind", "timeout")})] == 1
    assert found["arena_model_failures_total", frozenset({everybody, ("kind", "out_of_memory")})] == 2
    assert found["arena_answers_total", frozenset({everybody, ("state", "complete")})] == 3
    assert found["arena_first_token_seconds_bucket", frozenset({everybody, ("le", "0.25")})] == 0
    assert found["arena_first_token_seconds_bucket", frozenset({everybody, ("le", "0.5")})] == 3
    assert found["arena_first_token_seconds_sum", frozenset({everybody})] == pytest.approx(0.9)
    assert found["arena_memory_kept_bytes", frozenset()] == 6 * 2**30


def test_an_answer_that_is_counted_while_prometheus_reads_disturbs_nobody(it: Operated) -> None:
    """The text is written in a thread; here an answer ends, for a reason that is new, while its sums are made."""

    class Counted(Counter[str]):
        def items(self) -> Iterator[tuple[str, int]]:  # type: ignore[override]
            for item in super().items():
                if self["later"] == 0:
                    tally.answers["later"] += 1
                yield item

    some_answers(it.arena)
    tally = it.arena.watching.tallies["cloud"]
    tally.answers = Counted(tally.answers)
    answer = it.client.get("/metrics", headers=SIGNED)
    assert answer.status_code == 200
    assert "later" not in answer.text


def test_energy_is_summed_over_the_answers_in_which_it_was_measured(it: Operated) -> None:
    """Joules by contestant for the operator, with how many answers they are of."""
    measured = Answer("text", AnswerState.COMPLETE, joules=12.5)
    it.arena.watching.answered(("home", "cloud"), (measured, Answer("text", AnswerState.COMPLETE)))
    it.arena.watching.answered(("home", "cloud"), (measured, Answer("text", AnswerState.COMPLETE)))
    found = samples(it.client.get("/metrics", headers=SIGNED).text)
    assert found["arena_energy_joules_total", frozenset({("contestant", "home")})] == 25.0
    assert found["arena_energy_answers_total", frozenset({("contestant", "home")})] == 2
    assert found["arena_energy_answers_total", frozenset({("contestant", "cloud")})] == 0


def test_with_the_token_every_contestant_has_its_own_figures(it: Operated) -> None:
    """And money is told."""
    some_answers(it.arena)
    found = samples(it.client.get("/metrics", headers=SIGNED).text)
    assert found["arena_tokens_total", frozenset({("contestant", "cloud"), ("kind", "completion")})] == 80
    assert found["arena_spending_total", frozenset({("contestant", "cloud"), ("currency", "USD")})] == 1.25
    assert found["arena_model_resident", frozenset({("contestant", "home")})] == 1
    assert ("arena_model_resident", frozenset({("contestant", "cloud")})) not in found  # it takes no memory here


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_a_wrong_token_is_refused_rather_than_overlooked(it: Operated, path: str) -> None:
    """A typing mistake in a scraper's file shows at once."""
    assert it.client.get(path, headers={"Authorization": "Bearer guess"}).status_code == 403
