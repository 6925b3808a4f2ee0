"""Two streams, one clock: what may be shown of two answers at a given moment.

The clock hears each side's text as it arrives and says how much of both may be shown now. It is
symmetric in the sides, so nothing seen before the end tells which side is the faster, the burstier or
the one that thinks:

- nothing is shown until both sides have begun (or ended);
- both sides show the same number of characters, as far as their texts go;
- that number runs at a steady pace, a little behind the slower side: a text that followed it closely would pause
  where the slower model's words end, and hurry where they are long;
- the pace is changed when it is off and enough was said to judge it, with chance in every change, and the distance
  to the slower side comes and goes in waves of a random length;
- once the shorter answer is through, the pace stays: a rise would tell that it was the slower model's;
- both end, fail and stop in the same frame.

It knows nothing of engines, tasks or pages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from arena.types import SIDES, Side

HEAD_START = 2
"""Characters of each side that show at once when both have begun: a first word should not wait for a second, and
shown whole it would tell by where it ends whose it was."""

GRID = 8
"""Where the text on hand runs out, it is shown up to a multiple of so many characters and not to a word's end."""

LAG, LEAST_LAG = 0.05, 20.0
"""The shown text aims to stay so many seconds, and so many characters more, behind the slower side …"""

WOBBLE, WAVES = 32.0, (200.0, 800.0)
"""… and up to twice so many more, in waves of a random length in characters: how a text hurries and lingers over
its whole length then tells nothing of the sizes of the slower model's chunks."""

BRISK = 80.0
"""Characters per second above which chunks come too thick to be told apart: waves and chance flatten."""

TOLERATED = 8.0
"""So many characters off is near enough."""

REVIEW = 0.25
"""Seconds between looks at the pace."""

FIRST_PACE, LEAST_PACE = 14.0, 12.0
"""Characters per second until a pace is found, and at least."""

ENOUGH = 48
"""Characters of a side by which its pace is judged: over fewer, a few long words would show in it."""

AT_ONCE = 2000.0
"""Characters per second of answers that both were there before the first look at the pace."""

MEMORY = 8.0
"""Seconds of arrivals that a pace is judged by."""

RAN_OUT = 0.7
"""By so much the pace falls when the shown text has run into the slower side."""

_FAR_OFF = math.log(1.6)  # a pace this far from the arrivals' is changed wherever the shown text stands
_CHANCE = 0.25  # spread of the chance in a new pace
_HORIZON = 2.0  # seconds in which the distance to the slower side is brought back to what it should be


class Phase(StrEnum):
    """What both sides are doing, always the same for both."""

    WAITING = "waiting"  # nothing to show yet: loading, thinking, or merely slow; the sign is one
    WRITING = "writing"
    ENDED = "ended"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page may show at one moment."""

    phase: Phase
    a: str = ""
    b: str = ""

    @property
    def final(self) -> bool:
        """Whether no later frame will differ."""
        return self.phase in (Phase.ENDED, Phase.STOPPED, Phase.FAILED)


@dataclass(slots=True)
class _Heard:
    """What one side has said so far."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    ended: bool = False
    since: float = 0.0  # when it had said `start` characters: its own pace is measured from there
    start: int = 0

    @property
    def begun(self) -> bool:
        return self.ended or self.length > 0

    def hear(self, text: str, now: float) -> None:
        if not self.begun:
            self.since, self.start = now, len(text)
        self.parts.append(text)
        self.length += len(text)

    def rate(self, now: float) -> float:
        """Characters per second of late; 0 as long as it said too little to tell."""
        said, elapsed = self.length - self.start, now - self.since
        if said < ENOUGH or elapsed <= 0:
            return 0.0
        if elapsed > MEMORY:
            self.since, self.start = now - MEMORY / 2, self.length - round(said / elapsed * MEMORY / 2)
        return said / elapsed

    @property
    def text(self) -> str:
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""


