"""Signing in with an account of the Hugging Face Hub, where a Space offers it.

Gradio asks the hub and keeps what it answers in a signed cookie of the browser; here that cookie is cut down to what
the page needs (no access token), and the account becomes a voter: a keyed digest, and nothing else about it
reaches the database. It knows no battle.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

from arena.errors import ConfigError

_NEEDED = ("SPACE_ID", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")


def offered(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a Space with `hf_oauth: true` in its front matter."""
    return environ.get("SYSTEM") == "spaces" and all(environ.get(name) for name in _NEEDED)


def check(required: bool) -> None:
    """Refuse to serve an arena in which nobody could vote."""
    if required and not offered():
        raise ConfigError(
            "signing in is required and not offered here: only a Hugging Face Space offers it",
            key="ARENA_SIGN_IN",
            suggestion="hf_oauth: true in the Space's front matter, or ARENA_SIGN_IN=offered",
        )


def account_of(scope: MutableMapping[str, Any]) -> str | None:
    """The account that this browser is signed in with; None for nobody, or for longer ago than the hub allows.

    What else Gradio kept of it is dropped from the browser's cookie on the way.
    """
    session = scope.get("session")
    found = session.get("oauth_info") if isinstance(session, MutableMapping) else None
    if session is None or not isinstance(found, Mapping):
        return None
    person, until = found.get("userinfo"), found.get("expires_at")
    if not isinstance(person, Mapping) or not person.get("sub") or (until is not None and until < time.time()):
        return None
    kept = {
        "userinfo": {"sub": person["sub"], "preferred_username": person.get("preferred_username", "")},
        "expires_at": until,
    }
    if found != kept:
        session["oauth_info"] = kept
    return str(person["sub"])
