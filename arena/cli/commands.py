"""All commands in one place; each lives in a module of its own."""

from __future__ import annotations

import typer

from arena.cli.bench import app as bench
from arena.cli.forget import forget
from arena.cli.integrity import integrity
from arena.cli.judge import judge
from arena.cli.leaderboard import leaderboard
from arena.cli.models import app as models
from arena.cli.serve import serve
from arena.cli.space import space
from arena.cli.storage import backup, doctor, restore
from arena.cli.votes import app as votes

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A self-hosted arena: blind comparison of language models with live, honest ratings.",
)
app.command("serve")(serve)
app.command("space")(space)
app.command("leaderboard")(leaderboard)
app.command("judge")(judge)
app.add_typer(models, name="models")
app.add_typer(votes, name="votes")
app.add_typer(bench, name="bench")
app.command("integrity")(integrity)
app.command("backup")(backup)
app.command("restore")(restore)
app.command("doctor")(doctor)
app.command("forget")(forget)
