"""Entry of a worker process: take an assignment, load the model, serve it, end with the parent.

    python -m arena.engines.worker --assignment-fd N                  what the arena does: the spec comes by a pipe
    python -m arena.engines.worker --spec-json JSON --socket PATH     by hand
    python -m arena.engines.worker --spec-json JSON --port N          by hand, loopback, token in ARENA_WORKER_TOKEN

Whatever happens is reported on standard output, one JSON object a line: {"loading": share},
{"ready": {...}}, {"beat": steps, "active": n} every second, {"failed": reason, "kind": …}.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import sys
from typing import Any

from arena.engines.worker import lifeline
from arena.engines.worker.answering import is_out_of_memory
from arena.engines.worker.spec import OUT_OF_MEMORY, WorkerSpec
from arena.errors import ArenaError


def main() -> None:
    """Run until the parent ends or the model is lost."""
    arguments = _arguments()
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")  # what loading took in passing is free
    lifeline.ignore_interrupts()
    if arguments.spec_json:
        assignment: dict[str, Any] = {"spec": arguments.spec_json, "socket": arguments.socket, "port": arguments.port}
    else:
        lifeline.hold_on()
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        importlib.import_module("arena.engines.worker.serving")  # seconds, spent before the model is named
        lifeline.report(idle=True)
        try:
            assignment = dict(lifeline.read_assignment(arguments.assignment_fd))
        except EOFError:
            return
    sys.exit(_serve(assignment))


def _serve(assignment: dict[str, Any]) -> int:
    from arena.engines.worker.serving import serve

    try:
        spec = WorkerSpec.from_json(str(assignment["spec"]))
    except ArenaError as error:
        lifeline.report(failed=str(error), kind=error.code)
        return 3
    try:
        asyncio.run(serve(spec, socket=assignment.get("socket"), port=assignment.get("port")))
    except ArenaError as error:
        lifeline.report(failed=str(error), kind=error.code)
        return 3
    except Exception as error:
        logging.exception("the worker failed")
        if is_out_of_memory(error):
            lifeline.report(failed=f"not enough memory for {spec.model}: {error}", kind=OUT_OF_MEMORY)
        else:
            lifeline.report(failed=f"{type(error).__name__}: {error}", kind="crash")
        return 4
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m arena.engines.worker", description="Serve one local model.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--spec-json", help="what to load, as JSON")
    what.add_argument("--assignment-fd", type=int, help="an open pipe that brings spec and address")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--socket", help="path of the Unix socket to serve on")
    where.add_argument("--port", type=int, help="loopback port to serve on")
    arguments = parser.parse_args()
    if arguments.spec_json and not (arguments.socket or arguments.port):
        parser.error("--spec-json needs --socket or --port")
    return arguments


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    main()
