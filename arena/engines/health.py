"""Does an endpoint answer? One small question to an OpenAI-compatible server, and a plain sentence.

It knows the protocol's list of models and nothing of conversations, prices or retries.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx2

TIMEOUT = 5.0
"""Seconds to wait for an endpoint."""


@dataclass(frozen=True, slots=True)
class Health:
    """What an endpoint said: `ok` None is "could not tell", `models` the names it offers."""

    ok: bool | None
    message: str
    models: tuple[str, ...] = ()


def ask(base_url: str, model: str, key: str | None = None, *, timeout: float = TIMEOUT) -> Health:
    """Ask `base_url` for its models. Redirects are not followed, so that a key goes nowhere else."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        response = httpx2.get(f"{base_url}/models", headers=headers, timeout=timeout, follow_redirects=False)
    except httpx2.TimeoutException:
        return Health(False, f"does not answer within {timeout:g} s")
    except (httpx2.HTTPError, OSError) as error:
        return Health(False, f"cannot be reached ({type(error).__name__})")
    if response.status_code in (401, 403):
        return Health(False, f"refuses the key ({response.status_code})" if key else "asks for a key")
    if response.status_code == 404:
        return Health(None, "answers, but does not list its models")
    if response.status_code != 200:
        return Health(False, f"answers {response.status_code}")
    return _offers(response, model)


def _offers(response: httpx2.Response, model: str) -> Health:
    try:
        names = tuple(str(one["id"]) for one in response.json()["data"])
    except (ValueError, KeyError, TypeError):
        return Health(None, "answers, but not as an OpenAI-compatible server does")
    if names and model not in names:
        return Health(None, f"answers, but does not list {model}", names)
    return Health(True, "answers", names)
