"""How often one voter and one address may act: token buckets in memory, as many as fit a fixed table.

An address is kept only as a digest under a random key that changes every day and is written nowhere, so
nothing here can be turned back into an address. It knows no routes and no texts.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Literal

from arena.config import Settings

Act = Literal["vote", "ask", "event", "arrival"]

EVENTS_PER_MINUTE = 3_000
"""What a page asks for by itself: repainting the board whenever somebody votes."""

ARRIVALS_PER_MINUTE = 30
"""New voters of one address, times `address_share`: a lecture hall opens the page at once, a machine goes on."""

STREAMS_PER_VOTER = 60
"""Open connections of one voter: a tab holds two or three."""

MOST_BUCKETS = 200_000
"""About 50 MB when full; then the one longest at rest is forgotten."""

FULL_AFTER = 60.0
"""Seconds at rest after which any bucket is full again, as one that is not there is."""

_DAY = 86_400.0


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class Disguise:
    """Stands for an address in memory: a digest under a random key that is another one every day."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._renew()

    def __call__(self, address: str) -> str:
        """What is kept in the address's place."""
        if self._clock() - self._renewed >= _DAY:
            self._renew()
        return hmac.new(self._key, address.encode(errors="replace"), hashlib.sha256).hexdigest()[:24]

    def _renew(self) -> None:
        self._key, self._renewed = secrets.token_bytes(32), self._clock()


class Rates:
    """Says, for each act, how long its sender has to wait; 0 lets it happen."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute: dict[Act, float] = {
            "vote": settings.votes_per_minute,
            "ask": settings.asks_per_minute,
            "event": EVENTS_PER_MINUTE,
            "arrival": ARRIVALS_PER_MINUTE,
        }
        self._share, self._most_streams = settings.address_share, settings.max_streams
        self._clock = clock
        self._buckets: OrderedDict[tuple[Act, str], _Bucket] = OrderedDict()
        self._streams: dict[str, int] = {}
        self._open = 0
        self._disguise = Disguise(clock)

    def wait(self, act: Act, voter: str | None, address: IPv4Address | IPv6Address | None) -> float:
        """Seconds until this voter at this address may do this; an act that has to wait costs nothing."""
        per_minute = self._per_minute[act]
        if not per_minute:
            return 0.0
        now = self._clock()
        claims = [((act, f"v:{voter}"), per_minute)] if voter else []
        if address is not None and self._share:
            claims.append(((act, self._digest(address)), per_minute * self._share))
        waits = [self._lacking(key, limit, now) for key, limit in claims]
        if any(waits):
            return max(waits)
        for key, _ in claims:
            self._buckets[key].level -= 1.0
        return 0.0

    def crowded(self) -> bool:
        """Whether as many connections are open as the operator allows."""
        return self._open >= self._most_streams

    @contextmanager
    def stream(self, voter: str | None, address: IPv4Address | IPv6Address | None) -> Iterator[bool]:
        """Hold a connection open for as long as the block runs; False when there are too many already."""
        claims = {f"v:{voter}": STREAMS_PER_VOTER} if voter else {}
        if address is not None and self._share:
            claims[self._digest(address)] = int(STREAMS_PER_VOTER * self._share)
        if self.crowded() or any(self._streams.get(key, 0) >= limit for key, limit in claims.items()):
            yield False
            return
        self._open += 1
        for key in claims:
            self._streams[key] = self._streams.get(key, 0) + 1
        try:
            yield True
        finally:
            self._open -= 1
            for key in claims:
                self._streams[key] -= 1
                if not self._streams[key]:
                    del self._streams[key]

    def _lacking(self, key: tuple[Act, str], per_minute: float, now: float) -> float:
        """Fill the bucket for the time that passed; seconds until it holds a whole token. A minute's worth fits."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(per_minute, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        while now - next(iter(self._buckets.values())).at > FULL_AFTER and len(self._buckets) > 1:
            self._buckets.popitem(last=False)
        bucket.level = min(per_minute, bucket.level + (now - bucket.at) * per_minute / 60)
        bucket.at = now
        return 0.0 if bucket.level >= 1.0 else (1.0 - bucket.level) * 60 / per_minute

    def _digest(self, address: IPv4Address | IPv6Address) -> str:
        """An address under today's key; of IPv6 the /64, which is one household's."""
        known = ip_network((address, 64), strict=False) if address.version == 6 else address
        return "a:" + self._disguise(str(known))
