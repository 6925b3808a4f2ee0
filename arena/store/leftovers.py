"""What work that was killed left half written: people's words in files that nobody reads and no forgetting would find.

It knows names of files, and nothing of what is in them. Exports and backups are written under the lock of copies, a
restore by who has the database alone: whoever holds that lock and has the database open sees files of the dead only.
"""

from __future__ import annotations

import glob
from pathlib import Path


def leftovers(exports: Path, backups: Path, database: Path | None) -> tuple[Path, ...]:
    """Unfinished exports, backups, migrations of backups, and what a restore was putting in the database's place."""
    found = [
        *exports.glob(".*.part"),
        *backups.glob("*.part"),
        *backups.glob("*.part-*"),
        *backups.glob("*.db.migrating*"),
    ]
    if database is not None:
        found += database.parent.glob(f"{glob.escape(database.name)}.restoring*")
    return tuple(sorted(found))


def deleted(path: Path) -> bool:
    """Whether the file is gone now."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
