"""What the stored votes say of their voters, votes held back because of it, and the way to hold and release them.

Reads every vote, so it is asked for by an operator and answered from a thread (the `Patrol` sweeps fewer). It
decides nothing by itself, and what a person released stays released.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from arena.errors import ArenaError
from arena.ratings.bradley_terry import maximize
from arena.ratings.comparisons import Comparisons, PairCounts
from arena.ratings.crowds import Alarm, Duplicates, Flip, duplicates, examine, first_place
from arena.ratings.integrity import OPPOSED, Suspicion, with_prior
from arena.ratings.leaderboard import PRELIMINARY_BELOW
from arena.service.questions import Questions
from arena.service.vote_columns import VoteColumns, newest
from arena.store.records import VoteFilter, VoteRecord
from arena.store.store import Store

REASON = "integrity: "
"""How the reason of every quarantine made here begins."""

EVERYBODY = "all"
"""In place of a voter's code: release whatever was held here."""

_TRUSTED = "trusted"
_AT_ONCE = 200
"""Votes moved in one transaction: live votes wait for no more than that."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A voter (by code) with the evidence; `trusted` once an operator released what was held."""

    code: str
    evidence: Suspicion
    sequences: tuple[int, ...]
    trusted: bool = False

    @property
    def flagged(self) -> bool:
        """Whether a quarantine would hold this voter's votes."""
        return self.evidence.flagged and not self.trusted


@dataclass(frozen=True, slots=True)
class Crowd:
    """A group that treats a contestant unlike the rest, with the numbers of its votes on that contestant."""

    alarm: Alarm
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Votes of one voter held back for one reason."""

    code: str
    reason: str
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """A contestant whose place would be another one if every prompt counted once."""

    model: str
    place: int
    place_once: int


@dataclass(frozen=True, slots=True)
class IntegrityView:
    """Everything the operator is shown: suspects the most suspicious first, crowds the loudest first.

    `threshold` is the log-wealth that flags a voter, `opposed` the agreement with others below which one is flagged,
    too. `flip` is None before two contestants have a rating from enough battles.
    """

    votes: int
    voters: int
    threshold: float
    opposed: float
    suspects: tuple[Suspect, ...]
    crowds: tuple[Crowd, ...]
    held: tuple[Held, ...]
    flip: Flip | None
    repeats: Duplicates
    moved: tuple[Moved, ...]

    @property
    def flagged(self) -> tuple[Suspect, ...]:
        """Those whose votes a quarantine would hold."""
        return tuple(one for one in self.suspects if one.flagged)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a sweep of the newest votes found; `held` counts the votes it held back."""

    votes: int
    flagged: tuple[Suspect, ...]
    crowds: tuple[Crowd, ...]
    held: int = 0


class IntegrityDesk:
    """Looks into one store; a look is kept until the board changes. Contestants of fewer than `preliminary` battles
    have no part in what is said of the first place."""

    def __init__(
        self, store: Store, questions: Questions | None = None, *, preliminary: int = PRELIMINARY_BELOW
    ) -> None:
        self._store, self._preliminary = store, preliminary
        self._questions = questions or Questions(store)
        self._lock = threading.Lock()
        self._kept: tuple[int, int, IntegrityView] | None = None

    def view(self) -> IntegrityView:
        """What the votes say now. Blocks: reads every vote, and the first message of every new battle."""
        with self._lock:
            trusted = self._trusted()
            version = self._store.board_version()
            if self._kept is None or self._kept[:2] != (version, len(trusted)):
                self._kept = version, len(trusted), self._look(trusted)
            return self._kept[2]

    def quarantine(self) -> int:
        """Hold the votes of every flagged voter and every crowd, with the reason. Returns how many. Blocks."""
        view = self.view()
        return self._hold_all(view.flagged, view.crowds)

    def sweep(self, most: int, *, hold: bool) -> Finding:
        """Look at the newest `most` votes only, and at their votes alone; hold what is found if told to. Blocks."""
        looked = _examined(newest(self._store, most), self._trusted(), flagged_only=True)
        flagged = tuple(one for one in looked.suspects if one.flagged)
        held = self._hold_all(flagged, looked.crowds) if hold else 0
        return Finding(len(looked.rows), flagged, looked.crowds, held)

    def _hold_all(self, flagged: Iterable[Suspect], crowds: Iterable[Crowd]) -> int:
        held = sum(self._hold(one.sequences, reason_of(one.evidence)) for one in flagged)
        return held + sum(self._hold(crowd.sequences, reason_of_crowd(crowd.alarm)) for crowd in crowds)

    def release(self, code: str) -> int:
        """Put back the votes held of this voter (the code or its beginning, or `EVERYBODY`), and trust the voter.

        Returns how many came back; the ratings are then what they were. Raises `ArenaError` when no vote
        of such a voter is held, or the beginning fits several.
        """
        held = [one for one in self.view().held if one.reason.startswith(REASON)]
        fitting = {one.code for one in held if code == EVERYBODY or one.code.startswith(code)}
        if not fitting or not code:
            raise ArenaError(f"no vote of a voter {code!r} is held; `integrity` lists those that are")
        if len(fitting) > 1 and code != EVERYBODY and code not in fitting:
            raise ArenaError(f"{len(fitting)} voters' codes begin with {code!r}; give more of it")
        chosen = fitting if code == EVERYBODY or code not in fitting else {code}
        for one in sorted(chosen):
            self._store.log(_TRUSTED, _mark(one)).result()
        return sum(
            self._store.restore(part).result() for one in held if one.code in chosen for part in _parts(one.sequences)
        )

    def _hold(self, sequences: Sequence[int], reason: str) -> int:
        return sum(self._store.quarantine(part, reason).result() for part in _parts(sequences))

    def _trusted(self) -> set[str]:
        return {event.detail for event in self._store.events(kind=_TRUSTED, limit=100_000)}

    def _look(self, trusted: set[str]) -> IntegrityView:
        records = list(self._store.votes(VoteFilter(counting_only=False)))
        votes = [record for record in records if record.counts]
        looked = _examined(VoteColumns.of(votes, self._store.contestants()), trusted)
        counts = PairCounts.of(looked.rows)
        repeats = duplicates(self._questions.numbers(votes))
        return IntegrityView(
            len(votes),
            looked.voters,
            looked.threshold,
            OPPOSED,
            looked.suspects,
            looked.crowds,
            _held(records),
            first_place(counts, self._preliminary),
            repeats,
            _moved(looked.rows, counts, repeats),
        )


