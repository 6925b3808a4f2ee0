"""How often one may act: by voter and by address, with a person never noticing."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from arena.config import Settings
from arena.errors import ConfigError
from arena.ui import rates
from arena.ui.proxies import Proxies
from arena.ui.rates import Rates

HERE, THERE = ip_address("203.0.113.7"), ip_address("203.0.113.8")


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of one's own."""
    return Clock()


def limited(clock: Clock, **settings: int) -> Rates:
    """Rates with these settings."""
    return Rates(Settings(**settings), clock=clock)  # type: ignore[arg-type]


def test_a_minutes_worth_passes_at_once_and_then_at_the_pace(clock: Clock) -> None:
    """The wait that is told is exactly long enough."""
    pace = limited(clock, votes_per_minute=6)
    assert [pace.wait("vote", "v", None) for _ in range(6)] == [0.0] * 6
    wait = pace.wait("vote", "v", None)
    assert wait == pytest.approx(10.0)
    clock.now += wait
    assert pace.wait("vote", "v", None) == 0.0
    assert pace.wait("vote", "v", None) > 0


def test_who_has_rested_for_a_minute_takes_no_memory(clock: Clock) -> None:
    """A bucket that is full says no more than none at all; those in use stay."""
    pace = limited(clock, votes_per_minute=2)
    for number in range(100):
        pace.wait("vote", f"v{number}", HERE)
    clock.now += 59
    assert [pace.wait("vote", "v0", None) for _ in range(3)] == [0.0, 0.0, pytest.approx(30.0)]
    clock.now += 2
    assert pace.wait("vote", "v0", None) > 0
    assert len(pace._buckets) == 1


def test_voters_do_not_wait_for_each_other(clock: Clock) -> None:
    """Who is too fast slows down nobody else."""
    pace = limited(clock, votes_per_minute=1)
    assert pace.wait("vote", "one", HERE) == 0
    assert pace.wait("vote", "one", HERE) > 0
    assert pace.wait("vote", "two", HERE) == 0


def test_many_voters_of_one_address_are_as_fast_as_its_share(clock: Clock) -> None:
    """A new cookie for every vote helps nobody; another address is free."""
    pace = limited(clock, votes_per_minute=2, address_share=5)
    waits = [pace.wait("vote", f"v{number}", HERE) for number in range(11)]
    assert waits[:10] == [0.0] * 10
    assert waits[10] > 0
    assert pace.wait("vote", "v11", THERE) == 0


def test_a_refused_act_costs_nothing(clock: Clock) -> None:
    """An address that is too fast does not use up its voters' own tokens."""
    pace = limited(clock, votes_per_minute=1, address_share=1)
    assert pace.wait("vote", "a", HERE) == 0
    assert pace.wait("vote", "b", HERE) > 0
    assert pace.wait("vote", "b", THERE) == 0


def test_a_household_of_ipv6_is_one_address(clock: Clock) -> None:
    """Its 2⁶⁴ numbers are not 2⁶⁴ people."""
    pace = limited(clock, votes_per_minute=1, address_share=1)
    assert pace.wait("vote", "a", ip_address("2001:db8::1")) == 0
    assert pace.wait("vote", "b", ip_address("2001:db8::ffff:2")) > 0
    assert pace.wait("vote", "b", ip_address("2001:db8:0:1::2")) == 0


def test_zero_lifts_a_limit(clock: Clock) -> None:
    """An operator may switch each of them off."""
    pace = limited(clock, votes_per_minute=0, address_share=0)
    assert not any(pace.wait("vote", "v", HERE) for _ in range(1000))


def test_the_table_stays_small(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many voters and addresses come, the oldest make room."""
    monkeypatch.setattr(rates, "MOST_BUCKETS", 100)
    pace = limited(clock)
    for number in range(1000):
        pace.wait("vote", f"v{number}", ip_address(number))
    assert len(pace._buckets) <= 100


def test_no_address_is_kept_and_its_digest_changes_every_day(clock: Clock) -> None:
    """What is in memory is no address, and tomorrow is not linked to today."""
    pace = limited(clock)
    pace.wait("vote", None, HERE)
    (today,) = [key for _, key in pace._buckets]
    clock.now += 86_400
    pace.wait("vote", None, HERE)
    (tomorrow,) = [key for _, key in pace._buckets]  # yesterday's is gone
    assert str(HERE) not in today
    assert today != tomorrow


def test_streams_are_counted_and_given_back(clock: Clock) -> None:
    """Past the limit a connection is turned away; one that ends makes room, even by an error."""
    pace = limited(clock, max_streams=2)
    with pace.stream("a", HERE) as first, pace.stream("b", HERE) as second:
        assert first
        assert second
        assert pace.crowded()
        with pace.stream("c", HERE) as third:
            assert not third
    with pytest.raises(RuntimeError), pace.stream("a", HERE):
        raise RuntimeError
    assert not pace.crowded()
    assert pace._streams == {}


def scope(peer: str, **headers: str) -> dict[str, object]:
    """A request from a peer with these headers."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": (peer, 5), "scheme": "http", "headers": raw}


def test_forwarding_headers_of_a_stranger_are_dropped() -> None:
    """They would let anybody choose an address, and a host for the page's links."""
    seen, sender = Proxies().believed(scope("203.0.113.7", x_forwarded_for="1.1.1.1", x_forwarded_host="evil"))
    assert sender == HERE
    assert seen["headers"] == []


def test_a_trusted_proxys_nearest_stranger_is_the_sender() -> None:
    """What the sender itself wrote stands further left and does not count."""
    proxies = Proxies("10.0.0.0/8, 192.0.2.1")
    forwarded = "1.1.1.1, 203.0.113.7, 192.0.2.1"
    seen, sender = proxies.believed(scope("10.1.2.3", x_forwarded_for=forwarded, x_forwarded_proto="https"))
    assert sender == HERE
    assert seen["scheme"] == "https"


@pytest.mark.parametrize("claim", ["", "unknown", "10.0.0.1", "203.0.113.7, rubbish"])
def test_an_address_that_cannot_be_told_is_none(claim: str) -> None:
    """Better no address than one that all would share."""
    assert Proxies("10.0.0.0/8").believed(scope("10.1.2.3", x_forwarded_for=claim))[1] is None


def test_addresses_are_read_as_proxies_write_them() -> None:
    """With ports, in brackets, IPv4 inside IPv6."""
    for written in ("203.0.113.7:4711", "[::ffff:203.0.113.7]:80", "::ffff:203.0.113.7"):
        assert Proxies().believed(scope("127.0.0.1", x_forwarded_for=written))[1] == HERE


def test_in_a_space_nobody_has_an_address_until_its_proxies_are_named() -> None:
    """The platform's proxies are not known here; the page's links still need the host that they forward."""
    seen, sender = Proxies(in_space=True).believed(scope("10.1.2.3", x_forwarded_for="1.1.1.1", x_forwarded_host="h"))
    assert sender is None
    assert len(seen["headers"]) == 2


def test_a_strange_network_is_named_at_the_start() -> None:
    """A mistyped network trusts nobody silently: it is refused."""
    with pytest.raises(ConfigError, match="ARENA_TRUSTED_PROXIES"):
        Proxies("10.0.0/8")
