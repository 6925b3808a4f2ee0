"""The page without a browser: the same requests that it sends, and every byte that comes back kept."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx


def patient_client() -> httpx.AsyncClient:
    """A client for a busy server, which answers late, and may close a kept connection just as it is used again."""
    return httpx.AsyncClient(timeout=180, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class PageByHand:
    """One voter. `received` holds the headers and bodies of everything that was answered.

    `config` may be handed on from one voter to the next, since every page of an arena has the same.
    """

    address: str
    client: httpx.AsyncClient
    received: list[bytes] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    battle: str = ""
    frames: list[dict[str, Any]] = field(default_factory=list)

    async def open(self, *, with_assets: bool = False) -> PageByHand:
        """Load the page and its configuration as the browser does."""
        page = await self._get("/")
        self.config = self.config or json.loads(await self._get("/config"))
        if with_assets:
            for path in ("/theme.css", "/gradio_api/info", "/healthz", "/manifest.json", "/robots.txt", "/nowhere"):
                await self._get(path)
        assert b"arena-texts" in page
        return self

    async def ask(self, prompt: str) -> list[dict[str, Any]]:
        """Put a question in a new battle and read until the answers are complete; the events as they came."""
        events = await self.event("anonymous-send", "click", {"anonymous-prompt": prompt, "anonymous-id": self.battle})
        self.frames = await self._frames()
        return events

    async def _frames(self) -> list[dict[str, Any]]:
        """What the page is told while the answers are being written."""
        async with self.client.stream("GET", f"{self.address}/arena/battle/{self.battle}") as stream:
            self._keep_head(stream)
            lines = [line async for line in stream.aiter_lines()]
        self.received += [line.encode() for line in lines]
        assert "event: over" in lines, lines[-3:]
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]

    async def answers(self) -> tuple[str, str]:
        """Both last answers as the page shows them, in Markdown."""
        shown = await self.shown()
        return shown["anonymous-answer-a"], shown["anonymous-answer-b"]

    async def shown(self) -> dict[str, Any]:
        """Every component of the battle as it stands, by its name."""
        events = await self.event("anonymous-vote-a", "click", {"anonymous-id": self.battle})
        return self._by_name("anonymous-vote-a", "click", events[-1])

    async def event(self, element: str, kind: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Fire one of the page's events and collect its messages to the end."""
        wire = self._wire(element, kind)
        names = self._names()
        session = secrets.token_hex(6)
        data = [values.get(names.get(number, "")) for number in wire["inputs"]]
        body = {"data": data, "fn_index": wire["id"], "session_hash": session, "event_data": None, "trigger_id": None}
        joined = await self.client.post(self.address + "/gradio_api/queue/join", json=body)
        self._keep(joined)
        assert joined.status_code == 200, joined.text
        events: list[dict[str, Any]] = []
        url = f"{self.address}/gradio_api/queue/data?session_hash={session}"
        async with self.client.stream("GET", url) as stream:
            self._keep_head(stream)
            async for line in stream.aiter_lines():
                self.received.append(line.encode())
                if line.startswith("data:"):
                    events.append(json.loads(line[5:]))
                    if events[-1]["msg"] == "process_completed":
                        break
        self._note_battle(element, kind, events)
        return events

    async def post(self, path: str, body: Any) -> httpx.Response:
        """One of the page's plain requests."""
        answer = await self.client.post(f"{self.address}/arena/{path}", json=body)
        self._keep(answer)
        return answer

    def _note_battle(self, element: str, kind: str, events: list[dict[str, Any]]) -> None:
        """The battle's number is what the page is given in its hidden field."""
        outputs = self._wire(element, kind)["outputs"]
        place = next((i for i, one in enumerate(outputs) if self._names().get(one) == "anonymous-id"), None)
        for event in events:
            data = (event.get("output") or {}).get("data") or []
            if event["msg"] == "process_completed" and place is not None and len(data) > place:
                value = data[place]
                if isinstance(value, str) and value:
                    self.battle = value

    def _by_name(self, element: str, kind: str, event: dict[str, Any]) -> dict[str, Any]:
        names, outputs = self._names(), self._wire(element, kind)["outputs"]
        return dict(zip((names.get(one, "") for one in outputs), event["output"]["data"], strict=True))

    def _wire(self, element: str, kind: str) -> dict[str, Any]:
        names = self._names()
        for wire in self.config["dependencies"]:
            if any(names.get(number) == element and event == kind for number, event in wire["targets"]):
                return dict(wire)
        raise AssertionError(f"the page has no event {kind} of {element}")

    def _names(self) -> dict[int, str]:
        return {part["id"]: part["props"].get("elem_id") or "" for part in self.config["components"]}

    async def _get(self, path: str) -> bytes:
        answer = await self.client.get(self.address + path)
        self._keep(answer)
        return answer.content

    def _keep(self, answer: httpx.Response) -> None:
        self._keep_head(answer)
        self.received.append(answer.content)

    def _keep_head(self, answer: httpx.Response) -> None:
        self.received += [name + b": " + value for name, value in answer.headers.raw]
