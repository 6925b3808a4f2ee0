"""Which contestants the models of a battle file are: a name alone does not tell whose weights answered.

It gives out numbers and remembers what the importer must be told; it reads no file and counts no vote.
"""

from __future__ import annotations

from sqlalchemy import Connection

from arena.store import roster


class Entrants:
    """Contestants by the names and fingerprints of one file."""

    def __init__(self, db: Connection, now: float, join: bool) -> None:
        """`join`: a name without a fingerprint is the contestant of that name that takes part."""
        self._db, self._now, self._join = db, now, join
        everyone = roster.everyone(db)
        self._known = {(one.name, one.contestant.fingerprint): one.id for one in everyone}
        self._present = {one.name: one.id for one in everyone if one.retired_at is None}
        self._met: dict[tuple[str, str], int] = {}
        self.fresh = 0

    def number(self, name: str, fingerprint: str) -> int:
        """The contestant's number; who is in no catalogue of ours stands on the board as retired."""
        model = (name, fingerprint)
        if model not in self._met:
            self._met[model] = self._found(*model)
        return self._met[model]

    def namesakes(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Who takes part under a name of the file and is not sure to be meant: see `ImportReport`."""
        nameless, others, joined = list[str](), list[str](), list[str]()
        for (name, fingerprint), number in sorted(self._met.items()):
            present = self._present.get(name)
            if present is None:
                continue
            if number != present:
                (others if fingerprint else nameless).append(name)
            elif self._known.get((name, fingerprint)) != present:
                joined.append(name)
        return tuple(nameless), tuple(dict.fromkeys(others)), tuple(joined)

    def _found(self, name: str, fingerprint: str) -> int:
        number = self._known.get((name, fingerprint))
        if self._join and not fingerprint:
            number = self._present.get(name, number)
        if number is None:
            number = roster.add_retired(self._db, name, fingerprint, self._now)
            self.fresh += 1
        return number