@dataclass(frozen=True, slots=True)
class _Looked:
    """Votes as columns and what was found in them."""

    rows: Comparisons
    voters: int
    threshold: float
    suspects: tuple[Suspect, ...]
    crowds: tuple[Crowd, ...]


def _examined(votes: VoteColumns, trusted: set[str], *, flagged_only: bool = False) -> _Looked:
    """Suspects (all voters, or those whose evidence flags them) and crowds; a crowd's votes without those of voters
    whom an operator trusts."""
    seen = examine(votes.rows)
    crowds = [Crowd(one, _unbelieved(one, votes, trusted)) for one in seen.alarms]
    return _Looked(
        votes.rows,
        votes.voters,
        seen.findings.threshold,
        _suspects(seen.findings.flagged if flagged_only else seen.findings.suspicions, votes, trusted),
        tuple(crowd for crowd in crowds if crowd.sequences),
    )


def _unbelieved(crowd: Alarm, votes: VoteColumns, trusted: set[str]) -> tuple[int, ...]:
    """The numbers of a crowd's votes, but for those of trusted voters."""
    assert votes.rows.voter is not None
    rows = crowd.rows
    if trusted:
        voters = np.unique(votes.rows.voter[rows])
        believed = [_mark(code) in trusted for code in votes.codes(voters.tolist())]
        rows = rows[~np.isin(votes.rows.voter[rows], voters[believed])]
    return tuple(votes.numbers[rows].tolist())


def reason_of(evidence: Suspicion) -> str:
    """Why a voter's votes are held, with the numbers."""
    bet = evidence.bet
    if evidence.favours:
        does = {"raise": "raises", "lower": "lowers"}[bet.direction]
        return (
            f"{REASON}{does} {bet.target}: {bet.score:g} of {bet.battles} where {bet.expected:.1f} was expected, "
            f"log-wealth {bet.log_e:z.1f}"
        )
    return f"{REASON}votes against everybody else's, {evidence.agreement or 0:z.1f} deviations"


def reason_of_crowd(alarm: Alarm) -> str:
    """Why a crowd's votes on a contestant are held."""
    who = "the newest tenth" if alarm.most is None else f"voters of at most {alarm.most} votes"
    shift = alarm.shift
    return (
        f"{REASON}{who} on {shift.model}: {shift.score:g} of {shift.battles} where {shift.expected:.1f} was "
        f"expected, z {shift.z or 0:z.1f}"
    )


def _suspects(found: Sequence[Suspicion], votes: VoteColumns, trusted: set[str]) -> tuple[Suspect, ...]:
    voter = votes.rows.voter
    assert voter is not None
    order = np.argsort(voter, kind="stable")
    ends = np.searchsorted(voter, np.arange(votes.voters + 1), sorter=order)
    codes = votes.codes([one.voter for one in found])
    return tuple(
        Suspect(
            code,
            one,
            tuple(votes.numbers[order[ends[one.voter] : ends[one.voter + 1]]].tolist()),
            _mark(code) in trusted,
        )
        for code, one in zip(codes, found, strict=True)
    )


def _held(records: Iterable[VoteRecord]) -> tuple[Held, ...]:
    groups: dict[tuple[str, str], list[int]] = {}
    for record in records:
        if record.quarantined is not None and record.retracted_at is None:
            groups.setdefault((record.voter, record.quarantined), []).append(record.sequence)
    return tuple(Held(code, reason, tuple(sequences)) for (code, reason), sequences in groups.items())


def _moved(rows: Comparisons, counts: PairCounts, repeats: Duplicates) -> tuple[Moved, ...]:
    """Whose place changes when a prompt that was asked n times weighs 1/n in each of its votes."""
    met = np.flatnonzero(counts.total.sum(axis=1) > 0)
    if len(met) < 2 or not repeats.share:
        return ()
    once = PairCounts.of(Comparisons(rows.names, rows.a, rows.b, rows.outcome, repeats.weight))
    places = [
        np.argsort(np.argsort(-maximize(with_prior(one.select(met).score))[0], kind="stable")) + 1
        for one in (counts, once)
    ]
    return tuple(
        Moved(rows.names[model], int(now), int(then))
        for model, now, then in zip(met, *places, strict=True)
        if now != then
    )


def _mark(code: str) -> str:
    """What the log keeps of a trusted voter: enough to know the code again, not to tell it."""
    return hashlib.blake2b(code.encode(errors="replace"), digest_size=16).hexdigest()


def _parts(sequences: Sequence[int]) -> Iterable[Sequence[int]]:
    return (sequences[start : start + _AT_ONCE] for start in range(0, len(sequences), _AT_ONCE))
