"""An arena on loopback with battles that wait for their votes, and a client that casts them by hand.

Shared by the harnesses that kill, crowd and share an arena. The client keeps its connection, as a browser
does, and parses no more of an answer than its status and its length.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from arena.store.records import Contestant, NewBattle
from arena.store.store import Store
from arena.types import Answer, AnswerState, Mode, Verdict
from arena.ui.voters import Voters

SECRET = "a secret of the harnesses alone"
KEYS = (SECRET.encode(),)
AT_ONCE = 256
"""Battles prepared side by side."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """A battle that waits for its vote, the cookie of its voter, and the verdict that will be given."""

    cookie: str
    battle: str
    verdict: Verdict


def ballots_in(folder: Path, number: int, url: str | None = None, *, voters_each: int = 1) -> list[Ballot]:
    """Make so many battles with both answers given, each voter owning `voters_each` of them."""
    voters = Voters(SECRET.encode())
    cookies = [
        voters.set_cookie(f"voter{start}").partition(";")[0]
        for start in range(0, number, voters_each)
        for _ in range(min(voters_each, number - start))
    ]
    verdicts = list(Verdict)
    with Store.open(url, storage_dir=folder, elo_step=lambda a, b, outcome: (a, b), secrets=KEYS) as store:
        one, other = store.register_contestants([Contestant("alpha"), Contestant("beta")]).result()
        battles = waiting_battles(store, [voters.recognize(cookie) or "" for cookie in cookies], one.id, other.id)
    return [Ballot(cookie, battles[place], verdicts[place % 4]) for place, cookie in enumerate(cookies)]


def waiting_battles(store: Store, voters: Sequence[str], a: int, b: int) -> list[str]:
    """A battle that waits for its vote for each of these voters; they share their commits."""
    said = Answer("answer", AnswerState.COMPLETE)
    made: list[str] = []
    for start in range(0, len(voters), AT_ONCE):
        opened = [
            store.create_battle(NewBattle(voter, Mode.ANONYMOUS, a, b)) for voter in voters[start : start + AT_ONCE]
        ]
        battles = [one.result().id for one in opened]
        turns = [store.append_turn(battle, "question") for battle in battles]
        ends = [
            store.finish_turn(battle, turn.result(), said, said) for battle, turn in zip(battles, turns, strict=True)
        ]
        for end in ends:
            end.result()
        made += battles
    return made


class Line:
    """One kept connection of one client; every request raises `ConnectionError` when the server went away."""

    def __init__(self, port: int) -> None:
        self.cookie = ""
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def vote(self, ballot: Ballot) -> int:
        """Cast a vote as the page's script does; returns the status."""
        body = json.dumps({"battle": ballot.battle, "verdict": str(ballot.verdict)}).encode()
        status, _ = await self.ask("POST", "/arena/vote", ballot.cookie, body)
        return status

    async def ask(self, method: str, path: str, cookie: str = "", body: bytes = b"") -> tuple[int, bytes]:
        """One request and the whole of its answer; without a cookie, as whoever the server made of this client."""
        cookie = cookie or self.cookie
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += f"Cookie: {cookie}\r\n" if cookie else ""
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        kept = self._writer is not None
        try:
            return await self._sent(request)
        except ConnectionError:
            if not kept:
                raise
            return await self._sent(request)  # the server may have closed a line that was silent for long

    async def _sent(self, request: bytes) -> tuple[int, bytes]:
        try:
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(request)
            return await self._answer()
        except (OSError, asyncio.IncompleteReadError, IndexError, ValueError) as error:
            self.close()
            raise ConnectionError(str(error)) from error

    async def _answer(self) -> tuple[int, bytes]:
        assert self._reader is not None
        status = int((await self._reader.readline()).split()[1])
        length: int | None = 0
        while (line := (await self._reader.readline()).strip()) != b"":
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                length = None
            elif name == b"set-cookie":
                self.cookie = value.strip().partition(b";")[0].decode()
        if length is None:
            return status, await self._chunks()
        return status, await self._reader.readexactly(length)

    async def _chunks(self) -> bytes:
        assert self._reader is not None
        whole = b""
        while size := int(await self._reader.readline(), 16):
            whole += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return whole

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
        self._reader = self._writer = None
