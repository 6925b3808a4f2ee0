"""`forget`: erase what a person wrote, by the code that their page shows."""

from __future__ import annotations

from typing import Annotated

import typer

from arena.cli.terminal import DatabaseOption, StorageOption, counted, told
from arena.config import Settings
from arena.service.forgetting import forget as forget_voter
from arena.service.forgetting import voter_of
from arena.service.opening import open_store


def forget(
    code: Annotated[str, typer.Argument(metavar="CODE", help="The code under “My data” on the person's page.")],
    drop_votes: Annotated[
        bool, typer.Option("--drop-votes", help="Take the person's votes back too; else they stay as outcomes.")
    ] = False,
    database: DatabaseOption = None,
    storage: StorageOption = None,
) -> None:
    """Erase every text of one person from the database, its log, backups and exports, and the key to other copies."""
    with told():
        settings = Settings.from_environment(database=database, storage=storage)
        with open_store(settings, new=False) as store:
            voter = voter_of(store, settings.signing_key(), code)
            if voter is None:
                typer.echo(
                    "arena: nobody has this code; is it the storage and the ARENA_SECRET of that arena?", err=True
                )
                raise typer.Exit(1)
            gone = forget_voter(store, voter, keep_votes=not drop_votes)
        typer.echo(
            f"Forgotten: the texts of {counted(gone.battles, 'battle')}; backups and exports cleaned: {gone.files}"
        )
        for path in gone.unread:
            typer.echo(f"arena: {path} cannot be cleaned: mend or delete it, then forget again", err=True)
        typer.echo(
            "Backups elsewhere hold nothing of theirs that can be read, unless made --with-keys or before 0.2.0; "
            "exports elsewhere are plain text, for you to clean."
        )
        if gone.unread:
            raise typer.Exit(1)
