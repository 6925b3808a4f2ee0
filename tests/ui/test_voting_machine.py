"""Whoever tries whatever in whichever order: the votes that count are those of battles' own voters, once each."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from perf import visitor
from perf.forgery import VERDICTS, forged
from perf.promises import tell
from perf.visitor import JOIN, as_json, send
from tests.e2e.arena_process import ArenaProcess

pytestmark = pytest.mark.soak

MODES: dict[str, tuple[str, str | None, list[str]]] = {
    "anonymous": ("ask", None, []),
    "named": ("ask_6", "offer_names", ["alpha", "beta"]),
    "direct": ("ask_12", "offer_names_1", ["alpha"]),
}
SESSIONS = count()

EXAMPLES, STEPS = int(os.environ.get("ARENA_SOAK_MACHINES", "6")), 20

DOORS = ("run", "call", "api", "queue/push", "queue/data", "component_server", "cancel", "reset", "upload")
"""What Gradio opens besides the queue that its page uses, under /gradio_api."""


@dataclass
class Battle:
    """What the machine knows of a battle."""

    id: str
    owner: str
    mode: str
    verdict: str | None = None
    retracted: bool = False


class VotingMachine(RuleBasedStateMachine):
    """Two voters and a forger at one arena, through every door."""

    arena: ClassVar[ArenaProcess]
    events: ClassVar[list[dict[str, Any]]]
    battles: Bundle[Battle] = Bundle("battles")

    @initialize()
    def arrive(self) -> None:
        """Two voters come; votes of earlier runs stand as they are."""
        self.voters = [visitor.newcomer(self.arena) for _ in range(2)]
        self.before = set(visitor.stored_votes(self.arena))
        self.known: list[Battle] = []

    def number(self, name: str) -> int:
        """An event's number by its name."""
        return next(int(event["id"]) for event in self.events if event["api_name"] == name)

    @rule(target=battles, who=st.integers(0, 1), mode=st.sampled_from(sorted(MODES)))
    def ask(self, who: int, mode: str) -> Battle:
        """A battle is played until it can be voted."""
        event, offer, names = MODES[mode]
        session = f"m{next(SESSIONS)}"
        if offer:
            visitor.play(self.arena, self.voters[who], self.number(offer), ["", *names], session)
        found = visitor.ask(self.arena, self.voters[who], self.number(event), ["question", "", *names], session)
        self.known.append(Battle(found, self.voters[who], mode))
        return self.known[-1]

    @rule(battle=battles, who=st.integers(0, 1), verdict=st.sampled_from(VERDICTS))
    def vote(self, battle: Battle, who: int, verdict: str) -> None:
        """Only the owner's first verdict on a blind battle counts; the same again is answered alike."""
        status = visitor.vote(self.arena, self.voters[who], battle.id, verdict).status
        if self.voters[who] != battle.owner:
            assert status == 404
        elif battle.mode != "anonymous" or battle.retracted:
            assert status == 409
        elif battle.verdict is None:
            assert status == 200
            battle.verdict = verdict
        else:
            assert status == (200 if verdict == battle.verdict else 409)

    @rule(battle=battles, who=st.integers(0, 1))
    def undo(self, battle: Battle, who: int) -> None:
        """Only the owner takes a vote back, and then it is gone for good."""
        status = send(self.arena, as_json(self.voters[who], {"battle": battle.id}, "/arena/undo")).status
        if self.voters[who] != battle.owner or battle.verdict is None:
            assert status in (404, 409)
        else:
            assert status == 200
            battle.retracted = True

    @rule(battle=battles, verdict=st.sampled_from(VERDICTS), seed=st.integers(0, 2**16))
    def forge(self, battle: Battle, verdict: str, seed: int) -> None:
        """A cookie near to the owner's is nobody's."""
        stranger = self.voters[1] if battle.owner == self.voters[0] else self.voters[0]
        cookie = forged(Random(seed), battle.owner, stranger)
        assert visitor.vote(self.arena, cookie, battle.id, verdict).status == 400

    @rule(battle=battles, verdict=st.sampled_from(VERDICTS), event=st.integers(0, 70), who=st.integers(0, 1))
    def through_the_queue(self, battle: Battle, verdict: str, event: int, who: int) -> None:
        """No event of Gradio's votes, whatever it is handed and by whom."""
        asking = {int(one["id"]) for one in self.events if one["api_name"].startswith(("ask", "again"))}
        if event in asking and self.voters[who] == battle.owner:
            return  # its owner may go on with a battle, which is no vote
        inputs = next((len(one["inputs"]) for one in self.events if one["id"] == event), 2)
        data = [battle.id, verdict, battle.id, verdict, battle.id, verdict][:inputs]
        body = {"data": data, "fn_index": event, "session_hash": f"q{next(SESSIONS)}"}
        assert send(self.arena, as_json(self.voters[who], body, JOIN)).status in (200, 400)

    @rule(battle=battles, verdict=st.sampled_from(VERDICTS), door=st.sampled_from(DOORS), who=st.integers(0, 1),
          event=st.sampled_from(("vote", "ask", "undo", "show", "predict", "0", "")))  # fmt: skip
    def through_a_door_of_gradios(self, battle: Battle, verdict: str, door: str, who: int, event: str) -> None:
        """What Gradio opens besides is not there, whoever knocks."""
        path = f"/gradio_api/{door}" + (f"/{event}" if event else "")
        body = {"data": [battle.id, verdict], "battle": battle.id, "verdict": verdict, "session_hash": "door"}
        assert send(self.arena, as_json(self.voters[who], body, path)).status in (404, 405)

    @rule(battle=battles, verdict=st.sampled_from(VERDICTS), route=st.sampled_from(("feedback", "forget", "my-data")))
    def through_another_route(self, battle: Battle, verdict: str, route: str) -> None:
        """Our other routes take no vote, not even their owner's."""
        body = {"battle": battle.id, "verdict": verdict, "comment": verdict}
        assert send(self.arena, as_json(battle.owner, body, f"/arena/{route}")).status in (200, 404, 405, 409)

    @invariant()
    def the_database_holds_the_known_votes_and_no_other(self) -> None:
        """One row for every vote that was acknowledged, with its verdict, taken back or not."""
        if not hasattr(self, "known"):
            return
        cast = {(one.id, VERDICTS.index(one.verdict), one.retracted) for one in self.known if one.verdict}
        assert set(visitor.stored_votes(self.arena)) == self.before | cast


def test_no_order_of_attempts_counts_a_vote_that_is_not_its_owners() -> None:
    """Asking, voting, undoing, forging and knocking at the queue, interleaved by Hypothesis."""
    with tempfile.TemporaryDirectory() as folder:
        VotingMachine.arena = visitor.start(Path(folder), undo_seconds="3600")
        try:
            VotingMachine.events = visitor.events_of(VotingMachine.arena)
            VotingMachine.TestCase.settings = settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            VotingMachine.TestCase("runTest").runTest()
            tell("votes that may not count, in any order through any door", asked="0 accepted", measured="0",
                 size=f"{EXAMPLES} runs of {STEPS} steps by Hypothesis", held=True)  # fmt: skip
        finally:
            VotingMachine.arena.stop()
