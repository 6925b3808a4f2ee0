"""A contestant whose model runs on this machine: one supervised worker process and a client before it.

Starts the worker, waits for its model, restarts it when it dies, kills it when it hangs, and gives
all its memory back by ending it. Answers go through `OpenAIEngine` like any remote's. It knows no
other model and no budget; `pool` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.engines.limits import Gate
from arena.engines.nursery import Nursery, WorkerProcess
from arena.engines.socket_folder import SocketFolder
from arena.engines.worker.spec import OUT_OF_MEMORY, WorkerSpec
from arena.errors import EndpointError, EngineTimeout, ModelUnavailable
from arena.types import Chunk, Conversation, Decoding, Finish

if TYPE_CHECKING:
    from arena.engines.openai import OpenAIEngine

_LOG = logging.getLogger(__name__)
_QUEUE = 100_000  # the worker queues by itself; the client must not


class Phase(StrEnum):
    """Where a local model is in its life."""

    COLD = "cold"
    LOADING = "loading"
    WARM = "warm"
    FAILED = "failed"


class Failed(StrEnum):
    """What can befall a worker: its model was not loaded, did not fit, its process ended, or it hung."""

    LOAD = "load"
    MEMORY = "out_of_memory"
    CRASH = "crash"
    HANG = "hang"


class _Lost(ModelUnavailable):
    """A worker of no more use, and what befell it."""

    def __init__(self, reason: str, kind: Failed) -> None:
        self.kind = kind
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model at this moment. `progress` is a share in [0, 1], `retry_at` a time of the engine's clock."""

    phase: Phase = Phase.COLD
    progress: float = 0.0
    reason: str = ""
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an engine waits, in seconds.

    `load` until a model is ready, `silence` for a heartbeat and `step` for a pass of a busy model (a
    long prompt on a CPU takes its time) before it counts as hung. After the n-th failure in a row a
    restart waits `restart`·2ⁿ⁻¹, a model that could not be loaded `quarantine`·2ⁿ⁻¹, at most `longest`.
    """

    load: float = 900.0
    silence: float = 30.0
    step: float = 180.0
    restart: float = 1.0
    quarantine: float = 30.0
    longest: float = 600.0
    first_token: float = 60.0
    stall: float = 30.0


class LocalEngine:
    """One model in a worker process of its own.

    `stream` loads the model when it is cold. While it is failed, every request is refused at once
    with `ModelUnavailable` until `retry_at`; a worker that died after it had served comes back by
    itself, one that could not be loaded is tried again by the next `start` after that time.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        nursery: Nursery,
        *,
        patience: Patience = Patience(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from arena.engines.openai import OpenAIEngine  # half a second that whoever has no model need not wait

        self._of_worker = OpenAIEngine
        self.spec = spec
        self.answering = 0
        self.state = ModelState()
        self.revision: str | None = None
        self.context: int | None = None
        self.findings: tuple[tuple[str, bool, str], ...] = ()
        self._nursery, self._patience, self._clock = nursery, patience, clock
        self.failed: Counter[str] = Counter()  # since the start, by kind
        self._failures = 0  # in a row
        self._worker: WorkerProcess | None = None
        self._client: OpenAIEngine | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._folder: SocketFolder | None = None
        self._log: tuple[str, ...] = ()
        self._active = 0

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines the worker, or the last one that died, wrote to its log."""
        return self._worker.log if self._worker else self._log

    @property
    def pid(self) -> int | None:
        """The worker's process id while there is one."""
        return self._worker.pid if self._worker else None

    async def start(self) -> None:
        """Load the model if it is not loaded. Raises ModelUnavailable with the reason and when to ask again."""
        if self.state.phase is Phase.WARM:
            return
        if self._starting is None or self._starting.done():
            self._refuse_in_quarantine()
            self._starting = asyncio.create_task(self._launch())
        starting = self._starting
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.cancelled():  # the model was put away; whoever asked was not cancelled
                raise ModelUnavailable(f"{self.spec.model} was put away while it loaded") from None
            raise

    async def stream(self, conversation: Conversation, decoding: Decoding) -> AsyncGenerator[Chunk | Finish]:
        """Answer the conversation's last user message; loads the model first when it is cold."""
        self.answering += 1
        try:
            await self.start()
            client = self._client
            if client is None:
                raise ModelUnavailable(f"{self.spec.model} was just put away")
            answer = client.stream(conversation, decoding)
            try:
                async for item in answer:
                    if isinstance(item, Finish):
                        self._failures = 0
                    yield item
            except (EndpointError, EngineTimeout) as error:
                raise await self._explained(error) from error
            finally:
                await answer.aclose()
        finally:
            self.answering -= 1

    @property
    def active(self) -> int:
        """Requests the worker had at its last heartbeat, a second ago at most."""
        return self._active

    @property
    def comes_back(self) -> bool:
        """Whether its worker died and is restarted in a while without being asked: it will need its memory again."""
        watching = self._watching is not None and not self._watching.done()
        return watching and self.state.phase is Phase.FAILED

    async def unload(self) -> None:
        """End the worker; the memory is free when this returns. The engine can be started again, after its quarantine
        if it is in one."""
        for task in (self._starting, self._watching):
            if task and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._end_worker()
        if not self._resting():  # else whoever asks next would run into the same again
            self.state = ModelState()

    def pardon(self) -> None:
        """Let the next start try at once, whatever the quarantine: the operator may have mended the cause."""
        if self.state.phase is Phase.FAILED:
            self.state = ModelState()

    async def close(self) -> None:
        """Give everything back."""
        await self.unload()

    def _resting(self) -> bool:
        """Whether it failed and its retry time has not come."""
        return self.state.phase is Phase.FAILED and self._wait() > 0

    def _refuse_in_quarantine(self) -> None:
        if self._resting():
            raise ModelUnavailable(f"{self.state.reason}; next attempt in {self._wait():.0f} s")

    async def _launch(self) -> None:
        """From nothing to a warm model, or to a failed one with everything given back."""
        self.state = ModelState(Phase.LOADING)
        try:
            self._worker = worker = await self._nursery.take()
            self._folder = folder = SocketFolder()
            worker.assign(spec=self.spec.to_json(), socket=str(folder.socket))
            await self._until_ready(worker)
        except (OSError, TimeoutError, ModelUnavailable) as error:
            reason = str(error) or f"{self.spec.model} was not ready within {self._patience.load:.0f} s"
            kind = error.kind if isinstance(error, _Lost) else Failed.LOAD
            await self._fail(_Lost(reason, kind), self._patience.quarantine)
            raise ModelUnavailable(f"{self.state.reason}; next attempt in {self._wait():.0f} s") from error
        self._client = self._connect(folder.socket)
        self.state = ModelState(Phase.WARM, 1.0)
        self._watching = asyncio.create_task(self._watch(worker))
        await self._restock()

    async def _restock(self) -> None:
        """Grow the next spare. Where the machine has no process or thread left for one, this model is no less warm."""
        try:
            await self._nursery.restock()
        except (OSError, RuntimeError) as error:
            _LOG.warning("no spare worker could be started, the next model loads more slowly: %s", error)

    async def _until_ready(self, worker: WorkerProcess) -> None:
        deadline = self._clock() + self._patience.load
        while True:
            report = await worker.report(max(0.0, deadline - self._clock()))
            if report is None:
                raise _Lost(f"the worker of {self.spec.model} ended while loading: {_tail(worker)}", Failed.CRASH)
            if "failed" in report:
                raise _Lost(str(report["failed"]), _kind(report, Failed.LOAD))
            if "loading" in report:
                self.state = replace(self.state, progress=float(report["loading"]))
            if "ready" in report:
                self.revision, self.context = report.get("revision"), report.get("context")
                self.findings = tuple((str(n), bool(ok), str(detail)) for n, ok, detail in report.get("findings", ()))
                return

    def _connect(self, socket: Path) -> OpenAIEngine:
        return self._of_worker(
            "local",
            "http://worker/v1",
            uds=socket,
            think_tags=None,  # the worker has split them, it knows the template
            first_token_timeout=self._patience.first_token,
            stall_timeout=self._patience.stall,
            gate=Gate(_QUEUE),
        )

    async def _watch(self, worker: WorkerProcess) -> None:
        """Follow the heartbeats of a warm worker until it dies or hangs; then bring it back."""
        lost = await self._until_it_dies(worker)
        _LOG.warning("%s: %s", self.spec.model, lost)
        before = self._starting
        hopeless = lost.kind is Failed.MEMORY  # the same model would run out again
        await self._fail(lost, self._patience.quarantine if hopeless else self._patience.restart)
        await asyncio.sleep(self._wait())
        if self._starting is before:  # else somebody asked as soon as it was time: a second worker would be nobody's
            self._starting = asyncio.create_task(self._launch())
            self._starting.add_done_callback(_read_result)

    async def _until_it_dies(self, worker: WorkerProcess) -> _Lost:
        """Why it died or must."""
        steps, moved_at = -1, self._clock()
        while True:
            try:
                report = await worker.report(self._patience.silence)
            except TimeoutError:
                return _Lost(f"the worker gave no heartbeat for {self._patience.silence:.0f} s", Failed.HANG)
            if report is None:
                return _Lost(f"the worker ended: {_tail(worker)}", Failed.CRASH)
            if "failed" in report:
                return _Lost(str(report["failed"]), _kind(report, Failed.CRASH))
            self._active = int(report.get("active", 0))
            if report.get("beat") != steps or not report.get("active"):
                steps, moved_at = report.get("beat", -1), self._clock()
            elif self._clock() - moved_at > self._patience.step:
                return _Lost(f"the model made no step for {self._patience.step:.0f} s", Failed.HANG)

    async def _fail(self, lost: _Lost, base: float) -> None:
        self._failures += 1
        self.failed[lost.kind] += 1
        wait = min(self._patience.longest, base * 2.0 ** (self._failures - 1))
        self.state = ModelState(Phase.FAILED, reason=str(lost), retry_at=self._clock() + wait)
        await self._end_worker()

    def _wait(self) -> float:
        return max(0.0, (self.state.retry_at or 0.0) - self._clock())

    async def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        client, self._client = self._client, None
        folder, self._folder = self._folder, None
        if worker:
            await worker.end()
            self._log = worker.log
        if client:
            with contextlib.suppress(Exception):  # its connections are dead already
                await client.close()
        if folder:
            folder.close()

    async def _explained(self, error: EndpointError | EngineTimeout) -> Exception:
        """The error as it is, unless the worker's death explains it better."""
        for _ in range(20):
            if self.state.phase is not Phase.WARM:
                return ModelUnavailable(self.state.reason or "the model was put away while it answered")
            await asyncio.sleep(0.01)
        return error


def _kind(report: Mapping[str, Any], otherwise: Failed) -> Failed:
    return Failed.MEMORY if report.get("kind") == OUT_OF_MEMORY else otherwise


def _tail(worker: WorkerProcess) -> str:
    return " | ".join(worker.log[-3:]) or "it left no log"


def _read_result(task: asyncio.Task[Any]) -> None:
    """A failed restart is in the engine's state; nobody awaits its task."""
    if not task.cancelled():
        task.exception()
