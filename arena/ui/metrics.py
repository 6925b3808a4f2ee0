"""`/healthz` and `/metrics`: the state of the arena for probes and for Prometheus.

Without the operator's token only sums are told: which model is loading or has just said so many
tokens would tell a voter who is who. It knows the service's report and the two formats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

import arena
from arena.service import Arena
from arena.service.watching import BOUNDS, ModelReport, Report
from arena.ui.operator import Doorkeeper

GIB = 1 << 30


class WatchRoutes:
    """Handlers over one arena."""

    def __init__(self, arena: Arena, door: Doorkeeper) -> None:
        self._arena, self._door = arena, door

    def all(self) -> list[Route]:
        """What to hand to the server."""
        return [
            Route("/healthz", self._health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
        ]

    async def _health(self, request: Request) -> Response:
        named, refusal = self._named(request)
        if refusal:
            return refusal
        report = self._arena.report()
        body = health(report, named=named) | {"ready": len(self._arena.names()), "contestants": len(report.models)}
        return JSONResponse(body, 200 if report.database_ok else 503)

    async def _metrics(self, request: Request) -> Response:
        named, refusal = self._named(request)
        if refusal:
            return refusal
        report = self._arena.report()
        text = await asyncio.to_thread(exposition, report, named=named)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    def _named(self, request: Request) -> tuple[bool, Response | None]:
        """Whether contestants may be named; a wrong token is refused rather than overlooked."""
        if "authorization" not in request.headers or not self._door.has_key:
            return False, None
        status = self._door.refusal(request)
        return status is None, None if status is None else PlainTextResponse("the token is not right", status)


def health(report: Report, *, named: bool) -> dict[str, object]:
    """The process, the database and the models: how many in which state, and by name for the operator."""
    body: dict[str, object] = {
        "ok": report.database_ok,
        "process": {"version": arena.__version__, "uptime_seconds": round(report.uptime, 1)},
        "database": {"ok": report.database_ok, "state": report.database if named else ""},
        "models": dict(report.phases),
    }
    if named:
        body["by_name"] = {one.entry.name: _state(one) for one in report.models}
    return body


def _state(one: ModelReport) -> dict[str, object]:
    state = one.state
    return {
        "phase": str(state.phase),
        "enabled": state.enabled,
        "answering": state.answering,
        "reason": state.reason,
        "retry_in": state.retry_in,
        "endpoint": None if one.health is None else {"ok": one.health.ok, "said": one.health.message},
    }


def exposition(report: Report, *, named: bool) -> bytes:
    """The report in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(report, named))
    return generate_latest(registry)


