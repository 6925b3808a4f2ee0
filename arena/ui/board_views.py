"""What of the leaderboard is looked at: the choice that a page's address names, and the boards that answer it.

One place for the page and for its downloads, so that a file always holds what the page showed. Pure of layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from arena.errors import ArenaError
from arena.judge.desk import JudgeDesk
from arena.ratings.leaderboard import Leaderboard
from arena.service import Arena, BoardView
from arena.service.background import Made, Workbench
from arena.service.boards import MASKED, ONCE, UNMASKED, HistoryPoint, offered
from arena.service.head_to_head import PairView
from arena.service.vote_fits import StyleFit
from arena.store.records import ALL
from arena.types import Track

COMBINED = "combined"
METHODS = ("bt", "style", ONCE, "elo")
PLOTS = ("forest", "tracks", "style", "wins", "counts", "history")

_ORDER = ("language=", "hard", "code", "mathematics", "turn=", "length=", UNMASKED, MASKED, "topic=", "month=")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader asked for, in the words of the page's address; "" is whatever comes first."""

    track: str = "human"
    slice: str = ALL
    method: str = "bt"
    plot: str = "forest"
    a: str = ""
    b: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Choice:
        """Read an address; what it does not name, and a track that is nobody's, is the default."""
        known = {key: query[key] for key in cls.__slots__ if query.get(key)}
        if known.get("track") not in (*map(str, Track), COMBINED):
            known.pop("track", None)
        return cls(**known)

    @property
    def owner(self) -> Track:
        """Whose verdicts are counted: a combined board is people's. Raises ValueError for anybody else."""
        return Track.HUMAN if self.track == COMBINED else Track(self.track)


@dataclass(frozen=True, slots=True)
class Seen:
    """The board that answers a choice. `choice` is what is shown in the end, `instead` says why it is not what was
    asked. `view` None is "not ready yet". `rings` are the judge's ratings where people's board is shown."""

    choice: Choice
    view: BoardView | None
    instead: tuple[str, ...] = ()
    style: Made[StyleFit] | None = None
    rings: Mapping[str, float] | None = None
    pending: bool = False  # the plot waits for a fit that is under way

    @property
    def waiting(self) -> bool:
        """Whether the page should ask again soon."""
        return self.view is None or self.pending or (self.style is not None and self.style.stale)


