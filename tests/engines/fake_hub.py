"""A small hub on loopback: the routes of huggingface.co that the arena asks, over real HTTP.

Repositories are given as files; a gated one answers 403 as the hub does, a missing one 404 (401
without a token, as the hub does to hide private names).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repository:
    """Files by name, at one commit."""

    files: Mapping[str, bytes]
    gated: bool = False


@dataclass
class FakeHub:
    """What the server serves; `status` answers every request with that error instead."""

    repositories: Mapping[str, Repository]
    status: int | None = None
    asked: list[str] = field(default_factory=list)
    endpoint: str = ""


@contextmanager
def serving(**repositories: Repository) -> Iterator[FakeHub]:
    """A hub with these repositories (`owner__name`) for the length of a test."""
    hub = FakeHub({name.replace("__", "/"): repository for name, repository in repositories.items()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *arguments: object) -> None:
        """Quiet."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        self.hub.asked.append(url.path)
        if self.hub.status:
            return self._send(self.hub.status, b"{}")
        if parts[:2] == ["api", "models"]:
            return self._api(parts[2:], parse_qs(url.query))
        return self._file(f"{parts[0]}/{parts[1]}", parts[3], "/".join(parts[4:]))

    def _api(self, parts: list[str], query: Mapping[str, list[str]]) -> None:
        if not parts:
            word = query.get("search", [""])[0].lower()
            found = [name for name in self.hub.repositories if word[:4] in name.lower()]
            return self._send(200, json.dumps([{"id": name} for name in found]).encode())
        repository = self._repository("/".join(parts[:2]))
        if repository is None:
            return None
        if parts[2:] == ["auth-check"]:
            return self._denied() if repository.gated else self._send(200, b"{}")
        if parts[2:3] == ["revision"] and parts[3] not in ("main", COMMIT):
            return self._send(404, b"{}", **{"X-Error-Code": "RevisionNotFound"})
        siblings = [{"rfilename": name} for name in repository.files]
        return self._send(200, json.dumps({"id": "/".join(parts[:2]), "sha": COMMIT, "siblings": siblings}).encode())

    def _file(self, name: str, revision: str, file: str) -> None:
        repository = self._repository(name)
        if repository is None:
            return None
        if repository.gated:
            return self._denied()
        if revision not in ("main", COMMIT):
            return self._send(404, b"", **{"X-Error-Code": "RevisionNotFound"})
        if file not in repository.files:
            return self._send(404, b"", **{"X-Error-Code": "EntryNotFound"})
        content = repository.files[file]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"', "Accept-Ranges": "bytes"}
        if asked := self.headers.get("Range"):
            first, last = asked.removeprefix("bytes=").split("-")
            return self._send(206, content[int(first) : int(last or len(content)) + 1], **headers)
        return self._send(200, content, **headers)

    def _repository(self, name: str) -> Repository | None:
        if name not in self.hub.repositories:
            self._send(401, b"{}", **{"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        return self.hub.repositories.get(name)

    def _denied(self) -> None:
        self._send(403, b"{}", **{"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to it is restricted"})

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
