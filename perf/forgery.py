"""Votes that may not count: another's, forged, after the reveal, with names known, or through Gradio's doors."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from perf.visitor import JOIN, Call, as_json, ask, events_of, newcomer, number_of, play, send, stored_votes, vote
from tests.e2e.arena_process import ArenaProcess


@dataclass(frozen=True)
class Town:
    """An arena with one battle of every kind, owned by one voter; another voter looks on."""

    owner: str
    stranger: str
    voted: str
    retracted: str
    votable: str
    named: str
    direct: str


def settle(arena: ArenaProcess) -> Town:
    """Play one battle into every state in which a forged vote may be tried."""
    owner, stranger = newcomer(arena), newcomer(arena)
    first, named, direct = number_of(arena, "ask"), number_of(arena, "ask_6"), number_of(arena, "ask_12")
    blind = [ask(arena, owner, first, [f"question {n}", ""], f"town{n}") for n in range(3)]
    assert vote(arena, owner, blind[0]).status == 200
    assert vote(arena, owner, blind[1]).status == 200
    assert send(arena, as_json(owner, {"battle": blind[1]}, "/arena/undo")).status == 200
    for offer, session, chosen in (("offer_names", "named", [None, None]), ("offer_names_1", "direct", [None])):
        play(arena, owner, number_of(arena, offer), ["", *chosen], session)
    return Town(
        owner,
        stranger,
        blind[0],
        blind[1],
        blind[2],
        ask(arena, owner, named, ["named", "", "alpha", "beta"], "named"),
        ask(arena, owner, direct, ["direct", "", "alpha"], "direct"),
    )


VERDICTS = ("model_a", "model_b", "tie", "both_bad")


def forgery(rng: random.Random, town: Town, events: int) -> Call:
    """A vote that may not count: another's, forged, after the reveal, with names known, or through Gradio's doors."""
    verdict = rng.choice(VERDICTS)
    battles = (town.voted, town.retracted, town.votable, town.named, town.direct)
    near = forged(rng, town.owner, town.stranger)
    kind = rng.randrange(5)
    if kind == 0:  # not the owner, any battle
        cookie = rng.choice((town.stranger, near, ""))
        return as_json(cookie, {"battle": rng.choice(battles), "verdict": verdict}, "/arena/vote")
    if kind == 1:  # the owner, but the battle takes no vote (the verdict that stands is answered, and changes nothing)
        return as_json(
            town.owner, {"battle": rng.choice((*battles[:2], *battles[3:])), "verdict": verdict}, "/arena/vote"
        )
    if kind == 2:  # numbers that were never given out
        battle = rng.choice(
            (town.votable[:-1], town.votable.swapcase(), town.votable + " ", "x" * 22, "", "\x00", "' OR 1")
        )
        return as_json(town.owner, {"battle": battle, "verdict": verdict}, "/arena/vote")
    cookie = rng.choice((town.stranger, near, town.owner))
    if kind == 3:  # every event of the queue with everything a vote needs
        values = [town.votable, verdict, town.votable, verdict, "alpha", "beta"]
        body = {"data": values[: rng.randrange(7)], "fn_index": rng.randrange(events + 3), "session_hash": "forger"}
        return as_json(cookie if cookie != town.owner else town.stranger, body, JOIN)
    name = rng.choice(("vote", "ask", "show", "show_1", "undo", "js_fn", "predict"))
    door = rng.choice(
        (f"/gradio_api/run/{name}", f"/gradio_api/call/{name}", f"/gradio_api/api/{name}", f"/arena/{name}x")
    )
    return as_json(cookie, {"data": [town.votable, verdict], "battle": town.votable, "verdict": verdict}, door)


def forged(rng: random.Random, owner: str, stranger: str) -> str:
    """A cookie that we never signed, near to one that we did."""
    name, _, value = owner.partition("=")
    code, _, signature = value.partition(".")
    strange = stranger.partition(".")[2]
    flipped = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    return (
        name
        + "="
        + rng.choice(
            (f"{code}.{strange}", f"{code}.{flipped}", f"{code}.", code, f".{signature}", f"{code}x.{signature}")
        )
    )


def forge(arena: ArenaProcess, calls: int, seed: int) -> tuple[int, Counter[int]]:
    """Try so many votes that may not count; returns how many changed what is stored, and the answers' statuses."""
    town, rng, events = settle(arena), random.Random(seed), len(events_of(arena))
    before = stored_votes(arena)
    statuses: Counter[int] = Counter()
    for _ in range(calls):
        statuses[send(arena, forgery(rng, town, events)).status] += 1
    accepted = len(set(stored_votes(arena)) ^ set(before))
    assert vote(arena, town.owner, town.votable).status == 200, "the battle's own voter is still let in"
    return accepted, statuses
