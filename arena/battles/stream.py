"""Two streams, one clock: what may be shown of two answers at a given moment.

The clock hears each side's text as it arrives and says how much of both may be shown now. It is
a pure function of what it heard and when, symmetric in the sides, so nothing seen before the end
tells which side is the faster, the burstier or the one that thinks:

- nothing is shown until both sides have begun (or ended);
- both sides show the same number of characters, as far as their texts go;
- that number follows the slower side, smoothed, so that chunking does not show;
- once a side has ended, the pace never rises above what it was, or the rise would tell that the
  shorter answer was the slower model's;
- both end, fail and stop in the same frame.

It knows nothing of engines, tasks or pages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from arena.types import SIDES, Side

SMOOTHING = 0.2
"""Seconds in which the shown text closes most of its distance to the arrived text."""

HEAD_START = 16
"""Characters of each side that show at once when both have begun: a first word should not wait for a second."""

LEAST_PACE = 30.0
"""Characters per second that a text on hand is always shown at: about a reader's pace."""


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

    @property
    def begun(self) -> bool:
        return self.ended or self.length > 0

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

    def __init__(self, sides: tuple[Side, ...] = SIDES, *, blind: bool = True) -> None:
        self._heard = {side: _Heard() for side in sides}
        self._blind = blind
        self._shown = 0.0  # characters of each side that may be shown
        self._began: float | None = None
        self._last = 0.0
        self._cap = math.inf  # characters per second, set when the first side ends
        self._verdict: Phase | None = None

    @property
    def begun(self) -> bool:
        """Whether both sides have begun, so that there may be something to show."""
        return self._began is not None

    def hear(self, side: Side, text: str, now: float) -> None:
        """A side has said something more."""
        heard = self._heard[side]
        heard.parts.append(text)
        heard.length += len(text)
        if self._began is None:
            self.advance(now)

    def end(self, side: Side, now: float) -> None:
        """A side has said all it had to say."""
        self.advance(now)
        if self._began is not None and now > self._began and math.isinf(self._cap):
            self._cap = max(self._limit / (now - self._began), LEAST_PACE)
        self._heard[side].ended = True

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
            self._shown = float(min(self._limit, HEAD_START))
        elapsed, self._last = max(0.0, now - self._last), max(now, self._last)
        step = (self._limit - self._shown) * -math.expm1(-elapsed / SMOOTHING)
        step = min(max(step, LEAST_PACE * elapsed), self._cap * elapsed)
        self._shown = min(float(self._limit), self._shown + step)

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