class _Told(Collector):
    """One report as metrics. Every metric of contestants has a label `contestant`, empty where it is a sum."""

    def __init__(self, report: Report, named: bool) -> None:
        self._report, self._named = report, named

    def collect(self) -> Iterator[Metric]:
        """All metrics of the report."""
        yield from self._battles()
        yield from self._answers()
        yield self._waits()
        yield from self._machine()
        if self._named:
            yield from self._models()

    def _battles(self) -> Iterator[Metric]:
        report = self._report
        yield GaugeMetricFamily("arena_battles_live", "Battles that are being answered", report.battles)
        yield GaugeMetricFamily("arena_battles_queued", "Battles that wait for their models", report.warming)
        yield GaugeMetricFamily("arena_streams", "Answers that are being written", report.streams)
        yield GaugeMetricFamily(
            "arena_tasks", "Tasks of the event loop: grows where something is left behind", report.tasks
        )
        yield GaugeMetricFamily("arena_uptime_seconds", "Seconds since the start", report.uptime)
        yield GaugeMetricFamily("arena_database_up", "Whether the database can be read", float(report.database_ok))
        if report.window is not None:
            unsaved = GaugeMetricFamily(
                "arena_votes_unsaved_seconds", "Votes on this disk only: what a wipe would lose", labels=["when"]
            )
            unsaved.add_metric(["now"], report.window.now)
            unsaved.add_metric(["longest"], report.window.longest)
            yield unsaved
        votes = CounterMetricFamily("arena_votes", "Votes since the start, by verdict", labels=["verdict"])
        for verdict, count in report.votes.items():
            votes.add_metric([verdict], count)
        yield votes

    def _answers(self) -> Iterator[Metric]:
        answers = CounterMetricFamily("arena_answers", "Answers by how they ended", labels=["contestant", "state"])
        failures = CounterMetricFamily("arena_failures", "Failed answers by kind", labels=["contestant", "kind"])
        lost = CounterMetricFamily(
            "arena_model_failures", "Loads and workers that failed here, by kind", labels=["contestant", "kind"]
        )
        tokens = CounterMetricFamily("arena_tokens", "Tokens read and written", labels=["contestant", "kind"])
        energy = CounterMetricFamily("arena_energy_joules", "Energy of measured answers", labels=["contestant"])
        measured = CounterMetricFamily(
            "arena_energy_answers", "Answers whose energy was measured", labels=["contestant"]
        )
        for name, group in self._groups():
            for state, count in _sums(one.tally.answers for one in group).items():
                answers.add_metric([name, state], count)
            for kind, count in _sums(one.tally.failures for one in group).items():
                failures.add_metric([name, kind], count)
            for kind, count in _sums(one.state.failed for one in group).items():
                lost.add_metric([name, kind], count)
            energy.add_metric([name], sum(one.tally.joules for one in group))
            measured.add_metric([name], sum(one.tally.measured for one in group))
            tokens.add_metric([name, "prompt"], sum(one.tally.prompt_tokens for one in group))
            tokens.add_metric([name, "completion"], sum(one.tally.completion_tokens for one in group))
        yield from (answers, failures, lost, tokens, energy, measured)

    def _waits(self) -> Metric:
        waits = HistogramMetricFamily(
            "arena_first_token_seconds", "From the question to the first token", labels=["contestant"]
        )
        for name, group in self._groups():
            counts = [sum(column) for column in zip(*(one.tally.waits.counts for one in group), strict=True)]
            total = sum(one.tally.waits.total for one in group)
            reached = [sum(counts[: place + 1]) for place in range(len(counts))]
            bounds = (*map(str, BOUNDS), "+Inf")
            waits.add_metric([name], list(zip(bounds, map(float, reached), strict=True)), total)
        return waits

    def _machine(self) -> Iterator[Metric]:
        report = self._report
        models = GaugeMetricFamily("arena_models", "Contestants by state", labels=["phase"])
        for phase, count in report.phases.items():
            models.add_metric([phase], count)
        yield models
        yield GaugeMetricFamily("arena_memory_kept_bytes", "Memory kept for loaded models", report.resident * GIB)
        if report.budget is not None:
            yield GaugeMetricFamily("arena_memory_budget_bytes", "Memory models may take", report.budget * GIB)
        used = GaugeMetricFamily("arena_gpu_memory_used_bytes", "GPU memory in use", labels=["gpu", "name"])
        total = GaugeMetricFamily("arena_gpu_memory_total_bytes", "GPU memory", labels=["gpu", "name"])
        watts = GaugeMetricFamily("arena_gpu_power_watts", "Power that the GPU draws", labels=["gpu", "name"])
        for gpu in report.gpus:
            label = [str(gpu.index), gpu.name]
            used.add_metric(label, gpu.used)
            total.add_metric(label, gpu.total)
            if gpu.watts is not None:
                watts.add_metric(label, gpu.watts)
        yield from (used, total, watts)

    def _models(self) -> Iterator[Metric]:
        """What only the operator is told."""
        if (seen := self._report.sighting) is not None:
            found = GaugeMetricFamily(
                "arena_integrity_suspicious", "Found by the latest look at votes", labels=["kind"]
            )
            found.add_metric(["voters"], seen.voters)
            found.add_metric(["groups"], seen.crowds)
            yield found
            yield GaugeMetricFamily("arena_integrity_looked_at", "Unix seconds of the latest look at votes", seen.at)
            yield GaugeMetricFamily("arena_integrity_look_seconds", "What the latest look took", seen.seconds)
        yield CounterMetricFamily("arena_integrity_held", "Votes held back without a person", self._report.held)
        warm = GaugeMetricFamily("arena_model_resident", "Whether a model is loaded", labels=["contestant"])
        up = GaugeMetricFamily("arena_endpoint_up", "Whether an endpoint answers", labels=["contestant"])
        spent = CounterMetricFamily("arena_spending", "Money spent", labels=["contestant", "currency"])
        for one in self._report.models:
            if one.local:
                warm.add_metric([one.entry.name], float(one.state.phase == "warm"))
            if one.health is not None and one.health.ok is not None:
                up.add_metric([one.entry.name], float(one.health.ok))
            if one.spent is not None:
                spent.add_metric([one.entry.name, one.currency], one.spent)
        yield from (warm, up, spent)

    def _groups(self) -> Iterator[tuple[str, tuple[ModelReport, ...]]]:
        """Contestants one by one for the operator, all together for everybody else."""
        if self._named:
            yield from ((one.entry.name, (one,)) for one in self._report.models)
        elif self._report.models:
            yield "", self._report.models


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    summed: dict[str, int] = {}
    for one in counts:
        for key, count in one.items():
            summed[key] = summed.get(key, 0) + count
    return summed
