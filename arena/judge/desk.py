"""What pages show of the judges: their reports, and the board that they may sharpen.

Read from the store when it changed, in a thread: it walks through every judgment. It knows no page.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from arena.config import Catalog, Settings
from arena.judge.agreement import Gate, JudgedBattle, JudgeReport, reports
from arena.judge.evidence import Sides, judged_battles, kin
from arena.ratings.bradley_terry import fit
from arena.ratings.combined import JointCounts, fit_combined
from arena.ratings.leaderboard import Leaderboard, board_of
from arena.service.boards import labels
from arena.service.views import BoardView
from arena.store.records import JudgeStanding
from arena.store.store import Store
from arena.types import Verdict


@dataclass(frozen=True, slots=True)
class JudgesView:
    """Every judge's reports, those that the gate admits to the combined board, and how far each judge's work is."""

    reports: tuple[JudgeReport, ...]
    admitted: tuple[str, ...]
    gate: Gate
    standings: tuple[JudgeStanding, ...] = ()


class JudgeDesk:
    """Reports and the combined board, computed anew when the board's version moved."""

    def __init__(self, store: Store, catalog: Catalog, settings: Settings) -> None:
        self._store = store
        self._kinship = kin(catalog.judges, catalog.contestants)
        self._gate = Gate(settings.judge_gate, settings.judge_gate_battles)
        self._lock = threading.Lock()
        self._version = -1
        self._known: dict[str, Sides] = {}
        self._battles: list[JudgedBattle] = []
        self._view = JudgesView((), (), self._gate)

    def view(self) -> JudgesView:
        """What is known of the judges now. Blocks: reads every judgment when something changed."""
        with self._lock:
            version, standings = self._store.board_version(), self._store.judge_standings()
            if version != self._version or standings != self._view.standings:  # an unscored judgment moves no board
                self._battles = list(judged_battles(self._store, self._kinship, known=self._known))
                found = tuple(reports(self._battles))
                admitted = tuple(one.judge for one in found if not one.language and self._gate.admits(one))
                self._view, self._version = JudgesView(found, admitted, self._gate, standings), version
            return self._view

    def combined(self, human: BoardView) -> BoardView | None:
        """People's ratings sharpened by the first admitted judge; None when no judge is admitted. Blocks.

        A judge's verdict is never counted as a vote: it corrects for what people have not yet said, and
        its bias is measured where both spoke (prediction-powered inference, `arena.ratings.combined`). What votes of
        one voter share widens these intervals as it does people's: joint counts do not know voters.
        """
        judges = self.view()
        if not judges.admitted or human.board.counts is None:
            return None
        joint, scale = self._joint(judges.admitted[0]), human.board.scale
        alone = board_of(fit(joint.human()).strengths(), human.board.counts, scale=scale)
        found = fit_combined(joint).strengths()
        found = found.widened(
            _wider(human.board, alone), f"{found.intervals}, as much wider as people's by their voters"
        )
        board = board_of(found, human.board.counts, scale=scale)
        marks = {row.model: row for row in human.board.rows}
        rows = tuple(
            replace(row, retired=marks[row.model].retired, preliminary=marks[row.model].preliminary)
            for row in board.rows
        )
        return replace(human, board=replace(board, rows=rows))

    def _joint(self, judge: str) -> JointCounts:
        """Every vote, with the judge's verdict where there is one, and the judge's verdicts alone."""
        names = labels(self._store.contestants())
        joint = JointCounts(list(names.values()))
        place = {name: index for index, name in enumerate(joint.names)}
        verdicts = {
            record.battle_id: record.result.verdict.outcome
            for record in self._store.judgments(judge=judge)
            if record.result is not None and record.result.verdict is not None
        }
        voted = set()
        for vote in self._store.votes():
            voted.add(vote.battle_id)
            a, b = place[names[vote.contestant_a]], place[names[vote.contestant_b]]
            joint.add(a, b, vote.verdict.outcome, verdicts.get(vote.battle_id), vote.weight)
        for one in self._battles:
            if one.judge == judge and one.human is None and one.pairing.verdict is not None:
                joint.add(place[one.contestant_a], place[one.contestant_b], None, Verdict(one.pairing.verdict).outcome)
        return joint


def _wider(board: Leaderboard, plain: Leaderboard) -> dict[str, float]:
    """By how much a board's intervals are wider than a plain one's of the same votes; who has none is left out."""

    def width(rated: Leaderboard) -> dict[str, float]:
        bounds = ((row.model, row.ci_low, row.ci_high) for row in rated.rows if row.rating is not None)
        return {model: high - low for model, low, high in bounds if low is not None and high is not None}

    before = width(plain)
    return {model: max(1.0, now / before[model]) for model, now in width(board).items() if before.get(model)}
