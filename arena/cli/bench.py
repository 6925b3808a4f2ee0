"""`arena bench`: list the benchmarks, score files that others made, import results of the harness.

Translates options into calls of `arena.benchmarks` and prints what they return. Knows no formula.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.benchmarks.scoreboard import Scoreboard
from arena.benchmarks.tasks import lm_eval
from arena.cli.bench_output import show, told
from arena.cli.bench_score import AsJson
from arena.cli.bench_score import app as score
from arena.config import Settings

app = typer.Typer(help="Benchmarks: list, run, score, import.", no_args_is_help=True)
imports = typer.Typer(help="Read results that another program made and keep them.", no_args_is_help=True)
app.add_typer(score, name="score")
app.add_typer(imports, name="import")


@imports.callback()
def _import_what() -> None:
    """Read results that another program made and keep them."""


@imports.command("lm-eval")
def import_lm_eval(
    results: Annotated[Path, typer.Argument(exists=True, help="The results file of lm-evaluation-harness 0.4.")],
    model: Annotated[str, typer.Option(help="The contestant whose results these are.")],
    storage: Annotated[Path | None, typer.Option(help="The arena's storage folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the harness's results as columns beside the rating (ruMMLU, MERA, ruGSM8K …)."""
    with told():
        sheet = lm_eval.import_results(results, model)
        root = storage or Settings.from_environment().storage
        Scoreboard(root / "scores").keep(sheet, model, datetime.now(UTC).isoformat(timespec="seconds"))
        show(sheet, as_json)
