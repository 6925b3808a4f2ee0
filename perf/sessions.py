"""People who come, vote and leave, and people who vanish: what the server keeps of them.

    python -m perf.sessions [--sessions 20000] [--vanish 500] [--at-once 12] [--voted 0]

A session is what a browser does: the page, the news line, the heartbeat, the page's first event, a question, both
answers, a vote, the reveal, and every line closed. The server's memory is read all the while; the slope of its later
part is what a session leaves behind. `--voted` begins where so many have voted already: what grows with the votes
shows without waiting for them. Those who vanish cut their connections in the middle of an answer, or send
their question and never open the line on which the answer would come.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import sqlite3
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from arena.store.store import Store
from arena.types import Verdict
from arena.ui.voters import Voters
from perf import visitor
from perf.promises import spread, tell
from perf.stage import AT_ONCE, KEYS, SECRET, Ballot, Line, waiting_battles
from tests.e2e.arena_process import ArenaProcess

WARM_UP = 0.4
"""Share of the sessions before the slope is taken: caches of fixed size fill, and ended battles leave memory."""

GRACE, NEVER = 10.0, 1e12
ENDLESS = """
contestants:
  - {name: alpha, engine: fake, script: {text: "ENDLESS", tokens_per_second: 20}}
  - {name: beta, engine: fake, script: {text: "ENDLESS", tokens_per_second: 20}}
""".replace("ENDLESS", "one word and then another " * 400)


class Visit:
    """One browser on the arena, over its own connections."""

    def __init__(self, arena: ArenaProcess, events: dict[str, dict[str, Any]]) -> None:
        self._port, self._events = arena.port, events
        self._line, self._open = Line(arena.port), list[asyncio.StreamWriter]()
        self._session = secrets.token_hex(6)
        self.battle = ""

    async def whole(self) -> None:
        """From the page to the last line closed."""
        try:
            status, _ = await self._line.ask("GET", "/")
            assert status == 200, status
            for path in ("/arena/events", f"/gradio_api/heartbeat/{self._session}"):
                await self._stream(path)
            await self._event("resume", [""])
            await self._event("ask", ["Сколько будет два плюс два?", ""])
            frames = await self._stream(f"/arena/battle/{self.battle}")
            while await frames.readline() not in (b"event: over\n", b""):
                pass
            vote = await self._line.vote(Ballot(self._line.cookie, self.battle, random.choice(list(Verdict))))
            assert vote == 200, vote
            await self._event("show", [self.battle])
        finally:
            self.leave()

    async def ask_and_vanish(self, *, listens: bool) -> None:
        """Ask, read the beginning of the answers or nothing at all, and be gone; `battle` is what was begun."""
        await self._line.ask("GET", "/")
        await self._join("ask", ["endless", ""])
        if listens:
            reader = await self._stream(f"/gradio_api/queue/data?session_hash={self._session}")
            while not self.battle:
                self._note(await reader.readline())
            await (await self._stream(f"/arena/battle/{self.battle}")).readline()
        self.leave()

    def leave(self) -> None:
        """Close every line, as a closed tab does."""
        self._line.close()
        for writer in self._open:
            writer.close()
        self._open.clear()

    @property
    def cookie(self) -> str:
        """Who this is."""
        return self._line.cookie

    async def _join(self, name: str, data: list[Any]) -> None:
        wire = self._events[name]
        body = {"data": data, "fn_index": wire["id"], "session_hash": self._session}
        status, said = await self._line.ask("POST", visitor.JOIN, body=json.dumps(body).encode())
        assert status == 200, said

    async def _event(self, name: str, data: list[Any]) -> None:
        """Send an event and hear its line to the end."""
        await self._join(name, data)
        status, said = await self._line.ask("GET", f"/gradio_api/queue/data?session_hash={self._session}")
        assert status == 200, said
        for line in said.splitlines():
            self._note(line)

    def _note(self, line: bytes) -> None:
        if not self.battle and line.startswith(b"data:"):
            data = (json.loads(line[5:]).get("output") or {}).get("data") or []
            if data and isinstance(data[0], str) and re.fullmatch(r"[\w-]{22}", data[0]):
                self.battle = data[0]

    async def _stream(self, path: str) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._open.append(writer)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {self._line.cookie}\r\n\r\n".encode())
        assert b" 200 " in await reader.readline()
        return reader


def events_of(arena: ArenaProcess) -> dict[str, dict[str, Any]]:
    """The page's events by name."""
    return {one["api_name"]: one for one in visitor.events_of(arena)}


