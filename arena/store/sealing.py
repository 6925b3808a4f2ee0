"""Texts under lock: what a person wrote and was answered is stored sealed, under a key of that person's own.

A voter's key is random and stands in the table `voter_keys`, wrapped by a key that is derived from the
arena's secret. Forgetting a voter overwrites that one row: every copy of the texts, wherever it lies, is
noise from then on. Backups are made without keys (`arena.store.keyring`).

AES-256-GCM with random nonces of 96 bits (NIST SP 800-38D); keys from secrets by HKDF-SHA256 (RFC 5869).
The place of a text (battle, turn, attempt, side, column) is authenticated with it, so that a sealed text
moved to another row does not open there. It knows bytes, and neither tables nor what a text says.
"""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from arena.errors import StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NAME_BYTES, NONCE_BYTES, KEY_BYTES, TAG_BYTES, MARK_BYTES = 16, 12, 32, 16, 4

DROPPED = bytes(MARK_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES)
"""What stands in the place of a key that is gone: as long as a wrapped one, so that it is overwritten where it lay
(SQLite moves no neighbour for it, and leaves no copy of one in the free part of a page)."""

KEYS_KEPT_OPEN = 256
"""Voters' keys that stay open, 2.4 KB each: opening one again takes 6 µs."""


class Keyring:
    """The arena's secrets, and the voters' keys that they open. The first secret wraps, the others only open."""

    def __init__(self, secrets: Sequence[bytes] = (b"",)) -> None:
        self.secrets = tuple(secrets)
        self._masters: dict[bytes, AESGCM] | None = None
        self._open = lru_cache(KEYS_KEPT_OPEN)(self._unwrapped)

    @property
    def marks(self) -> frozenset[bytes]:
        """What wrapped keys that can be opened here begin with."""
        return frozenset(self._known())

    def fresh(self, name: bytes) -> bytes:
        """A new voter's key, wrapped. `name` is the key's own (16 random bytes)."""
        return self._wrapped(name, os.urandom(KEY_BYTES))

    def opened(self, name: bytes, wrapped: bytes) -> AESGCM | None:
        """The key inside, None when none of the secrets wrapped it or it was dropped."""
        return self._open(name, wrapped)

    def rewrapped(self, name: bytes, wrapped: bytes) -> bytes | None:
        """The same key under the first secret; None when it is so already, or cannot be opened."""
        first = next(iter(self._known()))
        key = None if wrapped[:MARK_BYTES] == first else self._bytes_of(name, wrapped)
        return None if key is None else self._wrapped(name, key)

    def _wrapped(self, name: bytes, key: bytes) -> bytes:
        mark, master = next(iter(self._known().items()))
        nonce = os.urandom(NONCE_BYTES)
        return mark + nonce + master.encrypt(nonce, key, name)

    def _unwrapped(self, name: bytes, wrapped: bytes) -> AESGCM | None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._bytes_of(name, wrapped)
        return None if key is None else AESGCM(key)

    def _bytes_of(self, name: bytes, wrapped: bytes) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        master = self._known().get(wrapped[:MARK_BYTES])
        if master is None or wrapped == DROPPED:
            return None
        try:
            return master.decrypt(wrapped[MARK_BYTES:][:NONCE_BYTES], wrapped[MARK_BYTES + NONCE_BYTES :], name)
        except InvalidTag:
            return None

    def _known(self) -> dict[bytes, AESGCM]:
        """The key that each secret gives, by the mark that what it wrapped begins with."""
        if self._masters is None:
            self._masters = dict(map(master_key, self.secrets))
        return self._masters


def master_key(secret: bytes) -> tuple[bytes, AESGCM]:
    """A secret's mark and the key that wraps voters' keys."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # costs 60 ms: only who meets a text pays
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derived = HKDF(SHA256(), MARK_BYTES + KEY_BYTES, salt=None, info=b"arena: keys of voters").derive(secret)
    return derived[:MARK_BYTES], AESGCM(derived[MARK_BYTES:])


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals and opens the texts of one voter. Without a key every text is empty, as if never written.

    `lost` says that a key exists and none of the secrets opens it: sealing then would lose a text in silence.
    """

    key: AESGCM | None
    lost: bool = False

    def seal(self, text: str, *place: object) -> str:
        """The text as it is stored. Raises `StoreError` when the voter's key is lost."""
        if self.lost and text:
            raise StoreError(
                "this voter's texts are sealed under another ARENA_SECRET: put the one it had into storage/secret"
            )
        if self.key is None or not text:
            return ""
        nonce = os.urandom(NONCE_BYTES)
        packed = zlib.compress(text.encode(), 1)
        return base64.b64encode(nonce + self.key.encrypt(nonce, packed, _place(place))).decode()

    def open(self, sealed: str | None, *place: object) -> str:
        """The text; empty when it is, or when there is no key that opens it here."""
        return self.tried(sealed, *place) or ""

    def tried(self, sealed: str | None, *place: object) -> str | None:
        """The text, None when it does not open."""
        from cryptography.exceptions import InvalidTag

        if not sealed:
            return ""
        if self.key is None:
            return None
        try:
            raw = base64.b64decode(sealed)
            packed = self.key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _place(place))
        except (InvalidTag, ValueError):
            return None
        return zlib.decompress(packed).decode()


NOTHING = Sealer(None)
"""The sealer of who was forgotten."""


def _place(parts: Sequence[object]) -> bytes:
    return "\n".join(map(str, parts)).encode()