class BoardViews:
    """Boards of one arena as choices ask for them. Its methods block for at most a second; call them in a thread."""

    def __init__(self, arena: Arena, judges: JudgeDesk) -> None:
        self._arena, self._judges = arena, judges
        self._past: Workbench[Sequence[HistoryPoint]] = Workbench("history")
        self._once: Workbench[BoardView] = Workbench("once")
        self._slow: Workbench[BoardView | None] = Workbench("combined")

    def tracks(self) -> list[str]:
        """Whose boards there are: people's, judges', and people's sharpened by a judge where one has judged."""
        return [*map(str, Track), *([COMBINED] if self._judged() else [])]

    def slices(self) -> list[str]:
        """The whole, then slices by kind, the latest month first."""
        held = self._arena.boards.slices()

        def place(name: str) -> tuple[int, str]:
            return next((n for n, kind in enumerate(_ORDER) if name.startswith(kind)), len(_ORDER)), name

        months = sorted((name for name in held if name.startswith("month=")), reverse=True)
        return [ALL, *sorted((name for name in held if name not in months), key=place), *months]

    def names(self) -> list[str]:
        """Contestants from best to worst."""
        return [row.model for row in self._arena.boards.view().board.rows]

    def seen(self, asked: Choice) -> Seen:
        """The board that answers the choice, or the nearest one there is. Raises ValueError for an unknown track."""
        choice, instead = _possible(asked if asked.slice in self.slices() else replace(asked, slice=ALL))
        boards, owner = self._arena.boards, choice.owner
        if owner is Track.HUMAN:
            self._arena.fits.keep_clustered(choice.slice)
        if choice.track == COMBINED:
            made = self._combined()
            if made is None or made.value is not None:
                return Seen(choice, made.value if made else None, instead)
            choice, instead = replace(choice, track="human"), (*instead, "instead_no_judge")
        if choice.method == "style":
            fit = self._arena.fits.style(choice.slice)
            board = fit.value.board if fit else None
            if fit is not None and board is None:
                lack = "instead_no_style" if fit.value.counted else "instead_no_texts"
                return Seen(choice, boards.view(owner, choice.slice), (*instead, lack), fit)
            return Seen(choice, boards.dressed(board, owner, choice.slice) if board else None, instead, fit)
        if choice.method == ONCE:
            make = partial(boards.view, owner, choice.slice, ONCE)
            once = self._once.get(choice.slice, self._arena.store.board_version(), make)
            return Seen(choice, once.value if once else None, instead, pending=once is None or once.stale)
        view = boards.view(owner, choice.slice, choice.method)
        rings = self._rings() if view.track is Track.HUMAN else None
        return Seen(choice, view, instead, rings=rings, pending=self._pending(choice))

    def _pending(self, choice: Choice) -> bool:
        """Whether the plot is one of a background fit that is not there yet, or is about to be another."""
        made: Made[Any] | None
        match choice.plot:
            case "style":
                made = self._arena.fits.style(choice.slice)
            case "tracks":
                made = self._combined()
            case "history":
                made = self._history(choice.owner)
            case _:
                return False
        return made is None or made.stale

    def _rings(self) -> Mapping[str, float] | None:
        """The judge's ratings by model; None without any."""
        rows = self._arena.boards.view(Track.JUDGE).board.rows
        return {row.model: row.rating for row in rows if row.rating is not None} or None

    def side_by_side(self) -> list[tuple[str, BoardView]]:
        """People's, judge's and combined boards, those that hold anything."""
        views = [(str(track), self._arena.boards.view(track)) for track in Track]
        made = self._combined()
        if made is not None and made.value is not None:
            views.append((COMBINED, made.value))
        return [(name, view) for name, view in views if view.board.votes]

    def style_board(self, slice: str) -> Leaderboard | None:
        """A slice at equal style by the last fit; None while there is none."""
        fit = self._arena.fits.style(slice)
        return fit.value.board if fit is not None else None

    def style_lack(self, slice: str) -> str:
        """Why there is no `style_board`: what is said in its place."""
        fit = self._arena.fits.style(slice)
        if fit is None:
            return "style_fitting"
        return "style_few" if fit.value.counted else "style_no_texts"

    def pair(self, choice: Choice) -> PairView | None:
        """The two contestants that are compared; None where they are no two."""
        try:
            return self._arena.boards.compare(choice.a, choice.b, choice.owner, choice.slice)
        except ArenaError:
            return None

    def history(self, track: Track) -> Sequence[HistoryPoint]:
        """Online Elo after each of the latest votes, as last read: it replays thousands of them."""
        made = self._history(track)
        return made.value if made else ()

    def _history(self, track: Track) -> Made[Sequence[HistoryPoint]] | None:
        version = self._arena.store.board_version()
        return self._past.get(track, version, partial(self._arena.boards.history, track))

    def judge_admitted(self) -> str:
        """Who sharpens the combined board."""
        return ", ".join(self._judges.view().admitted[:1])

    def _judged(self) -> bool:
        return self._arena.boards.view(Track.JUDGE).board.votes > 0

    def _combined(self) -> Made[BoardView | None] | None:
        """The combined board as last computed, None inside where no judge is admitted: it walks through every vote,
        so it is made aside, and anew once people's intervals know who voted."""
        human = self._arena.boards.view()
        make = partial(self._judges.combined, human) if self._judged() else lambda: None
        return self._slow.get((COMBINED, human.board.parameters["intervals"]), human.version, make)


def _possible(asked: Choice) -> tuple[Choice, tuple[str, ...]]:
    """The nearest choice that can be answered, and what is to be said of the difference."""
    choice, instead = asked, list[str]()
    if choice.method not in METHODS:
        choice = replace(choice, method="bt")
    if choice.track == COMBINED and choice.slice != ALL:
        choice, instead = replace(choice, slice=ALL), [*instead, "instead_whole"]
    if choice.method in ("style", ONCE) and choice.track != "human":
        choice, instead = replace(choice, method="bt"), [*instead, "instead_people"]
    if (choice.track == COMBINED and choice.method != "bt") or not _offered(choice):
        choice, instead = replace(choice, method="bt"), [*instead, "instead_bt"]
    return choice, tuple(instead)


def _offered(choice: Choice) -> bool:
    return choice.method == "style" or offered(choice.method, choice.owner, choice.slice)