def resident(arena: ArenaProcess) -> int:
    """Bytes of memory that the server holds."""
    return int(Path(f"/proc/{arena.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def voted(folder: Path, votes: int) -> None:
    """Put so many votes, each of another voter, into the storage of an arena that was started there and has ended."""
    with Store.open(None, storage_dir=folder, elo_step=lambda a, b, outcome: (a, b), secrets=KEYS) as store:
        a, b = (record.id for record in store.contestants())
        people, verdicts = [secrets.token_hex(12) for _ in range(votes)], list(Verdict)
        for start in range(0, votes, AT_ONCE):
            some = people[start : start + AT_ONCE]
            battles = waiting_battles(store, some, a, b)
            cast = [store.cast_vote(*one, random.choice(verdicts)) for one in zip(battles, some, strict=True)]
            for one in cast:
                one.result()


async def come_and_go(arena: ArenaProcess, sessions: int, at_once: int) -> bool:
    """So many whole sessions; says by how much the server's memory grew with each."""
    events = events_of(arena)
    left = iter(range(sessions))
    readings: list[tuple[int, int]] = []
    done = 0

    async def people() -> None:
        nonlocal done
        for _ in left:
            await Visit(arena, events).whole()
            done += 1
            if done % max(1, sessions // 200) == 0:
                readings.append((done, resident(arena)))
            if done % max(1, sessions // 20) == 0:
                print(f"{done} sessions, {readings[-1][1] / 2**20:.1f} MiB", flush=True)

    began = time.monotonic()
    await asyncio.gather(*(people() for _ in range(at_once)))
    counts, sizes = np.array([one for one in readings if one[0] >= sessions * WARM_UP], float).T
    slope = float(np.polyfit(counts, sizes, 1)[0])
    size = f"{sessions} sessions in {time.monotonic() - began:.0f} s, {at_once} at once"
    return tell("what a finished session leaves in memory", asked="1024 bytes", measured=f"{slope:.0f} bytes",
                size=size, held=slope <= 1024)  # fmt: skip


def tasks_of(arena: ArenaProcess) -> int:
    """Tasks of the server's event loop."""
    with urllib.request.urlopen(f"{arena.address}/metrics", timeout=20) as answer:
        return int(float(re.search(r"^arena_tasks (\S+)$", answer.read().decode(), re.MULTILINE)[1]))  # type: ignore[index]


async def vanish(arena: ArenaProcess, clients: int, at_once: int) -> bool:
    """So many clients that are gone; says when each of their turns ended, and how many tasks are left."""
    events = events_of(arena)
    await Visit(arena, events).ask_and_vanish(listens=True)
    await asyncio.sleep(GRACE + 4)
    before = await asyncio.to_thread(tasks_of, arena)
    late: list[float] = []
    for start in range(0, clients, at_once):
        batch = min(at_once, clients - start)
        gone = await asyncio.gather(*(_gone(arena, events, listens=number % 2 == 0) for number in range(batch)))
        await asyncio.sleep(GRACE + 3)
        ends = await asyncio.to_thread(_ends, arena)
        turns = [(*ends.get(voter, (0.0, NEVER)), moment) for voter, moment in gone]
        late += [
            ended - max(asked, moment) - GRACE for asked, ended, moment in turns
        ]  # who never listened may be early
    after = await asyncio.to_thread(tasks_of, arena)
    size = f"{clients} clients, half of them never listened, {at_once} at once"
    measured = f"{spread(late)} after the grace, {after - before} tasks left"
    held = len(late) == clients and max(late) <= 1 and after <= before
    return tell("a vanished client's generation ends", asked="within 1 s of its 10 s of grace, 0 tasks left",
                measured=measured, size=size, held=held)  # fmt: skip


async def _gone(arena: ArenaProcess, events: dict[str, dict[str, Any]], *, listens: bool) -> tuple[str, float]:
    """Who vanished, and when."""
    visit = Visit(arena, events)
    await visit.ask_and_vanish(listens=listens)
    return Voters(SECRET.encode()).recognize(visit.cookie) or "", time.time()


def _ends(arena: ArenaProcess) -> dict[str, tuple[float, float]]:
    """When every voter's last turn was asked and ended, by the clock of the machine."""
    query = (
        "SELECT code, max(asked_at), max(coalesce(ended_at, ?)) FROM turns JOIN battles ON battles.id = battle_id"
        " JOIN voters ON voters.id = voter_id GROUP BY code"
    )
    with closing(sqlite3.connect(f"file:{arena.storage / 'arena.db'}?mode=ro", uri=True)) as connection:
        return {code: (asked, ended) for code, asked, ended in connection.execute(query, (NEVER,))}


def main() -> int:
    """Print the lines; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20_000)
    parser.add_argument("--vanish", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=12)
    parser.add_argument("--voted", type=int, default=0, help="votes that are there before the sessions begin")
    chosen = parser.parse_args()
    held = []
    with tempfile.TemporaryDirectory(prefix="arena-sessions-") as name:
        if chosen.vanish:
            arena = visitor.start(Path(name) / "vanish", text=ENDLESS, secret=SECRET)
            try:
                held.append(asyncio.run(vanish(arena, chosen.vanish, 100)))
            finally:
                arena.stop()
        if chosen.sessions:
            folder = Path(name) / "sessions"
            if chosen.voted:
                visitor.start(folder, secret=SECRET).stop()
                voted(folder, chosen.voted)
            arena = visitor.start(folder, secret=SECRET)
            try:
                held.append(asyncio.run(come_and_go(arena, chosen.sessions, chosen.at_once)))
            finally:
                arena.stop()
    return int(not all(held))


if __name__ == "__main__":
    raise SystemExit(main())
