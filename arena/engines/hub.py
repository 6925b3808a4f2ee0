"""Is a model where the catalogue says it is? Asks the Hugging Face hub and tells plainly what is wrong.

It reads ids, revisions, gates and safetensors headers; it downloads no weights and loads nothing.
The hub's exceptions end here: an answer is a `Finding` or a `Checkpoint`, a failure an `EndpointError`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from huggingface_hub import HfApi, constants, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    NotASafetensorsRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    SafetensorsParsingError,
)

from arena.config.contestants import HUB_ID
from arena.engines.checkpoint import CONFIG, INDEX, Checkpoint, Tensor, from_index, read_directory
from arena.errors import AccessDenied, EndpointError, FileFormatError

Answer = TypeVar("Answer")
TIMEOUT = 10.0
"""Seconds to wait for the hub."""


class Verdict(StrEnum):
    """What became of a look at the hub."""

    FINE = "fine"
    LOCAL = "local"  # a directory of this machine
    WRONG_ID = "wrong id"
    WRONG_REVISION = "wrong revision"
    GATED = "gated"
    NO_SAFETENSORS = "no safetensors"
    BROKEN = "broken"  # a local checkpoint that cannot be read
    REFUSED = "refused"  # the hub answered with another error
    OFFLINE = "offline"  # could not tell


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: a verdict, the commit behind the revision, and a sentence with the mend."""

    verdict: Verdict
    model: str
    message: str
    commit: str | None = None
    mend: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether the entry can be loaded; None when the hub could not be asked."""
        if self.verdict is Verdict.OFFLINE:
            return None
        return self.verdict in (Verdict.FINE, Verdict.LOCAL)


class Hub:
    """The hub behind an address; `token` None takes `HF_TOKEN` as the client does."""

    def __init__(self, endpoint: str | None = None, token: str | None = None, cache: Path | None = None) -> None:
        self._api = HfApi(endpoint=endpoint, token=token)
        self._cache = cache
        self._asks = True

    @property
    def endpoint(self) -> str:
        """The address of the hub."""
        return str(self._api.endpoint)

    def offline(self) -> Hub:
        """The same that asks nobody: directories and the cache alone."""
        other = copy(self)
        other._asks = False
        return other

    def look(self, model: str, revision: str | None = None, *, trust_remote_code: bool = False) -> Finding:
        """Whether a hub id or a directory can be loaded, without fetching weights."""
        if Path(model).expanduser().is_dir():
            return _look_at_directory(Path(model).expanduser())
        if not HUB_ID.fullmatch(model):
            return Finding(
                Verdict.WRONG_ID, model, "this is neither a hub id (OWNER/NAME) nor a directory that is there"
            )
        try:
            info = _translated(model, self.endpoint, lambda: self._info(model, revision))
            _translated(model, self.endpoint, lambda: self._api.auth_check(model))
        except _Refusal as refusal:
            return self._with_near_names(refusal.finding)
        commit = str(info.sha)
        files = [str(sibling.rfilename) for sibling in info.siblings or ()]
        if not any(name.endswith(".safetensors") for name in files):
            return Finding(
                Verdict.NO_SAFETENSORS, model, "it has no safetensors weights, and other formats are not loaded", commit
            )
        code = any(name.endswith(".py") for name in files) and not trust_remote_code
        mend = "" if revision else f"pin it: revision: {commit}"
        note = "; it ships code of its own, which is not run" if code else ""
        return Finding(Verdict.FINE, model, f"found at {commit[:12]}{note}", commit, mend)

    def checkpoint(self, model: str, revision: str | None = None) -> Checkpoint:
        """A model's config and tensors: from a directory, the hub's cache, or the hub.

        Raises `FileFormatError` for a broken local one, `AccessDenied` for a gated or unknown id
        and `EndpointError` when the hub cannot be asked.
        """
        if Path(model).expanduser().is_dir():
            return read_directory(Path(model).expanduser())
        if not HUB_ID.fullmatch(model):
            raise FileFormatError("there is no such directory", path=model)
        if snapshot := self._cached(model, revision):
            with suppress(FileFormatError):  # not all of it is fetched yet
                return read_directory(snapshot)
        try:
            return _translated(model, self.endpoint, lambda: self._remote(model, revision))
        except _Refusal as refusal:
            finding = refusal.finding
            text = finding.message + (f" ({finding.mend})" if finding.mend else "")
            if finding.verdict in (Verdict.GATED, Verdict.WRONG_ID):
                raise AccessDenied(text, status=401) from None
            raise EndpointError(text) from None

    def _info(self, model: str, revision: str | None) -> Any:
        if not self._asks:
            raise OfflineModeIsEnabled("the hub was out of reach before")
        return self._api.model_info(model, revision=revision, timeout=TIMEOUT)

    def _cached(self, model: str, revision: str | None) -> Path | None:
        """The model's snapshot in the cache, if its config is there."""
        found = try_to_load_from_cache(model, CONFIG, cache_dir=self._cache, revision=revision)
        return Path(found).parent if isinstance(found, str) else None

    def _remote(self, model: str, revision: str | None) -> Checkpoint:
        files = {str(sibling.rfilename) for sibling in self._info(model, revision).siblings or ()}
        config, source = self._json(model, revision, CONFIG), f"{self.endpoint}/{model}"
        if INDEX in files:
            with suppress(FileFormatError):  # an architecture whose shapes only the shards tell
                return from_index(source, config, self._json(model, revision, INDEX))
        headers = self._api.get_safetensors_metadata(model, revision=revision, timeout=TIMEOUT)
        tensors = tuple(
            Tensor(name, str(tensor.dtype), tuple(tensor.shape))
            for file in headers.files_metadata.values()
            for name, tensor in file.tensors.items()
        )
        return Checkpoint(source, config, tensors)

    def _json(self, model: str, revision: str | None, name: str) -> Mapping[str, Any]:
        """A small file of the repository, kept in the cache for the next time."""
        path = self._api.hf_hub_download(model, name, revision=revision, cache_dir=self._cache, etag_timeout=TIMEOUT)
        content: Mapping[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        return content

    def _with_near_names(self, finding: Finding) -> Finding:
        """A wrong id with the ids that the hub's own search finds for its name."""
        if finding.verdict is not Verdict.WRONG_ID:
            return finding
        try:
            found = [str(one.id) for one in self._api.list_models(search=finding.model.split("/")[-1], limit=3)]
        except (httpx2.HTTPError, OSError, ValueError):
            return finding
        mend = f"the hub has {', '.join(found)}" if found else finding.mend
        return Finding(finding.verdict, finding.model, finding.message, None, mend)


class _Refusal(Exception):
    """The hub's no, as a finding."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


def _translated(model: str, endpoint: str, ask: Callable[[], Answer]) -> Answer:
    """Ask, and turn whatever the client raises into a `_Refusal`."""
    page = f"{endpoint}/{model}"
    try:
        return ask()
    except GatedRepoError:
        raise _Refusal(_gated(model, page)) from None
    except RevisionNotFoundError:
        mend = f"see the commits at {page}/commits/main"
        raise _Refusal(Finding(Verdict.WRONG_REVISION, model, "there is no such revision", mend=mend)) from None
    except (RepositoryNotFoundError, HFValidationError):
        message = "there is no such model on the hub, or it is private"
        raise _Refusal(Finding(Verdict.WRONG_ID, model, message, mend=f"check {page}")) from None
    except (NotASafetensorsRepoError, SafetensorsParsingError):
        message = "it has no readable safetensors weights, and other formats are not loaded"
        raise _Refusal(Finding(Verdict.NO_SAFETENSORS, model, message)) from None
    except HfHubHTTPError as error:
        raise _Refusal(_refused(model, page, error)) from None
    except (httpx2.HTTPError, OSError) as error:
        mend = "check the network, HF_ENDPOINT and HF_HUB_OFFLINE"
        raise _Refusal(Finding(Verdict.OFFLINE, model, "the hub cannot be reached", mend=mend)) from error
    except ValueError as error:
        raise _Refusal(Finding(Verdict.BROKEN, model, f"its config is not valid JSON ({error})")) from None


def _refused(model: str, page: str, error: HfHubHTTPError) -> Finding:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status in (401, 403):
        return _gated(model, page)
    if status == 429 or (status is not None and status >= 500):
        return Finding(Verdict.OFFLINE, model, f"the hub answers {status} now", mend="try again later")
    return Finding(Verdict.REFUSED, model, f"the hub answers {status}", mend=f"see {page}")


def _gated(model: str, page: str) -> Finding:
    have = os.environ.get("HF_TOKEN") or (constants.HF_TOKEN_PATH and Path(constants.HF_TOKEN_PATH).is_file())
    message = "access is refused with the present token" if have else "access needs a token"
    mend = f"ask for access at {page}, then set HF_TOKEN to a token of that account"
    return Finding(Verdict.GATED, model, f"it is gated: {message}", mend=mend)


def _look_at_directory(directory: Path) -> Finding:
    try:
        read_directory(directory)
    except FileFormatError as error:
        return Finding(Verdict.BROKEN, str(directory), str(error))
    return Finding(Verdict.LOCAL, str(directory), "a complete checkpoint on this machine")