class SharedClock:
    """Releases two (or one) answers at one pace.

    With `blind=False` each side shows what it has as it comes: the operator's choice, and the rule
    wherever names are known from the start.
    """

    def __init__(self, sides: tuple[Side, ...] = SIDES, *, blind: bool = True, rng: Random | None = None) -> None:
        self._heard = {side: _Heard() for side in sides}
        self._blind = blind
        self._rng = rng or Random()
        self._shown = 0.0  # characters of each side that may be shown
        self._pace = FIRST_PACE
        self._found = False  # whether the pace rests on what was heard
        self._wave = self._rng.uniform(*WAVES), self._rng.uniform(0, 2 * math.pi)
        self._judged = 0  # how much the slower side had said when the pace was last judged
        self._began: float | None = None
        self._last = self._next_review = 0.0
        self._verdict: Phase | None = None

    @property
    def begun(self) -> bool:
        """Whether both sides have begun, so that there may be something to show."""
        return self._began is not None

    def hear(self, side: Side, text: str, now: float) -> None:
        """A side has said something more."""
        if self._began is not None and now >= self._next_review:
            self.advance(now)
        self._heard[side].hear(text, now)
        if self._began is None:
            self.advance(now)

    def end(self, side: Side, now: float) -> None:
        """A side has said all it had to say."""
        self.advance(now)
        self._heard[side].ended = True
        if self._all_ended and not self._found:
            elapsed = 0.0 if self._began is None else now - self._began
            self._pace = AT_ONCE if elapsed < REVIEW else max(LEAST_PACE, self._heard[side].length / elapsed)
            self._found = True

    def stop(self, now: float) -> tuple[str, ...]:
        """Freeze what is shown; returns the shown text of each side, which is what was judged."""
        self.advance(now)
        if self._verdict is None:
            self._verdict = Phase.STOPPED
        return tuple(self._visible(side) for side in self._heard)

    def fail(self) -> None:
        """Either side failed: both do, and neither text stays."""
        self._verdict = Phase.FAILED

    def advance(self, now: float) -> None:
        """Let time pass up to `now` (seconds of any monotonic clock)."""
        if self._verdict is not None or not all(heard.begun for heard in self._heard.values()):
            return
        if self._began is None:
            self._began = self._last = now
            self._next_review = now + REVIEW
            self._shown = float(min(self._limit, HEAD_START))
        while self._next_review <= now:
            self._flow(self._next_review)
            self._review(self._next_review)
        self._flow(now)

    def _flow(self, now: float) -> None:
        """Show more at the pace, as far as there is text on hand."""
        elapsed, self._last = max(0.0, now - self._last), max(now, self._last)
        self._shown = max(self._shown, min(self._shown + self._pace * elapsed, float(self._on_hand)))

    def _review(self, now: float) -> None:
        """Look over the pace: does it keep the shown text where it should be behind the slower side?"""
        self._next_review = now + REVIEW
        if self._settled:
            return
        if self._found and self._shown >= self._on_hand:
            self._pace = max(LEAST_PACE, self._pace * RAN_OUT * self._chance())
            return
        rates = [heard.rate(now) for heard in self._heard.values() if not heard.ended]
        if self._limit - self._judged < ENOUGH or min(rates) == 0:
            return
        self._judged, arrival = self._limit, min(rates)
        astray = self._limit - self._shown - self._distance
        astray = math.copysign(max(0.0, abs(astray) - LAG * self._pace - TOLERATED), astray)
        far_off = abs(math.log(max(arrival, LEAST_PACE) / self._pace)) > _FAR_OFF
        if not self._found or astray or far_off:
            self._pace = max(LEAST_PACE, arrival * self._chance() + astray / _HORIZON)
            self._found = True

    @property
    def _distance(self) -> float:
        """Characters that the shown text should be behind: they come and go in waves of this clock's own."""
        length, phase = self._wave
        wave = WOBBLE * self._slowness
        return LAG * self._pace + LEAST_LAG + wave * (1 + math.sin(phase + 2 * math.pi * self._shown / length))

    def _chance(self) -> float:
        return math.exp(self._rng.uniform(-_CHANCE, _CHANCE) * self._slowness)

    @property
    def _slowness(self) -> float:
        """How much there is to be hidden: all of it at a slow pace, less and less at a brisk one."""
        return min(1.0, BRISK / self._pace)

    @property
    def _on_hand(self) -> int:
        """How far there is text to be shown."""
        return self._limit if self._all_ended else self._limit // GRID * GRID

    @property
    def _settled(self) -> bool:
        """Whether the pace stays as it is: the shorter answer is, or is about to be, through."""
        ended = [heard.length for heard in self._heard.values() if heard.ended]
        return self._all_ended or (bool(ended) and self._shown >= min(ended) - self._distance)

    def frame(self, now: float) -> Frame:
        """What may be shown at `now`."""
        self.advance(now)
        if self._verdict is Phase.FAILED:
            return Frame(Phase.FAILED)
        texts = {side: self._visible(side) for side in self._heard}
        return Frame(self._phase, texts["a"], texts.get("b", ""))

    @property
    def _phase(self) -> Phase:
        if self._verdict is not None:
            return self._verdict
        if self._all_ended and (not self._blind or self._shown >= self._limit - 0.5):
            return Phase.ENDED
        begun = self._began is not None if self._blind else any(heard.length for heard in self._heard.values())
        return Phase.WRITING if begun else Phase.WAITING

    @property
    def _all_ended(self) -> bool:
        return all(heard.ended for heard in self._heard.values())

    @property
    def _limit(self) -> int:
        """How far both may be shown: the slower side's text, or everything once nobody adds to it."""
        growing = [heard.length for heard in self._heard.values() if not heard.ended]
        return min(growing) if growing else max(heard.length for heard in self._heard.values())

    def _visible(self, side: Side) -> str:
        text = self._heard[side].text
        return text[: round(self._shown)] if self._blind and not self._wholly_shown else text

    @property
    def _wholly_shown(self) -> bool:
        return self._verdict is None and self._phase is Phase.ENDED
