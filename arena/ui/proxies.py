"""Whose address and scheme a request really has: forwarding headers count only where a trusted proxy wrote them.

It knows networks and headers, not voters.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from starlette.types import Scope

from arena.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOOPBACK = ("127.0.0.0/8", "::1/128")
_FORWARDING = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port", b"forwarded")


class Proxies:
    """The proxies that are believed: those that the operator names, and those of this very machine.

    In a Space every request comes through the platform's own proxies, whose addresses are not known here: there, unless
    the operator names them, scheme and host are believed (the page's links need them) and nobody has an address.
    """

    def __init__(self, trusted: str = "", *, in_space: bool = False) -> None:
        self._networks = tuple(_network(part) for part in (*_LOOPBACK, *trusted.split(",")) if part.strip())
        self._blind = in_space and not trusted.strip()

    def believed(self, scope: Scope) -> tuple[Scope, Address | None]:
        """The request as it is to be believed, and who sent it; None where that cannot be told apart.

        None also stands for this machine itself: behind a proxy that forwards no addresses, all would share one.
        """
        if self._blind:
            return scope, None
        peer = _address((scope.get("client") or ("",))[0])
        if peer is None or not self._trusts(peer):
            return _without_forwarding(scope), peer
        headers = [(name.lower(), value) for name, value in scope["headers"]]
        scheme = next((value for name, value in headers if name == b"x-forwarded-proto"), b"").decode("latin1").strip()
        sender = self._sender(value.decode("latin1") for name, value in headers if name == b"x-forwarded-for")
        if scheme in ("http", "https"):
            scope = {**scope, "scheme": scheme}
        return scope, sender

    def _sender(self, values: Iterable[str]) -> Address | None:
        """The nearest address that no trusted proxy has: what stands left of it is the sender's own claim."""
        hops = [_address(part.strip()) for value in values for part in value.split(",")]
        for hop in reversed(hops):
            if hop is None:
                return None
            if not self._trusts(hop):
                return hop
        return None

    def _trusts(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ConfigError(
            f"{text.strip()!r} is neither an address nor a network",
            key="ARENA_TRUSTED_PROXIES",
            suggestion="10.0.0.0/8, 192.168.1.5",
        ) from None


def _address(text: str) -> Address | None:
    """An address as proxies write it: bare, with a port, or in brackets."""
    bare = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped: Any = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _without_forwarding(scope: Scope) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _FORWARDING]
    return {**scope, "headers": headers}
