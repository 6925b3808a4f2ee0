"""Who meets whom next: the votes' wishes traded against the wait, and the next pair loaded ahead.

It knows the fleet and how much each pair is wanted; it knows no battle and no voter. Every draw
carries the probability of the whole draw, so that ratings can be told how the pairs came about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random

from arena.battles.pairing import Pairing, PairWeight, draw_pair, sound_first, warm_first
from arena.errors import BattleError, ModelUnavailable, NotReady, TooFewContestants
from arena.service.fleet import Fleet

log = logging.getLogger(__name__)


class Matchmaker:
    """Draws pairs for blind battles.

    `wanted` gives the votes' wishes as they are now, `failing` how many answers of a contestant failed in a row.
    """

    def __init__(
        self, fleet: Fleet, wanted: Callable[[], PairWeight], rng: Random, failing: Callable[[str], int]
    ) -> None:
        self._fleet, self._wanted, self._rng, self._failing = fleet, wanted, rng, failing
        self.ahead: Pairing | None = None

    def pair(self) -> Pairing:
        """The pair that was loaded ahead, if it still can answer, else one that is drawn with a preference for warm.

        Raises `NotReady` when fewer than two contestants can answer yet, `TooFewContestants` when no more will.
        """
        ready = self._fleet.ready()
        if len(ready) < 2 and self._fleet.preparation().total < 2:
            raise TooFewContestants("fewer than two contestants take part: enable another")
        if len(ready) < 2:
            raise NotReady("fewer than two contestants can answer yet: they are being prepared")
        ahead, self.ahead = self.ahead, None
        if ahead is not None and {ahead.a, ahead.b} <= set(ready):
            return ahead
        return draw_pair(ready, self._rng, warm_first(self._possible(), self._fleet.cold(ready)))

    async def look_ahead(self) -> None:
        """While a voter reads, draw the next pair and load it: its wait costs nobody anything, so warmth does not
        weigh here. Where all is warm, or a pair waits already, there is nothing to do."""
        ready = self._fleet.ready()
        if self.ahead is not None or not self._fleet.cold(ready):
            return
        try:
            self.ahead = pairing = draw_pair(ready, self._rng, self._possible())
        except BattleError:
            return  # nobody left to draw: the next question will say so
        try:
            await self._fleet.warm((pairing.a, pairing.b))
        except ModelUnavailable as error:
            log.warning("the next pair could not be loaded: %s", error)
            if self.ahead is pairing:
                self.ahead = None

    def _possible(self) -> PairWeight:
        """How much the votes want a pair; not at all when the memory does not hold it."""
        weight = sound_first(self._wanted(), self._failing)
        return lambda a, b: weight(a, b) if self._fleet.together(a, b) else 0.0
